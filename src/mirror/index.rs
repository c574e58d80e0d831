//! Documents of the index that a project is mirrored to: read as they are, and written.

use super::Stop;
use super::send::{Action, Line, Sent, read, send, taken_apart, versioned, versions};
use super::version::Versions;
use crate::legacy::{Client, Failure, Found};
use crate::mapping::{Person, Reverse};

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
        let sent = send(self.client, self.name, &lines).await;
        Ok((sent.map_err(|failure| self.stop(&failure))?, foreign))
    }

    fn stop(&self, failure: &Failure) -> Stop {
        Stop::Other(format!("index {}: {failure}", self.name))
    }
}

/// What is to happen to the documents of people, with what of each is laid under it: the first of a person's ids keeps the document, the
/// others' are to go. One tree is in memory at a time.
pub fn actions<'p>(
    (reverse, is_whole): (&Reverse, bool),
    people: impl Iterator<Item = &'p Person>,
    under: &[Option<&Found>],
) -> Vec<(&'p str, Action)> {
    let mut under = under.iter();
    let mut actions = Vec::new();
    for person in people {
        for (place, id) in reverse.ids(person).into_iter().enumerate() {
            let old = under.next().copied().flatten();
            let put = || match old.map(taken_apart).transpose() {
                Ok(old) => Action::Put(
                    reverse
                        .document_of(person, old.as_ref(), is_whole)
                        .to_string(),
                ),
                Err(why) => Action::Withheld(format!("the document there can't be read: {why}")),
            };
            actions.push((id, if place == 0 { put() } else { Action::Delete }));
        }
    }
    actions
}
