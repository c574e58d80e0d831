//! How far work is behind that no request waits for, as a metric of every node: whoever has the turn just now, all tell the same.

use crate::metric_names::ERASURE_AGE;
use crate::store::Store;
use metrics::gauge;
use std::time::Duration;
use tokio::time::sleep;

/// Between two looks: a scrape is rarely more frequent.
const EVERY: Duration = Duration::from_secs(10);
/// Erasures that one look reads at most.
const AMONG: i64 = 1_000;

/// Tells it for as long as the process lives.
pub async fn tell(store: Store) {
    loop {
        match store.oldest_erasure(AMONG).await {
            Ok(age) => gauge!(ERASURE_AGE).set(age),
            Err(error) => {
                tracing::debug!(reason = %error.full_text(), "erasures were not measured");
            }
        }
        sleep(EVERY).await;
    }
}
