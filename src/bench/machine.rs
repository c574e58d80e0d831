//! Who used the processors, and how much memory: read from `/proc`.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fs;
use std::ops::Sub;
use tokio_postgres::Client;

/// `/proc` counts in hundredths of a second on every Linux that people run.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of processor time.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Cpu {
    pub roster: f64,
    pub database: f64,
    pub load: f64,
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            roster: self.roster - earlier.roster,
            database: self.database - earlier.database,
            load: self.load - earlier.load,
        }
    }
}

/// The processes of a run.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    pub roster: u32,
    /// The database's first process, whose children the others are; none where it runs on another machine.
    pub database: Option<u32>,
}

struct Stat {
    parent: u32,
    own: f64,
    children: f64,
}

impl Processes {
    /// What all of them have used so far.
    pub fn cpu(&self) -> Cpu {
        let own = |process: u32| stat(process).map_or(0.0, |stat| stat.own);
        Cpu {
            roster: own(self.roster),
            database: self.database.map_or(0.0, family),
            load: own(std::process::id()),
        }
    }

    /// The most memory that the service ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory that the service has now, in bytes.
    pub fn present_memory(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.roster)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        kibibytes.unwrap_or(0_u64) * 1024
    }
}

/// How many wait for a processor: the machine's load over the last minute.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// Processors of this machine.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The database's first process, where it runs on this machine.
pub async fn postmaster(client: &Client) -> Result<Option<u32>> {
    let backend: i64 = client
        .query_one("SELECT pg_backend_pid()::INT8", &[])
        .await?
        .get(0);
    let name = fs::read_to_string(format!("/proc/{backend}/comm")).unwrap_or_default();
    Ok(name
        .starts_with("postgres")
        .then(|| parent(u32::try_from(backend).ok()?))
        .flatten())
}

/// The parent of a process on this machine.
fn parent(process: u32) -> Option<u32> {
    stat(process).map(|stat| stat.parent)
}

/// A process with its children, those that have ended too.
fn family(head: u32) -> f64 {
    let first = stat(head).map_or(0.0, |stat| stat.own + stat.children);
    let living = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = living.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    first
        + numbers
            .filter_map(stat)
            .filter(|stat| stat.parent == head)
            .map(|stat| stat.own)
            .sum::<f64>()
}

/// The name stands in brackets and may hold anything; after it come state, parent, ...
fn stat(process: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let seconds =
        |index: usize| Some((number(index)? + number(index + 1)?) as f64 / TICKS_PER_SECOND);
    Some(Stat {
        parent: number(1)? as u32,
        own: seconds(11)?,
        children: seconds(13)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_parent_and_uses_memory() {
        let own = Processes {
            roster: std::process::id(),
            database: parent(std::process::id()),
        };
        assert!(own.database.is_some());
        assert!(own.peak_memory() > 1_000_000);
        let used = own.cpu();
        assert!(used.roster >= 0.0 && (used - used).load == 0.0);
    }
}
