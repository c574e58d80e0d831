//! File names with `*` and `?` in them, for where no shell opened them.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// The files that a text names: itself, or those of its folder that fit, by their names.
///
/// # Errors
/// Where nothing fits, or the folder can't be read.
pub fn opened(text: &str) -> Result<Vec<PathBuf>> {
    let path = Path::new(text);
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(name) = name.filter(|name| name.contains(['*', '?']) && !path.exists()) else {
        return Ok(vec![path.to_owned()]);
    };
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder);
    let entries = entries.with_context(|| format!("{} can't be read", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let fits = entry
            .file_name()
            .to_str()
            .is_some_and(|file| fits(name, file));
        if fits && entry.path().is_file() {
            found.push(path.with_file_name(entry.file_name()));
        }
    }
    if found.is_empty() {
        bail!("no file is called {text}");
    }
    found.sort_unstable();
    Ok(found)
}

/// `*` stands for any characters, `?` for one; a name that begins with a dot is meant only by one that does.
fn fits(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut star, mut next) = (0, None, 0);
    while next < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(one) if *one == '?' || *one == name[next] => {
                at += 1;
                next += 1;
            }
            // The last star takes one more.
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, next) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|one| *one == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_marks_stand_for_characters() {
        for (pattern, name) in [
            ("*", "a"),
            ("a*.csv", "a.csv"),
            ("?b*", "abc"),
            ("*a*b", "xaxxb"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*", ".a"),
            ("?", "ab"),
            ("a*b", "a"),
            ("", "a"),
            ("*.csv", "a.csv2"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_names_the_files_of_its_folder_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.csv", "a.csv", "c.txt"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let open = |name: &str| opened(&folder.path().join(name).display().to_string());
        let names = open("*.csv").expect("two");
        let names: Vec<_> = names.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["a.csv", "b.csv"]);
        assert!(open("*.json").is_err());
        // A name that is there is that file.
        std::fs::write(folder.path().join("[*].csv"), "").expect("a file");
        assert_eq!(open("[*].csv").expect("one").len(), 1);
    }
}
