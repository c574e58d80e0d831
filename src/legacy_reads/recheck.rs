//! Looks again at reads that differ, and writes down what was found.

use super::compare::{Account, Compare, LOOKS, again, between, left_out};
use super::{LegacyReads, Place, Reader};
use crate::domain::difference::Difference;
use crate::domain::reads::ReadSource;
use crate::store::Reference;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

/// Comparisons that are looked at again at once.
const AT_ONCE: usize = 64;
/// How often a node writes down what it has counted.
const TELL: Duration = Duration::from_secs(2);

/// Reads that wait to be compared.
pub struct Line(pub(super) mpsc::Receiver<Compare>);

impl LegacyReads {
    /// Compares what is put aside, for as long as the process lives.
    pub async fn compare_all(&self, Line(mut line): Line) {
        let node = Uuid::new_v4();
        let mut looking = FuturesUnordered::new();
        let mut ticks = interval(TELL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                next = line.recv(), if looking.len() < AT_ONCE => match next {
                    Some(compare) => looking.push(self.look_again(compare)),
                    None => return,
                },
                Some(()) = looking.next() => {}
                _ = ticks.tick() => self.tell(node).await,
            }
        }
    }

    async fn look_again(&self, compare: Compare) {
        let reverse = &compare.leaving.reverse;
        let mut found = between(reverse, compare.ours.as_ref(), compare.theirs.as_ref());
        let who = compare.ours.as_ref().and_then(|ours| ours.id);
        for pause in LOOKS {
            if found.is_empty() {
                break;
            }
            sleep(pause).await;
            let Some(now) = self.differences_now(&compare).await else {
                return left_out();
            };
            found = again(found, &now);
        }
        self.comparisons.count(&compare.leaving, who, &found);
    }

    /// In what both sides differ now; `None` where one of them does not answer.
    async fn differences_now(&self, compare: &Compare) -> Option<Vec<Difference>> {
        let leaving = &compare.leaving;
        let reference: Reference = compare.reference.clone();
        let loading = self.store.load_profile(leaving.project_id, &reference);
        let profile = self.with_connection(loading).await.ok()?;
        let mut room = self.room.try_reserve(0)?;
        let ours = profile.as_ref().map(Account::of_profile);
        let bytes = ours.as_ref().map_or(0, Account::bytes);
        room.grow(super::COPIES * bytes).then_some(())?;
        let place = Place::of(leaving, super::Asked { reference, profile });
        if place.source == ReadSource::Roster {
            return Some(Vec::new());
        }
        let (caller, now) = (&compare.caller, compare.now);
        let reader = Reader { caller, now };
        let mut people = self.look(leaving, reader, &[place], &mut room).await.ok()?;
        let theirs = people.remove(&0).transpose().ok()?;
        let theirs = theirs.map(|person| person.account());
        Some(between(&leaving.reverse, ours.as_ref(), theirs.as_ref()))
    }

    /// Writes down the sums, if there is something new in them.
    async fn tell(&self, node: Uuid) {
        let Some(sums) = self.comparisons.news() else {
            return;
        };
        if let Err(error) = self.store.save_comparisons(node, &sums).await {
            tracing::warn!(reason = %error.full_text(), "could not write down what was compared");
            return self.comparisons.keep_news();
        }
        self.comparisons.forget(|(project_id, since)| {
            let leaving = self.known.of(*project_id).ok().flatten();
            leaving.is_none_or(|leaving| leaving.reads.since != *since)
        });
    }
}
