//! Reads a file as an import would, and tells what would come of it. It opens no database and asks no service.

use super::backfill::calls;
use crate::config::Config;
use crate::domain::{Class, Gate, KeyKind, Kinds, ProjectId, Timestamp};
use crate::files::{
    FileLimits, FileReader, FileRecord, Format, Layout, Preview, Sampler, Seen, unclear,
};
use crate::mapping::{Mapping, Record, Survey};
use anyhow::{Context, Result, anyhow};

/// What is said of a file.
pub struct Trial {
    pub name: String,
    pub layout: Layout,
    /// TOML.
    pub mapping: Option<String>,
    pub time: Timestamp,
    /// Records after which it is enough.
    pub most: u64,
}

/// Reads a file, whose bytes `next` gives until there are no more.
///
/// # Errors
/// With one sentence: the mapping, or what makes the file unusable.
pub fn trial(
    config: &Config,
    asked: &Trial,
    mut next: impl FnMut() -> Result<Option<Vec<u8>>>,
) -> Result<(Survey, Seen)> {
    let mapping = mapping(asked)?;
    let layout = asked.layout.clone().used_by(&mapping);
    let mut reader = FileReader::new(&layout, limits(config))?;
    let mut survey = Survey::new(&mapping, false);
    let (mut records, mut is_over) = (Vec::new(), false);
    while !is_over && survey.records < asked.most {
        match next()? {
            Some(bytes) => reader.feed(&bytes, &mut records)?,
            None => {
                reader.end(&mut records)?;
                is_over = true;
            }
        }
        if is_over || !records.is_empty() {
            is_clear(config, (asked, &mapping), reader.seen())?;
        }
        for record in records.drain(..) {
            take(config, (asked, &mapping), &record, &mut survey);
        }
    }
    Ok((survey, reader.seen().clone()))
}

/// The same with the beginning of a file, and with what to begin with.
///
/// # Errors
/// As `trial`.
pub fn preview(config: &Config, asked: &Trial, (bytes, is_all): (&[u8], bool)) -> Result<Preview> {
    let mapping = mapping(asked)?;
    let (kinds, calls) = (Kinds::default(), calls());
    let gate = gate(config, asked, &kinds);
    let sampler = Sampler {
        layout: &asked.layout.clone().used_by(&mapping),
        limits: limits(config),
        mapping: &mapping,
        gate: &gate,
        start: asked.time,
        calls: &*calls,
        name: &asked.name,
    };
    let most = usize::try_from(asked.most).unwrap_or(usize::MAX);
    Ok(sampler.preview(bytes, is_all, most)?)
}

fn limits(config: &Config) -> FileLimits {
    FileLimits {
        record_bytes: config.imports.max_record_bytes,
        ..FileLimits::default()
    }
}

/// Kinds of identity of a project's own are none here: no project is looked up.
fn gate<'a>(config: &'a Config, asked: &Trial, kinds: &'a Kinds) -> Gate<'a> {
    Gate {
        project_id: ProjectId(0),
        class: Class::Import,
        by: KeyKind::Server,
        kinds,
        limits: &config.limits,
        received_at: asked.time,
        is_measured: false,
    }
}

/// Refuses a table as the service does, which knows the project's own kinds too.
fn is_clear(config: &Config, (asked, mapping): (&Trial, &Mapping), seen: &Seen) -> Result<()> {
    let columns = seen.columns.as_deref();
    let is_told = asked.layout.format == Format::Csv && mapping.is_by_columns();
    let kinds = Kinds::default();
    let refused = columns
        .filter(|_| is_told)
        .and_then(|columns| unclear(columns, &gate(config, asked, &kinds)));
    refused.map_or(Ok(()), |refused| Err(refused.into()))
}

fn mapping(asked: &Trial) -> Result<Mapping> {
    let parsed = asked.mapping.as_deref().map(Mapping::parse).transpose();
    let parsed = parsed.map_err(|complaints| anyhow!(complaints.join("; ")));
    let usual = || asked.layout.default_mapping();
    Ok(parsed.context("the mapping")?.unwrap_or_else(usual))
}

fn take(
    config: &Config,
    (asked, mapping): (&Trial, &Mapping),
    file: &FileRecord,
    survey: &mut Survey,
) {
    let (kinds, calls) = (Kinds::default(), calls());
    let gate = gate(config, asked, &kinds);
    let object = file.read.as_ref().unwrap_or(&file.text);
    let record = Record::of_file(Some(object), file.source(&asked.name, asked.layout.format));
    let read = match &file.read {
        Ok(_) => mapping.read(&record, &gate, asked.time, &*calls),
        Err(rejection) => Err(rejection.clone()),
    };
    let place = file.place.to_string();
    survey.take(&place, file.text.len(), &record, read);
}
