//! `roster backfill check`: what a topic or files would come to, by a mapping.

use super::kafka::KafkaArgs;
use crate::config::Config;
use crate::mapping::{Estimate, Survey};
use crate::output;
use crate::server::check::{Asked, Origin, check};
use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;

/// What to look at.
#[derive(Debug, Args)]
pub struct Check {
    /// How records are read; without it they are in Roster's own format
    #[arg(long)]
    mapping: Option<PathBuf>,
    /// The topic
    #[arg(long, conflicts_with = "files")]
    topic: Option<String>,
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Files with a record a line, as they are or compressed by gzip or zstd
    files: Vec<PathBuf>,
    /// Read about so many records
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    sample: u32,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    survey: &'a Survey,
    whole: Estimate,
}

impl Check {
    /// Looks, and prints what was seen.
    ///
    /// # Errors
    /// With one sentence for the operator.
    pub fn run(self, config: &Config) -> Result<()> {
        let is_json = self.json;
        let (survey, whole) = check(config, self.asked(config)?)?;
        if is_json {
            let survey = &survey;
            output::line(serde_json::to_string(&Report { survey, whole })?)?;
        } else {
            for line in lines(&survey, &whole, "the source's start") {
                output::line(line)?;
            }
        }
        Ok(())
    }

    fn asked(self, config: &Config) -> Result<Asked> {
        let origin = match self.topic {
            Some(topic) => {
                let mut properties = config.backfill.kafka.clone();
                properties.extend(self.kafka.properties());
                Origin::Topic { topic, properties }
            }
            None if self.files.is_empty() => {
                bail!(
                    "there is nothing to look at: name a topic with --topic and --brokers, or files"
                )
            }
            None => Origin::Files(self.files),
        };
        Ok(Asked {
            mapping: self.mapping,
            origin,
            most: self.sample as usize,
        })
    }
}

/// What was seen, for people. Records without a time are true since `start`.
pub(super) fn lines(survey: &Survey, whole: &Estimate, start: &str) -> Vec<String> {
    let mut lines = vec![format!(
        "{} records read, {} bytes",
        survey.records, survey.bytes
    )];
    let forms = survey.commands;
    lines.push(format!(
        "they would write: upserts {}, deletions {}, events {}",
        forms.upsert, forms.delete, forms.event
    ));
    if !survey.control.is_empty() {
        lines.push(format!("about nobody: {}", listed(&survey.control)));
    }
    if survey.truncated > 0 {
        let count = survey.truncated;
        lines.push(format!(
            "{count} say that the source was emptied: each would pause it"
        ));
    }
    rejections(survey, &mut lines);
    names(survey, &mut lines);
    fields(survey, &mut lines);
    warnings(survey, &mut lines);
    times(survey, start, &mut lines);
    keys(survey, &mut lines);
    largest(survey, &mut lines);
    lines.push(format!(
        "the whole, if it is like this: about {} records, {} bytes; at most {} profiles and {} identities; {} events",
        whole.records, whole.bytes, whole.profiles_at_most, whole.identities_at_most, whole.events
    ));
    lines
}

fn rejections(survey: &Survey, lines: &mut Vec<String>) {
    let all = survey.rejections.values().map(|refused| refused.count);
    lines.push(format!("refused: {}", all.sum::<u64>()));
    for refused in survey.rejections.values() {
        let (count, place, reason) = (refused.count, &refused.place, &refused.reason);
        lines.push(format!("  {count} times {reason}; first at {place}"));
    }
    if survey.without_identity > 0 {
        let count = survey.without_identity;
        lines.push(format!("without identity: {count}"));
    }
}

fn names(survey: &Survey, lines: &mut Vec<String>) {
    if let Some(projects) = &survey.projects {
        lines.push(format!("projects: {}", listed(&projects.by_name)));
        others(projects.of_others, lines);
    }
    lines.push(format!(
        "identities: {}",
        listed(&survey.identities.by_name)
    ));
    others(survey.identities.of_others, lines);
}

fn fields(survey: &Survey, lines: &mut Vec<String>) {
    lines.push("traits:".to_owned());
    for (path, field) in &survey.fields.0.by_name {
        let mut line = format!("  {path}: {}", listed(&field.types));
        if field.is_conflicting {
            line.push_str("  SEVERAL TYPES");
        }
        if field.looks_like_decimal {
            line.push_str("  looks like a decimal in base64");
        }
        if let Some(example) = &field.example {
            line.push_str(&format!("  {example}"));
        }
        lines.push(line);
    }
    others(survey.fields.0.of_others, lines);
}

fn warnings(survey: &Survey, lines: &mut Vec<String>) {
    for (code, fields) in &survey.warnings {
        lines.push(format!("warning {code}: {}", listed(&fields.by_name)));
        others(fields.of_others, lines);
    }
    for (key, places) in survey.never_met() {
        lines.push(format!("in no record: {key}, looked for at {places}"));
    }
}

fn times(survey: &Survey, start: &str, lines: &mut Vec<String>) {
    for (place, span) in &survey.times.by_name {
        if let (Some(earliest), Some(latest)) = (span.earliest, span.latest) {
            lines.push(format!("time {place}: {earliest} to {latest}"));
        }
    }
    others(survey.times.of_others, lines);
    if survey.without_time > 0 {
        let count = survey.without_time;
        lines.push(format!(
            "without a time: {count}; they count as true since {start}"
        ));
    }
}

fn keys(survey: &Survey, lines: &mut Vec<String>) {
    let Some(count) = survey.without_key.filter(|count| *count > 0) else {
        return;
    };
    let what = if survey.without_time > 0 {
        "records of one person come in any order, and those without a time lose theirs"
    } else {
        "records of one person come in any order, and their times tell the right one"
    };
    lines.push(format!("without a key: {count}; {what}"));
}

fn largest(survey: &Survey, lines: &mut Vec<String>) {
    let all = survey.largest.iter();
    let all = all.map(|one| format!("{} with {} bytes", one.place, one.bytes));
    let all: Vec<String> = all.collect();
    if !all.is_empty() {
        lines.push(format!("largest: {}", all.join(", ")));
    }
}

fn others(count: u64, lines: &mut Vec<String>) {
    if count > 0 {
        lines.push(format!(
            "  and {count} times a name that found no more room in this report"
        ));
    }
}

fn listed<N: Display>(counts: &BTreeMap<N, u64>) -> String {
    let all = counts.iter().map(|(name, count)| format!("{name} {count}"));
    let all: Vec<String> = all.collect();
    if all.is_empty() {
        return "none".to_owned();
    }
    all.join(", ")
}
