//! What reads may take: a few connections, so that they leave the others to writes, and memory of their own.
//!
//! A read holds room from before it asks the database until its answer is sent. A reader for whom there is none waits a
//! moment, then hears 503: what it waits for is not held meanwhile. Those who wait leave room of a page to the answers of those who have
//! read. Of the memory a project has its part, as at every other room, so that whoever reads slowly keeps nobody else waiting.

use super::answer::Answer;
use super::error::ApiError;
use crate::config::{self, millis};
use crate::domain::ProjectId;
use crate::ingest::{Admission, Reservation};
use crate::metric_names::READ_WAIT_SECONDS;
use actix_web::{HttpMessage, HttpRequest};
use bytes::Bytes;
use metrics::{Histogram, histogram};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// A row is in memory as it came, as text, as part of the answer, and as the answer.
const COPIES: usize = 4;

/// Connections and memory of reads.
pub struct Reads {
    /// Bytes after which a page ends.
    pub page_bytes: usize,
    room: Admission,
    connections: Arc<Semaphore>,
    patience: Duration,
    waited_for_connections: Histogram,
    waited_for_memory: Histogram,
}

/// Whose a request is, as its key said.
#[derive(Clone, Copy)]
struct AskedBy(ProjectId);

/// Notes whose a request is: its answer is held in their part of the room.
pub fn note_asker(request: &HttpRequest, project_id: ProjectId) {
    request.extensions_mut().insert(AskedBy(project_id));
}

impl Reads {
    /// Opens both.
    pub fn new(settings: &config::Reads) -> Self {
        Self {
            page_bytes: settings.page_bytes,
            room: Admission::new(settings.max_bytes_in_flight),
            connections: Arc::new(Semaphore::new(settings.connections)),
            patience: millis(settings.wait_timeout_ms),
            waited_for_connections: histogram!(READ_WAIT_SECONDS, "room" => "connection"),
            waited_for_memory: histogram!(READ_WAIT_SECONDS, "room" => "memory"),
        }
    }

    /// The connections, for whoever else reads.
    pub fn connections(&self) -> Arc<Semaphore> {
        self.connections.clone()
    }

    /// Waits for one of the connections.
    ///
    /// # Errors
    /// `Overloaded` where none is free in time.
    pub async fn connection(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let began = Instant::now();
        let permit = timeout(self.patience, self.connections.clone().acquire_owned()).await;
        self.waited_for_connections.record(began.elapsed());
        permit.ok().and_then(Result::ok).ok_or(ApiError::Overloaded)
    }

    /// Waits for a project's room to load a page and make an answer of it.
    ///
    /// # Errors
    /// `Overloaded` where there is none in time.
    pub async fn room(&self, project_id: ProjectId) -> Result<Reservation, ApiError> {
        let began = Instant::now();
        let (load, answer) = (self.page_bytes * COPIES, self.page_bytes);
        let own = self.room.of(project_id);
        let room = timeout(self.patience, own.reserve_beside(load, answer)).await;
        self.waited_for_memory.record(began.elapsed());
        room.ok().flatten().ok_or(ApiError::Overloaded)
    }

    /// Makes an answer to a project of a text or its bytes; it holds its room until it is sent.
    ///
    /// # Errors
    /// `Overloaded` where there is none: too many answers wait to be read.
    pub fn answer(
        &self,
        project_id: ProjectId,
        text: impl Into<Bytes>,
    ) -> Result<Answer, ApiError> {
        let text = text.into();
        let room = self.room.of(project_id).try_reserve(text.len());
        Ok(Answer::new(text, room.ok_or(ApiError::Overloaded)?))
    }

    /// The same to whoever was noted for a request.
    ///
    /// # Errors
    /// As `answer`.
    pub fn answer_to(&self, request: &HttpRequest, text: String) -> Result<Answer, ApiError> {
        let asked_by = request.extensions().get::<AskedBy>().copied();
        let AskedBy(project_id) = asked_by.ok_or(ApiError::MissingKey)?;
        self.answer(project_id, text)
    }

    /// The room left, for the metrics.
    pub fn available_bytes(&self) -> usize {
        self.room.available_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::collections::HashMap;

    #[tokio::test]
    async fn whoever_has_read_finds_room_for_the_answer_while_others_wait_to_read() {
        let settings = config::Config::load(None, HashMap::new()).expect("the defaults");
        let reads = Reads::new(&settings.reads);
        let own = ProjectId(1);
        let loading: Vec<_> = std::iter::from_fn(|| reads.room(own).now_or_never()).collect();
        assert!(loading.len() > 1, "several read at once");
        assert!(loading.iter().all(Result::is_ok));
        assert!(reads.answer(own, "a profile".to_owned()).is_ok());
    }

    #[tokio::test]
    async fn whoever_never_reads_their_answers_leaves_room_to_another_project() {
        let settings = config::Config::load(None, HashMap::new()).expect("the defaults");
        let reads = Reads::new(&settings.reads);
        let page = || reads.answer(ProjectId(1), "x".repeat(reads.page_bytes));
        let unread: Vec<_> = std::iter::from_fn(|| page().ok()).collect();
        assert!(unread.len() > 16, "most of the room is theirs");
        assert!(reads.room(ProjectId(1)).now_or_never().is_none());
        let other = reads.room(ProjectId(2)).now_or_never();
        assert!(other.is_some_and(|room| room.is_ok()));
        assert!(reads.answer(ProjectId(2), "a profile".to_owned()).is_ok());
    }
}
