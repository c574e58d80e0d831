//! The laws of who is who, tried on a store in memory that does what the write path does, whatever the order of arrival.

use super::erasure::Erased;
use super::plan::{Assignment, Known, Merge, Names};
use super::profile::{Room, Traits};
use super::{
    Class, Command, Emails, Event, EventId, EventType, Identity, IdentityKey, IdentityKind, Json,
    KeyKind, Mode, ProfileId, ProjectId, Stamp, Subject, Timestamp, TraitWrite,
};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

const PROJECT: ProjectId = ProjectId(1);

/// What is stored. Events of erased people stay as keys without an owner.
#[derive(Clone)]
struct World {
    room: Room,
    absorbed: HashMap<ProfileId, usize>,
    owners: BTreeMap<Identity, ProfileId>,
    traits: HashMap<ProfileId, Traits>,
    events: BTreeMap<EventId, Option<ProfileId>>,
    erased: HashMap<IdentityKey, Erased>,
    drawn: u128,
}

impl Default for World {
    fn default() -> Self {
        let most = 1_000;
        Self {
            room: Room {
                identities: most,
                traits: most,
                bytes: 1 << 20,
                emails: most,
                absorbed: most,
            },
            absorbed: HashMap::new(),
            owners: BTreeMap::new(),
            traits: HashMap::new(),
            events: BTreeMap::new(),
            erased: HashMap::new(),
            drawn: 0,
        }
    }
}

/// What can be read of one person: names, traits, events.
type Seen = (BTreeSet<Identity>, String, BTreeSet<EventId>);

impl World {
    fn apply(&mut self, batch: &[Command]) {
        let mut copies = HashSet::new();
        let mut pending: Vec<&Command> = batch.iter().collect();
        pending.retain(|command| copies.insert(command.key));
        for _ in 0..20 {
            pending.retain(|command| !self.events.contains_key(&EventId(command.key)));
            if pending.is_empty() {
                return;
            }
            self.round(&pending);
            pending.retain(|command| !self.is_barred_for_good(command));
        }
        panic!("never settled: {pending:?}");
    }

    /// A refusal is final in a world without limits on size: it can only come of an erasure.
    fn is_barred_for_good(&self, command: &Command) -> bool {
        let key = |identity: &Identity| (PROJECT, identity.clone());
        let person = command.subjects().next().expect("somebody");
        let mut keys = person.own().iter().map(key);
        keys.any(|key| {
            self.erased
                .get(&key)
                .is_some_and(|erased| erased.bars(command.earliest))
        })
    }

    fn round(&mut self, commands: &[&Command]) {
        let subjects: Vec<Subject> = commands
            .iter()
            .flat_map(|command| command.subjects())
            .collect();
        let mut drawn = self.drawn;
        let plan = self.known(&subjects).plan(&subjects, &self.room, || {
            drawn += 1;
            ProfileId(Uuid::from_u128(drawn))
        });
        self.drawn = drawn;
        for ((_, identity), owner) in plan.claims.iter().chain(&plan.links) {
            self.owners.insert(identity.clone(), *owner);
            self.traits.entry(*owner).or_default();
        }
        plan.merges.iter().for_each(|merge| self.merge(merge));
        for (command, assignment) in commands.iter().zip(&plan.assignments) {
            let (Assignment::New(owner) | Assignment::Settled(owner)) = assignment else {
                continue;
            };
            // Somebody who was absorbed meanwhile has another version: the write is lost, and goes again.
            let Some(traits) = self.traits.get_mut(owner) else {
                continue;
            };
            if let Some(write) = &command.traits {
                traits.merge(write);
            }
            self.events.insert(EventId(command.key), Some(*owner));
        }
    }

    fn known(&self, subjects: &[Subject]) -> Known {
        let mut known = Known::default();
        for (identity, owner) in &self.owners {
            known.owners.insert((PROJECT, identity.clone()), *owner);
        }
        known.erased.clone_from(&self.erased);
        for (_, profile) in known.doubtful(subjects) {
            known.names.insert(profile, self.names(profile));
        }
        known
    }

