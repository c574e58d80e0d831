//! `roster bench`: how close the service comes to the raw limit of its database, in one run on one machine.
//!
//! It starts what it measures (a private database, or one that is named, and a `roster serve` of this same program) and takes
//! turns of a few seconds: an ideal SQL client, then each kind of request, round after round, so that what else happens on the
//! machine meets all of them alike. Ratios are taken within a round, and medians over the rounds. It fails where a request is
//! not answered 200, or where a row is missing at the end.
//!
//! The load generator is one thread: it shares the processors with what it measures.

mod backfill;
mod bodies;
mod flood;
mod http;
mod legacy;
mod machine;
mod plan;
mod raw;
mod raw_profiles;
mod report;
mod run;
mod stage;
mod tally;
mod tenants;

pub use plan::Settings;

use crate::config::Config;
use anyhow::Result;
use serde::Serialize;
use std::fmt::Display;

/// Measures, prints a table, and writes JSON where it was asked to.
///
/// # Errors
/// When something can't be started, a request was not answered 200, or rows are missing.
pub fn run(settings: &Settings, config: &Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if settings.flood {
        return show(settings, &runtime.block_on(flood::run(settings, config))?);
    }
    if settings.tenants > 0 {
        return show(settings, &runtime.block_on(tenants::run(settings, config))?);
    }
    if settings.backfill {
        return show(
            settings,
            &runtime.block_on(backfill::run(settings, config))?,
        );
    }
    show(settings, &runtime.block_on(run::run(settings, config))?)
}

/// Prints a report, and writes it where it was asked to.
fn show(settings: &Settings, report: &(impl Display + Serialize)) -> Result<()> {
    print!("{report}");
    if let Some(path) = &settings.json {
        std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
    }
    Ok(())
}
