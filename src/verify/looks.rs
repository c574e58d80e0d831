//! A second look, and more: what differed is judged as it is some seconds later, and stands where it differs still.

use super::Stop;
use super::documents::Document;
use super::progress::Progress;
use super::scene::Scene;
use super::seen::{About, Outcome, Seen};
use super::{SUSPECT_BYTES, SUSPECTS};
use crate::domain::Json;
use crate::domain::containment::{Difference, Direction, Kind};
use crate::legacy::{Client, Failure, Found};
use crate::mirror;
use crate::store::{AsOf, Sample, Tallies, VerificationNote};
use crate::upkeep::frame::Turn;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::sleep;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Looks at what rests, and at what is still on its way to the other side.
const LOOKS: u32 = 2;
const LOOKS_AT_MOST: u32 = 15;
/// Looked at together.
const TOGETHER: usize = 200;
/// Characters of a listed value.
const LISTED: usize = 200;

/// What is to be looked at again.
#[derive(Default)]
pub struct Suspects {
    all: HashSet<About>,
    bytes: usize,
}

impl Suspects {
    /// True where more may be read before they are settled.
    pub fn has_room(&self) -> bool {
        self.all.len() < SUSPECTS && self.bytes < SUSPECT_BYTES
    }

    /// Counts what is settled, and keeps the others.
    pub fn take(&mut self, seen: Vec<Seen>, counts: &mut Tallies) {
        for one in seen {
            if !is_settled(&one, counts) {
                self.bytes += one.about.bytes();
                self.all.insert(one.about);
            }
        }
    }

    /// Looks until everybody is settled, and lists what differs.
    pub async fn settle(
        self,
        scene: &Scene<'_>,
        turn: &Turn,
        note: &mut VerificationNote,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        note.samples.0 = progress.listed();
        let mut left: Vec<About> = self.all.into_iter().collect();
        for look in 1..=LOOKS_AT_MOST {
            if left.is_empty() {
                break;
            }
            sleep(PAUSE).await;
            let mut again = Vec::new();
            for part in left.chunks(TOGETHER) {
                turn.keep().await?;
                for (one, is_moving) in scene.look(part).await? {
                    if is_settled(&one, &mut note.counts) {
                        continue;
                    }
                    if look < LOOKS || (is_moving && look < LOOKS_AT_MOST) {
                        again.push(one.about);
                    } else {
                        list(&one, note, progress);
                    }
                }
            }
            left = again;
        }
        Ok(())
    }
}

/// Counts what a look came to; false where it differs.
fn is_settled(seen: &Seen, counts: &mut Tallies) -> bool {
    match &seen.outcome {
        Outcome::Held => {}
        Outcome::Superseded => counts.superseded += 1,
        Outcome::Rejected => counts.rejected += 1,
        Outcome::Erased => counts.erased += 1,
        Outcome::Differs(_) => return false,
    }
    true
}

/// Counts somebody once, by the worst that differs, and lists each field while there is room.
fn list(seen: &Seen, note: &mut VerificationNote, progress: &mut Progress) {
    let kinds = seen.differences().iter().map(|one| one.kind);
    match kinds.min() {
        Some(Kind::Missing) => note.counts.missing += 1,
        Some(Kind::Different) => note.counts.different += 1,
        Some(Kind::Extra) => note.counts.extra += 1,
        None => {}
    }
    for difference in seen.differences() {
        if progress.lists(difference.kind) {
            note.samples.1.push(sample(seen, difference));
        }
    }
}

fn sample(seen: &Seen, difference: &Difference) -> Sample {
    let cut = |value: &Json| value.as_str().chars().take(LISTED).collect();
    Sample {
        kind: difference.kind.as_str().to_owned(),
        document_id: Some(seen.document_id.clone()),
        field: difference.field.clone(),
        ours: difference.ours.as_ref().map(cut),
        theirs: difference.theirs.as_ref().map(cut),
        names: seen.names.clone(),
    }
}

impl Scene<'_> {
    /// Judges some suspects as they are now, each with whether something of it is still on its way.
    async fn look(&self, suspects: &[About]) -> Result<Vec<(Seen, bool)>, Stop> {
        let (mut ids, mut people, mut records) = (Vec::new(), Vec::new(), Vec::new());
        for about in suspects {
            match about {
                About::Document(id, routing) => ids.push((id.as_str(), routing.as_deref())),
                About::Person(id) => people.push(*id),
                About::Record(record) => records.push(record.clone()),
            }
        }
        let mut seen = self.judge_records(AsOf::Now, &records).await?;
        let mut ids = &ids[..];
        while !ids.is_empty() {
            let judged = self.look_at_documents(ids).await?;
            ids = &ids[judged.len()..];
            seen.extend(judged);
        }
        let mut people = &people[..];
        while !people.is_empty() {
            let judged = self.judge_people(AsOf::Now, people).await?;
            people = &people[judged.len()..];
            seen.extend(judged);
        }
        let moving = self.excuse(&mut seen).await?;
        Ok(seen.into_iter().zip(moving).collect())
    }

    /// Judges the first documents of some ids, as many as there is room for.
    async fn look_at_documents(&self, asked: &[(&str, Option<&str>)]) -> Result<Vec<Seen>, Stop> {
        let client = self.client()?;
        let found = self.found(client, asked).await;
        let found = found.map_err(|failure| self.stop(&failure))?;
        let (mut seen, mut documents) = (Vec::new(), Vec::new());
        for ((id, own), found) in asked.iter().zip(found) {
            let (name, routing) = ((*id).to_owned(), own.map(str::to_owned));
            match found {
                None => seen.push(Seen::of(About::Document(name, routing), Outcome::Held)),
                // The walk read it, and found that it differs.
                Some(found) if found.source.is_empty() => {
                    let whole = Outcome::Differs(vec![Difference::whole(Kind::Different)]);
                    seen.push(Seen::of(About::Document(name, routing), whole));
                }
                Some(found) => documents.push(Document {
                    id: name,
                    routing,
                    record: found.hit,
                }),
            }
        }
        let mut judged = self.judge_documents(AsOf::Now, &documents).await?;
        if self.due.direction == Direction::Reverse {
            for (one, document) in judged.iter_mut().zip(&documents) {
                let excuse = self.is_of_nobody(document);
                if let Some(outcome) = excuse.filter(|_| !one.differences().is_empty()) {
                    one.outcome = outcome;
                }
            }
        }
        seen.append(&mut judged);
        Ok(seen)
    }

    /// The documents of the first ids; one with a routing of its own by itself.
    async fn found(
        &self,
        client: &Client,
        asked: &[(&str, Option<&str>)],
    ) -> Result<Vec<Option<Found>>, Failure> {
        if let Some((id, Some(routing))) = asked.first() {
            return Ok(vec![client.routed(self.index(), (id, routing)).await?]);
        }
        let plain = asked.iter().take_while(|(_, routing)| routing.is_none());
        let plain: Vec<Vec<&str>> = plain.map(|(id, _)| vec![*id]).collect();
        let (_, found) = mirror::read(client, self.index(), &plain).await?;
        Ok(found)
    }
}
