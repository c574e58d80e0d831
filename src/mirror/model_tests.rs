//! A project, its relay and a legacy store in memory: whatever happens in whatever order, at rest both sides are equal.
//!
//! What is decided is decided by the relay's own functions; only the database and the store around them are made up. A relay may be
//! killed, or lose its turn, between any two of its steps; what it had sent then arrives late, or not at all.

use super::model_parts_tests::{Happening, LegacyStore, SECOND, Sending, TURN, happening};
use super::model_relay_tests::Page;
use crate::domain::{ProfileId, Timestamp};
use crate::mapping::{Mapping, Person, Reverse};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const START: i64 = 1_700_000_000_000_000;

/// A name whose document has to go.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) mark: Uuid,
    pub(super) looks: i32,
    pub(super) due: i64,
    pub(super) only_ours: bool,
    pub(super) erased_at: i64,
}

/// The project, its database's tables, and what is around them.
pub struct World {
    pub(super) now: i64,
    /// What was sent and not answered arrives so many seconds later at the most.
    pub(super) latest: u8,
    pub(super) drawn: u128,
    pub(super) reverse: Reverse,
    pub(super) is_whole: bool,
    /// Who was erased before anything was mirrored, and whether all documents were looked at for them.
    pub(super) erased_before: BTreeSet<String>,
    pub(super) is_swept: bool,
    /// The relay has to mark everybody.
    pub(super) walks: bool,
    pub(super) people: BTreeMap<ProfileId, Person>,
    pub(super) marks: BTreeMap<ProfileId, Uuid>,
    pub(super) gone: BTreeMap<String, Noted>,
    /// The turn: who has it, and what is noted with it.
    pub(super) token: u64,
    pub(super) progress: String,
    pub(super) is_gone_s_turn: bool,
    pub(super) page: Option<Page>,
    /// Pages of who has lost the turn.
    pub(super) lost: Vec<Page>,
    pub(super) store: LegacyStore,
    pub(super) late: Vec<(i64, Sending)>,
}

fn name(id: u8) -> String {
    format!("u{id}")
}

impl World {
    fn new(latest: u8) -> Self {
        let mapping = Mapping::parse("preset = \"elasticsearch\"\n").expect("a mapping");
        let mut store = LegacyStore::default();
        for id in 0..7 {
            let mut old = json!({"f0": "old", "only there": id});
            old[format!("of {}", name(id))] = json!(true);
            store.documents.insert(name(id), (i64::from(id) + 1, old));
        }
        Self {
            now: START,
            latest,
            drawn: 0,
            reverse: mapping.reverse(None).expect("of documents"),
            is_whole: false,
            erased_before: BTreeSet::new(),
            is_swept: false,
            walks: false,
            people: BTreeMap::new(),
            marks: BTreeMap::new(),
            gone: BTreeMap::new(),
            token: 0,
            progress: String::new(),
            is_gone_s_turn: true,
            page: None,
            lost: Vec::new(),
            store,
            late: Vec::new(),
        }
    }

    pub(super) fn draw(&mut self) -> Uuid {
        self.drawn += 1;
        Uuid::from_u128(self.drawn)
    }

    pub(super) fn mark(&mut self, profile_id: ProfileId) {
        let mark = self.draw();
        self.marks.insert(profile_id, mark);
    }

