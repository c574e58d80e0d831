//! What holds for any records, in any order, beside live traffic.

use super::row_tests::{START, at, limits, read_with};
use super::*;
use crate::domain::profile::Traits;
use crate::domain::{Class, Draft, Json, KeyKind, Kinds, Mode, ProjectId};
use proptest::prelude::*;

const MAPPING: &str = "[identities]\nuser_id = \"/id\"\n[time]\nat = \"/at\"\nformat = \"epoch_s\"\nsequence = \"/v\"\n[traits]\nroot = \"/t\"\n";

/// What somebody says of one person's traits `a`, `b` and `c`.
#[derive(Clone, Debug)]
enum Said {
    Live {
        at: i64,
        traits: Vec<(u8, i64)>,
    },
    Partial {
        at: i64,
        version: i64,
        traits: Vec<(u8, i64)>,
    },
    Whole {
        at: i64,
        version: i64,
        traits: Vec<(u8, i64)>,
    },
    Own {
        at: i64,
        times: Vec<(u8, i64)>,
        traits: Vec<(u8, i64)>,
    },
    Gone {
        at: i64,
    },
}

type Pairs = Vec<(u8, i64)>;

fn traits() -> impl Strategy<Value = Pairs> {
    prop::collection::vec((0_u8..3, 0_i64..3), 0..4)
}

fn live_call() -> impl Strategy<Value = Said> {
    (1_i64..5, traits()).prop_map(|(at, traits)| Said::Live { at, traits })
}

fn record() -> impl Strategy<Value = Said> {
    let versioned = || (1_i64..5, 0_i64..3, traits());
    let times = || prop::collection::vec((0_u8..3, 1_i64..5), 0..3);
    prop_oneof![
        versioned().prop_map(|(at, version, traits)| Said::Partial {
            at,
            version,
            traits
        }),
        versioned().prop_map(|(at, version, traits)| Said::Whole {
            at,
            version,
            traits
        }),
        (1_i64..5, times(), traits()).prop_map(|(at, times, traits)| Said::Own {
            at,
            times,
            traits
        }),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![1 => live_call(), 3 => record()]
}

/// With deletions. A record that states a trait later than itself is refused beside one that came between, traits and all.
fn said_or_gone() -> impl Strategy<Value = Said> {
    let consistent = |said| match said {
        Said::Own { at, times, traits } => {
            let times = times.into_iter().map(|(name, own)| (name, own.min(at)));
            let times = times.collect();
            Said::Own { at, times, traits }
        }
        other => other,
    };
    let gone = (1_i64..5).prop_map(|at| Said::Gone { at });
    prop_oneof![4 => said().prop_map(consistent), 1 => gone]
}

/// 2 stands for a trait that is taken away.
fn object(traits: &[(u8, i64)]) -> serde_json::Value {
    let value = |value: i64| {
        if value == 2 {
            serde_json::Value::Null
        } else {
            value.into()
        }
    };
    let members = traits
        .iter()
        .map(|(name, number)| (char::from(b'a' + name).to_string(), value(*number)));
    serde_json::Value::Object(members.collect())
}

fn command(said: &Said) -> Command {
    let mapped = |whole: bool, at: i64, version: i64, traits: &[(u8, i64)]| {
        let mapping = Mapping::parse(&format!("{MAPPING}whole = {whole}")).expect("a mapping");
        let row = serde_json::json!({"id": 1, "at": at, "v": version, "t": object(traits)});
        taken(&mapping, &row)
    };
    match said {
        Said::Live { at, traits } => live(*at, traits),
        Said::Partial {
            at,
            version,
            traits,
        } => mapped(false, *at, *version, traits),
        Said::Whole {
            at,
            version,
            traits,
        } => mapped(true, *at, *version, traits),
        Said::Own { at, times, traits } => {
            let times = times
                .iter()
                .map(|(name, at)| (char::from(b'a' + name).to_string(), at * 1_000));
            let times: std::collections::BTreeMap<String, i64> = times.collect();
            let row = serde_json::json!({"roster": 1, "type": "upsert", "identities": {"user_id": 1},
                "updated_at": at * 1_000, "times": times, "traits": object(traits)});
            taken(&Mapping::roster(), &row)
        }
        Said::Gone { at } => {
            let row = serde_json::json!({"roster": 1, "type": "delete", "identities": {"user_id": 1}, "deleted_at": at * 1_000});
            taken(&Mapping::roster(), &row)
        }
    }
}

fn taken(mapping: &Mapping, row: &serde_json::Value) -> Command {
    match read_with(mapping, None, Some(row.to_string().as_bytes()), &[]) {
        Ok(Reading::Command { command, .. }) => *command,
        other => panic!("{other:?}"),
    }
}

fn live(when: i64, traits: &[(u8, i64)]) -> Command {
    let (kinds, limits) = (Kinds::default(), limits());
    let gate = Gate {
        project_id: ProjectId(1),
        class: Class::Live,
        by: KeyKind::Server,
        kinds: &kinds,
        limits: &limits,
        received_at: at(START),
        is_measured: false,
    };
    let draft = Draft {
        names: vec![gate.name("user_id", "1", "userId")],
        traits: Some(Json::of(&object(traits))),
        mode: Mode::Single,
        ..Draft::at(seconds(when))
    };
    gate.command(draft).expect("valid")
}

/// What is known of the one person, as the database keeps it: traits, and until when all was erased.
#[derive(Debug, Default, PartialEq)]
struct Person {
    traits: Traits,
    erased: Option<Timestamp>,
}

impl Person {
    fn take(&mut self, command: &Command) {
        let at = command.occurred_at();
        if command.erases() {
            self.erased = self.erased.max(Some(at));
            self.traits.erase_older(at);
        } else if self.erased.is_none_or(|erased| erased < at) {
            let writes = command.subjects().filter_map(|subject| subject.traits);
            writes.for_each(|write| _ = self.traits.merge(write));
        }
    }
}

fn merged<'a>(commands: impl Iterator<Item = &'a Command>) -> Person {
    let mut person = Person::default();
    commands.for_each(|command| person.take(command));
    person
}

