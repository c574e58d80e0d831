//! Leaving a legacy store, one state after the other: what may follow what, and what keeps a step from being taken.
//!
//! Gates are data: whoever asks for a step measures first (`migration_gates.rs`), and nothing here knows how.

use serde::{Deserialize, Serialize};

/// How far a project's migration is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Plan,
    Mirror,
    Backfill,
    Verify,
    Compare,
    CutOver,
    Soak,
    Done,
    RolledBack,
}

/// What an operator asks for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Plan,
    Start,
    Advance,
    Rollback,
}

/// Something that has to hold before a step, with what was seen.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Gate {
    pub name: String,
    pub wanted: String,
    pub seen: String,
    pub holds: bool,
}

/// A step that is asked for.
#[derive(Clone, Debug)]
pub struct Input {
    pub verb: Verb,
    pub gates: Vec<Gate>,
    /// Why the step is to be taken although a gate is red.
    pub force: Option<String>,
}

/// Why a step is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{} is no step from here: {}", .verb.as_str(), from(*.state))]
    NoSuchStep { state: Option<State>, verb: Verb },
    #[error("a forced step needs a reason")]
    NoReason,
    #[error("{}", red(.0))]
    Red(Vec<Gate>),
}

impl State {
    pub const ALL: [Self; 9] = [
        Self::Plan,
        Self::Mirror,
        Self::Backfill,
        Self::Verify,
        Self::Compare,
        Self::CutOver,
        Self::Soak,
        Self::Done,
        Self::RolledBack,
    ];

    /// The name in tables, in the API and in pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Mirror => "mirror",
            Self::Backfill => "backfill",
            Self::Verify => "verify",
            Self::Compare => "compare",
            Self::CutOver => "cut_over",
            Self::Soak => "soak",
            Self::Done => "done",
            Self::RolledBack => "rolled_back",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// True where what Roster commits goes to the legacy store too. After a way back it goes on as it was.
    pub const fn mirrors(self, did: bool) -> bool {
        match self {
            Self::Plan | Self::Done => false,
            Self::RolledBack => did,
            _ => true,
        }
    }

    /// True where Roster was seen to know all that the legacy store has, so that a document is what Roster says and no more. Before,
    /// what Roster lacks still stands there, or no verification could find it.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Compare | Self::CutOver | Self::Soak)
    }

    const fn following(self) -> Option<Self> {
        match self {
            Self::Mirror => Some(Self::Backfill),
            Self::Backfill => Some(Self::Verify),
            Self::Verify => Some(Self::Compare),
            Self::Compare => Some(Self::CutOver),
            Self::CutOver => Some(Self::Soak),
            Self::Soak => Some(Self::Done),
            Self::Plan | Self::Done | Self::RolledBack => None,
        }
    }
}

impl Verb {
    pub const ALL: [Self; 4] = [Self::Plan, Self::Start, Self::Advance, Self::Rollback];

    /// The name in commands and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Start => "start",
            Self::Advance => "advance",
            Self::Rollback => "rollback",
        }
    }

    /// Where it leads.
    pub const fn target(self, state: Option<State>) -> Option<State> {
        match (self, state) {
            (Self::Plan, None | Some(State::Plan | State::RolledBack)) => Some(State::Plan),
            (Self::Start, Some(State::Plan | State::RolledBack)) => Some(State::Mirror),
            (Self::Advance, Some(state)) => state.following(),
            (Self::Rollback, Some(State::RolledBack)) => None,
            (Self::Rollback, Some(_)) => Some(State::RolledBack),
            _ => None,
        }
    }
}

/// The state behind a step.
///
/// # Errors
/// Why the step is not taken. Force passes red gates, and nothing else.
pub fn next(state: Option<State>, input: &Input) -> Result<State, Refused> {
    let verb = input.verb;
    let to = verb
        .target(state)
        .ok_or(Refused::NoSuchStep { state, verb })?;
    match &input.force {
        Some(reason) if reason.trim().is_empty() => return Err(Refused::NoReason),
        Some(_) => return Ok(to),
        None => {}
    }
    let red: Vec<Gate> = input
        .gates
        .iter()
        .filter(|gate| !gate.holds)
        .cloned()
        .collect();
    if red.is_empty() {
        Ok(to)
    } else {
        Err(Refused::Red(red))
    }
}

fn from(state: Option<State>) -> String {
    let may = |verb: &Verb| verb.target(state).is_some();
    let verbs = Verb::ALL.iter().filter(|verb| may(verb));
    let verbs: Vec<&str> = verbs.map(|verb| verb.as_str()).collect();
    let named = state.map_or("there is no migration", State::as_str);
    format!("{named}, from where there is {}", verbs.join(", "))
}

fn red(gates: &[Gate]) -> String {
    let told = |gate: &Gate| format!("{}: wanted {}, seen {}", gate.name, gate.wanted, gate.seen);
    gates.iter().map(told).collect::<Vec<_>>().join("; ")
}
