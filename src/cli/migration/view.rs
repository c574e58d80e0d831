//! A migration as somebody in front of a terminal sees it: what holds, what does not, and how fast it moves.

use super::verify;
use crate::domain::migration::State;
use crate::migration::{CompareShown, ReadsShown, Status};
use crate::store::SourceStatus;
use std::fmt::Write as _;

/// Names of a list, so that the rest of the screen stays.
const MOST_FIELDS: usize = 10;

/// The whole view.
pub fn text_of(status: &Status) -> String {
    let mut text = format!("{}\n  since {}\n", states(status.state), status.since);
    let mut line = |name: &str, told: String| {
        // Writing to a text never fails.
        let _ = writeln!(text, "  {name:<9} {told}");
    };
    line("reads", told(status.reads));
    line("mirror", mirror(status));
    for one in &status.refused {
        line("", format!("{} is refused: {}", one.profile_id, one.reason));
    }
    if let Some(backfill) = &status.backfill {
        line("backfill", progress(backfill));
    }
    if let Some(compare) = &status.compare {
        line("compare", compared(compare));
        for (name, field) in compare.fields.iter().take(MOST_FIELDS) {
            let path = &field.path;
            let (ours, theirs) = (&field.ours, &field.theirs);
            line(
                "",
                format!(
                    "{name}: {} reads, e.g. {path}: {ours} here, {theirs} there",
                    field.mismatches
                ),
            );
        }
    }
    for own in &status.verifications {
        line("verify", verify::line(own));
    }
    for gate in &status.gates {
        let colour = if gate.holds { "green" } else { "red" };
        line(
            colour,
            format!("{}: {} (wanted: {})", gate.name, gate.seen, gate.wanted),
        );
    }
    text
}

/// Where profiles are read from.
pub fn told(reads: ReadsShown) -> String {
    let source = reads.source.as_str();
    match reads.share {
        0 => source.to_owned(),
        share => format!("{source}, {share} of 100 people from roster"),
    }
}

/// All states in their order, the present one in brackets.
fn states(present: &str) -> String {
    let shown = |state: &State| match state.as_str() {
        name if name == present => format!("[{name}]"),
        name => name.to_owned(),
    };
    let way = State::ALL
        .iter()
        .filter(|state| **state != State::RolledBack || present == "rolled_back");
    way.map(shown).collect::<Vec<_>>().join(" ")
}

fn mirror(status: &Status) -> String {
    let mirror = &status.mirror;
    if !status.mirrors {
        return "off".to_owned();
    }
    let mut text = format!(
        "{} behind, {:.1} s; {} published, {} refused, {} foreign writes",
        mirror.backlog, mirror.lag_seconds, mirror.published, mirror.refused, mirror.foreign_writes
    );
    if !mirror.is_walked {
        text.push_str("; not everybody was marked yet");
    }
    if !mirror.reason.is_empty() {
        let _ = write!(text, "; {}", mirror.reason);
    }
    text
}

fn progress(backfill: &SourceStatus) -> String {
    let counts = backfill.counts;
    let left = backfill
        .eta_seconds
        .map_or(String::new(), |seconds| format!(", {seconds} s left"));
    format!(
        "{}, {} records left at {:.0}/s{left}; {} stored, {} unchanged, {} rejected, {} of them of erased people",
        backfill.state,
        backfill.lag,
        backfill.records_per_second,
        counts.stored,
        counts.unchanged,
        counts.rejected,
        counts.erased
    )
}

fn compared(compare: &CompareShown) -> String {
    format!("{} of {} reads differ", compare.mismatches, compare.reads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::migration::Gate;
    use crate::domain::reads::ReadSource;
    use crate::store::{FieldMismatches, MirrorSeen, RefusedDocument};

    fn gate(name: &str, holds: bool) -> Gate {
        Gate {
            name: name.to_owned(),
            wanted: "none".to_owned(),
            seen: "7 marks".to_owned(),
            holds,
        }
    }

    #[test]
    fn the_view_shows_the_way_the_figures_and_what_is_red() {
        let city = FieldMismatches {
            mismatches: 3,
            ..FieldMismatches::of(None, "city.zip", "a number", "nothing")
        };
        let status = Status {
            state: "compare",
            version: 9,
            since: "2026-01-01T00:00:00Z".to_owned(),
            mirrors: true,
            index: "people".to_owned(),
            topic: None,
            source: None,
            document_kind: "user_id".to_owned(),
            reads: ReadsShown {
                source: ReadSource::Compare,
                share: 20,
            },
            gates: vec![gate("mirror_lag", true), gate("mismatches", false)],
            mirror: MirrorSeen {
                backlog: 7,
                reason: "it is away".to_owned(),
                ..MirrorSeen::default()
            },
            refused: vec![RefusedDocument {
                profile_id: "a-profile".to_owned(),
                reason: "too deep".to_owned(),
                refused_at: "2026-01-01T00:00:00Z".to_owned(),
            }],
            backfill: None,
            verifications: Vec::new(),
            compare: Some(CompareShown {
                reads: 12_000,
                mismatches: 3,
                fields: [("city".to_owned(), city)].into(),
            }),
        };
        let text = text_of(&status);
        for told in [
            "verify [compare] cut_over soak done\n",
            "reads     compare, 20 of 100 people from roster\n",
            "7 behind, 0.0 s; 0 published, 0 refused, 0 foreign writes; not everybody was marked yet; it is away\n",
            "a-profile is refused: too deep\n",
            "3 of 12000 reads differ\n",
            "city: 3 reads, e.g. city.zip: a number here, nothing there\n",
            "green     mirror_lag: 7 marks (wanted: none)\n",
            "red       mismatches: 7 marks",
        ] {
            assert!(text.contains(told), "{told:?} in\n{text}");
        }
    }
}
