//! The pages of the documentation that are made from code, so that they can't lie: `tests/it/docs.rs` compares them.

use crate::output;
use crate::{config, metric_names, store};
use anyhow::{Context, Result};

/// Each generated page: its path and its text.
pub fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("docs/CONFIG.md", config_page()),
        ("docs/METRICS.md", metric_names::to_markdown()),
        ("tests/golden/statements.sql", statements()),
    ]
}

/// Prints the pages, or writes them into the working directory.
pub fn run(write: bool) -> Result<()> {
    for (path, text) in pages() {
        if write {
            std::fs::write(path, text).with_context(|| format!("{path} can't be written"))?;
        } else {
            output::text(text)?;
        }
    }
    Ok(())
}

fn config_page() -> String {
    let rows: String = config::entries()
        .iter()
        .map(|entry| {
            format!(
                "| `{}` | `{}` | `{}` | {} |\n",
                entry.key,
                entry.variable(),
                entry.default,
                entry.help
            )
        })
        .collect();
    format!(
        "# Settings\n\nMade by `make docs` from `config.default.toml`. Later sources win: defaults, then `--config FILE` (TOML), then the environment, \
         then the command line. An unknown key stops the start; `roster config check` tells every complaint at once, `roster config show` prints what is in force.\n\n\
         | setting | environment | default | what it is for |\n|---|---|---|---|\n{rows}"
    )
}

/// Every statement as text, so that a change to one shows in review and another engine can be asked about them all.
fn statements() -> String {
    let texts: Vec<&str> = store::catalogue()
        .iter()
        .map(|statement| statement.sql)
        .collect();
    format!("{};\n", texts.join(";\n\n"))
}
