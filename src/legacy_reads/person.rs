//! One person out of two places: the document as it stands there, and what Roster knows beside it.

use super::compare::Account;
use crate::domain::profile::Traits;
use crate::domain::versions::{Versions, is_like_ours};
use crate::domain::{Gate, Identity, Json, Mode, Stamp, Timestamp, TraitWrite};
use crate::legacy::Found;
use crate::mapping::{Reading, Reverse};
use crate::store::{Profile, Unmirrored};
use std::collections::BTreeMap;

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
    read_at: Timestamp,
    version: i64,
    write: Option<TraitWrite>,
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
        let stated = self.write.map(|write| write.traits).unwrap_or_default();
        let present = stated.into_iter().filter(|(_, value)| !value.is_null());
        Seen {
            traits: present.collect(),
            identities: self.identities,
            at: (self.at > Timestamp::MIN).then_some(self.at),
        }
    }

    /// True where Roster wrote it last.
    pub fn is_ours(&self) -> bool {
        is_like_ours(self.version)
    }

    /// What it says of a time, where Roster may not know that yet. What has no time, or one that is still to come, is older than all that
    /// Roster knows.
    fn news(&self, published: Versions) -> Option<&TraitWrite> {
        let is_foreign = !published.may_have(self.version);
        let may_be_news = is_foreign && self.at > Timestamp::MIN && self.at < self.read_at;
        self.write.as_ref().filter(|_| may_be_news)
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
    Ok(Some(Document {
        at: command.occurred_at(),
        read_at: gate.received_at,
        version: kept.version,
        write: stated.cloned(),
        identities: command.identities().to_vec(),
    }))
}

/// What a mirror will have made of a person's documents, of which the first is the one that stays: what Roster says lies over them, where
/// they do not say something newer, or is instead of them where Roster knows all.
pub(super) fn laid(documents: Vec<Document>, own: Unmirrored) -> Seen {
    let Unmirrored {
        mut traits,
        is_whole,
        versions,
        ..
    } = own;
    let news = documents
        .iter()
        .filter_map(|document| document.news(versions));
    news.filter(|_| !is_whole).for_each(|write| {
        traits.merge(write);
    });
    let mut seen = together(documents);
    if is_whole {
        seen.traits.clear();
    }
    for (name, (_, value)) in traits.stated() {
        if value.is_null() {
            seen.traits.remove(&name);
        } else {
            seen.traits.insert(name, value);
        }
    }
    seen
}

/// What is newer over what is older, and over what is of one time the first.
fn together(documents: Vec<Document>) -> Seen {
    let mut documents: Vec<Document> = documents.into_iter().rev().collect();
    documents.sort_by_key(|document| document.at);
    let all = documents.into_iter().map(Document::seen);
    all.reduce(|mut under, over| {
        under.traits.extend(over.traits);
        let others = under.identities.into_iter();
        let others = others.filter(|name| !over.identities.contains(name));
        let others: Vec<Identity> = others.collect();
        Seen {
            traits: under.traits,
            identities: [over.identities, others].concat(),
            at: over.at,
        }
    })
    .unwrap_or_default()
}

/// A profile of which no more is known than what was read.
pub(super) fn as_read(profile: &Profile) -> Unmirrored {
    let members = profile.traits.members().unwrap_or_default();
    let mut traits = Traits::default();
    traits.merge(&TraitWrite {
        stamp: Stamp::live(profile.updated_at.micros()),
        mode: Mode::Single,
        traits: members.into_iter().collect(),
        times: BTreeMap::new(),
    });
    Unmirrored {
        traits,
        is_mirrored: false,
        is_whole: false,
        versions: Versions::default(),
    }
}

