//! What is wrong with settings that bound something: where one is nothing, all is refused or lost.

use super::{Config, Database, Ingest, Server};
use crate::domain::Limits;

impl Config {
    /// Those about what strangers, newcomers and reads may hold.
    pub(super) fn complaints_about_bounds(&self) -> Vec<(bool, &'static str)> {
        let server = &self.server;
        let mut complaints = vec![
            (
                server.max_new_connections == 0,
                "server.max_new_connections must be at least 1",
            ),
            (
                server.stranger_bytes_in_flight < server.max_body_bytes,
                "server.stranger_bytes_in_flight must be at least server.max_body_bytes",
            ),
            (
                self.reads.connections == 0 || self.reads.legacy_connections == 0,
                "reads.connections and reads.legacy_connections must be at least 1",
            ),
            (
                self.reads.page_bytes == 0
                    || self.reads.page_bytes.saturating_mul(8) > self.reads.max_bytes_in_flight,
                "reads.page_bytes must be at least 1, and reads.max_bytes_in_flight eight times as much",
            ),
        ];
        complaints.extend(of_times(server, &self.database, &self.ingest));
        complaints.extend(of_limits(&self.limits));
        complaints
    }
}

fn of_times(
    server: &Server,
    database: &Database,
    ingest: &Ingest,
) -> impl Iterator<Item = (bool, &'static str)> {
    let times = [
        (
            server.body_timeout_ms,
            "server.body_timeout_ms must be at least 1",
        ),
        (
            server.request_timeout_ms,
            "server.request_timeout_ms must be at least 1",
        ),
        (
            server.shutdown_timeout_ms,
            "server.shutdown_timeout_ms must be at least 1: nothing would be finished",
        ),
        (
            database.max_clock_difference_ms,
            "database.max_clock_difference_ms must be at least 1: no two clocks agree, and the node would never be ready",
        ),
        (
            database.connect_timeout_ms,
            "database.connect_timeout_ms must be at least 1",
        ),
        (
            database.statement_timeout_ms,
            "database.statement_timeout_ms must be at least 1",
        ),
        (
            ingest.write_deadline_ms,
            "ingest.write_deadline_ms must be at least 1",
        ),
    ];
    times.into_iter().map(|(time, text)| (time == 0, text))
}

fn of_limits(limits: &Limits) -> impl Iterator<Item = (bool, &'static str)> {
    let sizes = [
        (limits.name_bytes, "limits.name_bytes must be at least 1"),
        (
            limits.message_id_bytes,
            "limits.message_id_bytes must be at least 1",
        ),
        (
            limits.identity_bytes,
            "limits.identity_bytes must be at least 1",
        ),
        (limits.depth, "limits.depth must be at least 1"),
        (limits.batch_items, "limits.batch_items must be at least 1"),
        (
            limits.event_properties,
            "limits.event_properties must be at least 1",
        ),
        (limits.event_bytes, "limits.event_bytes must be at least 1"),
        (limits.trait_bytes, "limits.trait_bytes must be at least 1"),
        (
            limits.profile_traits,
            "limits.profile_traits must be at least 1",
        ),
        (
            limits.profile_bytes,
            "limits.profile_bytes must be at least 1",
        ),
        (
            limits.profile_identities,
            "limits.profile_identities must be at least 1",
        ),
    ];
    sizes.into_iter().map(|(size, text)| (size == 0, text))
}
