//! A page of marks: people read, published wherever the project is mirrored to, and the marks of those that were taken deleted.

use super::Stop;
use super::entry::{Entry, Sorted, sorted};
use super::erased::{Judge, Said, is_doubtful};
use super::index::{Index, actions};
use super::intake::Intake;
use super::send::Sent;
use super::topic::Topic;
use crate::domain::ProfileId;
use crate::domain::versions::Versions;
use crate::legacy::Found;
use crate::mapping::Reverse;
use crate::store::{Mark, Mirror, MirrorNote};
use crate::upkeep::frame::Turn;

/// What every page of a project is made with.
pub struct Page<'a> {
    pub mirror: &'a Mirror,
    pub reverse: &'a Reverse,
    pub index: Option<Index<'a>>,
    pub topic: Option<Topic<'a>>,
    pub judge: Judge<'a>,
    pub intake: Intake<'a>,
    pub note: &'a mut MirrorNote,
    /// Whom the store failed on, and why: they wait for the next try.
    pub stuck: Vec<ProfileId>,
    pub why: Option<String>,
}

impl Page<'_> {
    /// Publishes the people of the oldest marks; tells whether there may be more. Of somebody who was erased and came back the erasure is
    /// published first: its names are asked for once the marks are known.
    pub async fn profiles(&mut self, turn: &mut Turn, page: usize) -> Result<bool, Stop> {
        let project_id = self.mirror.project_id;
        self.intake.has_news = false;
        turn.keep().await?;
        let marks = turn.store.load_marks(project_id, page as i64, &self.stuck);
        let marks = marks.await?;
        let waits = self.gone(turn).await?;
        let count = marks.marks.len();
        if count == 0 {
            return not_taken(waits).map_or(Ok(false), Err);
        }
        let ids: Vec<ProfileId> = marks.marks.iter().map(|mark| mark.profile_id).collect();
        let known = turn.store.load_marked(project_id, &ids).await?;
        let mut sorted = sorted(marks.marks, known);
        let again = self.publish(turn, marks.now, &mut sorted).await?;
        fail::fail_point!("mirror-published");
        self.settle(turn, &sorted.done, &sorted.refused).await?;
        let is_left = count == page || self.intake.has_news;
        not_taken(again.or(waits)).map_or(Ok(is_left), Err)
    }

    /// A mark is done where everybody to whom its person is published took that. Tells why somebody has to be tried again.
    async fn publish(
        &mut self,
        turn: &mut Turn,
        now: i64,
        sorted: &mut Sorted,
    ) -> Result<Option<String>, Stop> {
        let mut entries = std::mem::take(&mut sorted.entries);
        let documents = self.documents(turn, now, &mut entries).await?;
        let records = self.records(turn, now, &entries).await?;
        let mut again = None;
        for ((entry, one), other) in entries.into_iter().zip(documents).zip(records) {
            let profile_id = entry.mark.profile_id;
            match worst([one, other]) {
                Sent::Done => sorted.done.push(entry.mark),
                Sent::Again(reason) => again = Some(reason),
                Sent::Stuck(reason) => {
                    self.stuck.push(profile_id);
                    self.why = Some(reason);
                }
                Sent::Refused(reason) => {
                    sorted.refused.push((profile_id, reason));
                    sorted.done.push(entry.mark);
                }
            }
        }
        Ok(again)
    }

    /// Writes the documents of people; what became of each person's. Those for whose documents there is no room wait for the next page, and
    /// so do all where a document said something new.
    async fn documents(
        &mut self,
        turn: &mut Turn,
        now: i64,
        entries: &mut Vec<Entry>,
    ) -> Result<Vec<Sent>, Stop> {
        let Some(index) = self.index.filter(|_| !entries.is_empty()) else {
            return Ok(vec![Sent::Done; entries.len()]);
        };
        let there = self.there(index, entries).await?;
        let ids: Vec<&str> = entries
            .iter()
            .flat_map(|entry| self.reverse.ids(&entry.person))
            .collect();
        let under = self.under(turn, &ids, &there).await?;
        let used = Versions::of(&turn.progress);
        self.intake.take_in(used, entries, &under).await?;
        if self.intake.has_news {
            entries.clear();
            return Ok(Vec::new());
        }
        let under = self.without_deleted(used, under);
        let people = entries.iter().map(|entry| &entry.person);
        let actions = actions((self.reverse, self.mirror.is_whole), people, &under);
        let versions = self.begin(turn, now, &there).await?;
        let (sent, foreign) = index.send(versions, actions, &there).await?;
        self.count(&sent, foreign);
        let mut sent = sent.into_iter();
        let own = |entry: &Entry| self.reverse.ids(&entry.person).len();
        Ok(entries
            .iter()
            .map(|entry| worst(sent.by_ref().take(own(entry))))
            .collect())
    }

    /// The documents of the first people, who stay in the list.
    async fn there(
        &self,
        index: Index<'_>,
        entries: &mut Vec<Entry>,
    ) -> Result<Vec<Option<Found>>, Stop> {
        let own = entries.iter().map(|entry| self.reverse.ids(&entry.person));
        let (people, there) = index.read(&own.collect::<Vec<_>>()).await?;
        entries.truncate(people);
        Ok(there)
    }

    /// What of documents is laid under what Roster says: nothing of somebody who was erased since.
    async fn under<'t>(
        &self,
        turn: &Turn,
        ids: &[&str],
        there: &'t [Option<Found>],
    ) -> Result<Vec<Option<&'t Found>>, Stop> {
        let mut under: Vec<Option<&Found>> = there.iter().map(Option::as_ref).collect();
        let used = Versions::of(&turn.progress);
        let is_swept = self.mirror.swept.is_none();
        let doubtful = ids.iter().zip(there).enumerate();
        let doubtful: Vec<(usize, &str, &Found)> = doubtful
            .filter_map(|(place, (id, there))| Some((place, *id, there.as_ref()?)))
            .filter(|(.., found)| is_doubtful(found, used, is_swept))
            .collect();
        if doubtful.is_empty() || !self.mirror.has_erased {
            return Ok(under);
        }
        let said = doubtful.iter();
        let said: Vec<Said> = said
            .map(|(_, id, found)| self.judge.found(id, found))
            .collect();
        let erased = self.judge.erased(&turn.store, &said).await?;
        for ((place, ..), erased) in doubtful.into_iter().zip(erased) {
            if erased.is_some() {
                under[place] = None;
            }
        }
        Ok(under)
    }

    /// Nothing is laid under of who was deleted in the legacy store before they came: of them Roster's word is all there is.
    fn without_deleted<'t>(
        &self,
        used: Versions,
        under: Vec<Option<&'t Found>>,
    ) -> Vec<Option<&'t Found>> {
        if !self.reverse.marks_deletions() {
            return under;
        }
        let is_deleted =
            |found: &&Found| !used.may_have(found.version) && self.judge.is_deletion(found);
        let kept = under.into_iter();
        kept.map(|found| found.filter(|found| !is_deleted(found)))
            .collect()
    }

    /// Sends the records of people; what became of each person's.
    async fn records(
        &mut self,
        turn: &mut Turn,
        now: i64,
        entries: &[Entry],
    ) -> Result<Vec<Sent>, Stop> {
        let Some(topic) = self.topic.filter(|_| !entries.is_empty()) else {
            return Ok(vec![Sent::Done; entries.len()]);
        };
        let version = self.begin(turn, now, &[]).await?.last;
        let people = entries
            .iter()
            .map(|entry| (entry.mark.profile_id, &entry.person));
        let records = topic.people(people, self.reverse, (version, now));
        let sent = topic.send(records).await?;
        self.count(&sent, 0);
        Ok(sent)
    }

    /// Notes the version of a page before it is used, so that whoever comes next uses higher ones.
    /// `there`: the documents that it writes over.
    pub(super) async fn begin(
        &self,
        turn: &mut Turn,
        now: i64,
        there: &[Option<Found>],
    ) -> Result<Versions, Stop> {
        let there = there.iter().flatten().map(|found| found.version);
        let versions = Versions::of(&turn.progress).after(now).over(there);
        turn.keep_at(versions.note()).await?;
        Ok(versions)
    }

    pub(super) fn count(&mut self, sent: &[Sent], foreign: i64) {
        let done = sent.iter().filter(|sent| **sent == Sent::Done).count();
        self.note.published += done as i64;
        self.note.foreign_writes += foreign;
    }

    async fn settle(
        &self,
        turn: &Turn,
        done: &[Mark],
        refused: &[(ProfileId, String)],
    ) -> Result<(), Stop> {
        let (store, project_id) = (&turn.store, self.mirror.project_id);
        if self.mirror.has_refusals {
            store
                .forget_document_refusals(turn.fence, project_id, done)
                .await?;
        }
        if !refused.is_empty() {
            store
                .record_document_refusals(turn.fence, project_id, refused)
                .await?;
        }
        store.delete_marks(turn.fence, project_id, done).await?;
        Ok(())
    }
}

/// Why a relay pauses where something was not taken.
pub fn not_taken(why: Option<String>) -> Option<Stop> {
    why.map(|why| {
        Stop::Other(format!(
            "the legacy store did not take some documents yet: {why}"
        ))
    })
}

/// Of several what went worst; nothing to do is done.
fn worst(sent: impl IntoIterator<Item = Sent>) -> Sent {
    sent.into_iter()
        .fold(Sent::Done, |worst, sent| match (&worst, &sent) {
            (Sent::Again(_), _) | (_, Sent::Done) | (Sent::Stuck(_), Sent::Refused(_)) => worst,
            _ => sent,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_person_s_documents_the_worst_counts() {
        let refused = || Sent::Refused("why".to_owned());
        assert_eq!(worst([]), Sent::Done);
        assert_eq!(worst([Sent::Done, refused()]), refused());
        let again = || Sent::Again("later".to_owned());
        assert_eq!(worst([refused(), again(), Sent::Done]), again());
        let stuck = || Sent::Stuck("its own".to_owned());
        assert_eq!(worst([stuck(), refused(), Sent::Done]), stuck());
        assert_eq!(worst([stuck(), again()]), again());
    }
}
