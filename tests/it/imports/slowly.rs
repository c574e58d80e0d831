//! A request whose body is sent as the test says.

use crate::harness::Project;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Slowly(TcpStream);

impl Slowly {
    /// Sends the head of a request with the server key.
    pub async fn begin(project: &Project, line: &str, headers: &str) -> Self {
        let address = project.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let key = &project.server_key;
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(stream)
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The status that is answered.
    pub async fn status(self) -> u16 {
        self.answer().await.0
    }

    /// The status that is answered, and all of the answer.
    pub async fn answer(mut self) -> (u16, String) {
        let mut answer = Vec::new();
        // A connection that is closed under what is still sent answers too.
        let _ = self.0.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text
            .split(' ')
            .nth(1)
            .unwrap_or_else(|| panic!("no answer: {text}"));
        (status.parse().unwrap(), text)
    }
}
