//! The settings: `config.default.toml`, then a file, then the environment, then what the command line says.
//!
//! Plain structs, a section each; a part of the program takes its own section only. Unknown keys fail, and `validate` tells
//! every complaint at once. What each setting is for stands in `config.default.toml`, which is compiled in.

mod backfill;
mod bounds;
mod imports;
mod layers;
mod legacy;
mod log;
mod most;
mod pulls;
mod reads;
mod secret;
mod traces;

pub use backfill::{Backfill, BackfillSource, KafkaProperties};
pub use imports::Imports;
pub use legacy::LegacyStore;
pub use log::{Log, LogFormat};
pub use pulls::{Credential, PullPlace, Pulls};
pub use reads::Reads;
pub use secret::Secret;
pub use traces::Traces;

use crate::domain::Limits;
use layers::Layers;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// The reference: every setting with its default, unit and reason.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// All settings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data_dir: PathBuf,
    pub server: Server,
    pub database: Database,
    pub ingest: Ingest,
    pub reads: Reads,
    pub upkeep: Upkeep,
    pub backfill: Backfill,
    pub imports: Imports,
    pub legacy: LegacyStore,
    pub limits: Limits,
    pub rates: Rates,
    pub keys: Keys,
    pub log: Log,
    pub traces: Traces,
}

/// HTTP: addresses, sizes, times.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    pub public_url: String,
    pub workers: usize,
    pub max_connections: usize,
    pub max_new_connections: usize,
    pub max_body_bytes: usize,
    pub parallel_decoders: usize,
    pub stranger_bytes_in_flight: usize,
    pub header_timeout_ms: u64,
    pub body_timeout_ms: u64,
    pub request_timeout_ms: u64,
    pub write_timeout_ms: u32,
    pub keep_alive_seconds: u64,
    pub shutdown_timeout_ms: u64,
    pub drain_delay_ms: u64,
}

/// The way to the database.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: Secret,
    pub pool_size: usize,
    pub wait_timeout_ms: u64,
    pub connect_timeout_ms: u64,
    pub statement_timeout_ms: u64,
    pub max_lifetime_seconds: u64,
    pub max_clock_difference_ms: u64,
    pub migrate: bool,
}

/// Group commit and admission.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    pub max_batch_rows: usize,
    pub max_batch_bytes: usize,
    pub parallel_flushes: usize,
    pub parallel_rows: usize,
    pub patience_ms: u64,
    pub max_bytes_in_flight: usize,
    pub write_deadline_ms: u64,
    pub import: Lane,
    pub backfill: Lane,
}

/// How a class of traffic shares a batch with more urgent ones.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    pub floor_percent: usize,
    pub ceiling_percent: usize,
}

impl Lane {
    fn is_usable(self) -> bool {
        1 <= self.floor_percent
            && self.floor_percent <= self.ceiling_percent
            && self.ceiling_percent <= 100
    }
}

/// Work that no request waits for.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Upkeep {
    pub retention_interval_seconds: u64,
    pub retention_rows_per_second: u32,
}

/// How many requests a project and a key may send; 0: as many as they like.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    pub project_requests_per_second: u32,
    pub key_requests_per_second: u32,
}

/// How long credentials are remembered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    pub cache_seconds: u64,
    pub cache_entries: usize,
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the settings can't be read: {0}")]
    Unreadable(String),
    #[error("the settings can't be used: {}", .0.join("; "))]
    Invalid(Vec<String>),
}

