//! What has to be done every few seconds, whoever sends what.

use crate::api::rates::Rates;
use crate::config::Config;
use crate::metric_names::DISK_AVAILABLE;
use crate::telemetry;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use nix::sys::statvfs::statvfs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Keeps the histograms of the metrics and the memory of rates from growing, and tells how full the disk is and what the log left
/// out, for as long as the process lives.
pub(super) fn tidy(
    config: &Config,
    metrics: PrometheusHandle,
    rates: Arc<Rates>,
) -> impl Future<Output = ()> + Send + 'static {
    let disk = config.is_embedded().then(|| config.data_dir.clone());
    run(disk, metrics, rates)
}

async fn run(disk: Option<PathBuf>, metrics: PrometheusHandle, rates: Arc<Rates>) {
    for seconds in (5_u64..).step_by(5) {
        sleep(Duration::from_secs(5)).await;
        metrics.run_upkeep();
        rates.tidy();
        if let Some(available) = disk.as_deref().and_then(available_bytes) {
            gauge!(DISK_AVAILABLE).set(available as f64);
        }
        if seconds % 60 == 0 {
            telemetry::tell_suppressed();
        }
    }
}

/// What an ordinary user may still write where a path leads to; `None` where nobody can tell.
fn available_bytes(path: &Path) -> Option<u64> {
    // The cluster may lie elsewhere, behind a link.
    let cluster = path.join("postgres");
    let room = statvfs(&cluster).or_else(|_| statvfs(path)).ok()?;
    Some(room.blocks_available() * room.fragment_size())
}
