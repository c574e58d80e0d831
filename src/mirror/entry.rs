//! People whose marks are to be published, as they are.

use crate::domain::profile::Traits;
use crate::domain::{Command, Identity, Json, ProfileId};
use crate::mapping::Person;
use crate::store::{Mark, Marked, MarkedProfile};
use std::collections::HashMap;

/// One person of a page.
pub struct Entry {
    pub mark: Mark,
    pub person: Person,
    /// The same traits, as they merge.
    traits: Traits,
}

impl Entry {
    pub fn profile_id(&self) -> ProfileId {
        self.mark.profile_id
    }

    /// True where taking in what a document says would change nothing of the person; somebody is there, so that a deletion may.
    pub fn knows(&self, command: &Command) -> bool {
        let is_own = |(kind, value): &(String, String), name: &Identity| {
            *kind == name.kind.as_str() && *value == name.value
        };
        let mut names = command.identities().iter();
        let mut stated = command
            .subjects()
            .take(1)
            .filter_map(|subject| subject.traits);
        !command.erases()
            && names.all(|name| self.person.identities.iter().any(|own| is_own(own, name)))
            && stated.all(|write| !self.traits.clone().merge(write))
    }
}

/// What becomes of a page's marks.
#[derive(Default)]
pub struct Sorted {
    /// There is nothing to publish, or nothing more.
    pub done: Vec<Mark>,
    pub entries: Vec<Entry>,
    /// Done too, since nobody can publish them.
    pub refused: Vec<(ProfileId, String)>,
}

/// Marks of whom nothing is left, or who lives on in somebody else, are done; of the others as many as there is room for stay. Who
/// can't be read stands in nobody's way.
pub fn sorted(marks: Vec<Mark>, mut known: HashMap<ProfileId, MarkedProfile>) -> Sorted {
    let mut sorted = Sorted::default();
    for mark in marks {
        let Some(profile) = known.remove(&mark.profile_id) else {
            sorted.done.push(mark);
            continue;
        };
        let traits = profile.traits.read().cloned().unwrap_or_default();
        match person(profile) {
            Ok(person) => sorted.entries.extend(person.map(|person| Entry {
                mark,
                person,
                traits,
            })),
            Err(reason) => {
                sorted.refused.push((mark.profile_id, reason));
                sorted.done.push(mark);
            }
        }
    }
    sorted
}

/// A profile as documents are made of it; `None` where there was no room for its traits.
///
/// # Errors
/// What of it can't be read.
pub fn person(profile: MarkedProfile) -> Result<Option<Person>, String> {
    let traits = match profile.traits {
        Marked::Read(traits) => traits,
        Marked::NoRoom => return Ok(None),
        Marked::Unreadable => return Err("its row in profile can't be read".to_owned()),
    };
    let value = |json: &Json| serde_json::from_slice(json.as_bytes());
    let (stated, floor) = (traits.stated(), traits.floor());
    let traits = stated.into_iter().map(|(name, (at, json))| {
        let told = |_| format!("its trait {name} can't be read");
        let value = value(&json).map_err(told)?;
        Ok((name, (at, value)))
    });
    Ok(Some(Person {
        identities: profile.identities,
        traits: traits.collect::<Result<_, String>>()?,
        floor,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn mark(number: u128) -> Mark {
        Mark {
            profile_id: ProfileId(Uuid::from_u128(number)),
            mark: Uuid::nil(),
        }
    }

    fn profile(traits: Marked) -> MarkedProfile {
        let identities = Vec::new();
        MarkedProfile { identities, traits }
    }

    #[test]
    fn who_can_not_be_read_is_refused_and_the_neighbours_go_on() {
        let known = [
            (2, Marked::Unreadable),
            (3, Marked::Read(Traits::default())),
            (4, Marked::NoRoom),
        ];
        let known = known.map(|(number, traits)| (mark(number).profile_id, profile(traits)));
        let marks = (1..=4).map(mark).collect();
        let sorted = sorted(marks, HashMap::from(known));
        let ids = |marks: &[Mark]| -> Vec<u128> {
            marks
                .iter()
                .map(|mark| mark.profile_id.0.as_u128())
                .collect()
        };
        assert_eq!(ids(&sorted.done), [1, 2]);
        assert_eq!(sorted.refused[0].0, mark(2).profile_id);
        assert_eq!(
            sorted.entries.len(),
            1,
            "the fourth stays for the next page"
        );
    }
}
