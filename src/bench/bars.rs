//! Bars that results are held to: `batch=0.8` (at least), `batch=0.8..`, `single-open.p99=..20` (at most), `flood-times=1..2`.

use anyhow::{Context, Error, Result, ensure};
use std::fmt;
use std::str::FromStr;

/// What Roster is held to, by the names of results: every report tells of these what it measured.
const STATED: [&str; 20] = [
    "batch=0.8",
    "single=0.3",
    "single-open.p99=..50",
    "identify=0.6",
    "mixed=0.6",
    "many-single=0.95",
    "many-batch=0.95",
    "flood-times=..2",
    "flood-share=0.9",
    "flood-beside.refused=..0",
    "flood-silent=..0",
    "import-events=0.7",
    "import-profiles=0.6",
    "import-live-times=..1.5",
    "import-memory=..256",
    "backfill-new=0.6",
    "backfill-live-times=..1.5",
    "backfill-memory=..256",
    "reads-moving=0.95",
    "reads-compare=..1.1",
];

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it is for, as results know it.
    pub name: String,
    least: Option<f64>,
    most: Option<f64>,
}

impl FromStr for Bar {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, range) = text.split_once('=').context("a bar is NAME=VALUE")?;
        let (least, most) = range.split_once("..").unwrap_or((range, ""));
        let bar = Self {
            name: name.to_owned(),
            least: number(least)?,
            most: number(most)?,
        };
        ensure!(
            bar.least.is_some() || bar.most.is_some(),
            "a bar has a value"
        );
        Ok(bar)
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (Some(least), Some(most)) => write!(f, "{least} to {most}"),
            (Some(least), None) => write!(f, "{least} or more"),
            (None, Some(most)) => write!(f, "{most} or less"),
            (None, None) => Ok(()),
        }
    }
}

/// The bars that Roster is held to whether or not anybody asks.
pub fn stated() -> impl Iterator<Item = Bar> {
    STATED.iter().filter_map(|text| text.parse().ok())
}

fn number(text: &str) -> Result<Option<f64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let number: f64 = text
        .parse()
        .with_context(|| format!("{text:?} is no number"))?;
    ensure!(number.is_finite(), "a bar is a finite number");
    Ok(Some(number))
}

impl Bar {
    /// Why a value misses it, if it does. What was not measured reaches no bar.
    pub fn missed(&self, value: Option<f64>) -> Option<String> {
        let name = &self.name;
        let Some(value) = value else {
            return Some(format!("{name} was not measured"));
        };
        // Shown as it is compared: two digits, like the tables.
        let value = (value * 100.0).round() / 100.0;
        if let Some(least) = self.least.filter(|least| value < *least) {
            return Some(format!("{name} is {value}, less than {least}"));
        }
        let most = self.most.filter(|most| value > *most)?;
        Some(format!("{name} is {value}, more than {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(bar: &str, value: f64) -> bool {
        let bar: Bar = bar.parse().expect("a bar");
        bar.missed(Some(value)).is_some()
    }

    #[test]
    fn a_value_is_held_to_both_ends() {
        assert!(missed("batch=0.8", 0.79) && !missed("batch=0.8", 0.8));
        assert!(missed("batch=0.8..", 0.79) && !missed("batch=0.8..", 9.0));
        assert!(missed("p99=..20", 20.1) && !missed("p99=..20", 20.0));
        assert!(missed("x=1..2", 0.5) && missed("x=1..2", 2.5) && !missed("x=1..2", 1.5));
        assert!(!missed("batch=0.8", 0.7951), "as the table shows it");
    }

    #[test]
    fn what_is_stated_is_readable_and_read() {
        let bars: Vec<Bar> = stated().collect();
        assert_eq!(bars.len(), STATED.len());
        assert_eq!(bars[0].to_string(), "0.8 or more");
        assert_eq!(bars[2].to_string(), "50 or less");
        let both: Bar = "x=1..2".parse().expect("a bar");
        assert_eq!(both.to_string(), "1 to 2");
    }

    #[test]
    fn what_was_not_measured_reaches_no_bar() {
        let bar: Bar = "batch=0.8".parse().expect("a bar");
        assert_eq!(bar.missed(None).as_deref(), Some("batch was not measured"));
        for wrong in ["batch", "batch=", "batch=..", "batch=x", "batch=nan"] {
            assert!(wrong.parse::<Bar>().is_err(), "{wrong}");
        }
    }
}
