//! A page of documents into the topic, no faster than was asked for.

use super::job::Export;
use super::walk::Stumble;
use crate::backfill::{NotSent, Outgoing};
use crate::legacy::Hit;
use crate::legacy::record;
use futures_util::future::try_join_all;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

impl Export {
    /// Has a page in the topic; tells how many records that are: one may be passed over.
    pub(super) async fn send(&self, hits: &[Hit<'_>]) -> Result<usize, Stumble> {
        let sent = try_join_all(hits.iter().map(|hit| self.send_one(hit))).await?;
        Ok(sent.into_iter().filter(|is_sent| *is_sent).count())
    }

    async fn send_one(&self, hit: &Hit<'_>) -> Result<bool, Stumble> {
        let stop =
            |text: String| Stumble::Stop(format!("document {} of {}: {text}", hit._id, hit._index));
        let value = record::value(hit).map_err(|error| stop(error.to_string()))?;
        let record = Outgoing {
            key: &record::key(hit),
            value: &value,
            headers: &[(record::INDEX_HEADER, &hit._index)],
        };
        match self.topic.send(&record).await {
            Ok(()) => Ok(true),
            Err(NotSent::Passing(text)) => Err(Stumble::Again(text)),
            Err(NotSent::Lasting(text)) => Err(stop(text)),
            Err(NotSent::TooLarge) if self.options.skip_too_large => {
                tracing::error!(index = %hit._index, id = %hit._id, bytes = value.len(), "passed over: the topic takes no record of this size");
                self.too_large.fetch_add(1, Ordering::Relaxed);
                Ok(false)
            }
            Err(NotSent::TooLarge) => Err(stop(format!(
                "{} bytes are more than topic {} takes (max.message.bytes {}): raise it, or pass over such documents with --skip-too-large",
                value.len(),
                self.topic.name,
                self.topic.max_record_bytes
            ))),
        }
    }

    /// Waits as long as the limits ask for.
    pub(super) async fn spend(&self, documents: usize, bytes: usize) {
        let seconds = |spent: usize, limit: u32| match limit {
            0 => 0.0,
            limit => spent as f64 / f64::from(limit),
        };
        let (documents, bytes) = (
            seconds(documents, self.options.documents_per_second),
            seconds(bytes, self.options.bytes_per_second),
        );
        let until = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = (*next).max(Instant::now());
            *next = begin + Duration::from_secs_f64(documents.max(bytes));
            begin
        };
        sleep_until(until).await;
    }
}