    pub(super) fn owner(&self, id: &str) -> Option<ProfileId> {
        let owns = |person: &Person| person.identities.iter().any(|(_, own)| own == id);
        let mut people = self.people.iter();
        people.find(|(_, person)| owns(person)).map(|(id, _)| *id)
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Write {
                id,
                field,
                value,
                age,
            } => {
                self.write(*id, *field, value, i64::from(*age) * SECOND);
            }
            Happening::Merge { into, from } => self.merge(*into, *from),
            Happening::Split(id) => self.split(*id),
            Happening::Erase(id) => self.erase(*id),
            Happening::ToldGone(id) if self.owner(&name(*id)).is_none() => {
                self.note_gone(name(*id), true);
            }
            Happening::ToldGone(_) => {}
            Happening::Whole => {
                self.walks |= !self.is_whole;
                self.is_whole = true;
            }
            Happening::Walk => self.walks = true,
            Happening::Pass(seconds) => self.pass(i64::from(*seconds) * SECOND),
            Happening::Step => self.step(None),
            Happening::SendAndFail { arrive, later } => self.step(Some((*arrive, *later))),
            Happening::Kill => {
                self.token += 1;
                self.lost.extend(self.page.take());
            }
        }
    }

    fn write(&mut self, id: u8, field: u8, value: &Value, age: i64) {
        let profile_id = self.owner(&name(id)).unwrap_or_else(|| {
            let profile_id = ProfileId(self.draw());
            let identities = vec![("user_id".to_owned(), name(id))];
            let person = Person {
                identities,
                ..Person::default()
            };
            self.people.insert(profile_id, person);
            profile_id
        });
        self.now += 1;
        let at = Timestamp::from_micros(self.now - age).expect("a time");
        let person = self.people.get_mut(&profile_id).expect("there");
        let known = person.traits.get(&format!("f{field}"));
        if known.is_none_or(|(known, _)| *known < at) {
            person
                .traits
                .insert(format!("f{field}"), (at, value.clone()));
        }
        self.mark(profile_id);
    }

    fn merge(&mut self, into: u8, from: u8) {
        let (Some(into), Some(from)) = (self.owner(&name(into)), self.owner(&name(from))) else {
            return;
        };
        if into == from {
            return;
        }
        let absorbed = self.people.remove(&from).expect("there");
        let survivor = self.people.get_mut(&into).expect("there");
        survivor.identities.extend(absorbed.identities);
        for (field, (at, value)) in absorbed.traits {
            let known = survivor.traits.get(&field);
            if known.is_none_or(|(known, _)| *known < at) {
                survivor.traits.insert(field, (at, value));
            }
        }
        self.mark(into);
    }

    /// One of several names becomes somebody else's, with the traits.
    fn split(&mut self, id: u8) {
        let Some(owner) = self.owner(&name(id)) else {
            return;
        };
        let person = self.people.get_mut(&owner).expect("there");
        if person.identities.len() < 2 {
            return;
        }
        let traits = person.traits.clone();
        person.identities.retain(|(_, own)| *own != name(id));
        let identities = vec![("user_id".to_owned(), name(id))];
        let taken = ProfileId(self.draw());
        let person = Person {
            identities,
            traits,
            floor: None,
        };
        self.people.insert(taken, person);
        self.mark(owner);
        self.mark(taken);
    }

    fn erase(&mut self, id: u8) {
        let names = match self.owner(&name(id)) {
            Some(owner) => self.people.remove(&owner).expect("there").identities,
            None => vec![("user_id".to_owned(), name(id))],
        };
        for (_, name) in names {
            self.note_gone(name, false);
        }
    }

    pub(super) fn note_gone(&mut self, name: String, only_ours: bool) {
        let known = self.gone.get(&name);
        let only_ours = known.is_none_or(|known| known.only_ours) && only_ours;
        let noted = Noted {
            mark: self.draw(),
            looks: 0,
            due: self.now,
            only_ours,
            erased_at: self.now,
        };
        self.gone.insert(name, noted);
    }

    pub(super) fn walk(&mut self) {
        let ids: Vec<ProfileId> = self.people.keys().copied().collect();
        for id in ids {
            if !self.marks.contains_key(&id) {
                self.mark(id);
            }
        }
    }

    fn pass(&mut self, micros: i64) {
        let until = self.now + micros;
        let mut late = std::mem::take(&mut self.late);
        late.sort_by_key(|(at, _)| *at);
        for (at, sending) in late {
            if at > until {
                self.late.push((at, sending));
            } else {
                self.store.take(at.max(self.now), &sending);
            }
        }
        self.now = until;
    }

    /// Nothing else happens any more, and nobody is killed.
    fn rest(&mut self) {
        self.pass(TURN + i64::from(self.latest) * SECOND);
        for _ in 0..1_000 {
            let has_seen_all = self.is_swept && !self.walks;
            let is_idle = self.page.is_none() && has_seen_all && self.marks.is_empty();
            let next = self.gone.values().map(|noted| noted.due).min();
            match next {
                None if is_idle => return,
                Some(due) if is_idle && due > self.now => self.pass(due - self.now),
                _ => self.step(None),
            }
        }
        panic!("it does not come to rest: {:?} {:?}", self.marks, self.gone);
    }

    /// Each person under the id known longest; what nobody ever named stays.
    fn expected(&self) -> BTreeMap<String, Value> {
        let mut expected = BTreeMap::new();
        for person in self.people.values() {
            let present = person
                .traits
                .iter()
                .filter(|(_, (_, value))| !value.is_null());
            let traits: BTreeMap<&String, &Value> =
                present.map(|(name, (_, value))| (name, value)).collect();
            expected.insert(person.identities[0].1.clone(), json!(traits));
        }
        expected
    }
}