/// The traits that somebody has, without those that were taken away.
fn values(person: &Person) -> serde_json::Value {
    let (traits, _) = person.traits.to_stored();
    serde_json::from_str(traits.as_str()).expect("JSON")
}

fn commands(all: &[Said]) -> Vec<Command> {
    all.iter().map(command).collect()
}

fn seconds(at: i64) -> Timestamp {
    Timestamp::from_micros(at * 1_000_000).expect("small")
}

proptest! {
    #[test]
    fn laws_records_and_live_traffic_commute_and_may_be_repeated(
        (said, shuffled) in prop::collection::vec(said(), 1..7)
            .prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle()))
    ) {
        let (commands, others) = (commands(&said), commands(&shuffled));
        let once = merged(commands.iter());
        prop_assert_eq!(&once, &merged(others.iter()));
        prop_assert_eq!(&once, &merged(commands.iter().chain(&others)));
    }

    #[test]
    fn laws_a_record_then_a_live_call_is_the_call_then_the_record(
        before in prop::collection::vec(said_or_gone(), 0..4), record in record(), call in live_call()
    ) {
        let (before, pair) = (commands(&before), commands(&[record, call]));
        let there = merged(before.iter().chain(&pair));
        let back = merged(before.iter().chain(pair.iter().rev()));
        prop_assert_eq!(there, back);
    }

    #[test]
    fn laws_a_topic_replayed_thrice_and_shuffled_is_the_topic_read_once(
        (said, shuffled) in prop::collection::vec(said_or_gone(), 1..7).prop_flat_map(|said| {
            let thrice = [said.clone(), said.clone(), said.clone()].concat();
            (Just(said), Just(thrice).prop_shuffle())
        })
    ) {
        prop_assert_eq!(merged(commands(&said).iter()), merged(commands(&shuffled).iter()));
    }

    #[test]
    fn laws_after_a_deletion_what_is_older_might_never_have_been(
        when in 1_i64..5, (said, shuffled) in prop::collection::vec(said_or_gone(), 0..6)
            .prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle()))
    ) {
        let (gone, all, others) = (command(&Said::Gone { at: when }), commands(&said), commands(&shuffled));
        let newer = others.iter().filter(|command| command.occurred_at() > seconds(when));
        let expected = merged(std::iter::once(&gone).chain(newer));
        prop_assert_eq!(&expected, &merged(all.iter().chain([&gone])));
        prop_assert_eq!(&expected, &merged(std::iter::once(&gone).chain(&all)));
    }

    #[test]
    fn laws_a_whole_record_ends_what_it_lacks_and_a_partial_one_leaves_it(
        earlier in 1_i64..4, later in 1_i64..4, has_first in any::<bool>(), is_whole in any::<bool>()
    ) {
        let when = earlier + later;
        let (version, traits) = (0, vec![(1, 1)]);
        let first = if has_first { live(earlier, &[(0, 1)]) } else { live(earlier, &[(2, 1)]) };
        let second = if is_whole {
            Said::Whole { at: when, version, traits }
        } else {
            Said::Partial { at: when, version, traits }
        };
        let second = command(&second);
        let left = values(&merged([&first, &second].into_iter()));
        let name = if has_first { "a" } else { "c" };
        prop_assert_eq!(left.get(name).is_some(), !is_whole, "{}", left);
        prop_assert_eq!(&left["b"], 1);
        prop_assert_eq!(left, values(&merged([&second, &first].into_iter())));
    }

    #[test]
    fn laws_a_trait_goes_by_its_own_time_and_the_others_by_the_record_s(
        when in 1_i64..5, own in 1_i64..5, lived in 1_i64..5
    ) {
        let said = Said::Own { at: when, times: vec![(0, own)], traits: vec![(0, 0), (1, 0)] };
        let all = [command(&said), live(lived, &[(0, 1), (1, 1)])];
        let left = values(&merged(all.iter()));
        // Of equal times the live one wins.
        prop_assert_eq!(&left["a"], i64::from(lived >= own));
        prop_assert_eq!(&left["b"], i64::from(lived >= when));
    }

    #[test]
    fn laws_a_record_never_beats_live_traffic_of_its_time(
        when in 1_i64..5, version in 0..i64::MAX, traits in prop::collection::vec((0_u8..3, 0_i64..2), 1..4)
    ) {
        let said = [live(when, &[(0, 0), (1, 0), (2, 0)]), command(&Said::Partial { at: when, version, traits })];
        prop_assert_eq!(merged(said.iter()), merged(said[..1].iter()));
    }
}
