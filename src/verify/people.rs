//! People held against their documents.

use super::Stop;
use super::progress::Progress;
use super::scene::Scene;
use super::seen::{About, Outcome, Seen};
use crate::domain::containment::{Difference, Direction, Kind, compared};
use crate::domain::{Identity, IdentityKind, Json, ProfileId};
use crate::legacy::Found;
use crate::mapping::Person;
use crate::mirror;
use crate::store::{AsOf, MarkedProfile};
use serde_json::Value;
use std::collections::HashMap;

/// People of a page; fewer where they are large.
const PAGE: i64 = 500;

impl Scene<'_> {
    /// The next people, judged.
    pub async fn people_page(&self, progress: &mut Progress) -> Result<Vec<Seen>, Stop> {
        let project_id = self.due.project_id;
        let people = self
            .store
            .people_page(project_id, progress.after, PAGE)
            .await?;
        let seen = self.judge_people(AsOf::Lately, &people).await?;
        let last = people.get(seen.len().wrapping_sub(1));
        progress.after = last.map_or(progress.after, |last| last.0);
        progress.has_people = people.len() < PAGE as usize && seen.len() == people.len();
        Ok(seen)
    }

    /// Judges people: the first of them, as many as there is room for, at least one.
    pub async fn judge_people(&self, as_of: AsOf, people: &[ProfileId]) -> Result<Vec<Seen>, Stop> {
        let known = self
            .store
            .load_marked_as_of(as_of, self.due.project_id, people);
        let mut known = known.await?;
        let mut entries: Vec<(ProfileId, Option<Person>)> = entries(people, &mut known);
        let mut there = self.there(&mut entries).await?.into_iter();
        let judge = || {
            let judged = entries.iter().map(|(id, person)| {
                let own = self.ids(person.as_ref()).len();
                let there: Vec<Option<Found>> = there.by_ref().take(own).collect();
                self.seen_person(*id, person.as_ref(), &there)
            });
            judged.collect()
        };
        Ok(tokio::task::block_in_place(judge))
    }

    /// The documents of the first people, who stay in the list.
    async fn there(
        &self,
        entries: &mut Vec<(ProfileId, Option<Person>)>,
    ) -> Result<Vec<Option<Found>>, Stop> {
        let own = entries.iter().map(|(_, person)| self.ids(person.as_ref()));
        let own: Vec<Vec<&str>> = own.collect();
        let there = mirror::read(self.client()?, self.index(), &own).await;
        let (people, there) = there.map_err(|failure| self.stop(&failure))?;
        entries.truncate(people);
        Ok(there)
    }

    fn ids<'p>(&self, person: Option<&'p Person>) -> Vec<&'p str> {
        person.map_or_else(Vec::new, |person| self.reverse.ids(person))
    }

    fn seen_person(&self, id: ProfileId, person: Option<&Person>, there: &[Option<Found>]) -> Seen {
        let ids = self.ids(person);
        let (Some(person), Some(document_id)) = (person, ids.first()) else {
            // Who is gone, or has no name that could be an id, has no document either.
            return Seen::of(About::Person(id), Outcome::Held);
        };
        let differences = match self.due.direction {
            Direction::Forward => is_nowhere(there),
            Direction::Reverse => self.unpublished(person, there),
        };
        let outcome = match differences.is_empty() {
            true => Outcome::Held,
            false => Outcome::Differs(differences),
        };
        let name = |(kind, value): &(String, String)| Identity {
            kind: IdentityKind::parse(kind),
            value: value.clone(),
        };
        Seen {
            document_id: (*document_id).to_owned(),
            names: person.identities.iter().map(name).collect(),
            people: vec![id],
            ..Seen::of(About::Person(id), outcome)
        }
    }

    /// Where the documents of a person are not what the mirror would make of them.
    fn unpublished(&self, person: &Person, there: &[Option<Found>]) -> Vec<Difference> {
        let mut there = there.iter();
        let mut differences = match there.next().and_then(Option::as_ref) {
            None => vec![Difference::whole(Kind::Missing)],
            Some(found) => match mirror::taken_apart(found) {
                Ok(source) => self.unlike(person, &source),
                Err(_) => vec![Difference::whole(Kind::Different)],
            },
        };
        let others = there.flatten();
        differences.extend(others.map(|_| Difference::whole(Kind::Extra)));
        differences
    }

    fn unlike(&self, person: &Person, source: &Value) -> Vec<Difference> {
        let (reverse, is_whole) = (&self.reverse, self.due.is_whole);
        let ours = reverse.document_of(person, Some(source), is_whole);
        match ours == *source {
            true => Vec::new(),
            false => compared(&Json::of(&ours), &Json::of(source)),
        }
    }
}

/// The first people in their order, up to the first for whom there was no room. Who is gone is nobody.
fn entries(
    people: &[ProfileId],
    known: &mut HashMap<ProfileId, MarkedProfile>,
) -> Vec<(ProfileId, Option<Person>)> {
    let mut entries = Vec::with_capacity(people.len());
    for id in people {
        let person = match known.remove(id).map(mirror::person) {
            Some(Ok(None)) => break,
            Some(Ok(person)) => person,
            // Who can't be read is listed by the mirror; their document is held against them by the other walk.
            Some(Err(_)) | None => None,
        };
        entries.push((*id, person));
    }
    entries
}

/// Whom no document is about was deleted in the legacy store.
fn is_nowhere(there: &[Option<Found>]) -> Vec<Difference> {
    match there.iter().any(Option::is_some) {
        true => Vec::new(),
        false => vec![Difference::whole(Kind::Extra)],
    }
}
