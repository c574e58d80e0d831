//! Documents of the index that a project is mirrored to: read as they are, and written.

use super::Stop;
use super::send::{Action, Line, Sent, read, send_people, taken_apart, versioned, versions};
use crate::domain::versions::Versions;
use crate::legacy::{Client, Failure, Found};
use crate::mapping::{Person, Reverse};
use serde_json::Value;

/// The index.
#[derive(Clone, Copy)]
pub struct Index<'a> {
    pub client: &'a Client,
    pub name: &'a str,
}

impl Index<'_> {
    /// The documents of the first people, who each have some ids; how many people they are.
    pub async fn read(&self, people: &[Vec<&str>]) -> Result<(usize, Vec<Option<Found>>), Stop> {
        let found = read(self.client, self.name, people).await;
        found.map_err(|failure| self.stop(&failure))
    }

    /// The versions of the documents of some ids.
    pub async fn versions(&self, ids: &[&str]) -> Result<Vec<Option<Found>>, Stop> {
        let found = versions(self.client, self.name, ids).await;
        found.map_err(|failure| self.stop(&failure))
    }

    /// Sends actions on documents that were found so; what became of each, and how many somebody else had written.
    pub async fn send(
        &self,
        versions: Versions,
        actions: Vec<(&str, Action)>,
        there: &[Option<Found>],
    ) -> Result<(Vec<Sent>, i64), Stop> {
        let (mut lines, mut foreign) = (Vec::with_capacity(actions.len()), 0);
        for ((id, action), there) in actions.into_iter().zip(there) {
            let (version, is_foreign) = versioned(versions, there.as_ref());
            foreign += i64::from(is_foreign);
            lines.push(Line {
                id,
                version,
                action,
            });
        }
        let sent = send_people(self.client, self.name, lines).await;
        Ok((sent.map_err(|failure| self.stop(&failure))?, foreign))
    }

    fn stop(&self, failure: &Failure) -> Stop {
        Stop::Other(format!("index {}: {failure}", self.name))
    }
}

/// What is to happen to the documents of people, with what of each is laid under it: the first of a person's ids keeps the document, the
/// others' are to go. Before all was taken in, the first gets what only the others say. One tree is in memory at a time.
pub fn actions<'p>(
    (reverse, is_whole): (&Reverse, bool),
    people: impl Iterator<Item = &'p Person>,
    under: &[Option<&Found>],
) -> Vec<(&'p str, Action)> {
    let mut under = under.iter().copied();
    let mut actions = Vec::new();
    for person in people {
        let ids = reverse.ids(person);
        if ids.is_empty() {
            continue;
        }
        let there: Vec<Option<&Found>> = under.by_ref().take(ids.len()).collect();
        let of_person = match is_whole {
            true => whole(reverse, person, &there),
            false => together(reverse, person, &there),
        };
        actions.extend(ids.into_iter().zip(of_person));
    }
    actions
}

fn whole(reverse: &Reverse, person: &Person, there: &[Option<&Found>]) -> Vec<Action> {
    let old = there.first().copied().flatten();
    let put = match old.map(taken_apart).transpose() {
        Ok(old) => put(reverse, person, old.as_ref(), true),
        Err(why) => unreadable(&why),
    };
    let others = there.iter().skip(1).map(|_| Action::Delete);
    std::iter::once(put).chain(others).collect()
}

/// A document that can't be read stays.
fn together(reverse: &Reverse, person: &Person, there: &[Option<&Found>]) -> Vec<Action> {
    let read = there.iter().map(|found| found.map(taken_apart).transpose());
    let mut read: Vec<Result<Option<Value>, String>> = read.collect();
    let others = read.iter_mut().skip(1);
    let others: Vec<Value> = others
        .filter_map(|read| read.as_mut().ok()?.take())
        .collect();
    let after =
        |(found, read): (&Option<&Found>, &Result<Option<Value>, String>)| match (found, read) {
            (_, Err(why)) => unreadable(why),
            (None, Ok(_)) => Action::Delete,
            (Some(_), Ok(_)) => Action::DeleteAfter,
        };
    let mut actions: Vec<Action> = there.iter().zip(&read).map(after).collect();
    if let (Some(own), Some(Ok(first))) = (actions.first_mut(), read.into_iter().next()) {
        let old = reverse.together(first, others);
        *own = put(reverse, person, old.as_ref(), false);
    }
    actions
}

fn put(reverse: &Reverse, person: &Person, old: Option<&Value>, is_whole: bool) -> Action {
    let document = reverse.document_of(person, old, is_whole);
    Action::Put(document.to_string())
}

fn unreadable(why: &str) -> Action {
    Action::Withheld(format!("the document there can't be read: {why}"))
}
