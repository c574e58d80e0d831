//! The things that are measured in turns: their names, and what each is held against.

use super::settings::Scenario;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    RawEvents2,
    RawEvents4,
    RawTraits,
    RawIdentify,
    RawProfiles,
    Batch,
    Single,
    Identify,
    Mixed,
    Update,
    BulkUpdate,
    FewSingle,
    ManySingle,
    FewBatch,
    ManyBatch,
    ImportEvents,
    ImportProfiles,
    TopicRead,
    TopicMapped,
    BackfillNew,
    BackfillKnown,
    Sink,
    ReadsStill,
    ReadsMoving,
    ReadsLegacy,
    ReadsCompare,
}

/// What others take for one item: parts of an item of each.
pub type Blend = &'static [(Kind, f64)];

use Kind::{
    BackfillKnown, BackfillNew, Batch, BulkUpdate, FewBatch, FewSingle, Identify, ImportEvents,
    ImportProfiles, ManyBatch, ManySingle, Mixed, RawEvents2, RawEvents4, RawIdentify, RawProfiles,
    RawTraits, ReadsCompare, ReadsLegacy, ReadsMoving, ReadsStill, Single, Sink, TopicMapped,
    TopicRead, Update,
};

const EVENTS: &[Blend] = &[&[(RawEvents2, 1.0)], &[(RawEvents4, 1.0)]];
const TRAITS: &[Blend] = &[&[(RawTraits, 1.0)]];
const PROFILES: &[Blend] = &[&[(RawProfiles, 1.0)]];
/// Of ten items nine are events and one an identify; a visitor is new in one of eight of his, which are two of ten.
const MIX: &[Blend] = &[
    &[(RawEvents2, 0.9), (RawIdentify, 0.1), (RawProfiles, 0.025)],
    &[(RawEvents4, 0.9), (RawIdentify, 0.1), (RawProfiles, 0.025)],
];

impl Kind {
    /// In the order of the report.
    pub const ALL: [Self; 26] = [
        RawEvents2,
        RawEvents4,
        Batch,
        Single,
        RawTraits,
        RawIdentify,
        Identify,
        RawProfiles,
        Mixed,
        Update,
        BulkUpdate,
        FewSingle,
        ManySingle,
        FewBatch,
        ManyBatch,
        ImportEvents,
        ImportProfiles,
        TopicRead,
        TopicMapped,
        BackfillNew,
        Sink,
        BackfillKnown,
        ReadsStill,
        ReadsMoving,
        ReadsLegacy,
        ReadsCompare,
    ];

    /// The name by which bars and comparisons know it, and the one that people read.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            RawEvents2 => ("raw-events-2", "raw events, 2 connections"),
            RawEvents4 => ("raw-events-4", "raw events, 4 connections"),
            RawTraits => ("raw-traits", "raw traits"),
            RawIdentify => ("raw-identify", "raw traits and events"),
            RawProfiles => ("raw-profiles", "raw new profiles"),
            Batch => ("batch", "/v1/batch, 100 events"),
            Single => ("single", "/v1/track, single events"),
            Identify => ("identify", "/v1/batch, 100 identifies"),
            Mixed => ("mixed", "/v1/batch, 100 mixed"),
            Update => ("update", "users/update, single users"),
            BulkUpdate => ("bulk-update", "users/bulkUpdate, 100 users"),
            FewSingle => ("few-single", "single events, 10 projects"),
            ManySingle => ("many-single", "single events, many projects"),
            FewBatch => ("few-batch", "batches, 10 projects"),
            ManyBatch => ("many-batch", "batches, many projects"),
            ImportEvents => ("import-events", "import of events"),
            ImportProfiles => ("import-profiles", "import of new profiles"),
            TopicRead => ("topic-read", "topic read"),
            TopicMapped => ("topic-mapped", "topic read and mapped"),
            BackfillNew => ("backfill-new", "backfill, new people"),
            BackfillKnown => ("backfill-known", "backfill, known people"),
            Sink => ("sink", "the other sink"),
            ReadsStill => ("reads-still", "profile reads, never moved"),
            ReadsMoving => ("reads-moving", "profile reads, moving, at roster"),
            ReadsLegacy => ("reads-at-legacy", "profile reads, moving, at legacy"),
            ReadsCompare => ("reads-at-compare", "profile reads, moving, at compare"),
        }
    }

    pub const fn name(self) -> &'static str {
        self.words().0
    }

    pub const fn title(self) -> &'static str {
        self.words().1
    }

    /// What this is held against, within the same round: the best of these.
    pub const fn limits(self) -> &'static [Blend] {
        match self {
            RawEvents2 | RawEvents4 | Batch | Single | ImportEvents => EVENTS,
            RawTraits | Update | BulkUpdate | BackfillKnown => TRAITS,
            RawIdentify | Identify => &[&[(RawIdentify, 1.0)]],
            RawProfiles | ImportProfiles | TopicRead | TopicMapped | BackfillNew | Sink => PROFILES,
            Mixed => MIX,
            FewSingle | ManySingle => &[&[(FewSingle, 1.0)]],
            FewBatch | ManyBatch => &[&[(FewBatch, 1.0)]],
            ReadsStill | ReadsMoving => &[&[(ReadsStill, 1.0)]],
            ReadsLegacy | ReadsCompare => &[&[(ReadsLegacy, 1.0)]],
        }
    }

    /// What it is held against, in words.
    pub const fn limit_title(self) -> &'static str {
        match self {
            Mixed => "raw, the same mix",
            FewSingle | ManySingle | FewBatch | ManyBatch => "10 projects",
            ReadsStill | ReadsMoving => "never moved",
            ReadsLegacy | ReadsCompare => "at legacy",
            _ => "raw",
        }
    }

    /// True where an ideal SQL client does it.
    pub const fn is_raw(self) -> bool {
        matches!(
            self,
            RawEvents2 | RawEvents4 | RawTraits | RawIdentify | RawProfiles
        )
    }

    /// What of a scenario is measured in turns.
    pub const fn of(scenario: Scenario) -> &'static [Self] {
        match scenario {
            Scenario::Raw => &[RawEvents2, RawEvents4, RawTraits, RawIdentify, RawProfiles],
            Scenario::Batch => &[Batch],
            Scenario::Single => &[Single],
            Scenario::Identify => &[Identify],
            Scenario::Mixed => &[Mixed],
            Scenario::Iterable => &[Update, BulkUpdate],
            _ => &[],
        }
    }

    /// These with what they are held against, in the order of the report.
    pub fn with_limits(kinds: &[Self]) -> Vec<Self> {
        let is_limit = |of: &Self, other: Self| {
            let mut parts = of.limits().iter().copied().flatten();
            parts.any(|(part, _)| *part == other)
        };
        let wanted =
            |kind: &Self| kinds.contains(kind) || kinds.iter().any(|of| is_limit(of, *kind));
        Self::ALL.into_iter().filter(wanted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_brings_its_limits_along() {
        let single = Kind::with_limits(&[Single]);
        assert_eq!(single, [RawEvents2, RawEvents4, Single]);
        let mixed = Kind::with_limits(&[Mixed]);
        let limits = [RawEvents2, RawEvents4, RawIdentify, RawProfiles, Mixed];
        assert_eq!(mixed, limits);
        assert_eq!(Kind::with_limits(&[ManyBatch]), [FewBatch, ManyBatch]);
    }

    #[test]
    fn each_stands_once_in_the_report() {
        for (place, kind) in Kind::ALL.iter().enumerate() {
            let first = Kind::ALL
                .iter()
                .position(|other| other.name() == kind.name());
            assert_eq!(first, Some(place));
        }
    }
}