/// The ids of the documents of a person, the one known longest first: its document stays, as the mirror has it.
pub(super) fn document_ids<'p>(profile: &'p Profile, kind: &str) -> Vec<&'p str> {
    let own = profile.identities.iter();
    let own = own.filter(|known| known.identity.kind.as_str() == kind);
    let mut own: Vec<_> = own.collect();
    own.sort_by_key(|known| (known.first_seen, &known.identity.value));
    own.into_iter()
        .map(|known| known.identity.value.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: i64 = 30 * 24 * 3_600 * 1_000_000;

    fn at(months: i64) -> Timestamp {
        Timestamp::from_micros(months * MONTH).expect("a time")
    }

    fn json(text: &str) -> Json {
        Json::from_database(text.to_owned())
    }

    fn write(months: i64, members: &[(&str, &str)]) -> TraitWrite {
        let members = members.iter();
        TraitWrite {
            stamp: Stamp::live(at(months).micros()),
            mode: Mode::Single,
            traits: members
                .map(|(name, text)| ((*name).to_owned(), json(text)))
                .collect(),
            times: BTreeMap::new(),
        }
    }

    fn document(months: i64, version: i64, members: &[(&str, &str)]) -> Document {
        Document {
            at: at(months),
            read_at: at(12),
            version,
            write: Some(write(months, members)),
            identities: Vec::new(),
        }
    }

    fn own(months: i64, members: &[(&str, &str)], is_whole: bool) -> Unmirrored {
        let mut traits = Traits::default();
        traits.merge(&write(months, members));
        Unmirrored {
            traits,
            is_mirrored: false,
            is_whole,
            versions: Versions::of("5000 9000"),
        }
    }

    fn told(seen: Seen) -> Vec<(String, String)> {
        let text = |value: Json| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let traits = seen.traits.into_iter();
        traits.map(|(name, value)| (name, text(value))).collect()
    }

    fn pairs(members: &[(&str, &str)]) -> Vec<(String, String)> {
        let members = members.iter();
        members
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    const THERE: [(&str, &str); 3] = [("city", "2"), ("gone", "3"), ("plan", "1")];
    const STATED: [(&str, &str); 3] = [("gone", "null"), ("new", "5"), ("plan", "4")];

    #[test]
    fn what_is_not_published_lies_over_the_document_and_what_is_removed_is_gone() {
        let seen = |is_whole| {
            let there = document(1, 1, &THERE);
            told(laid(vec![there], own(2, &STATED, is_whole)))
        };
        let over = [("city", "2"), ("new", "5"), ("plan", "4")];
        assert_eq!(seen(false), pairs(&over));
        assert_eq!(seen(true), pairs(&[("new", "5"), ("plan", "4")]));
        let alone = told(laid(Vec::new(), own(2, &STATED, false)));
        assert_eq!(alone, pairs(&[("new", "5"), ("plan", "4")]));
    }

    #[test]
    fn what_a_document_of_others_says_later_than_roster_stays() {
        let seen = |version| {
            let there = document(3, version, &THERE);
            told(laid(vec![there], own(2, &STATED, false)))
        };
        let newer = [("city", "2"), ("gone", "3"), ("new", "5"), ("plan", "1")];
        assert_eq!(seen(7), pairs(&newer));
        let over = [("city", "2"), ("new", "5"), ("plan", "4")];
        assert_eq!(seen(6_000), pairs(&over), "what Roster wrote it knows");
        assert_eq!(seen(4_000), pairs(&newer), "whatever it is a multiple of");
    }

    #[test]
    fn a_time_that_is_still_to_come_makes_nothing_newer() {
        let there = document(12, 7, &THERE);
        let over = [("city", "2"), ("new", "5"), ("plan", "4")];
        assert_eq!(
            told(laid(vec![there], own(2, &STATED, false))),
            pairs(&over)
        );
    }

    #[test]
    fn of_several_documents_the_newer_lies_over_the_older_and_the_first_over_its_equals() {
        let seen = |months: [i64; 2]| {
            let first = document(months[0], 1, &[("a", "1"), ("b", "1")]);
            let second = document(months[1], 1, &[("a", "2"), ("c", "2")]);
            told(laid(vec![first, second], own(9, &[("d", "9")], false)))
        };
        let first = [("a", "1"), ("b", "1"), ("c", "2"), ("d", "9")];
        let second = [("a", "2"), ("b", "1"), ("c", "2"), ("d", "9")];
        assert_eq!(seen([2, 1]), pairs(&first));
        assert_eq!(seen([1, 2]), pairs(&second));
    }
}
