//! Roster keeps the profiles and events that SDKs, batch jobs and an old store send it.
//!
//! ```text
//!  tracking API ── bytes → parsed request → Item ─┐
//!                                                 ├→ Ingest → batch → a few statements → receipts
//!  Kafka ── record → mapping ─────────────── Item ─┤
//!  files ── record → mapping ─────────────── Item ─┤
//!  (later: other dialects)                  Item ──┘
//! ```
//! Left of `Item`: untrusted, many shapes. Right of it: valid, one shape. An answer leaves only after the commit.
//! Who may import whom is kept by `tests/it/layers.rs`; `docs/ARCHITECTURE.md` walks one event through.

pub mod api;
pub mod backfill;
mod bench;
pub mod cli;
mod clock;
pub mod config;
pub mod docs;
pub mod domain;
pub mod embedded;
mod export;
pub mod files;
mod health;
pub mod imports;
pub mod ingest;
mod legacy;
mod legacy_reads;
pub mod mapping;
pub mod metric_names;
mod migration;
mod mirror;
pub mod output;
pub mod pulls;
mod server;
pub mod store;
mod telemetry;
mod traces;
pub mod upkeep;
mod verify;
