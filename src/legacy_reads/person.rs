//! One person out of two places: the document as it stands there, and what Roster knows beside it.

use super::compare::Account;
use crate::domain::{Gate, Identity, Json, Timestamp};
use crate::legacy::Found;
use crate::mapping::{Reading, Reverse};
use crate::store::{Profile, Unmirrored};
use std::collections::BTreeMap;

/// Between two versions that Roster writes; who writes past it makes one more of one.
const STEP_OF_VERSIONS: i64 = 1_000;

/// Somebody as the legacy store has them, with what Roster has committed since.
#[derive(Debug)]
pub struct LegacyPerson {
    /// Who it is here; `None` where Roster does not know them yet.
    pub profile: Option<Profile>,
    pub traits: Json,
    /// The names of the document.
    pub identities: Vec<Identity>,
    /// Of the document, where it says one.
    pub at: Option<Timestamp>,
}

/// The same before it is known who they are here.
#[derive(Debug, Default)]
pub(super) struct Seen {
    traits: BTreeMap<String, Json>,
    identities: Vec<Identity>,
    at: Option<Timestamp>,
}

/// A document as the mapping reads it.
#[derive(Debug)]
pub(super) struct Document {
    pub at: Timestamp,
    version: i64,
    traits: BTreeMap<String, Json>,
    /// The strongest first.
    pub identities: Vec<Identity>,
}

impl Seen {
    pub fn account(&self) -> Account {
        let names = self.identities.iter();
        let names = names.map(|name| (name.kind.as_str().to_owned(), name.value.clone()));
        Account {
            id: None,
            traits: Json::from_members(&self.traits),
            names: names.collect(),
        }
    }

    pub fn of(self, profile: Option<Profile>) -> LegacyPerson {
        LegacyPerson {
            profile,
            traits: Json::from_members(&self.traits),
            identities: self.identities,
            at: self.at,
        }
    }
}

impl Document {
    pub fn seen(self) -> Seen {
        Seen {
            traits: self.traits,
            identities: self.identities,
            at: (self.at > Timestamp::MIN).then_some(self.at),
        }
    }

    /// True where Roster wrote it last.
    pub fn is_ours(&self) -> bool {
        self.version % STEP_OF_VERSIONS == 0
    }
}

/// Reads a document; one that is marked as deleted is none.
///
/// # Errors
/// Why the mapping can't.
pub(super) fn read_document(
    reverse: &Reverse,
    kept: &Found,
    gate: &Gate<'_>,
) -> Result<Option<Document>, String> {
    let reading = reverse.read(&kept.hit, &kept.source, gate);
    let command = match reading {
        Ok(Reading::Command { command, .. }) if command.erases() => return Ok(None),
        Ok(Reading::Command { command, .. }) => command,
        Ok(_) => return Err("it is about nobody".to_owned()),
        Err(rejection) => return Err(rejection.code.as_str().to_owned()),
    };
    let mut subjects = command.subjects();
    let stated = subjects.next().and_then(|subject| subject.traits);
    let stated = stated.map(|write| write.traits.clone()).unwrap_or_default();
    let present = stated.into_iter().filter(|(_, value)| !value.is_null());
    Ok(Some(Document {
        at: command.occurred_at(),
        version: kept.version,
        traits: present.collect(),
        identities: command.identities().to_vec(),
    }))
}

/// What a mirror will have made of the document: as it stands, where all was published; else with what Roster says laid over it, or
/// instead of it where Roster knows all.
pub(super) fn laid(document: Option<Document>, own: Option<Unmirrored>) -> Option<Seen> {
    let own = own.filter(|own| !own.is_mirrored);
    let Some(own) = own else {
        return document.map(Document::seen);
    };
    let mut seen = document.map(Document::seen).unwrap_or_default();
    if own.is_whole {
        seen.traits.clear();
    }
    for (name, (_, value)) in own.stated {
        if value.is_null() {
            seen.traits.remove(&name);
        } else {
            seen.traits.insert(name, value);
        }
    }
    Some(seen)
}

/// A profile of which no more is known than what was read.
pub(super) fn as_read(profile: &Profile) -> Unmirrored {
    let members = profile.traits.members().unwrap_or_default().into_iter();
    let stated = members.map(|(name, value)| (name, (profile.updated_at, value)));
    Unmirrored {
        stated: stated.collect(),
        is_mirrored: false,
        is_whole: false,
    }
}

/// The id of the document of a person: of the names of that kind the one known longest, as the mirror has it.
pub(super) fn document_id(profile: &Profile, kind: &str) -> Option<String> {
    let own = profile.identities.iter();
    let own = own.filter(|known| known.identity.kind.as_str() == kind);
    let first = own.min_by_key(|known| (known.first_seen, &known.identity.value));
    first.map(|known| known.identity.value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(members: &[(&str, &str)]) -> BTreeMap<String, Json> {
        let json = |text: &str| Json::from_database(text.to_owned());
        let members = members.iter();
        members
            .map(|(name, text)| ((*name).to_owned(), json(text)))
            .collect()
    }

    fn document(members: &[(&str, &str)]) -> Document {
        Document {
            at: Timestamp::MIN,
            version: 1,
            traits: traits(members),
            identities: Vec::new(),
        }
    }

    fn own(members: &[(&str, &str)], is_mirrored: bool, is_whole: bool) -> Unmirrored {
        let stated = traits(members).into_iter();
        Unmirrored {
            stated: stated
                .map(|(name, value)| (name, (Timestamp::MIN, value)))
                .collect(),
            is_mirrored,
            is_whole,
        }
    }

    #[test]
    fn what_is_not_published_lies_over_the_document_and_what_is_removed_is_gone() {
        let there = [("plan", "1"), ("city", "2"), ("gone", "3")];
        let stated = [("plan", "4"), ("gone", "null"), ("new", "5")];
        let seen = |is_mirrored, is_whole| {
            let own = own(&stated, is_mirrored, is_whole);
            laid(Some(document(&there)), Some(own))
                .expect("somebody")
                .traits
        };
        assert_eq!(
            seen(false, false),
            traits(&[("plan", "4"), ("city", "2"), ("new", "5")])
        );
        assert_eq!(seen(false, true), traits(&[("plan", "4"), ("new", "5")]));
        assert_eq!(seen(true, false), traits(&there));
    }

    #[test]
    fn who_was_published_and_is_not_there_is_nobody() {
        assert!(laid(None, Some(own(&[("a", "1")], true, true))).is_none());
        assert!(laid(None, Some(own(&[("a", "1")], false, true))).is_some());
    }
}
