//! HTTP: what every API of this service shares. Each dialect has a folder of its own, and none knows another.
//!
//! Handlers authenticate by a plain call, turn bytes into `domain::Item`s, and answer after the commit.

pub mod auth;
pub mod body;
pub mod charge;
pub mod credentials;
pub mod document;
pub mod error;
pub mod inflate;
mod native;
mod observe;
mod ops;
pub mod rates;
pub mod tracking;
mod work;

pub use observe::observe;

use crate::config::Server;
use crate::domain::{Limits, Timestamp};
use crate::health::Health;
use crate::ingest::Ingest;
use crate::store::Store;
use actix_web::middleware::NormalizePath;
use actix_web::web::{self, ServiceConfig};
use auth::Keys;
use metrics_exporter_prometheus::PrometheusHandle;
use rates::Rates;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What handlers work with; one for the whole process, shared by all threads.
pub struct State {
    /// Sizes and times of requests.
    pub server: Server,
    /// Sizes of what they carry.
    pub limits: Limits,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Permits for heavy work: `server.parallel_decoders` of them.
    pub decoders: Arc<Semaphore>,
    /// Whose keys are whose.
    pub keys: Keys,
    /// What an operator allows each project and key.
    pub rates: Arc<Rates>,
    /// The one way to write.
    pub ingest: Ingest,
    /// For reads.
    pub store: Store,
    /// Whether this node should get traffic.
    pub health: Arc<Health>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

/// The routes of all dialects. The app wraps them in `tolerant_paths`.
pub fn configure(app: &mut ServiceConfig) {
    tracking::configure(app);
    native::configure(app);
    ops::configure(app);
    app.default_service(web::to(tracking::not_found));
}

/// Takes paths with and without a slash at the end, and never redirects: SDKs lose their data by a redirect (gotcha 8).
pub fn tolerant_paths() -> NormalizePath {
    NormalizePath::trim()
}
