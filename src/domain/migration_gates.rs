//! What has to hold before each step of a migration.

use super::migration::{Gate, State, Verb};

/// Seconds that the mirror may be behind.
const LAG_SECONDS: f64 = 10.0;
/// Seconds without a move before it is believed that nothing is left: a node hears every second where partitions end.
const IDLE_SECONDS: f64 = 3.0;
/// Refused records of a backfill: at most one of so many.
const RECORDS_PER_REFUSAL: i64 = 1_000;
/// Seconds that a verification stays good.
const VERIFIED_SECONDS: i64 = 86_400;
/// Compared reads before their share of mismatches means anything, and the share: less than one of so many.
const COMPARED_READS: i64 = 10_000;
const READS_PER_MISMATCH: i64 = 1_000_000;

/// What was measured before a step. What could not be measured is `None`, and its gate is red.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Live nodes whose version does not mark changes yet.
    pub nodes_without_marks: Option<i64>,
    pub mirrors: bool,
    /// There is an index, from which profiles can be read.
    pub has_index: bool,
    /// Profiles that are not yet published; of more than ten thousand no more are counted.
    pub backlog: Option<i64>,
    /// Age of the oldest mark in seconds; 0 where there is none.
    pub lag_seconds: Option<f64>,
    /// Everybody was marked once since the mirror began, or since documents are whole.
    pub is_walked: bool,
    /// Documents that the legacy store refuses.
    pub refused_documents: Option<i64>,
    /// Documents that somebody else wrote there since the mirror began.
    pub foreign_writes: Option<i64>,
    pub backfill: Option<BackfillSeen>,
    /// The last verification since the state began: that Roster has what the legacy store has.
    pub verify: Option<VerifySeen>,
    /// The last one that the legacy store has what Roster has, whenever it was.
    pub reverse: Option<VerifySeen>,
    pub compare: Option<CompareSeen>,
    /// Seconds in the present state, and those that a soak lasts.
    pub seconds: i64,
    pub soak_seconds: i64,
}

/// How a project's source of legacy records is.
#[derive(Clone, Debug, Default)]
pub struct BackfillSeen {
    pub state: String,
    pub lag: i64,
    /// Since a partition moved last.
    pub idle_seconds: f64,
    pub passed: i64,
    /// But for those of people who were erased.
    pub rejected: i64,
}

/// The last verification.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifySeen {
    pub age_seconds: i64,
    pub differences: i64,
}

/// Reads that were compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompareSeen {
    pub reads: i64,
    pub mismatches: i64,
}

/// One gate: before which steps it stands, and how it is judged.
pub struct Rule {
    pub name: &'static str,
    pub verb: Verb,
    pub from: &'static [State],
    pub wanted: &'static str,
    judge: fn(&Seen) -> (String, bool),
}

const MIRRORED: &[State] = &[
    State::Mirror,
    State::Backfill,
    State::Verify,
    State::Compare,
    State::CutOver,
    State::Soak,
];

/// Every gate; `docs/MIGRATION.md` has the same table.
pub const RULES: &[Rule] = &[
    Rule {
        name: "nodes",
        verb: Verb::Start,
        from: &[State::Plan, State::RolledBack],
        wanted: "every live node marks what changes",
        judge: nodes,
    },
    Rule {
        name: "mirror_walk",
        verb: Verb::Advance,
        from: MIRRORED,
        wanted: "everybody was marked once",
        judge: walk,
    },
    Rule {
        name: "mirror_lag",
        verb: Verb::Advance,
        from: MIRRORED,
        wanted: "no mark older than 10 seconds",
        judge: lag,
    },
    Rule {
        name: "mirror_refused",
        verb: Verb::Advance,
        from: MIRRORED,
        wanted: "no document refused by the legacy store",
        judge: refused,
    },
    Rule {
        name: "backfill",
        verb: Verb::Advance,
        from: &[State::Backfill],
        wanted: "the source runs, and nothing is left in it",
        judge: backfill,
    },
    Rule {
        name: "backfill_rejected",
        verb: Verb::Advance,
        from: &[State::Backfill],
        wanted: "at most 1 of 1000 records rejected",
        judge: rejected,
    },
    Rule {
        name: "verify",
        verb: Verb::Advance,
        from: &[State::Verify, State::Compare],
        wanted: "a verification without a difference, at most a day old",
        judge: verify,
    },
    Rule {
        name: "foreign_writes",
        verb: Verb::Advance,
        from: &[State::Compare, State::CutOver],
        wanted: "nobody else writes to the legacy store",
        judge: foreign,
    },
    Rule {
        name: "mismatches",
        verb: Verb::Advance,
        from: &[State::Compare],
        wanted: "less than 1 of 1000000 reads differs, of at least 10000",
        judge: mismatches,
    },
    Rule {
        name: "soaked",
        verb: Verb::Advance,
        from: &[State::Soak],
        wanted: "the time of the soak is over",
        judge: soaked,
    },
    Rule {
        name: "reverse_verify",
        verb: Verb::Rollback,
        from: &[State::CutOver, State::Soak],
        wanted: "is told, and holds nothing up",
        judge: reverse_verify,
    },
    Rule {
        name: "mirrors",
        verb: Verb::Rollback,
        from: &[State::Done],
        wanted: "the legacy store has what was written since",
        judge: mirrors,
    },
];

