//! One shard's documents, page by page, however often the store stumbles.

use super::state::Range;
use crate::legacy::{self, Client, Failure, Hit, PageAsk};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Documents of the first page; later ones have as many as make `PAGE_BYTES`.
const FIRST_PAGE: usize = 50;
/// Kafka's and Elasticsearch's own limits allow no more.
const LARGEST_PAGE: usize = 10_000;
/// Bytes of an answer that are aimed at: enough that a request's own cost does not show, and some slices still fit into memory.
const PAGE_BYTES: usize = 2 << 20;
/// Bytes of an answer that are taken at the most. A single document beyond it can't be read.
const MOST_BYTES: usize = 48 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why a step was not made.
#[derive(Debug)]
pub enum Stumble {
    /// It may be made later.
    Again(String),
    /// Somebody has to do something first.
    Stop(String),
}

impl Stumble {
    /// What a failure of the store comes to.
    pub fn of(failure: &Failure, text: String) -> Self {
        match failure {
            Failure::NoRoom | Failure::Passing(_) => Self::Again(text),
            Failure::Lasting { .. } | Failure::TooLarge(_) => Self::Stop(text),
        }
    }
}

/// Does something until it is done, or patience is at its end.
///
/// # Errors
/// What it failed of last.
pub async fn insist<T>(
    patience: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, Stumble>,
) -> Result<T, String> {
    let (mut pause, since) = (FIRST_PAUSE, Instant::now());
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Stumble::Again(reason)) if since.elapsed() < patience => {
                tracing::warn!(%reason, "tried again");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(Stumble::Again(text) | Stumble::Stop(text)) => return Err(text),
        }
    }
}

/// Where documents are read, and how long who does not answer is waited for.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    pub client: &'a Client,
    pub index: &'a str,
    pub shard: u32,
    pub with_source: bool,
    pub patience: Duration,
}

/// What is different from page to page.
struct Place {
    range: Range,
    size: usize,
    /// Nothing was there to be seen; after a refresh that is the end.
    is_refreshed: bool,
}

impl Walk<'_> {
    /// Walks a range to its end. `each` has a page done before the next is asked for, and is given the bytes of it.
    ///
    /// # Errors
    /// One sentence: what failed, and failed again until patience was at its end.
    pub async fn run(
        &self,
        range: Range,
        mut each: impl AsyncFnMut(&[Hit<'_>], usize) -> Result<(), Stumble>,
    ) -> Result<(), String> {
        let (size, is_refreshed) = (FIRST_PAGE, false);
        let mut place = Place {
            range,
            size,
            is_refreshed,
        };
        while !insist(self.patience, async || {
            self.step(&mut place, &mut each).await
        })
        .await?
        {}
        Ok(())
    }

    /// One page; true where it was the last.
    async fn step(
        &self,
        place: &mut Place,
        each: &mut impl AsyncFnMut(&[Hit<'_>], usize) -> Result<(), Stumble>,
    ) -> Result<bool, Stumble> {
        let page = match self.client.page(self.ask(place)).await {
            Err(Failure::TooLarge(_)) if place.size > 1 => {
                place.size = (place.size / 4).max(1);
                return Ok(false);
            }
            other => other.map_err(|failure| self.stumble(place, &failure))?,
        };
        let hits = legacy::hits(&page).map_err(|failure| self.stumble(place, &failure))?;
        let Some(last) = hits.last() else {
            return self.look_again(place).await;
        };
        let (after, is_short) = (last._seq_no, hits.len() < place.size);
        if after <= place.range.after {
            let text = format!("index {} does not sort by _seq_no", self.index);
            return Err(Stumble::Stop(text));
        }
        each(&hits, page.len()).await?;
        place.size = next_size(hits.len(), page.len());
        place.range.after = after;
        place.is_refreshed = false;
        Ok(is_short && place.range.last.is_some())
    }

    /// Where a range has no end, the end is what nobody has written behind: shown by a refresh.
    async fn look_again(&self, place: &mut Place) -> Result<bool, Stumble> {
        if place.range.last.is_some() || place.is_refreshed {
            return Ok(true);
        }
        place.is_refreshed = true;
        match self.client.refresh(self.index).await {
            // Without the right to, what shows is what there is.
            Ok(()) | Err(Failure::Lasting { status: 403, .. }) => Ok(false),
            Err(failure) => Err(self.stumble(place, &failure)),
        }
    }

    fn ask(&self, place: &Place) -> PageAsk<'_> {
        PageAsk {
            index: self.index,
            shard: self.shard,
            after: place.range.after,
            last: place.range.last,
            size: place.size,
            with_source: self.with_source,
            most_bytes: MOST_BYTES,
        }
    }

    fn stumble(&self, place: &Place, failure: &Failure) -> Stumble {
        let text = format!("index {}, shard {}: {failure}", self.index, self.shard);
        match failure {
            Failure::TooLarge(_) => Stumble::Stop(format!(
                "{text}: it is one document, the next behind sequence number {}",
                place.range.after
            )),
            _ => Stumble::of(failure, text),
        }
    }
}

/// As many as make a usual page, growing no faster than fourfold: the next documents may be larger.
fn next_size(documents: usize, bytes: usize) -> usize {
    let each = (bytes / documents.max(1)).max(1);
    (PAGE_BYTES / each)
        .clamp(1, documents.max(FIRST_PAGE) * 4)
        .min(LARGEST_PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_about_as_many_bytes_whatever_the_documents() {
        assert_eq!(next_size(50, 50 << 10), 200, "they grow step by step");
        assert_eq!(next_size(2_000, 2_000 << 10), 2_048);
        assert_eq!(next_size(10, 10 << 20), 2);
        assert_eq!(next_size(1, 40 << 20), 1);
    }
}
