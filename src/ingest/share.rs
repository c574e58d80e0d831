//! What travels through the lanes: items of one request, or a part of a large one, answered together.

use super::admission::Reservation;
use crate::domain::{Class, Item, ProjectId, Receipt};
use crate::traces::Span;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Why nothing can be said about a request's items; sending the same again is always safe.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The service is stopping.
    #[error("the service is stopping")]
    Draining,
    /// The database did not answer in time, or refused for reasons of its own.
    #[error("the database did not take the batch")]
    Store,
}

/// The answer to a share: one receipt for each item.
pub(super) type Answer = Result<Vec<Receipt>, SubmitError>;

/// Whose items they are, and how urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub project_id: ProjectId,
    pub class: Class,
}

/// Items of one project and one class that are answered together.
pub(super) struct Share {
    pub origin: Origin,
    pub items: Vec<Item>,
    /// What writing them costs (`Item::cost`).
    pub cost: usize,
    /// When it was submitted.
    pub since: Instant,
    /// The wait of a request that is traced, until it is answered.
    pub span: Option<Span>,
    /// What is refused of them is listed with their file, and here not once more.
    pub is_of_a_file: bool,
    pub reply: oneshot::Sender<Answer>,
    /// What the whole request holds; given back when the last of its shares is dropped, also when nobody waits any more.
    pub _room: Arc<Option<Reservation>>,
}

impl Share {
    /// Whoever gave up waiting will send again; writing for them now would only delay the others.
    pub fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    /// Tells what became of the items. Nobody may be waiting any more; what they asked for is done all the same.
    pub fn answer(self, answer: Answer) {
        drop(self.items);
        drop(self.reply.send(answer));
    }
}

/// Cuts a request into parts of at most so many items and so much cost.
pub(super) fn cut(items: Vec<Item>, max_rows: usize, max_cost: usize) -> Vec<(Vec<Item>, usize)> {
    let (mut parts, mut part, mut cost) = (Vec::new(), Vec::new(), 0);
    for item in items {
        let more = item.cost();
        if !part.is_empty() && (part.len() >= max_rows || cost + more > max_cost) {
            parts.push((std::mem::take(&mut part), std::mem::take(&mut cost)));
        }
        cost += more;
        part.push(item);
    }
    if !part.is_empty() {
        parts.push((part, cost));
    }
    parts
}
