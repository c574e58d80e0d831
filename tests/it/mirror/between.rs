//! A place between Roster and a legacy store, where what a network and proxies do can be done.

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
            _ => {}
        }
        if let Ok(mut up) = TcpStream::connect(&to).await {
            let _ = copy_bidirectional(&mut stream, &mut up).await;
        }
    }
}
