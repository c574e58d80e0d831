//! Reads a sample of records by a mapping and tells what would be written. It opens no database.

use super::backfill::calls;
use crate::backfill::{self, too_large};
use crate::clock::machine_time;
use crate::config::{Config, KafkaProperties};
use crate::domain::{Class, Gate, KeyKind, Kinds, ProjectId};
use crate::mapping::{Estimate, Mapping, Record, Survey};
use anyhow::{Result, anyhow};
use std::path::PathBuf;

/// What to look at.
pub struct Asked {
    /// Without one records are in Roster's own format.
    pub mapping: Option<PathBuf>,
    pub origin: Origin,
    /// About so many records.
    pub most: usize,
}

/// Where records come from.
pub enum Origin {
    Topic {
        topic: String,
        /// Of librdkafka.
        properties: KafkaProperties,
    },
    Files(Vec<PathBuf>),
}

/// Looks at a sample, and tells what the whole would come to.
///
/// # Errors
/// With one sentence for the operator: the mapping, the broker, the topic, a file.
pub fn check(config: &Config, asked: Asked) -> Result<(Survey, Estimate)> {
    let told = |text: String| anyhow!(text);
    let mapping = match &asked.mapping {
        Some(path) => backfill::read_mapping(path).map_err(told)?,
        None => Mapping::roster(),
    };
    let has_keys = matches!(asked.origin, Origin::Topic { .. });
    let mut survey = Survey::new(&mapping, has_keys);
    let limit = config.backfill.max_record_bytes;
    let mut each = taking(config, &mapping, &mut survey);
    let records = match asked.origin {
        Origin::Topic { topic, properties } => {
            backfill::sample(&topic, &properties, asked.most, &mut each)
        }
        Origin::Files(files) => backfill::lines(&files, asked.most, limit, &mut each),
    };
    let records = records.map_err(told)?;
    drop(each);
    let estimate = survey.estimate(records);
    Ok((survey, estimate))
}

/// Reads each record as a backfill would. Kinds of identity of a project's own are none here: no project is looked up.
fn taking<'a>(
    config: &'a Config,
    mapping: &'a Mapping,
    survey: &'a mut Survey,
) -> impl FnMut(&str, usize, &Record<'_>) + 'a {
    let (start, most) = (machine_time(), config.backfill.max_record_bytes);
    let (kinds, calls) = (Kinds::default(), calls());
    move |place, bytes, record| {
        let gate = Gate {
            project_id: ProjectId(0),
            class: Class::Backfill,
            by: KeyKind::Server,
            kinds: &kinds,
            limits: &config.limits,
            received_at: record.at.unwrap_or(start),
            is_measured: false,
        };
        let read = if bytes > most {
            Err(too_large(bytes, most))
        } else {
            mapping.read(record, &gate, start, &*calls)
        };
        survey.take(place, bytes, record, read);
    }
}
