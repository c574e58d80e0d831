//! Those who ask and never read the answer.

use super::{Siege, amount, gzip};
use crate::harness::wait_until;
use crate::machine::metric;
use crate::socket::{Wire, head};
use futures_util::future::join_all;
use std::time::Duration;

const ROOM: &str = "roster_admission_available_bytes";

/// Each sends 1,000 empty items again and again and reads none of the results, which are fifty times as large. 586 MiB once,
/// and the connections stayed open for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_senders_that_never_read() {
    let settings = [("ROSTER__SERVER__WRITE_TIMEOUT_MS", "2000")];
    let siege = Siege::with("senders that never read", &settings).await;
    let all = metric(&siege.service.url, ROOM).await;
    let body = gzip(format!("{{\"batch\":[{}{{}}]}}", "{},".repeat(999)).as_bytes());
    let head = head(
        &siege.project.write_key,
        &format!(
            "Content-Encoding: gzip\r\nContent-Length: {}\r\n",
            body.len()
        ),
    );
    let head = head.replace("/v1/batch", "/v1/batch?results=true");
    let request = [head.as_bytes(), &body].concat();
    let silent = join_all((0..amount(100, 300)).map(|_| async {
        let mut wire = Wire::to(&siege.service.url).await;
        for _ in 0..100 {
            let sending = wire.send(&request);
            if !matches!(
                tokio::time::timeout(Duration::from_secs(1), sending).await,
                Ok(true)
            ) {
                break;
            }
        }
        wire
    }));
    let silent = silent.await;
    // Room that nobody reads away comes back when the connections are given up.
    wait_until(
        "the room is given back",
        Duration::from_secs(40),
        async || metric(&siege.service.url, ROOM).await >= all,
    )
    .await;
    drop(silent);
    siege.end().await;
}
