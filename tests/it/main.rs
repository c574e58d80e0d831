//! The integration tests: one binary, real servers, real processes. A test's project is fresh, so tests share a database and
//! run side by side. `ROSTER_TEST_DATABASE_URL` points the whole suite at another database.

#![expect(clippy::unwrap_used, reason = "a test may panic, and says where")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test owns its tasks, clock and connections"
)]

mod backfill;
mod barred;
mod bench;
mod browser;
mod cli;
mod clocks;
mod contention;
mod converge;
mod crash;
mod docs;
mod embedded;
mod erasure;
mod examples;
mod export;
mod folder;
mod forms;
mod groups;
mod harness;
mod held;
mod hot;
mod hubs;
mod import_command;
mod imports;
mod in_turn;
mod ingest;
mod isolation;
mod iterable;
mod java;
mod kafka;
mod layers;
mod ledger;
mod legacy;
mod limits;
mod listed;
mod load;
mod machine;
mod mending;
mod merge;
mod migration;
mod mirror;
mod mobile;
mod native;
mod openapi;
mod outage;
mod own_kinds;
mod pulls;
mod reads;
mod repeated;
mod retention;
mod rights;
mod schema;
mod sdk;
mod siege;
mod signed;
mod sizes;
mod slow;
mod socket;
mod split;
mod sql;
mod squatters;
mod startup;
mod statements;
mod stopping;
mod strangers;
mod traces;
mod tracking;
mod tracking_plan;
mod two_nodes;
mod upgrade;
mod verify;
mod watching;
mod wire;
mod workers;
