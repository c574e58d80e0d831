//! Requests that are traced, from their submission over a batch to their answer.

use super::lanes::Lane;
use super::share::{Origin, Share};
use crate::traces::{self, Kind, Parent, Span};
use tokio::time::Instant;

/// The wait of a part of a request, from its submission to its answer.
pub(super) fn commit(origin: Origin, items: usize) -> Option<Span> {
    let mut span = traces::child("commit", Kind::Internal)?;
    span.note("roster.project_id", origin.project_id.0 as usize);
    span.note("roster.class", origin.class.as_str());
    span.note("roster.items", items);
    Some(span)
}

/// The writing of a batch: a part of the first request in it that is traced. All others are linked with it, from both sides, so that it
/// is found from each of them.
pub(super) fn batch(shares: &mut [Share], lane: Lane) -> Option<Span> {
    let requests = shares.len();
    let items = shares.iter().map(|share| share.items.len()).sum::<usize>();
    let now = Instant::now();
    let mut waits = shares.iter_mut().filter_map(|share| {
        let span = share.span.as_mut()?;
        let queued = now.saturating_duration_since(share.since);
        span.note("roster.queue_us", queued.as_micros() as usize);
        Some(span)
    });
    let first: Parent = waits.next()?.parent();
    let mut batch = first.child("batch", Kind::Internal)?;
    batch.note("roster.lane", lane.as_str());
    batch.note("roster.items", items);
    batch.note("roster.requests", requests);
    for wait in waits {
        batch.link(&wait.parent());
        wait.link(&batch.parent());
    }
    Some(batch)
}
