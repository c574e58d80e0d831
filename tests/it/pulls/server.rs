//! A web server with files, which does what servers do that people meet: with ranges or without, cut off, changed, shut.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// When its file was changed, as it says.
pub const CHANGED: &str = "Fri, 27 Nov 2026 12:00:00 GMT";

/// How it behaves from now on.
#[derive(Clone, Debug)]
pub struct Manner {
    pub body: Vec<u8>,
    pub tag: Option<String>,
    pub knows_ranges: bool,
    pub says_length: bool,
    /// Of an answer that is a range: the bytes of the whole file.
    pub says_size: bool,
    /// Bytes of a range, however many are asked for.
    pub most: Option<usize>,
    /// Bytes of each answer after which the connection ends.
    pub cut_after: Option<usize>,
    /// In place of any answer.
    pub status: Option<u16>,
    /// Where a redirect leads.
    pub location: Option<String>,
}

impl Manner {
    pub fn file(body: impl Into<Vec<u8>>, tag: &str) -> Self {
        Self {
            body: body.into(),
            tag: Some(format!("\"{tag}\"")),
            knows_ranges: true,
            says_length: true,
            says_size: true,
            most: None,
            cut_after: None,
            status: None,
            location: None,
        }
    }
}

/// It serves the same file under all paths.
#[derive(Clone)]
pub struct WebServer {
    pub port: u16,
    manner: Arc<Mutex<Manner>>,
    /// The heads of all requests.
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = Self {
            port: listener.local_addr().expect("bound").port(),
            manner: Arc::new(Mutex::new(manner)),
            seen: Arc::default(),
        };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = serving.clone();
                std::thread::spawn(move || server.answer(stream));
            }
        });
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Changes how it behaves.
    pub fn now(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.manner.lock().expect("whole"));
    }

    pub fn requests(&self) -> usize {
        self.seen.lock().expect("whole").len()
    }

    /// One request a connection: what a client does with broken ones shows.
    fn answer(&self, stream: TcpStream) {
        let mut head = String::new();
        let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
        while !head.ends_with("\r\n\r\n") {
            match reader.read_line(&mut head) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        self.seen.lock().expect("whole").push(head.clone());
        let manner = self.manner.lock().expect("whole").clone();
        // Whoever is gone needs no answer.
        let _ = respond(stream, &head.to_lowercase(), &manner);
    }
}

fn respond(mut stream: TcpStream, head: &str, manner: &Manner) -> std::io::Result<()> {
    let length = manner.body.len();
    let (mut status, mut from, mut to) = (200, 0, length);
    if let Some((first, last)) = range(head).filter(|_| manner.knows_ranges) {
        let most = manner.most.map_or(length, |most| length.min(first + most));
        (status, from, to) = (206, first, most.min(last + 1));
        if first >= length {
            (status, from, to) = (416, length, length);
        }
    }
    let asked = header(head, "if-match");
    let is_other = asked.is_some() && asked.map(str::to_owned) != manner.tag;
    if is_other && manner.knows_ranges {
        (status, from, to) = (412, 0, 0);
    }
    if let Some(other) = manner.status {
        (status, from, to) = (other, 0, 0);
    }
    let mut answer = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
    answer += &format!("last-modified: {CHANGED}\r\n");
    if let Some(tag) = &manner.tag {
        answer += &format!("etag: {tag}\r\n");
    }
    if let Some(location) = &manner.location {
        answer += &format!("location: {location}\r\n");
    }
    let size = match manner.says_size {
        true => length.to_string(),
        false => "*".to_owned(),
    };
    match status {
        206 => answer += &format!("content-range: bytes {from}-{}/{size}\r\n", to - 1),
        416 if manner.says_size => answer += &format!("content-range: bytes */{length}\r\n"),
        _ => {}
    }
    if manner.says_length {
        answer += &format!("content-length: {}\r\n", to - from);
    }
    stream.write_all(format!("{answer}\r\n").as_bytes())?;
    let body = &manner.body[from..to];
    let most = manner.cut_after.unwrap_or(body.len()).min(body.len());
    stream.write_all(&body[..most])
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let line = head.lines().find_map(|line| line.strip_prefix(name));
    line?.strip_prefix(':').map(str::trim)
}

fn range(head: &str) -> Option<(usize, usize)> {
    let (first, last) = header(head, "range")?
        .strip_prefix("bytes=")?
        .split_once('-')?;
    Some((first.parse().ok()?, last.parse().unwrap_or(usize::MAX - 1)))
}