    fn names(&self, profile: ProfileId) -> Names {
        let own = || {
            self.owners
                .iter()
                .filter(move |(_, owner)| **owner == profile)
        };
        Names {
            count: own().count(),
            has_user_id: own().any(|(identity, _)| identity.kind == IdentityKind::UserId),
            emails: own()
                .filter(|(identity, _)| identity.kind == IdentityKind::Email)
                .count(),
            absorbed: self.absorbed.get(&profile).copied().unwrap_or_default(),
        }
    }

    fn merge(&mut self, merge: &Merge) {
        let (one, other) = (self.names(merge.survivor), self.names(merge.absorbed));
        let both = one.has_user_id && other.has_user_id;
        let is_hub = one.is_hub_with(other, merge.is_by_user, &self.room);
        if (both || is_hub) && !merge.is_explicit {
            return;
        }
        let Some(absorbed) = self.traits.remove(&merge.absorbed) else {
            return;
        };
        self.traits
            .entry(merge.survivor)
            .or_default()
            .absorb(&absorbed);
        let is_free = merge.is_explicit || merge.is_by_user;
        let joined = one.joined(other, is_free);
        self.absorbed.insert(merge.survivor, joined.absorbed);
        let owners = self
            .owners
            .values_mut()
            .chain(self.events.values_mut().flatten());
        owners
            .filter(|owner| **owner == merge.absorbed)
            .for_each(|owner| *owner = merge.survivor);
    }

    fn erase(&mut self, name: &Identity, at: Timestamp) {
        let Some(profile) = self.owners.get(name).copied() else {
            return;
        };
        let is_forgotten = false;
        for (identity, _) in self.owners.extract_if(.., |_, owner| *owner == profile) {
            self.erased
                .insert((PROJECT, identity), Erased { at, is_forgotten });
        }
        self.traits.remove(&profile);
        let events = self.events.values_mut();
        events
            .filter(|owner| **owner == Some(profile))
            .for_each(|owner| *owner = None);
    }

    fn seen(&self) -> BTreeSet<Seen> {
        let person = |(profile, traits): (&ProfileId, &Traits)| {
            let names = self.owners.iter().filter(|(_, owner)| *owner == profile);
            let events = self
                .events
                .iter()
                .filter(|(_, owner)| **owner == Some(*profile));
            let (values, stamps) = traits.to_stored();
            let spelled = format!("{} {}", values.canonical(), stamps.canonical());
            (
                names.map(|(name, _)| name.clone()).collect(),
                spelled,
                events.map(|(id, _)| *id).collect(),
            )
        };
        self.traits.iter().map(person).collect()
    }
}

fn after(batches: &[Vec<Command>]) -> World {
    lived(World::default(), batches)
}

fn lived(mut world: World, batches: &[Vec<Command>]) -> World {
    batches.iter().for_each(|batch| world.apply(batch));
    world
}

/// Whom a call is about.
#[derive(Clone, Debug)]
struct Who {
    identities: Vec<Identity>,
    explicit: usize,
    apart: usize,
}

impl Who {
    fn of(identities: Vec<Identity>, explicit: usize) -> Self {
        Self {
            identities,
            explicit,
            apart: 0,
        }
    }

    /// With a name that a write key claims.
    fn claiming(mut self, name: Identity) -> Self {
        if !self.identities.contains(&name) {
            self.identities.push(name);
            self.apart = 1;
        }
        self
    }
}

/// One call: the times are small, so that ties are common.
fn command(number: usize, who: Who, at: i64, plan: Option<i64>) -> Command {
    let at = Timestamp::from_micros(at).expect("small");
    let message_id = format!("message-{number}");
    let stated = plan.map(|plan| vec![("plan".to_owned(), Json::of(&plan))]);
    let event = Event {
        id: EventId::of(&message_id),
        message_id,
        event_type: EventType::Track,
        name: None,
        properties: Json::empty_object(),
        context: Json::empty_object(),
    };
    Command {
        project_id: PROJECT,
        class: Class::Live,
        by: KeyKind::Server,
        key: event.id.0,
        identities: who.identities,
        explicit: who.explicit,
        apart: who.apart,
        emails: Emails::Named,
        occurred_at: at,
        earliest: at,
        received_at: at,
        traits: stated.map(|traits| TraitWrite {
            stamp: Stamp::of(at, Stamp::LIVE),
            mode: Mode::Single,
            traits,
            times: BTreeMap::new(),
        }),
        group: None,
        erases: false,
        types: crate::domain::TypeRule::Off,
        warnings: crate::domain::Warnings::default(),
        event: Some(event),
    }
}

