//! What a source's topic has from its beginning on, for who holds it against the tables. Not a member of the group: nobody's
//! position moves, and nothing is taken in.

use super::arrival::Arrived;
use super::kafka::{PATIENCE, partitions};
use super::poller::record_of;
use super::reader::find_topic;
use super::sample::consumer;
use super::source::Source;
use super::taking::{read_as, too_large};
use crate::domain::{Kinds, ProjectId, Rejection, Timestamp};
use crate::mapping::Reading;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use uuid::Uuid;

const POLL: Duration = Duration::from_millis(100);

/// A source's topic, open for reading.
pub struct Past<'a> {
    source: &'a Source,
    consumer: BaseConsumer,
    /// The partition that is assigned, and the offset from which its next record comes.
    place: Mutex<Option<(i32, i64)>>,
}

/// A part of a partition: from an offset on, but none from `until` on.
#[derive(Clone, Copy, Debug)]
pub struct OffsetRange {
    pub partition: i32,
    pub from: i64,
    pub until: i64,
}

/// A record as it was taken in. Those of one topic are told apart by their places.
pub struct PastRecord(Arrived);

impl<'a> Past<'a> {
    /// Opens the topic of a source.
    ///
    /// # Errors
    /// One sentence: no broker answers, no such topic.
    pub fn open(source: &'a Source) -> Result<Self, String> {
        let consumer = consumer(&source.properties)?;
        find_topic(&consumer, &source.properties, &source.topic)?;
        Ok(Self {
            source,
            consumer,
            place: Mutex::default(),
        })
    }

    /// Whose records they are, and how they are read.
    pub const fn source(&self) -> &'a Source {
        self.source
    }

    /// Its partitions: number, first offset, end.
    ///
    /// # Errors
    /// No broker answers.
    pub fn ends(&self) -> Result<Vec<(i32, i64, i64)>, String> {
        partitions(&self.consumer, &self.source.topic)
    }

    /// The next records of a part, so many or so many bytes at most, but one in any case; and the offset behind them.
    ///
    /// # Errors
    /// The brokers went away, or the topic did.
    pub fn read(
        &self,
        range: OffsetRange,
        (most, most_bytes): (usize, usize),
    ) -> Result<(Vec<PastRecord>, i64), String> {
        let mut place = self.place.lock().expect("no holder panics");
        if place.take() != Some((range.partition, range.from)) {
            self.go_to(range.partition, range.from)?;
        }
        let (mut records, mut bytes, mut next) = (Vec::new(), 0, range.from);
        let mut heard = Instant::now();
        while next < range.until && records.len() < most && bytes < most_bytes {
            match self.consumer.poll(POLL) {
                None if heard.elapsed() < PATIENCE => continue,
                None => return Err(self.told("nothing comes")),
                // Behind the last record stand marks, which are never delivered.
                Some(Err(KafkaError::PartitionEOF(_))) => next = range.until,
                Some(Err(error)) => return Err(self.told(&error.to_string())),
                Some(Ok(message)) if message.offset() >= range.until => next = range.until,
                Some(Ok(message)) => {
                    let arrived = record_of(&message, Uuid::nil(), None);
                    next = arrived.offset + 1;
                    bytes += arrived.bytes();
                    records.push(PastRecord(arrived));
                }
            }
            heard = Instant::now();
        }
        // Where it ended before the end, the next record is still to come.
        *place = (next < range.until).then_some((range.partition, next));
        Ok((records, next))
    }

    fn go_to(&self, partition: i32, offset: i64) -> Result<(), String> {
        let mut list = TopicPartitionList::new();
        let offset = Offset::Offset(offset);
        list.add_partition_offset(&self.source.topic, partition, offset)
            .and_then(|()| self.consumer.assign(&list))
            .map_err(|error| self.told(&error.to_string()))
    }

    fn told(&self, what: &str) -> String {
        format!("topic {}: {what}", self.source.topic)
    }
}

impl PastRecord {
    /// Where it stands: partition and offset.
    pub const fn place(&self) -> (i32, i64) {
        (self.0.partition, self.0.offset)
    }

    /// Its place in words.
    pub fn name(&self) -> String {
        let (partition, offset) = self.place();
        format!("partition {partition}, offset {offset}")
    }

    /// Bytes of it.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// What it says, as the backfill of its source reads it; `None` where it is another project's.
    pub fn read(
        &self,
        source: &Source,
        (name, project_id, kinds): (&str, ProjectId, &Kinds),
        start: Timestamp,
    ) -> Option<Result<Reading, Rejection>> {
        let record = self.0.as_record();
        let whose = source.project_of(&record);
        let most = source.settings.max_record_bytes;
        (whose.as_deref() == Some(name)).then(|| match self.bytes() > most {
            true => Err(too_large(self.bytes(), most)),
            false => read_as(source, &record, (project_id, kinds), start),
        })
    }
}

impl PartialEq for PastRecord {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for PastRecord {}

impl Hash for PastRecord {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

/// Nothing of what it says.
impl fmt::Debug for PastRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}
