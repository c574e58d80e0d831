//! The first parts of the road without the rest: what reading a topic costs, and what the mapping adds. For measurements.

use super::poller::record_of;
use super::reader::client;
use super::source::Source;
use super::taking::read_as;
use crate::domain::{Kinds, ProjectId, Timestamp};
use crate::mapping::Record;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};
use std::hint::black_box;
use std::time::{Duration, Instant};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

/// Reads a topic from its beginning to its end, or until `end`, as a source does, by the mapping where `is_mapped`, and throws away what it reads;
/// the number of records.
///
/// # Errors
/// Where Kafka does not give them, or one can't be taken.
pub fn try_out(source: &Source, is_mapped: bool, end: Instant) -> Result<u64, String> {
    let (consumer, mut partitions) = consumer(source).map_err(|error| error.to_string())?;
    let mut all = 0;
    while partitions > 0 && Instant::now() < end {
        match consumer.poll(POLL) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => partitions -= 1,
            Some(Err(error)) => return Err(error.to_string()),
            Some(Ok(message)) => {
                let arrived = record_of(&message, Uuid::nil(), None);
                let record = arrived.as_record();
                if is_mapped {
                    map(source, &record)?;
                }
                black_box(&record);
                all += 1;
            }
        }
    }
    Ok(all)
}

/// All partitions, from their beginning, and no member of any group.
fn consumer(source: &Source) -> Result<(BaseConsumer, usize), KafkaError> {
    let group = format!("{}-trial", source.group);
    let consumer: BaseConsumer = client(&source.properties, &group).create()?;
    let found = consumer.fetch_metadata(Some(&source.topic), PATIENCE)?;
    let mut list = TopicPartitionList::new();
    let topics = found.topics().iter();
    for partition in topics.flat_map(MetadataTopic::partitions) {
        list.add_partition_offset(&source.topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok((consumer, list.count()))
}

fn map(source: &Source, record: &Record<'_>) -> Result<(), String> {
    let start = Timestamp::from_micros(0).expect("1970 is a time");
    let read = read_as(source, record, (ProjectId(1), &Kinds::default()), start);
    let reading = read.map_err(|rejection| rejection.to_string())?;
    black_box(reading);
    Ok(())
}
