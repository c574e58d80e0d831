//! What a row costs the database: statements and round trips, rows and index entries written, bytes of its log. PostgreSQL tells:
//! `pg_stat_statements` what ran, the position of the log how much was written, `pg_walinspect` what that was.
//!
//! Tables' own counters are of no use here: a session that waits hands its counts over up to ten seconds later.

use super::wal::{self, Position, Written};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio_postgres::Client;

const INSTALL: &str = "-- bench_install
CREATE EXTENSION IF NOT EXISTS pg_stat_statements; CREATE EXTENSION IF NOT EXISTS pg_walinspect";
const STATEMENTS: &str = "-- bench_statements
SELECT COALESCE(query, ''), calls, rows, total_exec_time, wal_bytes::INT8 FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Our statements begin with their name; this stands for all that don't.
const OTHER: &str = "other";
const TRANSACTION: &str = "transaction";
/// The bench's own.
const OWN: &str = "bench_";

/// Tells what a database has done so far.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    has_log: bool,
}

/// What a database had done at some moment.
#[derive(Clone, Debug)]
pub struct Reading {
    position: Position,
    statements: BTreeMap<String, Ran>,
}

/// How often a statement ran, and what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ran {
    pub calls: i64,
    pub rows: i64,
    pub millis: f64,
    pub log_bytes: i64,
}

/// What was done between two readings.
#[derive(Clone, Debug, Default)]
pub struct Spent {
    statements: BTreeMap<String, Ran>,
    log_bytes: u64,
    written: Option<Written>,
}

/// What one item costs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Cost {
    /// Each is one round trip; those that begin and end transactions count among the latter alone.
    pub statements: f64,
    pub round_trips: f64,
    /// Versions of rows of tables, and entries of indexes; none where the database does not tell.
    pub rows_written: Option<f64>,
    pub index_entries: Option<f64>,
    pub wal_bytes: f64,
    /// Bytes of it that are whole pages, after a checkpoint.
    pub page_bytes: Option<f64>,
    /// Each statement's part, the longest first.
    pub parts: Vec<Share>,
}

/// What one statement has to do with an item.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Share {
    pub statement: String,
    pub calls: f64,
    pub rows_of_a_call: f64,
    pub millis_of_a_call: f64,
    pub wal_bytes: f64,
}

impl Meter {
    /// Gets ready; none where the database does not tell. `is_own`: it may be changed for that.
    pub async fn find(client: &Client, is_own: bool) -> Option<Self> {
        if is_own {
            // Where an extension is not installed the next line finds out.
            let _ = client.batch_execute(INSTALL).await;
        }
        let reading = read(client).await.ok()?;
        let has_log = wal::written(client, reading.position, reading.position)
            .await
            .is_ok();
        Some(Self { has_log })
    }

    /// What was done so far.
    pub async fn read(self, client: &Client) -> Result<Reading> {
        read(client).await
    }

    /// What was done since.
    pub async fn since(self, client: &Client, before: &Reading) -> Result<Spent> {
        let now = read(client).await?;
        let written = if self.has_log {
            wal::written(client, before.position, now.position).await?
        } else {
            None
        };
        Ok(Spent {
            statements: difference(&before.statements, &now.statements),
            log_bytes: now.position.bytes_since(before.position),
            written,
        })
    }
}

async fn read(client: &Client) -> Result<Reading> {
    let mut statements = BTreeMap::<String, Ran>::new();
    for row in client.query(STATEMENTS, &[]).await? {
        let ran = statements.entry(name(row.get(0))).or_default();
        *ran = ran.and(Ran {
            calls: row.get(1),
            rows: row.get(2),
            millis: row.get(3),
            log_bytes: row.get(4),
        });
    }
    Ok(Reading {
        position: wal::position(client).await?,
        statements,
    })
}

/// The name that a statement begins with.
fn name(text: &str) -> String {
    let first = text.trim_start().lines().next().unwrap_or_default();
    if let Some(name) = first.strip_prefix("-- ") {
        return name.trim().to_owned();
    }
    let word = first.split([' ', ';']).next().unwrap_or_default();
    let is_frame = [
        "BEGIN",
        "START",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
    ]
    .iter()
    .any(|known| word.eq_ignore_ascii_case(known));
    if is_frame { TRANSACTION } else { OTHER }.to_owned()
}

