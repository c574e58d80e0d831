//! Where the profiles of a project that leaves a legacy store are read from, person by person.

use super::ProjectId;
use super::migration::State;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Who answers a read.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadSource {
    /// The legacy store, with what Roster has committed since laid over it.
    Legacy,
    /// The same, and Roster's own answer is compared with it.
    Compare,
    /// Roster alone.
    Roster,
}

/// What somebody has said about reads, or a step of the migration.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Reads {
    pub source: ReadSource,
    /// Of a hundred people so many are read from Roster, whatever the source.
    pub share: u8,
    /// The version of the migration since which comparisons count.
    pub since: i64,
}

/// Why reads stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("at {} profiles can be read from: {}", .0.as_str(), names(*.0))]
    NotThere(State),
    #[error("at {} everybody is read from one place: a share goes with compare and cut_over", .0.as_str())]
    NoShare(State),
    #[error(
        "a share is 0 to 100 of a hundred people, of those who are not read from Roster anyway"
    )]
    NoSuchShare,
    #[error("the plan names no index: profiles are read from roster")]
    NoIndex,
}

impl ReadSource {
    pub const ALL: [Self; 3] = [Self::Legacy, Self::Compare, Self::Roster];

    /// The name in commands, in the API and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Compare => "compare",
            Self::Roster => "roster",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

impl State {
    /// What reads may be set to by hand. Roster does not know all before the comparison is over; where nothing moves, or everything
    /// has moved back, it is as good a source as the other.
    pub const fn sources(self) -> &'static [ReadSource] {
        match self {
            Self::Plan | Self::CutOver | Self::RolledBack => &ReadSource::ALL,
            Self::Mirror | Self::Backfill | Self::Verify | Self::Compare => {
                &[ReadSource::Legacy, ReadSource::Compare]
            }
            Self::Soak | Self::Done => &[ReadSource::Roster],
        }
    }

    /// True where some people may be read from Roster and others not.
    pub const fn has_share(self) -> bool {
        matches!(self, Self::Compare | Self::CutOver)
    }
}

impl Reads {
    /// Everybody is read from one place.
    pub const fn of(source: ReadSource, since: i64) -> Self {
        Self {
            source,
            share: 0,
            since,
        }
    }

    /// What reads are set to at a state.
    ///
    /// # Errors
    /// Why the state does not allow it.
    pub fn checked(self, state: State) -> Result<Self, Unreadable> {
        if !state.sources().contains(&self.source) {
            return Err(Unreadable::NotThere(state));
        }
        if self.share > 100 || (self.share > 0 && self.source == ReadSource::Roster) {
            return Err(Unreadable::NoSuchShare);
        }
        if self.share > 0 && !state.has_share() {
            return Err(Unreadable::NoShare(state));
        }
        Ok(self)
    }

    /// The same for a plan without an index: nobody can be read from there.
    pub const fn without_index(self) -> Self {
        Self::of(ReadSource::Roster, self.since)
    }

    /// Another share goes on counting what is compared; the same setting once more begins anew.
    pub fn counted_from(self, before: Option<Self>) -> Self {
        let goes_on = before.filter(|before| {
            self.source == ReadSource::Compare
                && before.source == ReadSource::Compare
                && before.share != self.share
        });
        let since = goes_on.map_or(self.since, |before| before.since);
        Self { since, ..self }
    }

    /// How reads are behind a step to `to`, which makes the migration's version `version`. A way back takes them back at once; who
    /// has only planned, and never said anything about reads, keeps them as they were.
    pub fn behind(
        before: Option<Self>,
        from: Option<State>,
        to: State,
        version: i64,
    ) -> Option<Self> {
        match to {
            State::CutOver | State::Soak | State::Done => {
                Some(Self::of(ReadSource::Roster, version))
            }
            State::RolledBack if before.is_none() && from == Some(State::Plan) => None,
            State::RolledBack => Some(Self::of(ReadSource::Legacy, version)),
            State::Compare => before.map(|reads| Self {
                since: version,
                ..reads
            }),
            State::Plan | State::Mirror | State::Backfill | State::Verify => before,
        }
    }

