//! One topic of legacy records: where it is, whose people it has, and how a record is read.

use super::kafka::Properties;
use crate::config::{Backfill, BackfillSource};
use crate::domain::{Limits, Timestamp};
use crate::mapping::{Calls, Mapping, Record};
use std::borrow::Cow;
use std::path::Path;

/// A source, checked.
pub struct Source {
    /// Names it in the database, in metrics, and on the command line.
    pub name: String,
    pub topic: String,
    pub group: String,
    /// Whose the records are; `None` where each says it, as the mapping tells.
    pub project: Option<String>,
    pub mapping: Mapping,
    /// Reads messages of the tracking API.
    pub calls: Calls,
    /// The time of records that have none; else the moment when the source was first opened.
    pub start: Option<Timestamp>,
    pub dead_letter_topic: Option<String>,
    pub properties: Properties,
    pub limits: Limits,
    pub settings: Backfill,
}

impl Source {
    /// The name of the project that a record is of, where one is said.
    pub(super) fn project_of(&self, record: &Record<'_>) -> Option<Cow<'_, str>> {
        match &self.project {
            Some(name) => Some(Cow::Borrowed(name)),
            None => self.mapping.project(record).map(Cow::Owned),
        }
    }

    /// Reads what a source's settings name.
    ///
    /// # Errors
    /// One sentence that names the setting.
    pub fn load(
        own: &BackfillSource,
        settings: &Backfill,
        limits: &Limits,
        calls: &Calls,
    ) -> Result<Self, String> {
        let told = |what: &str| format!("backfill source {:?}: {what}", own.name);
        if own.name.is_empty() || own.topic.is_empty() {
            return Err(told("it needs a name and a topic"));
        }
        let mapping = match &own.mapping {
            Some(path) => read_mapping(path).map_err(|reason| told(&reason))?,
            None => Mapping::roster(),
        };
        let start = own.start.as_deref().map(|text| {
            Timestamp::parse(text).ok_or_else(|| told(&format!("start {text:?} is no time")))
        });
        let group = own.group.clone();
        Ok(Self {
            name: own.name.clone(),
            topic: own.topic.clone(),
            group: group.unwrap_or_else(|| format!("roster-{}", own.name)),
            project: own.project.clone(),
            mapping,
            calls: calls.clone(),
            start: start.transpose()?,
            dead_letter_topic: own.dead_letter_topic.clone(),
            properties: Properties::revealed([&settings.kafka, &own.kafka]),
            limits: limits.clone(),
            settings: settings.clone(),
        })
    }
}

/// Reads a mapping file.
///
/// # Errors
/// One sentence with all that is wrong.
pub fn read_mapping(path: &Path) -> Result<Mapping, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the mapping {shown} can't be read: {error}"))?;
    Mapping::parse(&text).map_err(|complaints| format!("{shown}: {}", complaints.join("; ")))
}
