//! Requests that never finish their heads, and those that don't wait for an answer.

use super::{CONNECTIONS, Siege, amount};
use crate::machine::allow_files;
use crate::socket::{Wire, head};
use futures_util::future::join_all;
use std::time::Duration;

/// Sends as much of a request as is taken within some seconds. Where the service closes early the rest can't be sent.
async fn push(wire: &mut Wire, request: &str, seconds: u64) {
    let sending = wire.send(request);
    let _ = tokio::time::timeout(Duration::from_secs(seconds), sending).await;
}

/// 243 MiB for 3,000 of them, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_unfinished_heads() {
    allow_files(6_000);
    let siege = Siege::begin("unfinished heads").await;
    let head = format!("GET /livez HTTP/1.1\r\nX-Long: {}", "x".repeat(100 * 1024));
    let crowd = join_all((0..amount(3_000, 5_000)).map(|_| async {
        let mut wire = Wire::to(&siege.service.url).await;
        push(&mut wire, &head, 2).await;
        wire
    }))
    .await;
    drop(crowd);
    siege.end().await;
}

/// All of them were parsed at once while the first was being answered: 271 MiB for 64 connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_requests_that_are_sent_ahead() {
    let siege = Siege::begin("requests sent ahead").await;
    let call = r#"{"userId": "ada", "event": "Seen"}"#;
    let first = head(
        &siege.project.write_key,
        &format!("Content-Length: {}\r\n", call.len()),
    );
    let short = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4_000);
    let headers: String = (0..90).map(|number| format!("x{number}:\r\n")).collect();
    let many = format!("GET /a HTTP/1.1\r\nHost: a\r\n{headers}\r\n").repeat(200);
    for ahead in [short, many] {
        let request = format!("{first}{call}{ahead}");
        join_all((0..amount(CONNECTIONS, 512)).map(|_| async {
            let mut wire = Wire::to(&siege.service.url).await;
            push(&mut wire, &request, 2).await;
            wire
        }))
        .await;
    }
    siege.end().await;
}

/// 442 MiB for 3,000 of them, and their connections stayed for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_unfinished_heads_after_an_answer() {
    allow_files(6_000);
    let siege = Siege::begin("unfinished heads after an answer").await;
    let whole = "GET /livez HTTP/1.1\r\nHost: roster\r\n\r\n";
    let unfinished = format!("GET /livez HTTP/1.1\r\nX-Long: {}", "x".repeat(100 * 1024));
    let crowd = join_all((0..amount(3_000, 5_000)).map(|_| async {
        let mut wire = Wire::to(&siege.service.url).await;
        wire.send(whole).await;
        wire.outcome(Duration::from_secs(10)).await;
        push(&mut wire, &unfinished, 2).await;
        wire
    }))
    .await;
    drop(crowd);
    siege.end().await;
}

/// 481 MiB: each byte was an object of its own until somebody read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_bodies_of_crumbs() {
    let siege = Siege::begin("bodies of crumbs").await;
    let (write, server) = (&siege.project.write_key, &siege.project.server_key);
    let crumbs = "1\r\n \r\n".repeat(300_000);
    let begun = "Transfer-Encoding: chunked\r\n";
    let stranger = format!("POST /v1/batch HTTP/1.1\r\nHost: x\r\n{begun}\r\n");
    let import = head(server, begun).replace("/v1/batch", "/v1/imports?format=ndjson");
    let requests = [stranger, head(write, begun), import].map(|head| format!("{head}{crumbs}"));
    let crowd = (0..3 * CONNECTIONS).map(|number| {
        let (url, request) = (&siege.service.url, &requests[number % 3]);
        async move {
            let mut wire = Wire::to(url).await;
            push(&mut wire, request, 5).await;
            wire
        }
    });
    drop(join_all(crowd).await);
    siege.end().await;
}
