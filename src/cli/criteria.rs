//! `roster project criteria`: when the apps of a project make users of people whom they do not know yet.

use crate::domain::{Json, ProjectId};
use crate::output;
use crate::store::Store;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Each page of each visitor asks for them: more would be felt there.
const MOST_BYTES: usize = 64 * 1024;

/// Where they come from.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Given {
    /// A file with `{"criteriaSets": [...]}`, as Iterable's SDKs read it
    file: Option<PathBuf>,
    /// No more criteria: nobody is made a user before they are known
    #[arg(long)]
    none: bool,
}

impl Given {
    /// Sets them.
    ///
    /// # Errors
    /// Where the file can't be used, or the database does not take it.
    pub async fn set(self, store: &Store, project_id: ProjectId, name: &str) -> Result<()> {
        let document = self.file.as_deref().map(document).transpose()?;
        store.set_criteria(project_id, document.as_ref()).await?;
        match document {
            Some(_) => output::line(format_args!(
                "project {name} has criteria for unknown users"
            ))?,
            None => output::line(format_args!(
                "project {name} has no criteria for unknown users"
            ))?,
        }
        Ok(())
    }
}

/// The document that is told to SDKs, made of a file.
fn document(path: &Path) -> Result<Json> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    document_of(&text).with_context(|| format!("{}", path.display()))
}

fn document_of(text: &str) -> Result<Json> {
    if text.len() > MOST_BYTES {
        bail!("it has more than {MOST_BYTES} bytes");
    }
    let given: Value = serde_json::from_str(text).context("it is no JSON")?;
    let Some(sets) = given["criteriaSets"].as_array() else {
        bail!("it has no list named criteriaSets");
    };
    // SDKs tell the service by number which of them was met.
    let is_numbered = |set: &Value| match &set["criteriaId"] {
        Value::String(text) => text.parse::<i64>().is_ok(),
        other => other.is_i64(),
    };
    if let Some(place) = sets
        .iter()
        .position(|set| !is_numbered(set) || !set["searchQuery"].is_object())
    {
        bail!("criteriaSets[{place}] has no criteriaId or no searchQuery");
    }
    let document = Json::of(&json!({"count": sets.len(), "criteriaSets": sets}));
    document
        .check("criteriaSets", 64)
        .map_err(|rejection| anyhow::anyhow!(rejection.message))?;
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_looked_at_before_it_is_told() {
        let good = r#"{"criteriaSets":[{"criteriaId":"1","searchQuery":{}},{"criteriaId":2,"searchQuery":{}}]}"#;
        let document = document_of(good).expect("good");
        assert_eq!(document.member("count").expect("there").as_str(), "2");
        for bad in [
            "[]",
            "{}",
            "no",
            r#"{"criteriaSets":{}}"#,
            r#"{"criteriaSets":[{"criteriaId":"a","searchQuery":{}}]}"#,
            r#"{"criteriaSets":[{"criteriaId":1}]}"#,
        ] {
            assert!(document_of(bad).is_err(), "{bad}");
        }
        let long = format!(r#"{{"criteriaSets":[],"x":"{}"}}"#, "x".repeat(MOST_BYTES));
        assert!(document_of(&long).is_err());
    }
}