/// What is there in the end of those who were ever named, and what has to be.
fn lived(happenings: &[Happening], latest: u8, before: &[u8]) -> (BTreeMap<String, Value>, World) {
    let mut world = World::new(latest);
    world.erased_before = before.iter().map(|id| name(*id)).collect();
    for happening in happenings {
        world.happen(happening);
    }
    world.rest();
    for id in &world.erased_before {
        // Nor is it laid under somebody else's.
        let (mut documents, own) = (world.store.documents.values(), format!("of {id}"));
        let is_left = documents.any(|(_, document)| document[&own] == true);
        assert!(!is_left, "what was erased lives on: {id}");
    }
    world.happen(&Happening::Whole);
    world.happen(&Happening::Walk);
    world.rest();
    let named = |id: &String| {
        let is_said = |happening: &Happening| match happening {
            Happening::Write { id: own, .. } | Happening::Erase(own) => name(*own) == *id,
            _ => false,
        };
        world.erased_before.contains(id) || happenings.iter().any(is_said)
    };
    let documents = world.store.documents.iter().filter(|(id, _)| named(id));
    let documents = documents.map(|(id, (_, document))| (id.clone(), document.clone()));
    (documents.collect(), world)
}

/// Without what takes a name from somebody who lives on: that is looked at once.
fn alone(happening: Happening) -> Happening {
    match happening {
        Happening::Merge { .. } | Happening::Split(_) => Happening::Step,
        other => other,
    }
}

/// Without what takes anything away.
fn kept(happening: Happening) -> Happening {
    match happening {
        Happening::Split(_) | Happening::Erase(_) | Happening::ToldGone(_) | Happening::Whole => {
            Happening::Step
        }
        other => other,
    }
}

proptest! {
    /// Before all was taken in: whoever becomes one, whatever is late, and whoever is killed.
    #[test]
    fn laws_of_mirrors_what_only_documents_say_is_lost_to_no_merge(happenings in prop::collection::vec(happening(30).prop_map(kept), 1..120)) {
        let mut world = World::new(30);
        for happening in &happenings {
            world.happen(happening);
        }
        world.rest();
        for id in 0..6 {
            let owner = world.owner(&name(id)).and_then(|owner| world.people.get(&owner));
            let own = owner.map_or_else(|| name(id), |owner| owner.identities[0].1.clone());
            let (_, document) = &world.store.documents[&own];
            prop_assert_eq!(&document[format!("of {}", name(id))], true, "{}", document);
        }
    }

    #[test]
    fn laws_of_mirrors_at_rest_both_sides_are_equal(happenings in prop::collection::vec(happening(30), 1..120), before in prop::collection::vec(0_u8..6, 0..4)) {
        let (documents, world) = lived(&happenings, 30, &before);
        prop_assert_eq!(documents, world.expected());
        prop_assert!(world.store.documents.contains_key("u6"), "nobody named it");
    }

    /// The store has forgotten by then that something was deleted.
    #[test]
    fn laws_of_mirrors_who_was_erased_stays_away_whatever_is_late(happenings in prop::collection::vec(happening(95).prop_map(alone), 1..120)) {
        let (documents, world) = lived(&happenings, 95, &[]);
        prop_assert_eq!(documents, world.expected());
    }
}
