//! Every metric: its name, labels and what it tells. `docs/METRICS.md` is made from this table.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static str,
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:ident, $labels:literal, $help:literal;)+) => {
        $(#[doc = $help] pub const $constant: &str = $name;)+
        /// The whole table, in the order of the documentation.
        pub const ALL: &[Metric] = &[$(Metric { name: $name, kind: Kind::$kind, labels: $labels, help: $help }),+];
    };
}

metrics! {
    ITEMS_RECEIVED = "roster_items_received_total", Counter, "", "Items answered for: received = stored + unchanged + duplicate + rejected. What got no answer (503) is not among them: it comes again.";
    ITEMS_STORED = "roster_items_stored_total", Counter, "", "Items whose event became a new row, or that have no event and changed something.";
    ITEMS_UNCHANGED = "roster_items_unchanged_total", Counter, "", "Items without an event of which everything was known.";
    ITEMS_DUPLICATE = "roster_items_duplicate_total", Counter, "", "Items whose event was there already.";
    ITEMS_TAKEN = "roster_items_taken_total", Counter, "", "Of the duplicates, calls by server keys under whose message id another event was there: listed as message_id_taken.";
    ITEMS_REJECTED = "roster_items_rejected_total", Counter, "code", "Items refused and listed among the rejections; those with the code forgotten are only counted.";
    WARNINGS = "roster_warnings_total", Counter, "code", "Fields that were mended or left out of items that could be stored without; API.md has the codes.";
    REJECTIONS_UNLISTED = "roster_rejections_unlisted_total", Counter, "", "Refused items that the database did not even take as a record.";
    PIXEL_ERRORS = "roster_pixel_errors_total", Counter, "code", "Pixels answered with their image although nothing could be stored.";
    IDENTITY_CONFLICTS = "roster_identity_conflicts_total", Counter, "", "Identities in calls that belong to another profile and stayed there.";
    IDENTITY_HUBS = "roster_identity_hubs_total", Counter, "", "Of these conflicts, names that would have pulled ever more people into one.";
    PROFILES_MERGED = "roster_profiles_merged_total", Counter, "", "Profiles that were absorbed by another one of the same person.";
    PROFILES_SPLIT = "roster_profiles_split_total", Counter, "", "Profiles that were taken out of another one by a call.";
    TRAITS_DROPPED = "roster_traits_dropped_total", Counter, "", "Traits that a merged profile had no room for, the oldest; each merge is listed among the rejections.";
    EVENTS_EXPIRED = "roster_events_expired_total", Counter, "", "Events deleted because they had reached their project's age.";
    REJECTIONS_EXPIRED = "roster_rejections_expired_total", Counter, "", "Rejections, of records of topics too, deleted because they had reached their project's age.";
    CONFLICTS_EXPIRED = "roster_conflicts_expired_total", Counter, "", "Conflicts deleted because they had reached the age of their project's rejections.";
    MERGE_RECORDS_EXPIRED = "roster_merge_records_expired_total", Counter, "", "Records by which merges could be undone, deleted because they had reached the age of their project's rejections.";
    HTTP_REQUESTS = "roster_http_requests_total", Counter, "route, status", "Requests answered.";
    HTTP_SECONDS = "roster_http_request_duration_seconds", Histogram, "route", "Time from a request's headers to its answer.";
    REQUESTS_REFUSED = "roster_requests_refused_total", Counter, "code", "Requests that were not answered with what they asked for, by the code of their answer (API.md has them): 503 among them as overloaded, unavailable, timeout, draining.";
    HTTP_CONNECTIONS = "roster_http_connections", Gauge, "", "Connections of senders and readers that are open; at most server.max_connections.";
    BATCH_ROWS = "roster_batch_rows", Histogram, "lane", "Items written together: light of projects that have little waiting, heavy of all others.";
    BATCH_BYTES = "roster_batch_bytes", Histogram, "lane", "What the items of a batch cost together, in bytes, as ingest.max_batch_bytes counts it.";
    BATCHES = "roster_batches_total", Counter, "lane, began, cut", "Batches, by why they began (idle: nothing of the lane was in flight; rows: ingest.parallel_rows had gathered; patience: ingest.patience_ms had passed) and where they were cut (all: nothing was left; rows; bytes; share: the classes had their parts).";
    BATCHED_ITEMS = "roster_batched_items_total", Counter, "class", "Items that went into batches: live, import, backfill. Their rates are the share of each class.";
    QUEUE_SECONDS = "roster_queue_duration_seconds", Histogram, "class", "Time that items waited for their batch to begin.";
    BATCH_SECONDS = "roster_batch_duration_seconds", Histogram, "lane, outcome", "Time to write a batch, with all its statements and retries.";
    BATCH_ROUNDS = "roster_batch_rounds", Histogram, "", "Rounds of look-up and write that a batch with new links or traits needed.";
    BATCHES_HALVED = "roster_batches_halved_total", Counter, "", "Batches split because the database refused some item's data.";
    BYTES_AVAILABLE = "roster_admission_available_bytes", Gauge, "room", "Room left in memory, in bytes: for requests of known callers, for beginnings of bodies without a key before them, for the rest of strangers' bodies, for reads. At 0 the next is answered 503.";
    STATEMENT_SECONDS = "roster_statement_duration_seconds", Histogram, "statement, outcome", "Time of one try of a statement, with the wait for a connection.";
    STATEMENT_RETRIES = "roster_statement_retries_total", Counter, "statement, remedy", "Statements tried again, by what was done about the failure.";
    POOL_WAIT_SECONDS = "roster_pool_wait_duration_seconds", Histogram, "", "Time that a statement waited for a connection to the database, one that was opened for it too.";
    READ_WAIT_SECONDS = "roster_read_wait_duration_seconds", Histogram, "room", "Time that reads waited, for one of their connections (connection) and for memory (memory); beyond reads.wait_timeout_ms they are answered 503.";
    POOL_CONNECTIONS = "roster_pool_connections", Gauge, "state", "Connections to the database: open, idle, and callers waiting for one.";
    KEY_LOOKUPS = "roster_key_lookups_total", Counter, "", "Look-ups of keys in the database; each answers for all keys that waited.";
    BACKFILL_RECORDS = "roster_backfill_records_total", Counter, "source, outcome", "Records of a topic that are done: stored, unchanged, rejected, or control (they say nothing about anybody).";
    BACKFILL_WARNINGS = "roster_backfill_warnings_total", Counter, "source, code", "Fields of records that were left out or mended; the records were stored.";
    BACKFILL_LAG = "roster_backfill_lag_records", Gauge, "source", "Records that this node's partitions of a source still have before them.";
    BACKFILL_PACE = "roster_backfill_pace_records_per_second", Gauge, "source", "Records a second that a source may take on this node: as many as live traffic does not feel.";
    BACKFILL_PAUSED = "roster_backfill_paused", Gauge, "source", "1 while a source is paused; `roster backfill status` says why.";
    BACKFILL_RESTARTS = "roster_backfill_restarts_total", Counter, "source", "Consumers that were made anew: they failed, were given up by the group, or stood still.";
    BACKFILL_REBALANCES = "roster_backfill_rebalances_total", Counter, "source", "Partitions given to this node or taken from it.";
    BACKFILL_LOST = "roster_backfill_partitions_lost_total", Counter, "source", "Partitions that somebody else had before this node's last step in them; that comes again there.";
    BACKFILL_MISSED = "roster_backfill_deletions_missed_total", Counter, "source", "Partitions that were not read for longer than their compacted topic keeps deletions.";
    BACKFILL_COMMITS_REFUSED = "roster_backfill_commits_refused_total", Counter, "source", "Offsets that Kafka did not take; positions are kept in the database.";
    BACKFILL_LETTERS = "roster_backfill_letters_total", Counter, "source, outcome", "Dead letters delivered and lost; either way the record is listed.";
    IMPORT_RECORDS = "roster_import_records_total", Counter, "outcome", "Records of files that are done: stored, unchanged, duplicate, or rejected and listed with their import.";
    IMPORT_BYTES = "roster_import_bytes_total", Counter, "", "Bytes of uploads that are done, as they were sent.";
    IMPORTS_RUNNING = "roster_imports_running", Gauge, "", "Files that this node takes in at the moment.";
    IMPORTS_ENDED = "roster_imports_ended_total", Counter, "state", "Files that came to an end: done, failed (refused whole), incomplete (nobody went on).";
    PULL_BYTES = "roster_import_pull_bytes_total", Counter, "", "Bytes of files that this node fetched and handed to their imports.";
    PULL_FAILURES = "roster_import_pull_failures_total", Counter, "code", "Tries to fetch a piece of a file that failed: source_unreachable is tried again, the others stop or pause their import.";
    PULL_RUNS = "roster_import_schedule_runs_total", Counter, "outcome", "Runs of schedules: begun, nothing_new, failed, or skipped because the one before was still at work.";
    CLOCK_AHEAD = "roster_clock_ahead_seconds", Gauge, "", "How far the machine's clock is ahead of the database's; negative where it is behind. Times of receipt are the database's.";
    WORKER_FAILURES = "roster_worker_failures_total", Counter, "worker", "Steps of a worker that failed, of which it waited before the next; a piece of work that fails by itself is put off and not counted here.";
    ERASURE_AGE = "roster_erasure_oldest_seconds", Gauge, "", "Age of the oldest erasure that is not finished, of the thousand that are due next; told by every node; 0 without one.";
    DISK_AVAILABLE = "roster_data_disk_available_bytes", Gauge, "", "Bytes left on the disk of the embedded database; not there with a database of one's own.";
    MIRROR_LAG = "roster_mirror_lag_seconds", Gauge, "project", "Age of the oldest change that a project's legacy store does not have; told by every node that may relay; 0 once the project mirrors no more.";
    MIRROR_BACKLOG = "roster_mirror_backlog", Gauge, "project", "Profiles that changed and are not published; of more than ten thousand no more are counted.";
    MIRROR_PUBLISHED = "roster_mirror_published_total", Counter, "", "Documents that a legacy store took, deletions too.";
    MIRROR_FAILURES = "roster_mirror_failures_total", Counter, "", "Tries to publish that failed as a whole; `roster migration status` says why.";
    MIRROR_FOREIGN = "roster_mirror_foreign_writes_total", Counter, "", "Documents that somebody else had written since Roster did.";
    VERIFY_CHECKED = "roster_verify_checked_total", Counter, "", "Documents and people that verifications of migrations have looked at.";
    VERIFY_DIFFERENCES = "roster_verify_differences_total", Counter, "", "Of those that are not the same on both sides; `roster migration status` names some.";
    PROFILE_READS = "roster_profile_reads_total", Counter, "source", "Profiles read of projects that leave a legacy store, by who answered: legacy, roster, nobody, or unreadable (502).";
    READS_FALLEN_BACK = "roster_profile_reads_fallen_back_total", Counter, "", "Profiles that Roster answered although they were to be compared: the legacy store did not answer in time.";
    LEGACY_READ_FAILURES = "roster_legacy_read_failures_total", Counter, "reason", "Reads that got no document of the legacy store: late, away, rests (it failed a moment ago), unreadable, no_room.";
    READ_SECONDS = "roster_profile_read_duration_seconds", Histogram, "source", "Time to ask one side for the profiles of a read, of projects that leave a legacy store: legacy, roster.";
    READS_COMPARED = "roster_profile_reads_compared_total", Counter, "", "Reads of which both sides were compared.";
    READS_NOT_COMPARED = "roster_profile_reads_not_compared_total", Counter, "", "Reads that were to be compared and were not: too many waited, or a side did not answer again.";
    READ_MISMATCHES = "roster_profile_read_mismatches_total", Counter, "field", "Compared reads that differed at three looks in a row, by the first name of the path; beyond fifty names: other.";
    SPANS = "roster_spans_total", Counter, "outcome", "Spans of traced requests: sent, lost (the collector did not take them), dropped (too many waited).";
    READY = "roster_ready", Gauge, "", "1 while this node takes traffic.";
}