    /// Who answers for one person, known by the id of the document. The same person is always in the same place of the hundred, so
    /// that a share that grows takes nobody back.
    pub fn source_of(self, project_id: ProjectId, document_id: &str) -> ReadSource {
        if place(project_id, document_id) < u64::from(self.share) {
            ReadSource::Roster
        } else {
            self.source
        }
    }

    /// The setting as people read it.
    pub fn told(this: Option<Self>) -> String {
        match this {
            None => "as before".to_owned(),
            Some(Self { source, share, .. }) if share > 0 => {
                format!("{}, {share} of 100 from roster", source.as_str())
            }
            Some(Self { source, .. }) => source.as_str().to_owned(),
        }
    }
}

/// A person's place among a hundred.
fn place(project_id: ProjectId, document_id: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(project_id.0.to_be_bytes());
    hash.update(document_id);
    let first = hash.finalize().into_iter().take(8);
    first.fold(0_u64, |number, byte| number << 8 | u64::from(byte)) % 100
}

fn names(state: State) -> String {
    let names = state.sources().iter().map(|source| source.as_str());
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROJECT: ProjectId = ProjectId(7);

    fn a_state() -> impl Strategy<Value = State> {
        prop::sample::select(State::ALL.to_vec())
    }

    fn some_reads() -> impl Strategy<Value = Reads> {
        let source = prop::sample::select(ReadSource::ALL.to_vec());
        (source, 0_u8..=120).prop_map(|(source, share)| Reads {
            share,
            ..Reads::of(source, 1)
        })
    }

    proptest! {
        #[test]
        fn laws_of_reads_nobody_is_read_from_roster_before_it_knows_all(reads in some_reads(), state in a_state(), id in "[a-z0-9]{1,20}") {
            let Ok(set) = reads.checked(state) else { return Ok(()) };
            let is_early = matches!(state, State::Mirror | State::Backfill | State::Verify);
            prop_assert!(!(is_early && set.source_of(PROJECT, &id) == ReadSource::Roster));
            prop_assert!(!matches!(state, State::Soak | State::Done) || set.source == ReadSource::Roster);
        }

        #[test]
        fn laws_of_reads_a_share_that_grows_takes_nobody_back(id in "[a-z0-9]{1,20}", low in 0_u8..=100, more in 0_u8..=100) {
            let at = |share| Reads { share, ..Reads::of(ReadSource::Legacy, 1) }.source_of(PROJECT, &id);
            let high = low.saturating_add(more).min(100);
            prop_assert!(at(low) != ReadSource::Roster || at(high) == ReadSource::Roster);
            prop_assert_eq!((at(0), at(100)), (ReadSource::Legacy, ReadSource::Roster));
        }

        #[test]
        fn laws_of_reads_a_way_back_takes_them_back(reads in prop::option::of(some_reads()), from in a_state()) {
            let back = Reads::behind(reads, Some(from), State::RolledBack, 9);
            if reads.is_none() && from == State::Plan {
                prop_assert_eq!(back, None);
            } else {
                prop_assert_eq!(back, Some(Reads::of(ReadSource::Legacy, 9)));
            }
        }
    }

    #[test]
    fn a_share_is_about_as_many_people() {
        let reads = Reads {
            share: 20,
            ..Reads::of(ReadSource::Compare, 1)
        };
        let people = (0..10_000).map(|number| format!("p-{number}"));
        let own = people.filter(|id| reads.source_of(PROJECT, id) == ReadSource::Roster);
        let count = own.count();
        assert!((1_800..2_200).contains(&count), "{count}");
    }

    /// The page has the same table.
    #[test]
    fn the_table_of_the_page_is_that_of_the_states() {
        let page = include_str!("../../docs/MIGRATION.md");
        for state in State::ALL {
            let share = if state.has_share() {
                ", with a share"
            } else {
                ""
            };
            let behind = match Reads::behind(None, Some(State::Mirror), state, 1) {
                Some(reads) => format!("`{}`", reads.source.as_str()),
                None => "as it was".to_owned(),
            };
            let row = format!(
                "| `{}` | {}{share} | {behind} |",
                state.as_str(),
                names(state)
            );
            assert!(page.contains(&row), "docs/MIGRATION.md lacks: {row}");
        }
    }
}
