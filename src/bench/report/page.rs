//! A run as a section of a page, between two marks that name the file it comes from: numbers in a page are never typed by hand.

use super::results::Results;
use super::tables::tables;
use anyhow::{Context, Result};
use std::path::Path;

/// The text of a run, with its command and what it ran on.
pub fn section(results: &Results) -> String {
    let mut text = format!("    {}\n\n", results.command);
    text += &results.circumstances();
    text += "\n";
    for table in tables(results) {
        text += "\n";
        text += &table.markdown();
    }
    if !results.notes.is_empty() {
        text += "\n";
    }
    for note in &results.notes {
        text += &format!("- {note}\n");
    }
    text
}

/// Puts a section into a page, in place of the one from the same file, or at the end.
pub fn put(page: &str, file: &str, section: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- numbers of {file} -->\n"), "<!-- end -->\n");
    let marked = format!("{begin}{section}{end}");
    let Some(start) = page.find(&begin) else {
        return Ok(format!("{page}\n{marked}"));
    };
    let rest = &page[start..];
    let length = rest
        .find(end)
        .with_context(|| format!("the section of {file} does not end"))?;
    let after = &rest[length + end.len()..];
    Ok(format!("{}{marked}{after}", &page[..start]))
}

/// Writes the section of a saved run into a page.
pub fn write(page: &Path, file: &Path, results: &Results) -> Result<()> {
    let name = file.file_name().context("a file has a name")?;
    let text = std::fs::read_to_string(page);
    let text = text.with_context(|| format!("{} can't be read", page.display()))?;
    let text = put(&text, &name.to_string_lossy(), &section(results))?;
    Ok(std::fs::write(page, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_its_older_self() {
        let page = "# Page\n\nText.\n";
        let first = put(page, "run.json", "one\n").expect("put");
        let both = put(&first, "other.json", "two\n").expect("put");
        let again = put(&both, "run.json", "three\n").expect("put");
        assert_eq!(
            again,
            "# Page\n\nText.\n\n<!-- numbers of run.json -->\nthree\n<!-- end -->\n\n<!-- numbers of other.json -->\ntwo\n<!-- end -->\n"
        );
        assert!(put("<!-- numbers of x -->\n", "x", "").is_err());
    }

    #[test]
    fn a_section_says_how_it_came_about() {
        let results = Results {
            command: "roster bench batch".to_owned(),
            processors: 2,
            notes: vec!["raw was left out".to_owned()],
            ..Results::default()
        };
        let text = section(&results);
        assert!(text.starts_with("    roster bench batch\n"), "{text}");
        assert!(text.contains("2 processors") && text.ends_with("- raw was left out\n"));
    }
}
