//! The ledger that makes "nothing lost" a number.
//!
//! Workers write down what they are about to send, on disk, before they send it, and what was answered. What gets no answer is
//! sent again with the same ids, alone or among others, until it is acknowledged. Afterwards a judge who knows nothing but the
//! papers and the database counts what is lost, phantom, duplicate, altered, torn, or wrongly folded.

mod call;
mod judge;
mod paper;
mod verdict;
mod worker;

pub use paper::{Answer, now};
pub use verdict::Verdict;

use crate::harness::Project;
use paper::Paper;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;
use worker::Worker;

/// As many as the acceptance asks for.
const CONNECTIONS: usize = 32;

/// Clients at work, each with a connection and a paper of its own.
pub struct Load {
    project: Project,
    folder: TempDir,
    signs: Arc<Signs>,
    workers: JoinSet<()>,
}

/// What workers are told, and tell while they work.
#[derive(Default)]
struct Signs {
    stop: AtomicBool,
    acknowledged: AtomicU64,
}

impl Load {
    /// Starts clients that never give up; each goes to the next of `urls` when one fails it.
    pub fn start(project: &Project, urls: &[&str]) -> Self {
        Self::of(project, urls, CONNECTIONS, |worker| worker)
    }

    /// Starts clients that give some calls up, whose fate is then unknown.
    pub fn forgetful(project: &Project, urls: &[&str]) -> Self {
        Self::of(project, urls, CONNECTIONS, Worker::forgetful)
    }

    /// Starts a few clients.
    pub fn small(project: &Project, urls: &[&str]) -> Self {
        Self::of(project, urls, 4, |worker| worker)
    }

    fn of(
        project: &Project,
        urls: &[&str],
        connections: usize,
        manner: fn(Worker) -> Worker,
    ) -> Self {
        let folder = TempDir::new().expect("a folder");
        let signs = Arc::new(Signs::default());
        let mut workers = JoinSet::new();
        for number in 0..connections {
            let paper = Paper::create(folder.path(), number);
            let worker = Worker::new(project, urls, number, paper, signs.clone());
            workers.spawn(manner(worker).run());
        }
        Self {
            project: project.through(urls[0]),
            folder,
            signs,
            workers,
        }
    }

    /// Acknowledged requests so far.
    pub fn acknowledged(&self) -> u64 {
        self.signs.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until that many more requests were acknowledged: the service is well again.
    pub async fn goes_on(&self, more: u64, patience: Duration) {
        let (wanted, deadline) = (self.acknowledged() + more, Instant::now() + patience);
        while self.acknowledged() < wanted {
            let missing = wanted - self.acknowledged();
            assert!(
                Instant::now() < deadline,
                "{missing} of {more} requests were not acknowledged within {patience:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every answer so far, in no order.
    pub fn answers(&self) -> Vec<Answer> {
        paper::read(self.folder.path()).1
    }

    /// Lets the workers send what has no answer yet, and nothing new, until all of it is acknowledged.
    pub async fn finish(&mut self) {
        self.signs.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended.expect("a worker does not panic");
        }
    }

    /// Compares the papers with the database, by SQL, and a sample through the API.
    pub async fn judge(&self, database_url: &str) -> Verdict {
        let (sendings, answers) = paper::read(self.folder.path());
        judge::judge(&self.project, database_url, &sendings, &answers).await
    }

    /// Ends the work and judges it; fails the test unless everything is as it was acknowledged.
    pub async fn must_be_clean(mut self, story: &str, database_url: &str) -> Verdict {
        self.finish().await;
        let verdict = self.judge(database_url).await;
        eprintln!("{story}: {verdict}");
        verdict.assert_clean(story);
        verdict
    }
}
