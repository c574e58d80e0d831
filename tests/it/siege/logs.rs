//! Requests that are no requests: what they leave in the log.

use super::{Siege, amount};
use crate::socket::Wire;
use futures_util::future::join_all;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// 60,000 lines in some minutes, once: each malformed request was one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_malformed_requests_leave_few_lines() {
    let siege = Siege::begin("malformed requests").await;
    let before = siege.service.log.lines.load(Relaxed);
    let requests = amount(1_000, 60_000);
    for _ in 0..requests.div_ceil(50) {
        join_all((0..50).map(|_| async {
            let mut wire = Wire::to(&siege.service.url).await;
            wire.send("GET / HTTP/9.9\r\n\u{1}: \r\n\r\n").await;
            wire.outcome(Duration::from_secs(10)).await
        }))
        .await;
    }
    let lines = siege.service.log.lines.load(Relaxed) - before;
    eprintln!("siege: {requests} malformed requests: {lines} lines");
    assert!(lines < 200, "{lines} lines of {requests} requests");
    siege.end().await;
}
