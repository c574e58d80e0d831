//! Requests that no client library would send: byte by byte, cut short, or never finished.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// A connection to a service, and full control over what goes through it.
pub struct Wire(TcpStream);

/// How a connection ended, or what came through it first.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A status and the text after it.
    Answer(u16, String),
    Closed,
    /// Nothing within the time.
    Silence,
}

impl Outcome {
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(status, _) => Some(*status),
            Self::Closed | Self::Silence => None,
        }
    }

    /// 408, or no more connection: what a sender gets that is too slow.
    pub fn is_farewell(&self) -> bool {
        *self == Self::Closed || self.status() == Some(408)
    }
}

impl Wire {
    pub async fn to(url: &str) -> Self {
        let address = url.trim_start_matches("http://");
        Self(TcpStream::connect(address).await.expect("connected"))
    }

    /// Sends some bytes; false where the other side has closed.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Waits for the first bytes that come back, and what follows them at once.
    pub async fn outcome(&mut self, patience: Duration) -> Outcome {
        let mut bytes = vec![0; 16 * 1024];
        let count = match timeout(patience, self.0.read(&mut bytes)).await {
            Err(_) => return Outcome::Silence,
            Ok(Err(_) | Ok(0)) => return Outcome::Closed,
            Ok(Ok(count)) => count,
        };
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Outcome::Answer(status.expect("a status line"), text)
    }

    /// What comes back until it is enough, or nothing more comes.
    pub async fn text_until(&mut self, is_enough: impl Fn(&str) -> bool) -> String {
        let (mut bytes, mut text) = (vec![0; 16 * 1024], String::new());
        while !is_enough(&text) {
            match timeout(Duration::from_secs(40), self.0.read(&mut bytes)).await {
                Ok(Ok(count)) if count > 0 => text += &String::from_utf8_lossy(&bytes[..count]),
                _ => break,
            }
        }
        text
    }

    /// Sends a byte at a time until it is answered or closed.
    pub async fn trickle(&mut self, byte: &str, patience: Duration) -> Outcome {
        let trickle = async {
            loop {
                let (reader, _) = self.0.split();
                tokio::select! {
                    ready = reader.readable() => ready.unwrap(),
                    () = sleep(Duration::from_millis(200)) => {
                        self.send(byte).await;
                        continue;
                    }
                }
                return self.outcome(Duration::from_secs(1)).await;
            }
        };
        timeout(patience, trickle).await.unwrap_or(Outcome::Silence)
    }
}

/// The head of a request to the batch endpoint.
pub fn head(key: &str, more: &str) -> String {
    format!("POST /v1/batch HTTP/1.1\r\nHost: roster\r\nX-Write-Key: {key}\r\n{more}\r\n")
}