fn name(kind: IdentityKind, person: usize, number: usize) -> Identity {
    Identity::new(kind, &format!("{person}.{number}"))
}

/// Some of a person's own names, strongest first: a user id, an email, two devices.
fn own_names(person: usize, chosen: [bool; 4]) -> Vec<Identity> {
    let all = [
        name(IdentityKind::UserId, person, 0),
        name(IdentityKind::Email, person, 0),
        name(IdentityKind::AnonymousId, person, 0),
        name(IdentityKind::AnonymousId, person, 1),
    ];
    let some: Vec<Identity> = all
        .iter()
        .zip(chosen)
        .filter(|(_, is)| *is)
        .map(|(name, _)| name.clone())
        .collect();
    if some.is_empty() {
        all[..1].to_vec()
    } else {
        some
    }
}

/// A call about one of three people by names of their own, perhaps with a claim to another's user id, or an alias of one to another by
/// a sender who is believed: nothing to disagree about.
fn agreed() -> impl Strategy<Value = (Who, i64, Option<i64>)> {
    let who = prop_oneof![
        6 => (0..3_usize, any::<[bool; 4]>()).prop_map(|(person, chosen)| Who::of(own_names(person, chosen), 0)),
        2 => (0..3_usize, 0..4_usize, any::<[bool; 4]>()).prop_map(|(person, other, chosen)| {
            Who::of(own_names(person, chosen), 0).claiming(name(IdentityKind::UserId, other, 0))
        }),
        1 => (0..3_usize, 0..3_usize).prop_map(|(one, other)| aliases::alias(one, other)),
    ];
    (who, 0..4_i64, proptest::option::of(0..3_i64))
}

fn agreed_calls() -> impl Strategy<Value = Vec<Command>> {
    let numbered = |calls: Vec<(Who, i64, Option<i64>)>| {
        let call = |(number, (who, at, plan))| command(number, who, at, plan);
        calls.into_iter().enumerate().map(call).collect()
    };
    proptest::collection::vec(agreed(), 1..14).prop_map(numbered)
}

/// Anybody's names in any mixture: user ids meet on shared devices.
fn disputed_calls() -> impl Strategy<Value = Vec<Command>> {
    let numbered = |calls: Vec<(Who, i64)>| {
        let call = |(number, (who, at))| command(number, who, at, None);
        calls.into_iter().enumerate().map(call).collect()
    };
    proptest::collection::vec(disputed(), 1..14).prop_map(numbered)
}

fn disputed() -> impl Strategy<Value = (Who, i64)> {
    let parts = (
        0..3_usize,
        0..3_usize,
        any::<[bool; 4]>(),
        any::<bool>(),
        0..4_i64,
    );
    parts.prop_map(|(one, other, chosen, claims, at)| {
        let mut names = own_names(one, chosen);
        names.extend(
            own_names(other, chosen)
                .into_iter()
                .filter(|name| name.kind != IdentityKind::UserId),
        );
        names.sort();
        names.dedup();
        let who = Who::of(names, 0);
        let claimed = name(IdentityKind::UserId, other, 0);
        (if claims { who.claiming(claimed) } else { who }, at)
    })
}

/// All calls in another order, some more than once, cut into batches.
fn shuffled(calls: &[Command], order: &[Index], cuts: &[usize]) -> Vec<Vec<Command>> {
    let repeated = order.iter().map(|index| index.get(calls).clone());
    let mut rest: Vec<Command> = repeated.chain(calls.iter().rev().cloned()).collect();
    let mut batches = Vec::new();
    for cut in cuts {
        let later = rest.split_off((*cut).min(rest.len()));
        batches.push(std::mem::replace(&mut rest, later));
    }
    batches.push(rest);
    batches
}

