//! The settings of backfills.

use super::Secret;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Properties of librdkafka by name. Any may hold a secret.
pub type KafkaProperties = BTreeMap<String, Secret>;

/// A property as a file has it: numbers and booleans need no quotes.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a property is a text, a number or a boolean")]
enum Property {
    Text(Secret),
    Number(i64),
    Truth(bool),
}

impl From<Property> for Secret {
    fn from(property: Property) -> Self {
        match property {
            Property::Text(text) => text,
            Property::Number(number) => Self::from(number.to_string()),
            Property::Truth(truth) => Self::from(truth.to_string()),
        }
    }
}

fn properties<'de, D: Deserializer<'de>>(given: D) -> Result<KafkaProperties, D::Error> {
    let given = BTreeMap::<String, Property>::deserialize(given)?;
    let read = given.into_iter();
    Ok(read.map(|(name, own)| (name, own.into())).collect())
}

/// Legacy profiles through Kafka.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Backfill {
    pub max_bytes_in_flight: usize,
    pub max_record_bytes: usize,
    pub batch_records: usize,
    pub parallel_batches: usize,
    pub max_rejected_percent: u8,
    pub rejected_window_records: usize,
    pub records_per_second: u32,
    pub bytes_per_second: u32,
    pub stalled_seconds: u64,
    #[serde(deserialize_with = "properties")]
    pub kafka: KafkaProperties,
    pub sources: Vec<BackfillSource>,
}

/// One topic of legacy records.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillSource {
    pub name: String,
    pub topic: String,
    /// The consumer group; `roster-` and the name where none is given.
    pub group: Option<String>,
    /// The project by its name; without it the mapping says how each record tells.
    pub project: Option<String>,
    /// The file that says how records are read; without it they are in Roster's own format.
    pub mapping: Option<PathBuf>,
    /// The time of records that have none; without it the moment when the source is first opened.
    pub start: Option<String>,
    /// Where refused records go too.
    pub dead_letter_topic: Option<String>,
    /// Properties for this source alone.
    #[serde(default, deserialize_with = "properties")]
    pub kafka: KafkaProperties,
}

impl Backfill {
    /// What is wrong, and whether it is.
    pub(super) fn complaints(&self) -> Vec<(bool, &'static str)> {
        vec![
            (
                self.max_bytes_in_flight > u32::MAX as usize
                    || self.max_bytes_in_flight < self.max_record_bytes.saturating_mul(2),
                "backfill.max_bytes_in_flight must be at least twice backfill.max_record_bytes, and below 4 GiB",
            ),
            (
                self.batch_records == 0
                    || self.parallel_batches == 0
                    || self.rejected_window_records == 0
                    || self.stalled_seconds == 0,
                "backfill.batch_records, parallel_batches, rejected_window_records and stalled_seconds must be at least 1",
            ),
        ]
    }
}
