//! Logs and metrics of the process.

mod quota;

pub use quota::tell_suppressed;

use crate::config::{Log, LogFormat};
use crate::metric_names::{BATCH_BYTES, BATCH_ROUNDS, BATCH_ROWS, begin_at_zero, describe_all};
use anyhow::{Context, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Half a millisecond to ten seconds: from a lone insert to the longest that a request may wait.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 3.0, 10.0,
];
const ROWS: [f64; 9] = [
    1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0,
];
/// From one plain event to what a statement may have on CockroachDB.
const BYTES: [f64; 8] = [1e3, 4e3, 16e3, 64e3, 250e3, 1e6, 4e6, 16e6];
const ROUNDS: [f64; 6] = [1.0, 2.0, 3.0, 5.0, 10.0, 40.0];

/// Sends logs to standard error, as text or JSON, each kind of line within its limit.
///
/// # Errors
/// When the filter can't be read.
pub fn init_logging(settings: &Log) -> Result<()> {
    let filter = filter(&settings.level).context("log.level can't be read")?;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(quota::Quota::new(settings.lines_per_minute));
    let outcome = match settings.format {
        LogFormat::Text => registry.with(layer.with_ansi(false)).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    outcome.map_err(|error| anyhow::anyhow!("logging can't be set up: {error}"))
}

/// A level below `info` is this service's: its libraries log what they are given, such as statements with the names of people and keys in
/// them. One of them is heard where it is named.
fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    let own = |directive: &str| match directive.trim().parse::<LevelFilter>() {
        Ok(level) if level > LevelFilter::INFO => format!("info,roster={level}"),
        _ => directive.to_owned(),
    };
    let directives: Vec<String> = level.split(',').map(own).collect();
    EnvFilter::try_new(directives.join(","))
}

/// Installs the recorder; the handle renders `/metrics`.
///
/// # Errors
/// When the process has one already.
pub fn install_metrics() -> Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full(BATCH_ROWS.into()), &ROWS)?
        .set_buckets_for_metric(Matcher::Full(BATCH_BYTES.into()), &BYTES)?
        .set_buckets_for_metric(Matcher::Full(BATCH_ROUNDS.into()), &ROUNDS)?;
    let handle = builder
        .install_recorder()
        .context("metrics can't be set up")?;
    describe_all();
    begin_at_zero();
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_log_what_they_are_given_are_heard_only_by_name() {
        let shown = |level| filter(level).expect("a filter").to_string();
        for level in ["debug", "DEBUG", "4"] {
            assert_eq!(shown(level), shown("info,roster=debug"), "{level}");
        }
        assert_eq!(shown("trace,h2=off"), shown("info,roster=trace,h2=off"));
        for level in ["warn", "info,tokio_postgres=debug", "off"] {
            assert_eq!(shown(level), EnvFilter::new(level).to_string());
        }
    }
}
