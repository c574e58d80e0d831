//! Keeps the table of who may import whom (docs/ARCHITECTURE.md): data flows one way.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the crate: what it may name of ours, and the crates that only it (and others so listed) may name.
const TABLE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    // One section of the settings is the core's own: the limits.
    ("config", &["domain"]),
    ("metric_names", &[]),
    ("traces", &["config", "metric_names"]),
    ("store", &["traces", "domain", "config", "metric_names"]),
    (
        "ingest",
        &["store", "traces", "domain", "config", "metric_names"],
    ),
    ("clock", &["domain"]),
    ("health", &["store", "domain", "clock", "metric_names"]),
    ("upkeep", &["store", "domain", "config", "metric_names"]),
    ("mapping", &["domain"]),
    ("files", &["domain", "mapping"]),
    (
        "backfill",
        &[
            "ingest",
            "mapping",
            "store",
            "domain",
            "config",
            "metric_names",
            "health",
        ],
    ),
    ("legacy", &["config"]),
    ("export", &["legacy", "backfill", "store", "domain"]),
    ("embedded", &[]),
    ("migration", &["mapping", "store", "domain"]),
    (
        "mirror",
        &[
            "ingest",
            "upkeep",
            "legacy",
            "backfill",
            "mapping",
            "store",
            "domain",
            "config",
            "metric_names",
        ],
    ),
    (
        "verify",
        &[
            "mirror",
            "upkeep",
            "legacy",
            "backfill",
            "mapping",
            "store",
            "domain",
            "config",
            "metric_names",
        ],
    ),
    (
        "pulls",
        &[
            "imports",
            "upkeep",
            "store",
            "domain",
            "config",
            "metric_names",
        ],
    ),
    (
        "legacy_reads",
        &[
            "legacy",
            "mapping",
            "ingest",
            "store",
            "domain",
            "config",
            "metric_names",
        ],
    ),
    (
        "imports",
        &[
            "files",
            "mapping",
            "ingest",
            "upkeep",
            "store",
            "domain",
            "config",
            "metric_names",
        ],
    ),
    (
        "api",
        &[
            "imports",
            "pulls",
            "files",
            "migration",
            "legacy_reads",
            "ingest",
            "store",
            "traces",
            "domain",
            "config",
            "metric_names",
            "health",
            "clock",
        ],
    ),
    ("telemetry", &["config", "metric_names"]),
    ("output", &[]),
    ("docs", &["config", "metric_names", "store", "output"]),
    // Of the store only the texts of its statements: the raw limit is the same statements without the service around them. Of the
    // backfill a topic to fill, and the first parts of its road.
    (
        "bench",
        &[
            "domain", "config", "store", "embedded", "backfill", "mapping", "output",
        ],
    ),
];

/// Crates that belong to one place.
const OWNERS: &[(&str, &[&str])] = &[
    ("tokio_postgres", &["store", "embedded", "bench"]),
    ("deadpool_postgres", &["store"]),
    ("actix_web", &["api", "server"]),
    ("actix_http", &["server"]),
    ("actix_server", &["server"]),
    ("actix_service", &["server"]),
    ("rdkafka", &["backfill"]),
    ("object_store", &["pulls"]),
    ("reqwest", &["legacy", "pulls", "traces", "cli"]),
    ("opentelemetry", &["traces"]),
    ("opentelemetry_sdk", &["traces"]),
    ("opentelemetry_http", &["traces"]),
    ("opentelemetry_otlp", &["traces"]),
    ("opentelemetry_proto", &["traces"]),
];

/// Parts of `api` that never import each other.
const DIALECTS: &[&str] = &["iterable", "native", "tracking"];

fn sources() -> Vec<(PathBuf, String)> {
    files_of("src")
}

/// The files of Rust in a folder of the project, and in those within it.
fn files_of(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
        &mut found,
    );
    found
}

fn module_of(path: &Path) -> String {
    let inside = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .expect("inside src");
    let first = inside
        .components()
        .next()
        .expect("a name")
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code without comments, so that a path may go over several lines.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().split("//").next());
    lines.flatten().collect::<Vec<_>>().join(" ")
}

/// The paths behind `prefix`, braces opened: `crate::{a, b::{c, d}}` names a, b::c and b::d.
fn paths(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let is_whole_word =
            !code[..at].ends_with(|last: char| last.is_alphanumeric() || "_:".contains(last));
        if is_whole_word {
            open(&code[at + prefix.len()..], String::new(), &mut found);
        }
    }
    found
}

