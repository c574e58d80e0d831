//! What a run can be asked for.

use super::bars::Bar;
use super::shape::Shape;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// What a run can be asked for.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Settings {
    /// What to measure; raw and mixed where nothing is named
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Seconds of one turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Rounds of turns; the first is a warm-up that counts for nothing but the rows
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    pub rounds: u8,
    /// Profiles that exist before the first turn
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1_000..=9_999_999))]
    pub people: u32,
    /// Events that exist before the first turn
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..1_000_000_000))]
    pub stored: u32,
    /// Connections that send single events or users
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: u16,
    /// Connections that send batches or read profiles
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub batch_connections: u16,
    /// Connections that stay open beside those that send requests in turns, as many clients keep theirs; they are closed by
    /// the service after `server.keep_alive_seconds`
    #[arg(long, default_value_t = 0, conflicts_with = "against")]
    pub idle: u16,
    /// When requests are due in the open loop that follows the turns, in items a second: 5000, 80% (of the peak in the turns),
    /// ramp:1000..20000, step:1000,50%,20000, burst:1000..20000/10 (the last tenth of every 10 s at the second rate), or none
    #[arg(long, default_value = "80%", value_parser = rate)]
    pub rate: Pace,
    /// Seconds of the open loop
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub stretch: u64,
    #[command(flatten)]
    pub live: Live,
    /// Projects of `tenants`, held against ten with as many people in all
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(11..))]
    pub projects: u32,
    /// Seconds of `soak`, at 70 % of the peak
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(2..))]
    pub soak_seconds: u64,
    /// The project mirrors: what changes is marked, and nobody publishes it
    #[arg(long)]
    pub mirrored: bool,
    #[command(flatten)]
    pub legacy: Legacy,
    /// Measure the service that runs there, http://HOST:PORT, instead of one of this program's own
    #[arg(long, requires = "key")]
    pub against: Option<String>,
    /// A key of a project there that may be filled with rubbish; a server key for `iterable`
    #[arg(long, env = "ROSTER_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Write the results to this file
    #[arg(long)]
    pub json: Option<PathBuf>,
    #[command(flatten)]
    pub judged: Judged,
}

/// What else is done with results.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Show a saved run as a section of a page
    Report {
        /// What --json wrote
        file: PathBuf,
        /// Write the section into this page, in place of the one that it has of the same file
        #[arg(long)]
        into: Option<PathBuf>,
        #[command(flatten)]
        judged: Judged,
    },
}

/// How results are shown and judged.
#[derive(Clone, Debug, Default, Args)]
pub struct Judged {
    /// Draw the results, second by second, into this file
    #[arg(long)]
    pub html: Option<PathBuf>,
    /// Hold the results against a saved run; a ratio that is 10 % worse fails
    #[arg(long)]
    pub compare: Option<PathBuf>,
    /// A bar that fails where it is not reached: batch=0.8 (a ratio), single-open.p99=..20, flood-times=..2; as often as needed
    #[arg(long = "bar")]
    pub bars: Vec<Bar>,
    /// Fail where one of the bars in the report is missed
    #[arg(long)]
    pub stated: bool,
}

/// Live requests beside something.
#[derive(Clone, Debug, Args)]
pub struct Live {
    /// Seconds of live requests alone, then beside a flood, a backfill or an import, and so on in turn
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub live_seconds: u64,
    /// Turns of live requests, each alone and beside; 0 leaves them out of `backfill` and `import`
    #[arg(long, default_value_t = 2)]
    pub live_turns: u8,
}

/// What `backfill` and `reads` need.
#[derive(Clone, Debug, Args)]
pub struct Legacy {
    /// OpenSearch or Elasticsearch for `reads`, http://HOST:PORT; an index of the run's own is made there, and deleted at its end
    #[arg(long = "legacy")]
    pub store: Option<String>,
    /// Kafka for `backfill`, HOST:PORT; topics of the run's own are made there, and deleted at its end
    #[arg(long)]
    pub brokers: Option<String>,
    /// Records of people who are new; half as many change people who are known
    #[arg(long, default_value_t = 2_000_000)]
    pub records: u64,
    /// Measure another sink too, on the same topic and into the same database, which is to be named: benches/jdbc-sink/run
    #[arg(long)]
    pub sink: Option<PathBuf>,
}

