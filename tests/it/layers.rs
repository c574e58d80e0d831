//! Keeps the table of who may import whom (docs/ARCHITECTURE.md): data flows one way.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the crate: what it may name of ours, and the crates that only it (and others so listed) may name.
const TABLE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("config", &[]),
    ("metric_names", &[]),
    ("store", &["domain", "config", "metric_names"]),
    ("ingest", &["store", "domain", "config", "metric_names"]),
    ("health", &["store", "metric_names"]),
    ("upkeep", &["store", "domain", "config", "metric_names"]),
    ("embedded", &[]),
    (
        "api",
        &[
            "ingest",
            "store",
            "domain",
            "config",
            "metric_names",
            "health",
        ],
    ),
    ("telemetry", &["config", "metric_names"]),
    ("docs", &["config", "metric_names", "store"]),
    // Of the store only the texts of its statements: the raw limit is the same statements without the service around them.
    ("bench", &["domain", "config", "store", "embedded"]),
];

/// Crates that belong to one place.
const OWNERS: &[(&str, &[&str])] = &[
    ("tokio_postgres", &["store", "embedded", "bench"]),
    ("deadpool_postgres", &["store"]),
    ("actix_web", &["api", "server"]),
];

/// Parts of `api` that never import each other.
const DIALECTS: &[&str] = &["native", "tracking"];

fn sources() -> Vec<(PathBuf, String)> {
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
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
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

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
}

/// The first names behind `prefix` in a line: `crate::{a, b::c}` names a and b.
fn named<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut names = Vec::new();
    for (at, _) in line.match_indices(prefix) {
        let rest = &line[at + prefix.len()..];
        let parts: Vec<&str> = rest
            .strip_prefix('{')
            .map_or(vec![rest], |list| list.split(',').collect());
        names.extend(parts.into_iter().map(|part| {
            part.trim()
                .split(|character| !is_name(character))
                .next()
                .unwrap_or_default()
        }));
    }
    names
}

#[test]
fn nobody_imports_upward() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        for line in code_lines(&text) {
            for name in named(line, "crate::") {
                let known = TABLE.iter().any(|(other, _)| *other == name)
                    || ["server", "cli"].contains(&name);
                if known && name != module && !allowed.contains(&name) {
                    wrong.push(format!("{}: {module} may not name {name}", path.display()));
                }
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
            if !owners.contains(&module.as_str())
                && code_lines(&text).any(|line| line.contains(&format!("{library}::")))
            {
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
                && code_lines(&text).any(|line| line.contains(&format!("{other}::")));
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
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let own = fs::read_dir(tests)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file());
    let all = sources().into_iter().map(|(path, _)| path).chain(own);
    for path in all {
        let lines = fs::read_to_string(&path).expect("text").lines().count();
        assert!(
            lines <= 500,
            "{} has {lines} lines; 500 is the limit",
            path.display()
        );
    }
}
