//! The papers: one file for each worker, only ever appended to, on disk before anything is sent.

use super::call::Promise;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::spawn_blocking;

/// A line of a paper.
#[derive(Serialize, Deserialize)]
enum Line {
    Sent(Sending),
    Answered(Answer),
}

/// A request that is about to be sent.
#[derive(Serialize, Deserialize)]
pub struct Sending {
    /// The worker and its request.
    pub request: (usize, u64),
    /// Since 1970.
    pub at: Duration,
    /// Its items.
    pub promises: Vec<Promise>,
}

/// What came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The worker and its request.
    pub request: (usize, u64),
    /// Since 1970.
    pub sent_at: Duration,
    /// Since 1970.
    pub answered_at: Duration,
    /// None where the connection failed.
    pub status: Option<u16>,
    /// Whether it says when to come again.
    pub says_when: bool,
    /// What it says of each item.
    pub results: Vec<String>,
}

impl Answer {
    /// How long it took.
    pub fn took(&self) -> Duration {
        self.answered_at.saturating_sub(self.sent_at)
    }
}

/// The time since 1970, by the one clock of this machine.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
}

/// A worker's paper.
pub struct Paper(Arc<File>);

impl Paper {
    pub fn create(folder: &Path, worker: usize) -> Self {
        let file = File::create_new(folder.join(format!("{worker}.ndjson"))).expect("a file");
        Self(Arc::new(file))
    }

    /// Writes down what is about to be sent, and returns when it is on disk.
    pub async fn note_sending(&self, sending: Sending) {
        let file = self.0.clone();
        let line = text_of(&Line::Sent(sending));
        let noting = spawn_blocking(move || {
            (&*file).write_all(&line)?;
            file.sync_data()
        });
        noting.await.expect("no panic").expect("room on the disk");
    }

    /// Writes down what came back.
    pub fn note_answer(&self, answer: Answer) {
        let line = text_of(&Line::Answered(answer));
        (&*self.0).write_all(&line).expect("room on the disk");
    }
}

fn text_of(line: &Line) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).expect("plain values");
    text.push(b'\n');
    text
}

/// Reads all papers of a folder.
pub fn read(folder: &Path) -> (Vec<Sending>, Vec<Answer>) {
    let (mut sendings, mut answers) = (Vec::new(), Vec::new());
    for file in fs::read_dir(folder).expect("a folder") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("text");
        // A line without its end is being written at this moment.
        for line in text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            match serde_json::from_str(line).expect("our own line") {
                Line::Sent(sending) => sendings.push(sending),
                Line::Answered(answer) => answers.push(answer),
            }
        }
    }
    (sendings, answers)
}