/// Tells the recorder what each metric means.
pub fn describe_all() {
    for metric in ALL {
        let unit = if metric.name.ends_with("_seconds") {
            Unit::Seconds
        } else if metric.name.ends_with("_bytes") {
            Unit::Bytes
        } else {
            Unit::Count
        };
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, unit, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, unit, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

/// Counters by a label that alarms look at, with the values that they ask for.
const ALARMED: &[(&str, &str, &[&str])] = &[
    (
        REQUESTS_REFUSED,
        "code",
        &["overloaded", "unavailable", "timeout"],
    ),
    (IMPORTS_ENDED, "state", &["failed", "incomplete"]),
    (PULL_RUNS, "outcome", &["failed", "skipped"]),
    (SPANS, "outcome", &["lost", "dropped"]),
    (
        PULL_FAILURES,
        "code",
        &[
            "source_unreachable",
            "source_denied",
            "source_missing",
            "source_changed",
            "source_refused",
        ],
    ),
];

/// Lets counters begin at 0 that alarms look at: one that begins at 1 has not grown, and its first rise would not be seen.
pub fn begin_at_zero() {
    let bare = |metric: &&Metric| metric.kind == Kind::Counter && metric.labels.is_empty();
    for metric in ALL.iter().filter(bare) {
        counter!(metric.name).increment(0);
    }
    for (name, label, values) in ALARMED {
        for value in *values {
            counter!(*name, *label => *value).increment(0);
        }
    }
}

/// The table as a page of documentation.
pub fn to_markdown() -> String {
    let row = |metric: &Metric| {
        format!(
            "| `{}` | {:?} | {} | {} |\n",
            metric.name, metric.kind, metric.labels, metric.help
        )
        .to_owned()
    };
    let head = "# Metrics\n\nMade by `make docs` from `src/metric_names.rs`; served at `/metrics`.\n\n| name | kind | labels | tells |\n|---|---|---|---|\n";
    ALL.iter()
        .fold(head.to_owned(), |text, metric| text + &row(metric))
}