impl Ran {
    fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            rows: self.rows + other.rows,
            millis: self.millis + other.millis,
            log_bytes: self.log_bytes + other.log_bytes,
        }
    }

    fn since(self, earlier: Self) -> Self {
        self.and(Self {
            calls: -earlier.calls,
            rows: -earlier.rows,
            millis: -earlier.millis,
            log_bytes: -earlier.log_bytes,
        })
    }
}

fn difference(
    before: &BTreeMap<String, Ran>,
    after: &BTreeMap<String, Ran>,
) -> BTreeMap<String, Ran> {
    let since = |(name, ran): (&String, &Ran)| {
        let earlier = before.get(name).copied().unwrap_or_default();
        (name.clone(), ran.since(earlier))
    };
    let ran = after.iter().map(since);
    ran.filter(|(name, ran)| ran.calls > 0 && !name.starts_with(OWN))
        .collect()
}

impl Spent {
    /// Adds what was done at another time.
    pub fn absorb(&mut self, other: &Self) {
        for (name, ran) in &other.statements {
            let sum = self.statements.entry(name.clone()).or_default();
            *sum = sum.and(*ran);
        }
        self.log_bytes += other.log_bytes;
        self.written = match (self.written, other.written) {
            (Some(own), Some(other)) => Some(own.and(other)),
            (own, other) => own.or(other),
        };
    }

    /// What one of so many items cost.
    pub fn of_an_item(&self, items: u64) -> Cost {
        let each = |count: f64| count / items.max(1) as f64;
        let trips: i64 = self.statements.values().map(|ran| ran.calls).sum();
        let framing = self.statements.get(TRANSACTION).map_or(0, |ran| ran.calls);
        let mut longest: Vec<_> = self.statements.iter().collect();
        longest.sort_by(|(_, one), (_, other)| other.millis.total_cmp(&one.millis));
        let part = |(name, ran): (&String, &Ran)| Share {
            statement: name.clone(),
            calls: each(ran.calls as f64),
            rows_of_a_call: ran.rows as f64 / ran.calls as f64,
            millis_of_a_call: ran.millis / ran.calls as f64,
            wal_bytes: each(ran.log_bytes as f64),
        };
        Cost {
            statements: each((trips - framing) as f64),
            round_trips: each(trips as f64),
            rows_written: self.written.map(|written| each(written.rows)),
            index_entries: self.written.map(|written| each(written.index_entries)),
            page_bytes: self.written.map(|written| each(written.page_bytes)),
            wal_bytes: each(self.log_bytes as f64),
            parts: longest.into_iter().map(part).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_known_by_its_name() {
        assert_eq!(name("-- insert_events\nINSERT"), "insert_events");
        assert_eq!(name("BEGIN"), TRANSACTION);
        assert_eq!(name("commit;"), TRANSACTION);
        assert_eq!(name("SELECT 1"), OTHER);
    }

    fn ran(calls: i64, millis: f64) -> Ran {
        Ran {
            calls,
            rows: calls * 10,
            millis,
            log_bytes: calls * 100,
        }
    }

    #[test]
    fn what_was_done_between_two_readings_is_parted_among_the_items() {
        let before = BTreeMap::from([("insert".to_owned(), ran(5, 1.0))]);
        let mut after = before.clone();
        after.insert("insert".to_owned(), ran(9, 9.0));
        after.insert(TRANSACTION.to_owned(), ran(2, 0.1));
        after.insert("bench_statements".to_owned(), ran(2, 9.0));
        let mut spent = Spent {
            statements: difference(&before, &after),
            log_bytes: 1_000,
            written: None,
        };
        spent.absorb(&spent.clone());
        let cost = spent.of_an_item(40);
        assert!((cost.statements - 0.2).abs() < 1e-9);
        assert!((cost.round_trips - 0.3).abs() < 1e-9);
        assert!((cost.wal_bytes - 50.0).abs() < 1e-9);
        assert_eq!(cost.parts.len(), 2);
        assert_eq!(cost.parts[0].statement, "insert");
        assert!((cost.parts[0].millis_of_a_call - 2.0).abs() < 1e-9);
        assert!(cost.rows_written.is_none());
    }
}
