//! HTTP: what every API of this service shares. Each dialect has a folder of its own, and none knows another.
//!
//! Handlers authenticate by a plain call, turn bytes into `domain::Item`s, and answer after the commit.

mod answer;
pub mod auth;
pub mod body;
pub mod buffer;
pub mod charge;
pub mod connections;
pub mod credentials;
pub mod document;
mod erasing;
pub mod error;
pub mod inflate;
pub mod invalidated;
mod iterable;
pub mod lane;
mod native;
mod observe;
pub mod openapi;
mod ops;
mod planned;
pub mod rates;
mod reading;
pub mod reads;
mod signed;
mod stream;
pub mod tracking;
mod work;

pub use observe::observe;

use crate::clock::Clock;
use crate::config::Server;
use crate::domain::{Allowed, Limits};
use crate::health::Health;
use crate::imports::Imports;
use crate::ingest::Ingest;
use crate::legacy_reads::LegacyReads;
use crate::pulls::Desk;
use crate::store::Store;
use crate::traces::Tracer;
use actix_web::middleware::NormalizePath;
use actix_web::web::{self, Data, ServiceConfig};
use auth::Keys;
use invalidated::Invalidated;
use lane::Lanes;
use metrics_exporter_prometheus::PrometheusHandle;
use openapi::Described;
use rates::Rates;
use reads::Reads;
use std::sync::Arc;

/// What handlers work with; one for the whole process, shared by all threads.
pub struct State {
    /// Sizes and times of requests.
    pub server: Server,
    /// Sizes of what they carry.
    pub limits: Limits,
    /// What tells times of receipt.
    pub clock: Arc<Clock>,
    /// Room and threads for the bodies of callers and of strangers.
    pub lanes: Lanes,
    /// Connections and memory of reads.
    pub reads: Reads,
    /// Profiles of projects that are not read from here alone.
    pub legacy_reads: Arc<LegacyReads>,
    /// Whose keys are whose.
    pub keys: Keys,
    /// Tokens that count no more.
    pub invalidated: Arc<Invalidated>,
    /// What an operator allows each project and key.
    pub rates: Arc<Rates>,
    /// Indices and topics that server keys may name in a plan.
    pub mirrored: (Allowed, Allowed),
    /// The one way to write.
    pub ingest: Ingest,
    /// Files that are taken in.
    pub imports: Imports,
    /// From where the service fetches files.
    pub pulls: Desk,
    /// For reads.
    pub store: Store,
    /// Whether this node should get traffic.
    pub health: Arc<Health>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Traces some requests, where that is wanted.
    pub tracer: Option<Tracer>,
}

/// The routes of all dialects, and what describes them. The app wraps them in `tolerant_paths`.
pub fn configure(app: &mut ServiceConfig, described: &Data<Described>) {
    app.app_data(described.clone());
    tracking::configure_busiest(app);
    iterable::configure_busiest(app);
    tracking::configure(app);
    iterable::configure(app);
    native::configure(app);
    ops::configure(app);
    app.default_service(web::to(tracking::not_found));
}

/// Takes paths with and without a slash at the end, and never redirects: SDKs lose their data by a redirect (gotcha 8).
pub fn tolerant_paths() -> NormalizePath {
    NormalizePath::trim()
}
