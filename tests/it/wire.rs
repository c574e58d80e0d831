//! HTTP/1.1 by hand: what a client library would refuse to send, or mend on the way.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A request, ready to go.
pub struct Call {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Sends the body in chunks of this size, without saying its length before.
    pub chunk_bytes: Option<usize>,
}

/// Sends one request on a connection of its own and reads the answer to its end.
pub fn exchange(address: &str, call: &Call) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut writer = stream.try_clone()?;
    let bytes = encoded(address, call);
    // The answer may come while the body is still on its way: a refusal does not wait for the rest.
    let sender = std::thread::spawn(move || writer.write_all(&bytes));
    let mut reply = Vec::new();
    let read = stream.read_to_end(&mut reply);
    // A connection that is closed under a body that nobody wants is fine where the answer has come.
    let _ = sender.join();
    match parsed(&reply, call.method == "HEAD") {
        Some(answer) => Ok(answer),
        None => Err(read.err().unwrap_or_else(|| {
            std::io::Error::other(format!("no answer: {}", String::from_utf8_lossy(&reply)))
        })),
    }
}

fn encoded(address: &str, call: &Call) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\n", call.method, call.target);
    let mut header = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\r\n"));
    if !call
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        header("Host", address);
    }
    for (name, value) in &call.headers {
        header(name, value);
    }
    match call.chunk_bytes {
        Some(_) => header("Transfer-Encoding", "chunked"),
        None if !call.body.is_empty() || call.method == "POST" => {
            header("Content-Length", &call.body.len().to_string());
        }
        None => {}
    }
    header("Connection", "close");
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    match call.chunk_bytes {
        None => bytes.extend_from_slice(&call.body),
        Some(size) => {
            for chunk in call.body.chunks(size) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        }
    }
    bytes
}

/// The answer in what came; `100 Continue` before it is passed over.
fn parsed(reply: &[u8], is_head: bool) -> Option<Answer> {
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&reply[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    if status == 100 {
        return parsed(&reply[end + 4..], is_head);
    }
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let body = if is_head { &[] } else { &reply[end + 4..] };
    Some(Answer {
        status,
        headers,
        body: body.to_vec(),
    })
}