/// The gates of a step.
pub fn gates(state: State, verb: Verb, seen: &Seen) -> Vec<Gate> {
    let rules = RULES.iter();
    let own = rules.filter(|rule| rule.verb == verb && rule.from.contains(&state));
    own.map(|rule| rule.gate(seen)).collect()
}

impl Rule {
    fn gate(&self, seen: &Seen) -> Gate {
        let (seen, holds) = (self.judge)(seen);
        Gate {
            name: self.name.to_owned(),
            wanted: self.wanted.to_owned(),
            seen,
            holds,
        }
    }
}

fn unknown() -> (String, bool) {
    ("nothing was measured".to_owned(), false)
}

/// A count that has to be 0.
fn none(count: Option<i64>, what: &str) -> (String, bool) {
    count.map_or_else(unknown, |count| (format!("{count} {what}"), count == 0))
}

fn nodes(seen: &Seen) -> (String, bool) {
    none(seen.nodes_without_marks, "nodes of an older version")
}

fn walk(seen: &Seen) -> (String, bool) {
    let told = if seen.is_walked {
        "everybody"
    } else {
        "not yet"
    };
    (told.to_owned(), seen.is_walked)
}

fn lag(seen: &Seen) -> (String, bool) {
    let Some((lag, backlog)) = seen.lag_seconds.zip(seen.backlog) else {
        return unknown();
    };
    let told = format!("{backlog} marks, the oldest {lag:.1} s");
    (told, lag <= LAG_SECONDS)
}

fn refused(seen: &Seen) -> (String, bool) {
    none(seen.refused_documents, "documents")
}

fn foreign(seen: &Seen) -> (String, bool) {
    none(seen.foreign_writes, "documents")
}

fn backfill(seen: &Seen) -> (String, bool) {
    let Some(own) = &seen.backfill else {
        return unknown();
    };
    let is_idle = own.idle_seconds >= IDLE_SECONDS;
    let moves = if is_idle {
        ""
    } else {
        ", and it moved just now"
    };
    let told = format!("{}, {} records left{moves}", own.state, own.lag);
    (told, own.state == "running" && own.lag == 0 && is_idle)
}

fn rejected(seen: &Seen) -> (String, bool) {
    let Some(own) = &seen.backfill else {
        return unknown();
    };
    let told = format!("{} of {}", own.rejected, own.passed);
    let most = own.passed / RECORDS_PER_REFUSAL;
    (told, own.rejected <= most)
}

fn verify(seen: &Seen) -> (String, bool) {
    let Some(own) = seen.verify else {
        return unknown();
    };
    let told = format!("{} differences, {} s ago", own.differences, own.age_seconds);
    let is_good = own.differences == 0 && own.age_seconds <= VERIFIED_SECONDS;
    (told, is_good)
}

/// A way back waits for nothing while the legacy store is kept up; what was known of it then is kept with the step.
fn reverse_verify(seen: &Seen) -> (String, bool) {
    let told = seen.reverse.map_or_else(
        || "the legacy store was not verified".to_owned(),
        |own| format!("{} differences, {} s ago", own.differences, own.age_seconds),
    );
    (told, true)
}

fn mismatches(seen: &Seen) -> (String, bool) {
    if !seen.has_index {
        return ("there is no index to read from".to_owned(), true);
    }
    let Some(own) = seen.compare else {
        return unknown();
    };
    let told = format!("{} of {} reads", own.mismatches, own.reads);
    let is_rare = own.mismatches.saturating_mul(READS_PER_MISMATCH) < own.reads;
    (told, is_rare && own.reads >= COMPARED_READS)
}

fn soaked(seen: &Seen) -> (String, bool) {
    let told = format!("{} of {} s", seen.seconds, seen.soak_seconds);
    (told, seen.seconds >= seen.soak_seconds)
}

fn mirrors(seen: &Seen) -> (String, bool) {
    let told = if seen.mirrors {
        "it has"
    } else {
        "it is not mirrored"
    };
    (told.to_owned(), seen.mirrors)
}
