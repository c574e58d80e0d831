//! What a run gave, and the ways in which it is shown and judged.

mod compare;
mod html;
mod page;
mod plot;
mod results;
mod tables;

pub use page::{section, write as write_into};
pub use results::{Line, Part, Results, median};

use super::bars::stated;
use super::settings::Judged;
use crate::output;
use anyhow::{Result, bail};

/// The tables and notes of a run, for a terminal.
pub fn text(results: &Results) -> String {
    let mut parts = vec![format!("{}\n", results.circumstances())];
    let tables = tables::tables(results);
    parts.extend(tables.iter().map(tables::Table::plain));
    parts.extend(results.notes.iter().map(|note| format!("{note}\n")));
    parts.join("\n")
}

/// Draws results, holds them against a saved run and to bars.
///
/// # Errors
/// Where a file can't be read or written, a ratio is 10 % worse, or a bar is missed.
pub fn judge(judged: &Judged, results: &Results) -> Result<()> {
    if let Some(path) = &judged.html {
        std::fs::write(path, html::page(results))?;
    }
    let mut complaints = Vec::new();
    if let Some(path) = &judged.compare {
        let (table, worse) = compare::compare(&Results::read(path)?, results);
        output::text(format_args!("\n{table}"))?;
        complaints.extend(worse);
    }
    let missed = judged
        .bars
        .iter()
        .filter_map(|bar| bar.missed(results.value(&bar.name)));
    complaints.extend(missed);
    if judged.stated {
        let missed = stated().filter_map(|bar| bar.missed(Some(results.value(&bar.name)?)));
        complaints.extend(missed);
    }
    if !complaints.is_empty() {
        bail!("{}", complaints.join("; "));
    }
    Ok(())
}
