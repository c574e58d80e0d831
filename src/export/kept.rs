//! What is remembered of an export, and who may go on with it.

use super::job::Export;
use super::plan;
use super::state::State;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// What is sent is remembered this often; who dies sends a second's documents again.
const SAVE: Duration = Duration::from_secs(1);
/// A process that is not heard of for so long has lost its export to whoever asks for it.
const LEASE_TIME: Duration = Duration::from_secs(30);
/// How often the indices are looked at: an alias may be switched, an index made anew.
const LOOK: Duration = Duration::from_secs(5);

impl Export {
    /// What was kept, held against what is there now.
    pub(super) async fn load(&self) -> Result<State, String> {
        let legacy = self
            .client
            .cluster()
            .await
            .map_err(|failure| failure.to_string())?;
        let kept = self
            .store
            .load_export(&self.name)
            .await
            .map_err(|error| error.full_text())?;
        let kept = kept
            .filter(|_| !self.options.restart)
            .map(serde_json::from_value::<State>);
        let kept = kept.transpose().map_err(|error| {
            format!("what was kept of this export can't be read: {error}; --restart begins anew")
        })?;
        let topic_end = self.topic_end()?;
        if let Some(kept) = &kept {
            self.refuse_another(kept, &legacy, topic_end)?;
        }
        let new = State {
            is_finished: true,
            ..State::default()
        };
        Ok(State {
            legacy,
            kafka: self.topic.cluster.clone(),
            topic_end,
            ..kept.unwrap_or(new)
        })
    }

    /// Positions of one store or topic mean nothing in another.
    fn refuse_another(&self, kept: &State, legacy: &str, end: i64) -> Result<(), String> {
        let elsewhere = [
            (kept.legacy.as_str(), legacy, "store"),
            (
                kept.kafka.as_str(),
                self.topic.cluster.as_str(),
                "Kafka cluster",
            ),
        ];
        if let Some((was, is, what)) = elsewhere.into_iter().find(|(was, is, _)| was != is) {
            return Err(format!(
                "this export was begun with another {what} ({was}, and this is {is}); --restart begins anew"
            ));
        }
        if end < kept.topic_end {
            return Err(format!(
                "topic {} ends at {end} and ended at {} when this export was left: it was made anew; --restart begins anew",
                self.topic.name, kept.topic_end
            ));
        }
        Ok(())
    }

    fn topic_end(&self) -> Result<i64, String> {
        let ends = tokio::task::block_in_place(|| self.topic.ends())?;
        Ok(ends.iter().map(|(_, _, end)| end).sum())
    }

    pub(super) fn lease(&self) -> String {
        format!("export {}", self.name)
    }

    pub(super) async fn take_lease(&self) -> Result<(), String> {
        match self.has_lease().await? {
            true => Ok(()),
            false => Err(format!(
                "an export of {} is at work elsewhere, or ended less than {} s ago without a word",
                self.name,
                LEASE_TIME.as_secs()
            )),
        }
    }

    async fn has_lease(&self) -> Result<bool, String> {
        let lease = self.lease();
        let taken = self.store.take_lease(&lease, self.owner, LEASE_TIME);
        taken.await.map_err(|error| error.full_text())
    }

    /// Remembers what was sent, as long as nobody else took the export over.
    pub(super) async fn keep(&self, over: &Notify) -> Option<String> {
        let mut heard = Instant::now();
        loop {
            if timeout(SAVE, over.notified()).await.is_ok() {
                return None;
            }
            match self.renew().await {
                Ok(true) => heard = Instant::now(),
                Ok(false) => {
                    return Some(format!(
                        "the export of {} was taken over by another process",
                        self.name
                    ));
                }
                Err(text) if heard.elapsed() > self.options.patience => return Some(text),
                // The database may be away for a while: Kafka has what was sent, and at worst it is sent again.
                Err(reason) => tracing::warn!(%reason, "how far the export is was not remembered"),
            }
        }
    }

    /// False where somebody else has it by now.
    async fn renew(&self) -> Result<bool, String> {
        Ok(self.has_lease().await? && self.save().await?)
    }

    /// Remembers how far it is; false where the export is not this process's any more.
    pub(super) async fn save(&self) -> Result<bool, String> {
        // Nothing was opened yet.
        if self.state().pass == 0 {
            return Ok(true);
        }
        let state = serde_json::to_value(&*self.state()).map_err(|error| error.to_string())?;
        let lease = self.lease();
        let saved = self
            .store
            .save_export(&self.name, &state, &lease, self.owner);
        saved.await.map_err(|error| error.full_text())
    }

    /// Ends when an index is not what it was.
    pub(super) async fn watch(&self) -> String {
        loop {
            sleep(LOOK).await;
            if let Ok(indices) = self.client.indices(&self.options.index).await
                && let Err(text) = plan::compare(&self.state(), &self.options.index, &indices)
            {
                return text;
            }
        }
    }
}
