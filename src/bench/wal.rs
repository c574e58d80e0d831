//! PostgreSQL's log of what it writes: how far it is, and what stands in a piece of it.

use anyhow::{Context, Result};
use std::str::FromStr;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

const POSITION: &str = "-- bench_position
SELECT pg_current_wal_insert_lsn()::TEXT";
const FLUSHED: &str = "-- bench_flushed
SELECT pg_current_wal_flush_lsn()::TEXT";
const WRITTEN: &str = "-- bench_written
SELECT \"resource_manager/record_type\", count::INT8, fpi_size::INT8 FROM pg_get_wal_stats($1::TEXT::PG_LSN, $2::TEXT::PG_LSN, true)
WHERE count > 0";

/// Bytes that are read of a piece: reading all of it would take as long as the turn that wrote it.
const MOST_READ: u64 = 32 << 20;

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl FromStr for Position {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (high, low) = text.split_once('/').context("a position is A/B")?;
        let part = |text| u64::from_str_radix(text, 16).context("a position is hexadecimal");
        Ok(Self((part(high)? << 32) | part(low)?))
    }
}

impl Position {
    pub const fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    fn text(self) -> String {
        format!("{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

/// What a piece of the log says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Written {
    pub rows: f64,
    pub index_entries: f64,
    pub page_bytes: f64,
}

impl Written {
    pub fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            index_entries: self.index_entries + other.index_entries,
            page_bytes: self.page_bytes + other.page_bytes,
        }
    }

    fn count(&mut self, kind: &str, count: f64, page_bytes: f64) {
        self.page_bytes += page_bytes;
        let (manager, record) = kind.split_once('/').unwrap_or((kind, ""));
        // "INSERT+INIT" is the first row of a page.
        let record = record.trim_end_matches("+INIT");
        match (manager, record) {
            ("Heap", "INSERT" | "UPDATE" | "HOT_UPDATE" | "DELETE") => self.rows += count,
            ("Btree", "INSERT_LEAF" | "INSERT_POST") => self.index_entries += count,
            _ => {}
        }
    }

    fn times(self, factor: f64) -> Self {
        Self {
            rows: self.rows * factor,
            index_entries: self.index_entries * factor,
            page_bytes: self.page_bytes * factor,
        }
    }
}

/// How far the log is.
pub async fn position(client: &Client) -> Result<Position> {
    let text: String = client.query_one(POSITION, &[]).await?.get(0);
    text.parse()
}

/// What was written between two places, told by the beginning of that where it is long; `None` where that beginning is gone by now.
///
/// # Errors
/// Where the database does not tell, or somebody may not ask.
pub async fn written(client: &Client, from: Position, to: Position) -> Result<Option<Written>> {
    let flushed: String = client.query_one(FLUSHED, &[]).await?.get(0);
    let end = Position(to.0.min(from.0 + MOST_READ)).min(flushed.parse()?);
    let bytes = end.bytes_since(from);
    if bytes == 0 {
        // Asked all the same: whether it may be asked is an answer too.
        client
            .query("-- bench_may_read\nSELECT pg_get_wal_stats($1::TEXT::PG_LSN, $1::TEXT::PG_LSN, true) LIMIT 0", &[&from.text()])
            .await?;
        return Ok(Some(Written::default()));
    }
    let rows = match client.query(WRITTEN, &[&from.text(), &end.text()]).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_FILE) => return Ok(None),
        rows => rows?,
    };
    let mut written = Written::default();
    for row in rows {
        let (count, page_bytes): (i64, i64) = (row.get(1), row.get(2));
        written.count(row.get(0), count as f64, page_bytes as f64);
    }
    Ok(Some(
        written.times(to.bytes_since(from) as f64 / bytes as f64),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_and_written() {
        let position: Position = "16/B374D848".parse().expect("a position");
        assert_eq!(position.text(), "16/B374D848");
        let later: Position = "17/0".parse().expect("a position");
        assert_eq!(later.bytes_since(position), 0x4C8B_27B8);
        assert!("16".parse::<Position>().is_err());
    }

    #[test]
    fn rows_and_entries_are_told_apart() {
        let mut written = Written::default();
        for (kind, count) in [
            ("Heap/INSERT", 5.0),
            ("Heap/INSERT+INIT", 1.0),
            ("Heap/HOT_UPDATE", 2.0),
            ("Heap/LOCK", 9.0),
            ("Btree/INSERT_LEAF", 7.0),
            ("Btree/SPLIT_R", 1.0),
            ("Transaction/COMMIT", 3.0),
        ] {
            written.count(kind, count, 10.0);
        }
        let twice = written.times(2.0);
        assert_eq!((twice.rows, twice.index_entries), (16.0, 14.0));
        assert_eq!((written.and(written)).page_bytes, 140.0);
    }
}
