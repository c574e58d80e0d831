//! Connections that were used once and stay open, as those of many clients do.

use super::http::Connection;
use super::report::Part;
use super::stage::Service;
use anyhow::Result;

const QUESTION: &[u8] = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Idle connections.
pub struct Idle(Vec<Connection>);

impl Idle {
    /// Opens so many connections to a service of this program's own, each of which asks once, and tells the memory that they take.
    ///
    /// # Errors
    /// Where one is refused.
    pub async fn open(service: &Service, count: u16, part: &mut Part) -> Result<Self> {
        let mut connections = Vec::with_capacity(count.into());
        if count == 0 {
            return Ok(Self(connections));
        }
        let processes = service.own()?.processes;
        let before = processes.present_memory();
        for _ in 0..count {
            let mut connection = Connection::open(service.target.socket).await?;
            connection.exchange(QUESTION).await?;
            connections.push(connection);
        }
        let grown = processes.present_memory().saturating_sub(before) as f64;
        let title = format!("memory that {count} idle connections take of roster");
        part.figure(("idle-memory", &title), grown / f64::from(1 << 20), "MiB");
        Ok(Self(connections))
    }

    /// Tells how many of them are answered again.
    pub async fn end(self, part: &mut Part) {
        let (count, mut answered) = (self.0.len(), 0_u16);
        for mut connection in self.0 {
            answered += u16::from(connection.exchange(QUESTION).await.is_ok());
        }
        if count > 0 {
            let title = "idle connections that are answered again at the end";
            part.figure(("idle-answered", title), answered.into(), "");
        }
    }
}
