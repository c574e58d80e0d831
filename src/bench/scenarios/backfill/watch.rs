//! How far the service has got with a source: asked as an operator's monitoring does.

use crate::bench::http::Connection;
use crate::bench::stage::Service;
use anyhow::{Result, bail, ensure};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// Records of a source that are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub stored: u64,
    pub unchanged: u64,
    pub rejected: u64,
}

impl Done {
    pub const fn all(self) -> u64 {
        self.stored + self.unchanged + self.rejected
    }
}

/// A connection to the service's metrics.
pub struct Watch {
    connection: Connection,
}

impl Watch {
    pub async fn open(service: &Service) -> Result<Self> {
        let connection = Connection::open(service.target.socket).await?;
        Ok(Self { connection })
    }

    /// How far it is now.
    pub async fn done(&mut self, source: &str) -> Result<Done> {
        let question = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        self.connection.exchange(question).await?;
        let text = String::from_utf8_lossy(self.connection.reply());
        let mut done = Done::default();
        for line in text.lines().filter(|line| is_of(line, source)) {
            let count = line.rsplit(' ').next().unwrap_or_default().parse()?;
            match line {
                _ if line.contains("\"stored\"") => done.stored = count,
                _ if line.contains("\"rejected\"") => done.rejected = count,
                _ => done.unchanged += count,
            }
        }
        ensure!(done.rejected == 0, "records were refused");
        Ok(done)
    }

    /// Waits until something moves, or nothing does any more for a second.
    pub async fn wait(&mut self, source: &str, until_it_moves: bool) -> Result<()> {
        let (started, mut last) = (Instant::now(), self.done(source).await?);
        let mut moved = Instant::now();
        while started.elapsed() < PATIENCE {
            sleep(POLL).await;
            let now = self.done(source).await?;
            if now != last && until_it_moves {
                return Ok(());
            }
            if now != last {
                (last, moved) = (now, Instant::now());
            } else if !until_it_moves && moved.elapsed() > Duration::from_secs(1) {
                return Ok(());
            }
        }
        bail!("the backfill of {source} does not do what it was told");
    }
}

fn is_of(line: &str, source: &str) -> bool {
    line.starts_with("roster_backfill_records_total{")
        && line.contains(&format!("source=\"{source}\""))
}
