//! Requests that never finish their heads.

use super::{Siege, amount};
use crate::machine::allow_files;
use crate::socket::Wire;
use futures_util::future::join_all;
use std::time::Duration;

/// 243 MiB for 3,000 of them, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_unfinished_heads() {
    allow_files(6_000);
    let siege = Siege::begin("unfinished heads").await;
    let head = format!("GET /livez HTTP/1.1\r\nX-Long: {}", "x".repeat(100 * 1024));
    let crowd = join_all((0..amount(3_000, 5_000)).map(|_| async {
        let mut wire = Wire::to(&siege.service.url).await;
        // Where the service closes early the rest can't be sent.
        let sending = wire.send(&head);
        let _ = tokio::time::timeout(Duration::from_secs(2), sending).await;
        wire
    }))
    .await;
    drop(crowd);
    siege.end().await;
}