fn order() -> impl Strategy<Value = (Vec<Index>, Vec<usize>)> {
    (
        proptest::collection::vec(any::<Index>(), 0..24),
        proptest::collection::vec(0..6_usize, 0..6),
    )
}

proptest! {
    #[test]
    fn laws_a_batch_is_its_calls_one_by_one_in_any_order_with_any_repeats(calls in agreed_calls(), (order, cuts) in order()) {
        let at_once = after(std::slice::from_ref(&calls));
        let one_by_one: Vec<Vec<Command>> = calls.iter().map(|call| vec![call.clone()]).collect();
        prop_assert_eq!(at_once.seen(), after(&one_by_one).seen());
        prop_assert_eq!(at_once.seen(), after(&shuffled(&calls, &order, &cuts)).seen());
    }

    #[test]
    fn laws_no_dispute_ever_joins_two_user_ids(calls in disputed_calls(), (order, cuts) in order()) {
        for (names, _, _) in after(&shuffled(&calls, &order, &cuts)).seen() {
            let users = names.iter().filter(|name| name.kind == IdentityKind::UserId);
            prop_assert!(users.count() <= 1, "{:?}", names);
        }
    }

    #[test]
    fn laws_erasing_and_replaying_everything_is_erasing(calls in agreed_calls(), (order, cuts) in order(), victim in any::<Index>()) {
        let mut world = after(std::slice::from_ref(&calls));
        let erased = victim.get(&calls).identities[0].clone();
        world.erase(&erased, Timestamp::from_micros(10).expect("small"));
        let expected = world.seen();
        for batch in shuffled(&calls, &order, &cuts) {
            world.apply(&batch);
        }
        prop_assert_eq!(&expected, &world.seen());
        // The same once more under ids that nobody has seen: refused wherever the one who is named first was erased.
        let unseen = calls.iter().enumerate().filter(|(_, call)| {
            world.erased.contains_key(&(PROJECT, call.identities[0].clone()))
        });
        let unseen: Vec<Command> = unseen
            .map(|(number, call)| {
                let who = Who { identities: call.identities.clone(), explicit: call.explicit, apart: call.apart };
                command(number + 100, who, call.occurred_at.micros(), Some(9))
            })
            .collect();
        world.apply(&unseen);
        prop_assert_eq!(&expected, &world.seen());
        // And once more by clocks that were put right: what may have happened before stays out, what is newer comes in.
        let later = |call: &Command, number: usize, earliest: i64| {
            let who = Who { identities: call.identities.clone(), explicit: call.explicit, apart: call.apart };
            let earliest = Timestamp::from_micros(earliest).expect("small");
            Command { earliest, ..command(number, who, 20, Some(9)) }
        };
        let moved: Vec<Command> = unseen.iter().map(|call| later(call, 200, call.occurred_at.micros())).collect();
        world.apply(&moved);
        prop_assert_eq!(&expected, &world.seen());
        let newer = later(victim.get(&calls), 201, 11);
        world.apply(std::slice::from_ref(&newer));
        prop_assert!(world.owners.contains_key(&erased), "the newer comes in");
    }

    #[test]
    fn laws_no_profile_gathers_more_than_it_may_by_itself(calls in disputed_calls(), (order, cuts) in order()) {
        let mut world = World::default();
        (world.room.emails, world.room.absorbed) = (1, 1);
        let world = lived(world, &shuffled(&calls, &order, &cuts));
        prop_assert!(world.absorbed.values().all(|absorbed| *absorbed <= 1), "{:?}", world.absorbed);
        let mut events = 0;
        for (names, _, stored) in world.seen() {
            let of = |kind: IdentityKind| names.iter().filter(|name| name.kind == kind).count();
            prop_assert!(of(IdentityKind::UserId) <= 1 && of(IdentityKind::Email) <= 1, "{:?}", names);
            events += stored.len();
        }
        prop_assert_eq!(events, calls.len());
    }
}

#[path = "world_alias_tests.rs"]
mod aliases;