impl Config {
    /// Reads the settings; `environment` is handed in so that a test needs no process of its own.
    ///
    /// # Errors
    /// Everything that can't be read.
    pub fn load(file: Option<&Path>, environment: HashMap<String, String>) -> Result<Self, Error> {
        let (config, faults) = Self::read(file, environment)?;
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(Error::Invalid(faults))
        }
    }

    /// Reads the settings, without those that can't be read; these are told.
    ///
    /// # Errors
    /// `Unreadable`, where not even the file can be read.
    pub fn read(
        file: Option<&Path>,
        environment: HashMap<String, String>,
    ) -> Result<(Self, Vec<String>), Error> {
        let mut layers = Layers::new().map_err(Error::Unreadable)?;
        if let Some(path) = file {
            layers.add_file(path).map_err(Error::Unreadable)?;
        }
        layers.add_environment(&environment);
        let (mut config, faults) = layers.read().map_err(Error::Unreadable)?;
        config.imports.pulls.take_from(&environment);
        Ok((config, faults))
    }

    /// Gathers every complaint; a service that would lose or refuse everything does not start.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_beside(Vec::new())
    }

    /// The same beside complaints that were found before.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn validate_beside(&self, mut complaints: Vec<String>) -> Result<(), Error> {
        let own = self
            .complaints()
            .into_iter()
            .chain(self.complaints_about_bounds())
            .chain(self.backfill.complaints())
            .chain(self.imports.complaints())
            .chain(self.legacy.complaints())
            .chain(self.log.complaints())
            .chain(self.traces.complaints())
            .filter(|(broken, _)| *broken);
        complaints.extend(own.map(|(_, text)| text.to_owned()));
        complaints.extend(self.complaints_about_the_largest());
        if complaints.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(complaints))
        }
    }

    fn complaints(&self) -> Vec<(bool, &'static str)> {
        let (server, database, ingest) = (&self.server, &self.database, &self.ingest);
        let of_batches = ingest.parallel_flushes.saturating_mul(2);
        let needed = of_batches.saturating_add(self.reads.connections);
        vec![
            (
                !server.public_url.is_empty() && !is_public_address(&server.public_url),
                "server.public_url must be an http:// or https:// address that holds no name or password",
            ),
            (
                server.max_body_bytes == 0,
                "server.max_body_bytes must be at least 1",
            ),
            (
                server.parallel_decoders == 0,
                "server.parallel_decoders must be at least 1",
            ),
            (
                server.max_connections == 0,
                "server.max_connections must be at least 1",
            ),
            (
                server.max_body_bytes > ingest.max_bytes_in_flight,
                "server.max_body_bytes must not exceed ingest.max_bytes_in_flight",
            ),
            (
                server
                    .parallel_decoders
                    .saturating_mul(server.max_body_bytes)
                    >= ingest.max_bytes_in_flight,
                "server.parallel_decoders times server.max_body_bytes must stay below ingest.max_bytes_in_flight",
            ),
            (
                database.pool_size <= needed,
                "database.pool_size must exceed twice ingest.parallel_flushes (a batch may hold two) and reads.connections together: keys and the health check need one too",
            ),
            (
                !ingest.import.is_usable() || !ingest.backfill.is_usable(),
                "ingest.import and ingest.backfill need 1 <= floor_percent <= ceiling_percent <= 100: with a floor of 0 they could wait for ever",
            ),
            (
                ingest.max_batch_rows == 0,
                "ingest.max_batch_rows must be at least 1",
            ),
            (
                ingest.max_batch_bytes == 0,
                "ingest.max_batch_bytes must be at least 1",
            ),
            (
                ingest.parallel_flushes == 0,
                "ingest.parallel_flushes must be at least 1",
            ),
            (
                ingest.max_bytes_in_flight > u32::MAX as usize,
                "ingest.max_bytes_in_flight must be below 4 GiB",
            ),
            (
                ingest.write_deadline_ms > server.request_timeout_ms,
                "ingest.write_deadline_ms must not exceed server.request_timeout_ms",
            ),
            (
                self.upkeep.retention_interval_seconds == 0
                    || self.upkeep.retention_rows_per_second == 0,
                "upkeep.retention_interval_seconds and upkeep.retention_rows_per_second must be at least 1",
            ),
            (
                self.limits.depth > 100,
                "limits.depth must be at most 100: the databases' own limits are near",
            ),
            (
                self.limits.identity_bytes > 2_000,
                "limits.identity_bytes must be at most 2000: longer keys do not fit an index",
            ),
            (
                self.keys.cache_seconds > 9,
                "keys.cache_seconds must be at most 9: a revoked key stops within 10 seconds",
            ),
        ]
    }

    /// The settings in force, secrets hidden.
    ///
    /// # Errors
    /// Never for settings that were loaded.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// True where this process brings its own database.
    pub fn is_embedded(&self) -> bool {
        self.database.url.reveal().is_empty()
    }
}

/// One setting as the reference lists it.
#[derive(Debug)]
pub struct Entry {
    /// `section.name`.
    pub key: String,
    /// The default as TOML.
    pub default: String,
    /// The comment above it.
    pub help: String,
}

impl Entry {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("ROSTER__{}", self.key.replace('.', "__").to_uppercase())
    }
}

/// Reads the reference: each setting with the comment above it.
pub fn entries() -> Vec<Entry> {
    let (mut entries, mut section, mut help) = (Vec::new(), String::new(), Vec::new());
    for line in DEFAULTS.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            help.push(comment);
        } else if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        } else if let Some((name, default)) = line.split_once(" = ") {
            entries.push(Entry {
                key: format!("{section}{name}"),
                default: default.to_owned(),
                help: help.join(" "),
            });
            help.clear();
        } else {
            help.clear();
        }
    }
    entries
}

fn is_web_address(text: &str) -> bool {
    let is_usable = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    Url::parse(text).is_ok_and(is_usable)
}

/// True of an address with a name or a password in it: it is shown as it stands, so that they belong elsewhere.
fn holds_secret(text: &str) -> bool {
    let holds = |url: Url| !url.username().is_empty() || url.password().is_some();
    Url::parse(text).is_ok_and(holds)
}

fn is_public_address(text: &str) -> bool {
    is_web_address(text) && !holds_secret(text)
}

/// Milliseconds as a duration.
pub fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

#[cfg(test)]
#[path = "config/load_tests.rs"]
mod tests;