/// Reads one path, or a list of them, and tells where it ends.
fn open(text: &str, so_far: String, found: &mut Vec<String>) -> usize {
    if !text.starts_with('{') {
        let is_path = |character: char| character.is_alphanumeric() || "_:".contains(character);
        let end = text
            .find(|character| !is_path(character))
            .unwrap_or(text.len());
        let path = so_far + &text[..end];
        if text[end..].starts_with('{') && path.ends_with("::") {
            return end + open(&text[end..], path, found);
        }
        found.push(path);
        return end;
    }
    let mut at = 1;
    loop {
        let rest = text[at..].trim_start_matches([' ', ',']);
        at = text.len() - rest.len();
        if rest.is_empty() || rest.starts_with('}') {
            return at + 1;
        }
        let read = open(rest, so_far.clone(), found);
        if read == 0 {
            return at;
        }
        at += read;
        // ` as name`
        at += text[at..].find([',', '}']).unwrap_or(0);
    }
}

#[test]
fn paths_are_read_over_braces_and_lines() {
    let text = "use crate::{a,\n  b::{c, d as e}}; // crate::no\nuse crate::f::G;\nsuper::h::i()";
    assert_eq!(paths(&code(text), "crate::"), ["a", "b::c", "b::d", "f::G"]);
    assert_eq!(paths(&code(text), "super::"), ["h::i"]);
}

fn is_test(path: &Path) -> bool {
    path.to_string_lossy().ends_with("_tests.rs")
}

/// The files of one folder that each file of it names.
fn neighbours(folder: &Path) -> Vec<(String, Vec<String>)> {
    let module = folder.strip_prefix(src()).expect("inside src").display();
    let from_root = format!("crate::{}::", module.to_string().replace('/', "::"));
    let files = sources().into_iter().filter(|(path, _)| {
        path.parent() == Some(folder) && !is_test(path) && !path.ends_with("mod.rs")
    });
    let files: Vec<_> = files
        .map(|(path, text)| {
            (
                path.file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned(),
                text,
            )
        })
        .collect();
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    let named = |(name, text): (String, String)| {
        let code = code(text.split("#[cfg(test)]").next().unwrap_or_default());
        let mut all = paths(&code, "super::");
        all.extend(paths(&code, &from_root));
        let first = all.iter().filter_map(|path| path.split("::").next());
        let known =
            first.filter(|other| *other != name && names.iter().any(|known| known == other));
        (name.clone(), known.map(str::to_owned).collect())
    };
    files.into_iter().map(named).collect()
}

#[test]
fn no_files_of_a_folder_name_each_other_in_a_circle() {
    let folders: std::collections::BTreeSet<PathBuf> = sources()
        .into_iter()
        .filter_map(|(path, _)| path.parent().map(Path::to_owned))
        .filter(|folder| *folder != src())
        .collect();
    for folder in folders {
        let mut left = neighbours(&folder);
        // Whoever names nobody that is left can be built first.
        loop {
            let names: Vec<String> = left.iter().map(|(name, _)| name.clone()).collect();
            let before = left.len();
            left.retain(|(_, named)| named.iter().any(|other| names.contains(other)));
            if left.len() == before {
                break;
            }
        }
        assert!(
            left.is_empty(),
            "a circle in {}: {left:?}",
            folder.display()
        );
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn nobody_imports_upward() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        for named in paths(&code(&text), "crate::") {
            let name = named.split("::").next().unwrap_or_default();
            let known =
                TABLE.iter().any(|(other, _)| *other == name) || ["server", "cli"].contains(&name);
            if known && name != module && !allowed.contains(&name) {
                wrong.push(format!("{}: {module} may not name {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        for (library, owners) in OWNERS {
            if !owners.contains(&module.as_str()) && code(&text).contains(&format!("{library}::")) {
                wrong.push(format!(
                    "{}: {library} belongs to {}",
                    path.display(),
                    owners.join(", ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dialects_know_nothing_of_each_other() {
    for (path, text) in sources() {
        let place = path.display().to_string();
        for (own, other) in DIALECTS
            .iter()
            .flat_map(|own| DIALECTS.iter().map(move |other| (own, other)))
        {
            let crosses = own != other
                && place.contains(&format!("api/{own}"))
                && code(&text).contains(&format!("{other}::"));
            assert!(!crosses, "{place} names {other}");
        }
    }
}

#[test]
fn every_module_stands_in_the_table() {
    let exempt = ["main", "lib", "cli", "server"];
    for (path, _) in sources() {
        let module = module_of(&path);
        assert!(
            exempt.contains(&module.as_str()) || TABLE.iter().any(|(name, _)| *name == module),
            "{module} is missing from the table"
        );
    }
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in sources().into_iter().chain(files_of("tests/it")) {
        let lines = text.lines().count();
        assert!(
            lines <= 450,
            "{} has {lines} lines; 450 is the limit",
            path.display()
        );
    }
}
