//! A place between Roster and a legacy store, where what a network and proxies do can be done.

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// What stands between Roster and the store: it lets through, refuses, answers 429 with or without items, does so late, or is a proxy that
/// answers pages of its own.
#[derive(Clone)]
pub struct Between(Arc<AtomicU8>);

pub const OPEN: u8 = 0;
pub const AWAY: u8 = 1;
pub const OVERLOADED: u8 = 2;
pub const ITEMS: u8 = 3;
pub const SLOW: u8 = 4;
pub const HUNG: u8 = 5;
pub const PAGE: u8 = 6;
pub const PAGE_NOT_FOUND: u8 = 7;
pub const LOGIN: u8 = 8;
pub const EXPIRED: u8 = 9;
/// Of documents whose id begins with `bad` each is answered with 500, the others are let through.
pub const BAD: u8 = 10;

/// What a proxy answers instead of the store.
const fn page(mode: u8) -> Option<&'static str> {
    Some(match mode {
        PAGE => "200 OK",
        PAGE_NOT_FOUND => "404 Not Found",
        LOGIN => "302 Found\r\nlocation: /login",
        EXPIRED => "401 Unauthorized",
        _ => return None,
    })
}

impl Between {
    pub async fn start(to: &str) -> (Self, String) {
        let between = Self(Arc::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let url = format!("http://{}", listener.local_addr().expect("one"));
        let to = to.trim_start_matches("http://").to_owned();
        let own = between.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().serve(stream, to.clone()));
            }
        });
        (between, url)
    }

    pub fn set(&self, mode: u8) {
        self.0.store(mode, SeqCst);
    }

    /// One connection: the mode of its beginning holds.
    async fn serve(self, mut stream: TcpStream, to: String) {
        let mode = self.0.load(SeqCst);
        let answer = |status: &str, body: &str| {
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let busy =
            r#"{"error":{"type":"es_rejected_execution_exception","reason":"full"},"status":429}"#;
        let items = r#"{"took":1,"errors":true,"items":[{"index":{"_id":"ada","status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}}]}"#;
        if let Some(status) = page(mode) {
            let _ = stream.read(&mut [0; 4_096]).await;
            let text = answer(status, "<html>a page</html>");
            let _ = stream.write_all(text.as_bytes()).await;
            return;
        }
        match mode {
            AWAY => return,
            HUNG => tokio::time::sleep(Duration::from_secs(60)).await,
            SLOW => tokio::time::sleep(Duration::from_secs(2)).await,
            OVERLOADED => {
                let _ = stream.read(&mut [0; 4_096]).await;
                let text = answer("429 Too Many Requests", busy);
                let _ = stream.write_all(text.as_bytes()).await;
                return;
            }
            ITEMS => {
                let Ok(mut up) = TcpStream::connect(&to).await else {
                    return;
                };
                let mut bytes = vec![0; 65_536];
                while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                    if String::from_utf8_lossy(&bytes[..read]).contains("_bulk") {
                        let _ = stream.write_all(answer("200 OK", items).as_bytes()).await;
                        return;
                    }
                    let _ = up.write_all(&bytes[..read]).await;
                    let patience = Duration::from_millis(300);
                    let answered = tokio::time::timeout(patience, up.read(&mut bytes)).await;
                    if let Ok(Ok(read)) = answered {
                        let _ = stream.write_all(&bytes[..read]).await;
                    }
                }
                return;
            }
            BAD => {
                while let Some((head, body)) = request(&mut stream).await {
                    let text = pass_on(&to, &head, &body).await;
                    let text = answer("200 OK", &text).replace("connection: close", "x: y");
                    if stream.write_all(text.as_bytes()).await.is_err() {
                        break;
                    }
                }
                return;
            }
            _ => {}
        }
        if let Ok(mut up) = TcpStream::connect(&to).await {
            let _ = copy_bidirectional(&mut stream, &mut up).await;
        }
    }
}

/// The next request of a connection: its head, and its body.
async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().expect("a number"))];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

/// What the store answers, and in the place of what is bad that it failed.
async fn pass_on(to: &str, head: &str, body: &[u8]) -> String {
    let mut words = head.split(' ');
    let method = words.next().expect("a method").parse().expect("one");
    let path = words.next().expect("a path");
    let is_bulk = path.contains("_bulk");
    let text = String::from_utf8_lossy(body).into_owned();
    let (mut good, mut is_bad, mut lines) = (String::new(), Vec::new(), text.lines());
    while let Some(line) = lines.next().filter(|_| is_bulk) {
        let more = line.starts_with("{\"index\"").then(|| lines.next());
        is_bad.push(line.contains("\"_id\":\"bad"));
        if is_bad.last() == Some(&false) {
            let more = more.flatten().map(|more| format!("{more}\n"));
            good += &format!("{line}\n{}", more.unwrap_or_default());
        }
    }
    let (mut taken, mut failed) = (Vec::new().into_iter(), 0);
    if !is_bulk || !good.is_empty() {
        let asked = reqwest::Client::new().request(method, format!("http://{to}{path}"));
        let asked = asked.header(
            "content-type",
            if is_bulk {
                "application/x-ndjson"
            } else {
                "application/json"
            },
        );
        let asked = asked.body(if is_bulk { good } else { text });
        let answer = asked
            .send()
            .await
            .expect("sent")
            .text()
            .await
            .expect("text");
        if !is_bulk {
            return answer;
        }
        let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
        let items = answer["items"].as_array_mut().expect("items");
        taken = std::mem::take(items).into_iter();
    }
    let error = json!({"index": {"status": 500, "error": {"type": "fail_processor_exception", "reason": "no"}}});
    let items = is_bad.into_iter().map(|is_bad| {
        failed += usize::from(is_bad);
        if is_bad {
            error.clone()
        } else {
            taken.next().expect("one")
        }
    });
    let items: Vec<Value> = items.collect();
    json!({"took": 1, "errors": failed > 0, "items": items}).to_string()
}
