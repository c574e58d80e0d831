//! `roster bench`: how close the service comes to the raw limit of its database, in one run on one machine.
//!
//! It starts what it measures (a private database, or one that is named, and a `roster serve` of this same program) and takes
//! turns of a few seconds: an ideal SQL client, then each kind of request, round after round, so that what else happens on the
//! machine meets all of them alike. Ratios are taken within a round, and medians over the rounds. It fails where an answer is
//! neither 200 nor a refusal, or where a row is missing at the end. With `--against` it measures a service that runs somewhere, of which it
//! knows less.
//!
//! A scenario says what is measured (`scenarios`), a kind what one turn does (`kind`, `work`); all of them start the same service
//! (`stage`), send by the same generator (`load`), count in the same tally and give the same results (`report`).
//!
//! The load generator is one thread: it shares the processors with what it measures.

mod bars;
mod bodies;
mod cost;
mod http;
mod idle;
mod kind;
mod legacy;
mod load;
mod machine;
mod people;
mod progress;
mod raw;
mod raw_profiles;
mod report;
mod request;
mod scenarios;
mod settings;
mod shape;
mod stage;
mod tally;
mod target;
mod turn;
mod wal;
mod work;

pub use settings::Settings;

use crate::config::Config;
use crate::output;
use anyhow::Result;
use progress::Progress;
use report::Results;
use scenarios::Scene;
use settings::{Scenario, Verb};

/// Arguments that are nobody's business but the caller's.
const SECRETS: [&str; 2] = ["--key", "--database-url"];

/// Measures, or reads what was measured; prints tables, and writes and judges as it was asked to.
///
/// # Errors
/// When something can't be started, an answer was neither 200 nor a refusal, rows are missing, or a bar was missed.
pub fn run(settings: &Settings, config: &Config) -> Result<()> {
    if let Some(Verb::Report { file, into, judged }) = &settings.verb {
        let results = Results::read(file)?;
        match into {
            Some(page) => report::write_into(page, file, &results)?,
            None => output::text(report::section(&results))?,
        }
        return report::judge(judged, &results);
    }
    if let Some(path) = &settings.judged.compare {
        // What can't be read is told before minutes are spent.
        Results::read(path)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let progress = Progress::new();
    let (results, outcome) = runtime.block_on(measure(settings, config, &progress));
    progress.end();
    if let Some(path) = &settings.json {
        std::fs::write(path, serde_json::to_vec_pretty(&results)?)?;
    }
    output::text(report::text(&results))?;
    outcome?;
    report::judge(&settings.judged, &results)
}

/// What was measured, also where a scenario failed: minutes of others are not thrown away with it.
async fn measure(
    settings: &Settings,
    config: &Config,
    progress: &Progress,
) -> (Results, Result<()>) {
    let (chosen, left_out) = settings.chosen();
    let mut results = Results {
        command: command(std::env::args()),
        at: format!("{:.0}", bodies::now()),
        processors: machine::processors(),
        load_before: machine::load_average(),
        notes: left_out.iter().map(|one| why(*one)).collect(),
        ..Results::default()
    };
    if settings.against.is_some() {
        results.notes.push(
            "A service that runs somewhere: there is no raw limit to hold it against, its rows were not counted in a database, and what a \
             row costs, its processor time and its memory are not known here."
                .to_owned(),
        );
    }
    let scene = Scene {
        settings,
        config,
        progress,
    };
    let outcome = scene.measure(&chosen, |part| results.absorb(part)).await;
    if let Err(error) = &outcome {
        results.notes.push(format!("Failed: {error:#}"));
    }
    (results, outcome)
}

fn why(scenario: Scenario) -> String {
    let name = scenario.name();
    match scenario {
        Scenario::Backfill => {
            format!("{name} was left out: it needs --brokers and a service of its own.")
        }
        Scenario::Reads => {
            format!("{name} was left out: it needs --legacy and a service of its own.")
        }
        _ => format!("{name} was left out: it needs a service of its own, with its database."),
    }
}

/// The command line without what is secret.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut words = vec!["roster".to_owned()];
    let mut is_secret = false;
    for argument in arguments.skip(1) {
        let named = SECRETS.iter().find(|name| {
            argument
                .strip_prefix(**name)
                .is_some_and(|rest| rest.starts_with('='))
        });
        words.push(match named {
            Some(name) => format!("{name}=…"),
            None if is_secret => "…".to_owned(),
            None => argument.clone(),
        });
        is_secret = SECRETS.contains(&&*argument);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_command_tells_no_secret() {
        let words = "/bin/roster --database-url postgres://a:b@c bench batch --key=rk_1 --against http://h --key rk_2";
        let told = command(words.split(' ').map(str::to_owned));
        assert_eq!(
            told,
            "roster --database-url … bench batch --key=… --against http://h --key …"
        );
    }
}