/// The pace of an open loop, if there is to be one.
#[derive(Clone, Debug)]
pub struct Pace(pub Option<Shape>);

fn rate(text: &str) -> anyhow::Result<Pace> {
    Ok(Pace(match text {
        "none" => None,
        text => Some(text.parse()?),
    }))
}

/// A part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// An ideal SQL client: the limit that all others are held against
    Raw,
    /// `/v1/batch`, 100 events a request
    Batch,
    /// `/v1/track`, one event a request
    Single,
    /// `/v1/batch`, 100 identify calls a request
    Identify,
    /// What people do all day: known ones with two names, visitors, identifies, retries and late events
    Mixed,
    /// `users/update` and `users/bulkUpdate` of the Iterable-compatible API
    Iterable,
    /// Many projects beside ten
    Tenants,
    /// Ten projects beside one in which everybody writes about one profile
    Hot,
    /// Ten projects beside one that floods
    Flood,
    /// Legacy profiles through Kafka, alone and beside live requests; needs --brokers
    Backfill,
    /// Files of events and of new profiles, alone and beside live requests
    Import,
    /// Profile reads of a project that moves, from Roster, from the legacy store and compared; needs --legacy
    Reads,
    /// What each promise of the table of events costs, piece by piece; needs PostgreSQL
    Row,
    /// Mixed requests at 70 % of the peak for a long time, with the memory they take
    Soak,
    /// All of these; `backfill` where there are --brokers, `reads` where there is a --legacy
    All,
}

impl Scenario {
    /// As it is chosen on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether it can be measured on a service of which only an address and a key are known.
    pub const fn can_be_remote(self) -> bool {
        matches!(
            self,
            Self::Batch | Self::Single | Self::Identify | Self::Mixed | Self::Iterable | Self::Soak
        )
    }
}

impl Settings {
    /// What is measured, each once, in the order of the list above; and what of it was left out.
    pub fn chosen(&self) -> (Vec<Scenario>, Vec<Scenario>) {
        let is_all = self.scenarios.contains(&Scenario::All);
        let is_default = self.scenarios.is_empty();
        let wanted = |scenario: &Scenario| match scenario {
            Scenario::All => false,
            Scenario::Raw | Scenario::Mixed if is_default => true,
            scenario => is_all || self.scenarios.contains(scenario),
        };
        let can = |scenario: &Scenario| match scenario {
            Scenario::Backfill if is_all => self.legacy.brokers.is_some(),
            Scenario::Reads if is_all => self.legacy.store.is_some(),
            _ => true,
        };
        let all = Scenario::value_variants().iter().copied().filter(wanted);
        all.partition(|scenario| {
            can(scenario) && (self.against.is_none() || scenario.can_be_remote())
        })
    }

    /// The time of one turn.
    pub const fn turn(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Rounds that count for nothing but the rows.
    pub fn warm_ups(&self) -> usize {
        usize::from(self.rounds > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings(words: &str) -> Settings {
        let words = ["bench"].into_iter().chain(words.split_whitespace());
        Command::try_parse_from(words).expect("settings").settings
    }

    #[test]
    fn scenarios_stand_once_and_in_order() {
        let chosen = |words| settings(words).chosen().0;
        assert_eq!(chosen(""), [Scenario::Raw, Scenario::Mixed]);
        let named = [Scenario::Single, Scenario::Flood];
        assert_eq!(chosen("flood single flood"), named);
        assert!(!chosen("all").contains(&Scenario::Backfill));
        assert!(chosen("all --brokers h:1").contains(&Scenario::Backfill));
        assert!(chosen("backfill").contains(&Scenario::Backfill));
        assert!(!chosen("all").contains(&Scenario::Reads));
        assert!(chosen("all --legacy http://h").contains(&Scenario::Reads));
    }

    #[test]
    fn of_a_running_service_some_things_cannot_be_had() {
        let (chosen, left) = settings("--against http://h --key k").chosen();
        assert_eq!(chosen, [Scenario::Mixed]);
        assert_eq!(left, [Scenario::Raw]);
    }

    #[test]
    fn a_report_is_no_scenario() {
        let settings = settings("report run.json --bar batch=0.8");
        let Some(Verb::Report { file, judged, .. }) = settings.verb else {
            panic!("a verb");
        };
        assert_eq!((file, judged.bars.len()), (PathBuf::from("run.json"), 1));
    }
}
