//! `roster migration verify PROJECT`: begins a verification, and waits for it.

use crate::domain::containment::Direction;
use crate::migration;
use crate::output;
use crate::store::{Store, Verification};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::time::Duration;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct Verify {
    project: String,
    /// forward: Roster has what the legacy store has; reverse: the other way round
    #[arg(long, default_value = "forward", value_parser = ["forward", "reverse"])]
    direction: String,
}

impl Verify {
    /// Begins one, or joins the one that goes on, and tells what it came to: the last line is JSON with some of what differs.
    ///
    /// # Errors
    /// With one sentence for the operator; also where there is a difference.
    pub async fn run(self, store: &Store) -> Result<()> {
        let project_id = crate::cli::find_project(store, &self.project).await?;
        let direction = Direction::parse(&self.direction).unwrap_or_default();
        let begun = migration::verify(store, project_id, direction).await;
        let id = begun.map_err(super::refused)?.id;
        let mut told = String::new();
        let verified = loop {
            let now = migration::verified(store, project_id, id).await;
            let now = now.map_err(crate::cli::explained)?;
            let now = now.context("the verification is gone")?;
            let line = line(&now.verification);
            if line != told {
                eprintln!("{line}");
                told = line;
            }
            if now.verification.finished_at.is_some() {
                break now;
            }
            sleep(EVERY).await;
        };
        output::line(serde_json::to_string(&verified)?)?;
        let verification = &verified.verification;
        match verification.counts.differences() {
            _ if !verification.reason.is_empty() => bail!("{}", verification.reason),
            0 => Ok(()),
            count => bail!("{count} differences"),
        }
    }
}

/// One verification in one line.
pub fn line(own: &Verification) -> String {
    let counts = &own.counts;
    let state = match (&own.finished_at, own.reason.is_empty()) {
        (Some(at), true) => format!("done at {at}"),
        (Some(_), false) => format!("came to nothing: {}", own.reason),
        (None, true) => "goes on".to_owned(),
        (None, false) => format!("waits: {}", own.reason),
    };
    format!(
        "{} verification {state}; {} checked, {} missing, {} different, {} extra; {} superseded, {} erased, {} rejected",
        own.direction,
        counts.checked,
        counts.missing,
        counts.different,
        counts.extra,
        counts.superseded,
        counts.erased,
        counts.rejected
    )
}
