//! What is measured, for how long, in which order.

use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

/// What a run can be asked for.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// Seconds of one turn
    #[arg(long, default_value_t = 3)]
    pub seconds: u64,
    /// Rounds of turns; the first is a warm-up that counts for nothing but the rows
    #[arg(long, default_value_t = 6)]
    pub rounds: usize,
    /// Profiles that exist before the first turn
    #[arg(long, default_value_t = 200_000)]
    pub people: u32,
    /// Connections that send single events
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Connections that send batches
    #[arg(long, default_value_t = 16)]
    pub batch_connections: usize,
    /// Measure only these; the raw limits they are held against are always measured
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Kind>,
    /// Measure fair shares instead: ten projects beside one that floods
    #[arg(long)]
    pub flood: bool,
    /// Measure so many projects instead, beside ten with as many people in all
    #[arg(long, default_value_t = 0)]
    pub tenants: u32,
    /// Measure a backfill instead: alone, and beside live requests
    #[arg(long, requires = "brokers")]
    pub backfill: bool,
    /// The project mirrors: what changes is marked, and nobody publishes it
    #[arg(long)]
    pub mirrored: bool,
    #[command(flatten)]
    pub legacy: Legacy,
    /// Write the results to this file
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// What a run of `--backfill` can be asked for.
#[derive(Clone, Debug, Default, Args)]
pub struct Legacy {
    /// Kafka, HOST:PORT; topics of the run's own are made there, and deleted at its end
    #[arg(long)]
    pub brokers: Option<String>,
    /// Records of people who are new; half as many change people who are known
    #[arg(long, default_value_t = 2_000_000)]
    pub records: u64,
    /// Seconds of live requests: alone, beside the backfill, and so on in turn
    #[arg(long, default_value_t = 30)]
    pub live_seconds: u64,
    /// Turns of live requests, each alone and beside; 0 leaves them out
    #[arg(long, default_value_t = 2)]
    pub live_turns: usize,
    /// Measure another sink too, on the same topic and into the same database, which is to be named: benches/jdbc-sink/run
    #[arg(long)]
    pub sink: Option<PathBuf>,
    /// Draw what live requests felt, second by second, into this file
    #[arg(long)]
    pub plot: Option<PathBuf>,
}

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An ideal SQL client storing events, 2 connections
    RawEvents2,
    /// The same, 4 connections
    RawEvents4,
    /// `/v1/batch`, 100 events a request
    Batch,
    /// `/v1/track`, one event a request
    Track,
    /// An ideal SQL client reading and writing traits, 4 connections
    RawTraits,
    /// The same, storing the identify events as well
    RawIdentify,
    /// `/v1/batch`, 100 identify calls a request
    Identify,
    /// An ideal SQL client making profiles with two names, 4 connections
    #[value(skip)]
    RawProfiles,
    /// Reading a topic, and nothing else
    #[value(skip)]
    LegacyRead,
    /// Reading it by a mapping
    #[value(skip)]
    LegacyMapped,
    /// A backfill of people who are new
    #[value(skip)]
    LegacyNew,
    /// A backfill that changes people who are known
    #[value(skip)]
    LegacyChanged,
    /// Somebody else's sink on the topic of new people
    #[value(skip)]
    Sink,
}

/// Items of one request of `/v1/batch`.
pub const BATCH_ITEMS: usize = 100;

impl Kind {
    /// In the order of the report.
    pub const ALL: [Self; 7] = [
        Self::RawEvents2,
        Self::RawEvents4,
        Self::Batch,
        Self::Track,
        Self::RawTraits,
        Self::RawIdentify,
        Self::Identify,
    ];

    /// Those of `--backfill`.
    pub const LEGACY: [Self; 7] = [
        Self::RawProfiles,
        Self::LegacyRead,
        Self::LegacyMapped,
        Self::LegacyNew,
        Self::Sink,
        Self::RawTraits,
        Self::LegacyChanged,
    ];

    /// The line's name in the report.
    pub fn title(self) -> &'static str {
        match self {
            Self::RawEvents2 => "raw events, 2 connections",
            Self::RawEvents4 => "raw events, 4 connections",
            Self::Batch => "/v1/batch, 100 events",
            Self::Track => "/v1/track, single events",
            Self::RawTraits => "raw traits",
            Self::RawIdentify => "raw traits and events",
            Self::Identify => "/v1/batch, 100 identifies",
            Self::RawProfiles => "raw new profiles",
            Self::LegacyRead => "topic read",
            Self::LegacyMapped => "topic read and mapped",
            Self::LegacyNew => "backfill, new people",
            Self::LegacyChanged => "backfill, known people",
            Self::Sink => "the other sink",
        }
    }

    /// What this is held against: the best of these, within the same round.
    pub fn limits(self) -> &'static [Self] {
        match self {
            Self::RawEvents2 | Self::RawEvents4 | Self::Batch | Self::Track => {
                &[Self::RawEvents2, Self::RawEvents4]
            }
            Self::RawTraits | Self::LegacyChanged => &[Self::RawTraits],
            Self::RawIdentify | Self::Identify => &[Self::RawIdentify],
            Self::RawProfiles
            | Self::LegacyRead
            | Self::LegacyMapped
            | Self::LegacyNew
            | Self::Sink => &[Self::RawProfiles],
        }
    }

    /// True where each item adds a row of `event`.
    pub fn stores_events(self) -> bool {
        self != Self::RawTraits
    }
}

impl Settings {
    /// The turns of one round. Every other round runs backwards, so that no kind always comes after the same other.
    pub fn turns(&self, round: usize) -> Vec<Kind> {
        let wanted = |kind: &Kind| {
            self.only.is_empty()
                || self
                    .only
                    .iter()
                    .any(|only| only == kind || only.limits().contains(kind))
        };
        let mut turns: Vec<Kind> = Kind::ALL.into_iter().filter(wanted).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_brings_its_limits_along() {
        let settings = Settings {
            seconds: 1,
            rounds: 2,
            people: 1,
            connections: 1,
            batch_connections: 1,
            only: vec![Kind::Track],
            flood: false,
            tenants: 0,
            backfill: false,
            mirrored: false,
            legacy: Legacy::default(),
            json: None,
        };
        let forwards = [Kind::RawEvents2, Kind::RawEvents4, Kind::Track];
        assert_eq!(settings.turns(0), forwards);
        assert!(settings.turns(1).iter().rev().eq(&forwards));
    }
}
