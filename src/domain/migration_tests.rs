//! Laws of migrations.

use super::migration::{Gate, Input, Refused, State, Verb, next};
use super::migration_gates::{RULES, Seen, gates};
use proptest::prelude::*;

fn gate(holds: bool) -> Gate {
    Gate {
        name: "g".to_owned(),
        wanted: String::new(),
        seen: String::new(),
        holds,
    }
}

fn input(verb: Verb, holds: &[bool], force: Option<&str>) -> Input {
    Input {
        verb,
        gates: holds.iter().map(|holds| gate(*holds)).collect(),
        force: force.map(str::to_owned),
    }
}

fn an_input() -> impl Strategy<Value = Input> {
    let verb = prop::sample::select(Verb::ALL.to_vec());
    let holds = prop::collection::vec(any::<bool>(), 0..4);
    let force = prop::option::weighted(0.3, prop::sample::select(vec!["", " ", "a drill"]));
    (verb, holds, force).prop_map(|(verb, holds, force)| input(verb, &holds, force))
}

proptest! {
    #[test]
    fn laws_of_a_migration_it_goes_step_by_step_and_is_done_only_through_soak(inputs in prop::collection::vec(an_input(), 1..60)) {
        let mut state = None;
        for input in inputs {
            let has_red = input.gates.iter().any(|gate| !gate.holds);
            let has_reason = input.force.as_ref().is_some_and(|reason| !reason.trim().is_empty());
            let before = state;
            match next(state, &input) {
                Ok(to) => {
                    prop_assert!(!has_red || has_reason, "a red gate was passed without a reason");
                    state = Some(to);
                    let place = |state: State| State::ALL.iter().position(|own| *own == state);
                    match to {
                        State::Plan => prop_assert!(matches!(before, None | Some(State::Plan | State::RolledBack))),
                        State::Mirror => prop_assert!(matches!(before, Some(State::Plan | State::RolledBack))),
                        State::RolledBack => prop_assert!(before.is_some()),
                        _ => prop_assert_eq!(before.and_then(place).map(|at| at + 1), place(to), "a step was skipped"),
                    }
                    prop_assert!(to != State::Done || before == Some(State::Soak));
                }
                Err(Refused::Red(red)) => prop_assert!(has_red && input.force.is_none() && red.iter().all(|gate| !gate.holds)),
                Err(Refused::NoReason) => prop_assert!(input.force.is_some() && !has_reason),
                Err(Refused::NoSuchStep { .. }) => prop_assert_eq!(input.verb.target(before), None),
            }
        }
    }
}

#[test]
fn there_is_a_way_back_from_every_state_and_forward_again() {
    for state in State::ALL
        .into_iter()
        .filter(|own| *own != State::RolledBack)
    {
        let back = next(
            Some(state),
            &input(Verb::Rollback, &[false], Some("a drill")),
        );
        assert_eq!(back, Ok(State::RolledBack), "{state:?}");
    }
    let back = Some(State::RolledBack);
    assert_eq!(
        next(back, &input(Verb::Start, &[], None)),
        Ok(State::Mirror)
    );
    assert_eq!(next(back, &input(Verb::Plan, &[], None)), Ok(State::Plan));
}

#[test]
fn a_rollback_waits_for_nothing_while_the_legacy_store_is_kept_up() {
    for state in State::ALL {
        let red = gates(state, Verb::Rollback, &Seen::default());
        assert_eq!(red.iter().any(|gate| !gate.holds), state == State::Done);
    }
}

#[test]
fn what_was_not_measured_is_red_and_named_with_its_figure() {
    let unmeasured = Seen {
        has_index: true,
        ..Seen::default()
    };
    for rule in RULES {
        for state in rule.from {
            let own = gates(*state, rule.verb, &unmeasured);
            let own = own.iter().find(|gate| gate.name == rule.name);
            let own = own.expect("it stands there");
            let may_hold = ["soaked", "reverse_verify"].contains(&rule.name);
            assert!(may_hold || !own.holds, "{}", rule.name);
            assert!(!own.seen.is_empty());
        }
    }
    let seen = Seen {
        lag_seconds: Some(12.3),
        backlog: Some(7),
        ..Seen::default()
    };
    let input = Input {
        verb: Verb::Advance,
        gates: gates(State::Mirror, Verb::Advance, &seen),
        force: None,
    };
    let told = next(Some(State::Mirror), &input)
        .expect_err("red")
        .to_string();
    assert!(
        told.contains(
            "mirror_lag: wanted no mark older than 10 seconds, seen 7 marks, the oldest 12.3 s"
        ),
        "{told}"
    );
}

/// The page has every state's steps and every gate.
#[test]
fn the_tables_of_the_page_are_those_of_the_machine() {
    let page = include_str!("../../docs/MIGRATION.md");
    for state in State::ALL {
        let step = |verb: &Verb| {
            Some(format!(
                "{} → {}",
                verb.as_str(),
                verb.target(Some(state))?.as_str()
            ))
        };
        let steps: Vec<String> = Verb::ALL.iter().filter_map(step).collect();
        let row = format!("| `{}` | {} |", state.as_str(), steps.join(", "));
        assert!(page.contains(&row), "docs/MIGRATION.md lacks: {row}");
    }
    for rule in RULES {
        let from: Vec<&str> = rule.from.iter().map(|state| state.as_str()).collect();
        let row = format!(
            "| `{}` | {} from {} | {} |",
            rule.name,
            rule.verb.as_str(),
            from.join(", "),
            rule.wanted
        );
        assert!(page.contains(&row), "docs/MIGRATION.md lacks: {row}");
    }
}
