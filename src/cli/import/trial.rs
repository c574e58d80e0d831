//! `roster import --dry-run` and `--preview`: what would come of files, with nothing sent.

use super::asked::Upload;
use super::content::Content;
use crate::cli::check;
use crate::config::Config;
use crate::domain::Timestamp;
use crate::files::Seen;
use crate::output;
use crate::server::trial::{Trial, preview, trial};
use anyhow::Result;
use std::collections::HashMap;

/// Records that a preview reads.
const PREVIEW: u64 = 1_000;

/// Reads a file and prints what would come of it; how many records would be refused.
///
/// # Errors
/// Where the file can't be read at all.
pub fn run(upload: &Upload, is_preview: bool) -> Result<u64> {
    let config = Config::load(None, HashMap::new())?;
    let asked = asked(upload, is_preview)?;
    let mut content = match &upload.path {
        Some(path) => Content::open(path)?,
        None => Content::standard_input()?,
    };
    if is_preview {
        return previewed(&config, &asked, &mut content);
    }
    let (mut at, mut is_over) = (0, false);
    let next = || {
        if is_over {
            return Ok(None);
        }
        let (bytes, is_last) = content.piece(at)?;
        (at, is_over) = (at + bytes.len() as u64, is_last);
        Ok(Some(bytes.to_vec()))
    };
    let (survey, seen) = trial(&config, &asked, next)?;
    output::line(format_args!("{}: {}", upload.name, of_the_file(&seen)))?;
    let whole = survey.estimate(survey.records);
    for line in check::lines(&survey, &whole, "the file's own time") {
        output::line(format_args!("  {line}"))?;
    }
    Ok(survey
        .rejections
        .values()
        .map(|refused| refused.count)
        .sum())
}

/// As the route of previews answers, but for the mapping, which is text to be saved.
fn previewed(config: &Config, asked: &Trial, content: &mut Content) -> Result<u64> {
    let (bytes, is_all) = content.piece(0)?;
    let mut preview = preview(config, asked, (bytes, is_all))?;
    let mapping = preview.mapping.take();
    output::line(serde_json::to_string_pretty(&preview)?)?;
    if let Some(mapping) = mapping {
        output::line(format_args!("\n# a mapping to begin with\n{mapping}"))?;
    }
    Ok(preview.rejections.len() as u64)
}

fn asked(upload: &Upload, is_preview: bool) -> Result<Trial> {
    let mapping = upload.said.iter().find(|(name, _)| name == "mapping");
    let time = upload.time.as_deref().and_then(Timestamp::parse);
    Ok(Trial {
        name: upload.name.clone(),
        layout: upload.layout()?,
        mapping: mapping.map(|(_, text)| text.clone()),
        time: time.unwrap_or_else(crate::clock::machine_time),
        most: if is_preview { PREVIEW } else { u64::MAX },
    })
}

fn of_the_file(seen: &Seen) -> String {
    let mut told = format!("{} lines, {} of them blank", seen.lines, seen.blank);
    if let Some(encoding) = seen.encoding {
        told += &format!(", {}", encoding.name());
    }
    if let Some(delimiter) = seen.delimiter {
        told += &format!(", cells between {delimiter:?}");
    }
    if let Some(columns) = &seen.columns {
        told += &format!(", columns {}", columns.join(", "));
    }
    for (_, warning) in &seen.warnings {
        told += &format!("; {warning}");
    }
    told
}
