//! Names of erased people: their documents go, and stay away. Who has such a name by now is published anew.

use super::Stop;
use super::page::Page;
use super::send::{Action, Sent};
use crate::domain::versions::Versions;
use crate::legacy::Found;
use crate::store::{GoneName, TopicFormat};
use crate::upkeep::frame::Turn;
use std::time::Duration;

/// A store forgets the version of a deletion after a minute: after two nothing older is on its way any more.
pub const SECOND_LOOK: Duration = Duration::from_secs(120);
/// Names of erased people at once.
const NAMES: i64 = 200;

/// What is to become of a name, the most that is left to do last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Settled,
    /// It is looked at once more after a pause.
    Later,
    /// It was not done, and why.
    Waits(String),
}

impl Page<'_> {
    /// Deletes what is published of erased people. Tells why something of it has to be tried again.
    pub(super) async fn gone(&mut self, turn: &mut Turn) -> Result<Option<String>, Stop> {
        let project_id = self.mirror.project_id;
        let names = turn.store.load_gone(project_id, NAMES).await?;
        if names.is_empty() {
            return Ok(None);
        }
        turn.keep().await?;
        let documents = self.gone_documents(turn, &names).await?;
        let records = self.gone_records(turn, &names).await?;
        let fates = documents.into_iter().zip(records);
        let fates = fates.map(|(one, other)| one.max(other));
        let (mut later, mut settled, mut waits) = (Vec::new(), Vec::new(), None);
        for (name, fate) in names.iter().zip(fates) {
            match fate {
                Fate::Settled => settled.push(name),
                Fate::Later => later.push(name),
                Fate::Waits(reason) => waits = Some(reason),
            }
        }
        let owners = names.iter().filter_map(|name| name.owner).collect();
        let store = &turn.store;
        store.mark_owners(turn.fence, project_id, &owners).await?;
        let settling = (&later[..], &settled[..]);
        store
            .settle_gone(turn.fence, project_id, settling, SECOND_LOOK)
            .await?;
        Ok(waits)
    }

    /// Deletes documents. Of names that are no ids there are none.
    async fn gone_documents(
        &mut self,
        turn: &mut Turn,
        names: &[GoneName],
    ) -> Result<Vec<Fate>, Stop> {
        let mut fates = vec![Fate::Settled; names.len()];
        let Some(index) = self.index else {
            return Ok(fates);
        };
        let is_id = |name: &GoneName| name.kind == self.reverse.document_kind();
        let ids: Vec<usize> = (0..names.len()).filter(|at| is_id(&names[*at])).collect();
        let values: Vec<&str> = ids.iter().map(|at| names[*at].value.as_str()).collect();
        let there = index.versions(&values).await?;
        let used = Versions::of(&turn.progress);
        let going: Vec<(usize, Option<Found>)> = ids
            .into_iter()
            .zip(there)
            .filter(|(at, there)| is_to_go(&names[*at], there.as_ref(), used))
            .collect();
        let Some(now) = going.first().map(|(at, _)| names[*at].now) else {
            return Ok(fates);
        };
        let (places, there): (Vec<usize>, Vec<Option<Found>>) = going.into_iter().unzip();
        let actions = places
            .iter()
            .map(|at| (names[*at].value.as_str(), Action::Delete));
        let versions = self.begin(turn, now, &there).await?;
        let (sent, foreign) = index.send(versions, actions.collect(), &there).await?;
        self.count(&sent, foreign);
        for ((at, sent), there) in places.into_iter().zip(sent).zip(there) {
            fates[at] = fate(&names[at], &sent, there.is_some());
        }
        Ok(fates)
    }

    /// Sends records of deletions. One of Roster's own format says as of when, so that it needs no second look.
    async fn gone_records(
        &mut self,
        turn: &mut Turn,
        names: &[GoneName],
    ) -> Result<Vec<Fate>, Stop> {
        let mut fates = vec![Fate::Settled; names.len()];
        let Some(topic) = self.topic else {
            return Ok(fates);
        };
        let is_document = topic.format == TopicFormat::Document;
        let is_told = |name: &GoneName| {
            let is_id = name.kind == self.reverse.document_kind();
            let is_again = is_document && name.owner.is_none();
            (!is_document || is_id) && (name.looks == 0 || is_again)
        };
        let places: Vec<usize> = (0..names.len()).filter(|at| is_told(&names[*at])).collect();
        let Some(now) = places.first().map(|at| names[*at].now) else {
            return Ok(fates);
        };
        let version = self.begin(turn, now, &[]).await?.last;
        let records = places
            .iter()
            .map(|at| topic.gone(&names[*at], self.reverse, version));
        let sent = topic.send(records.collect()).await?;
        self.count(&sent, 0);
        for (at, sent) in places.into_iter().zip(sent) {
            fates[at] = match fate(&names[at], &sent, false) {
                Fate::Later if !is_document => Fate::Settled,
                fate => fate,
            };
        }
        Ok(fates)
    }
}

/// What somebody else has written since stays, where a legacy store said itself that it has deleted it.
pub fn is_to_go(name: &GoneName, there: Option<&Found>, used: Versions) -> bool {
    let is_kept = name.only_ours && there.is_some_and(|found| !used.has(found.version));
    !is_kept && (name.looks == 0 || name.owner.is_none())
}

/// What becomes of a name whose document was to go.
pub fn fate(name: &GoneName, sent: &Sent, was_there: bool) -> Fate {
    let is_new = name.looks == 0 || was_there;
    match sent {
        Sent::Again(reason) | Sent::Stuck(reason) => Fate::Waits(reason.clone()),
        // It is there, and stays until somebody else deletes it.
        Sent::Refused(reason) if was_there => Fate::Waits(reason.clone()),
        Sent::Done if name.owner.is_none() && is_new => Fate::Later,
        // What no store takes, none has.
        Sent::Done | Sent::Refused(_) => Fate::Settled,
    }
}
