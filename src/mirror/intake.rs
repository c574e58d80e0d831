//! Documents that Roster has not written yet, taken in like records before they are written over.
//!
//! Until all of the legacy store was taken in, a document may say what is newer than what Roster knows. The merge decides trait by trait, as
//! it does for a record, and only then does Roster's word lie over the document: nothing newer is undone there.

use super::Stop;
use super::entry::Entry;
use super::erased::Judge;
use super::version::Versions;
use crate::domain::{Class, Command, Item, ProfileId, Receipt, Timestamp};
use crate::ingest::{Ingest, Origin};
use crate::legacy::Found;
use std::collections::BTreeSet;

/// The way in for what documents say.
pub struct Intake<'a> {
    pub judge: Judge<'a>,
    pub ingest: &'a Ingest,
    /// Of whom documents were taken in since this step began: whoever writes them without end keeps nobody from being published.
    pub done: BTreeSet<ProfileId>,
    /// Somebody of the page has changed by it: its people are to be read again.
    pub has_news: bool,
}

impl Intake<'_> {
    /// Takes in what documents say that their people do not have.
    ///
    /// `under`: the documents of the people, in their order, without those of whoever was erased.
    pub async fn take_in(
        &mut self,
        used: Versions,
        entries: &[Entry],
        under: &[Option<&Found>],
    ) -> Result<(), Stop> {
        if self.judge.mirror.is_whole {
            return Ok(());
        }
        let news = self.news(used, entries, under);
        if news.is_empty() {
            return Ok(());
        }
        let (ids, items): (Vec<ProfileId>, Vec<Item>) = news.into_iter().unzip();
        self.done.extend(ids);
        let origin = Origin {
            project_id: self.judge.mirror.project_id,
            class: Class::Backfill,
        };
        // What is refused is told by the backfill, which has the same record; here it stays in its document.
        let taking = self.ingest.submit(origin, items, None);
        let told = |error| Stop::Other(format!("documents are not taken in yet: {error}"));
        let receipts = taking.await.map_err(told)?;
        self.has_news = receipts.iter().any(Receipt::is_stored);
        Ok(())
    }

    fn news(
        &self,
        used: Versions,
        entries: &[Entry],
        under: &[Option<&Found>],
    ) -> Vec<(ProfileId, Item)> {
        let mut under = under.iter();
        let mut news = Vec::new();
        for entry in entries {
            let own = under
                .by_ref()
                .take(self.judge.reverse.ids(&entry.person).len());
            let own: Vec<&Found> = own.copied().flatten().collect();
            if self.done.contains(&entry.profile_id()) {
                continue;
            }
            let foreign = own.into_iter().filter(|found| !used.has(found.version));
            let said = foreign.filter_map(|found| self.judge.command(found));
            let said = said.filter(|command| is_statement(command) && !entry.knows(command));
            news.extend(said.map(|command| (entry.profile_id(), Item::Command(command))));
        }
        news
    }
}

/// What has no time is older than all that Roster knows, and lies under it. Somebody who is known here is not erased by a document.
fn is_statement(command: &Command) -> bool {
    command.occurred_at() > Timestamp::MIN && !command.erases()
}
