//! An export from its beginning, or from where it was left, to its end.

use super::gone;
use super::job::{Export, Outcome};
use std::sync::atomic::Ordering;
use tokio::sync::Notify;

impl Export {
    /// Makes one pass; ends at a signal too, with what was sent remembered.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<Outcome, String> {
        self.take_lease().await?;
        let (over, lost) = (Notify::new(), Notify::new());
        let work = async {
            let ended = tokio::select! {
                ended = self.work() => ended,
                changed = self.watch() => Err(changed),
                () = lost.notified() => Err(String::new()),
                () = stop => Err("stopped; the same command goes on from here".to_owned()),
            };
            over.notify_one();
            ended
        };
        // Not dropped half-way: a renewal on its way would come after the end.
        let keep = async {
            let reason = self.keep(&over).await;
            lost.notify_one();
            reason
        };
        let (ended, reason) = tokio::join!(work, keep);
        let saved = self.save().await;
        let _ = self.store.end_lease(&self.lease(), self.owner).await;
        match (reason, ended) {
            (Some(reason), _) => Err(reason),
            (None, ended) => ended.and_then(|outcome| saved.map(|_| outcome)),
        }
    }

    async fn work(&self) -> Result<Outcome, String> {
        self.open().await?;
        self.pass().await?;
        let gone = match self.options.gone {
            true => gone::sweep(self).await?,
            false => 0,
        };
        let progress = self.progress();
        Ok(Outcome {
            pass: progress.pass,
            documents: progress.sent,
            bytes: progress.bytes,
            too_large: self.too_large.load(Ordering::Relaxed),
            gone,
        })
    }
}
