//! A connection that sends prebuilt requests, one after the other.
//!
//! No HTTP library: what it would do for each request the load generator would take from the service's share of the machine.

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A kept-alive connection to the service.
pub struct Connection {
    stream: TcpStream,
    reply: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            reply: Vec::new(),
        })
    }

    /// Sends a request and reads the whole answer; fails where it is not 200.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<()> {
        let status = self.ask(request).await?;
        ensure!(
            status == 200,
            "a request was answered: {}",
            String::from_utf8_lossy(&self.reply)
        );
        Ok(())
    }

    /// Sends a request, reads the whole answer and tells its status.
    pub async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.reply.clear();
        while !is_whole(&self.reply) {
            let read = self.stream.read_buf(&mut self.reply).await?;
            ensure!(read > 0, "the service closed a connection");
        }
        let status = self.reply.get(9..12).unwrap_or_default();
        let status = std::str::from_utf8(status).unwrap_or_default();
        status.parse().context("the answer has no status")
    }

    /// The last answer, head and body.
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }

    /// The seconds after which the last answer says to come again.
    pub fn retry_after(&self) -> Option<u64> {
        const NAME: &[u8] = b"retry-after: ";
        let at = memmem::find(&self.reply, NAME)? + NAME.len();
        let digits = self.reply[at..].split(|byte| !byte.is_ascii_digit());
        std::str::from_utf8(digits.into_iter().next()?)
            .ok()?
            .parse()
            .ok()
    }
}

/// The service always says `content-length`.
fn is_whole(reply: &[u8]) -> bool {
    let Some(head) = memmem::find(reply, b"\r\n\r\n") else {
        return false;
    };
    const LENGTH: &[u8] = b"content-length: ";
    let length = memmem::find(&reply[..head], LENGTH).map_or(0, |at| {
        let digits = reply[at + LENGTH.len()..].iter();
        digits
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
    });
    reply.len() >= head + 4 + length
}
