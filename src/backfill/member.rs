//! A member of a consumer group: which partitions it gets, where each begins, and what it leaves behind.
//!
//! Where a partition begins is asked of the database, not of Kafka, which forgets.

use super::arrival::{Arrival, Failure, Seen};
use super::last_record::LastRecord;
use crate::metric_names::{BACKFILL_COMMITS_REFUSED, BACKFILL_REBALANCES};
use crate::store::{Store, TakenPartition};
use metrics::counter;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, mpsc as orders};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use uuid::Uuid;

/// How long work on partitions that are taken away is waited for.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long the broker is asked where a partition begins now.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the callbacks of librdkafka share with the thread.
pub(super) struct Context {
    pub source: String,
    pub topic: String,
    pub store: Store,
    pub runtime: Handle,
    pub arrivals: mpsc::UnboundedSender<Arrival>,
    /// The assignment by which each partition is this member's.
    pub owners: Mutex<HashMap<i32, Uuid>>,
    pub seen: Arc<Seen>,
    /// It reads nothing, and stays a member.
    pub is_paused: bool,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(
            level,
            RDKafkaLogLevel::Emerg
                | RDKafkaLogLevel::Alert
                | RDKafkaLogLevel::Critical
                | RDKafkaLogLevel::Error
        ) {
            tracing::warn!(source = %self.source, facility, said = message, "Kafka");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // Told where it is polled, with its partition.
            Some(RDKafkaErrorCode::PartitionEOF) => return,
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.seen.is_without_brokers.store(true, Relaxed);
            }
            _ => {}
        }
        tracing::warn!(source = %self.source, %error, reason, "Kafka");
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else {
            return;
        };
        if statistics
            .brokers
            .values()
            .any(|broker| broker.state == "UP")
        {
            self.seen.is_without_brokers.store(false, Relaxed);
        }
        let mut ends = self.seen.ends.lock().expect("no holder panics");
        for (number, partition) in &topic.partitions {
            if partition.ls_offset >= 0 {
                ends.insert(*number, (partition.ls_offset, partition.hi_offset));
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let is_cooperative = matches!(
            consumer.rebalance_protocol(),
            RebalanceProtocol::Cooperative
        );
        counter!(BACKFILL_REBALANCES, "source" => self.source.clone()).increment(1);
        let done = if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.take(consumer, partitions);
            let assigned = if is_cooperative {
                consumer.incremental_assign(partitions)
            } else {
                consumer.assign(partitions)
            };
            assigned.and_then(|()| {
                if self.is_paused {
                    consumer.pause(partitions)
                } else {
                    Ok(())
                }
            })
        } else {
            self.give_up(partitions);
            if is_cooperative {
                consumer.incremental_unassign(partitions)
            } else {
                consumer.unassign()
            }
        };
        if let Err(error) = done {
            self.fail(format!("a rebalance failed: {error}"));
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        // The group's offsets are for other people's tools: what decides is in the database.
        if let Err(error) = result {
            let code = error.rdkafka_error_code();
            if code != Some(RDKafkaErrorCode::NoOffset) {
                counter!(BACKFILL_COMMITS_REFUSED, "source" => self.source.clone()).increment(1);
            }
        }
    }
}

impl Context {
    /// The assignment by which a partition is this member's.
    pub fn owner_of(&self, partition: i32) -> Option<Uuid> {
        let owners = self.owners.lock().expect("no holder panics");
        owners.get(&partition).copied()
    }

    fn fail(&self, reason: String) {
        // Nobody may be listening any more.
        let _ = self
            .arrivals
            .send(Arrival::Failed(Failure::Passing(reason)));
    }

    /// Takes partitions over in the database, and begins each where it has to go on.
    fn take(&self, consumer: &BaseConsumer<Self>, partitions: &mut TopicPartitionList) {
        let owner = Uuid::new_v4();
        let asked: Vec<(String, i32)> = partitions
            .elements()
            .iter()
            .map(|one| (one.topic().to_owned(), one.partition()))
            .collect();
        if asked.is_empty() {
            return;
        }
        fail::fail_point!("partitions-assigned");
        let taking = self.store.take_partitions(&self.source, &asked, owner);
        let taken = match self.runtime.block_on(taking) {
            Ok(taken) => taken,
            Err(error) => return self.fail(error.full_text()),
        };
        let mut owners = self.owners.lock().expect("no holder panics");
        for one in &taken {
            let (topic, number) = &one.partition;
            owners.insert(*number, owner);
            let offset = self.beginning(consumer, one);
            if let Err(error) = partitions.set_partition_offset(topic, *number, offset) {
                self.fail(error.to_string());
            }
        }
        let partitions = taken;
        // Nobody may be listening any more.
        let _ = self.arrivals.send(Arrival::Assigned { owner, partitions });
    }

    /// At the last record that was done: whether that is still the same one tells whether it is still the same topic. Where that one
    /// has expired, and none that is needed, there is nothing to compare.
    fn beginning(&self, consumer: &BaseConsumer<Self>, taken: &TakenPartition) -> Offset {
        let Some(next) = taken.next_offset else {
            return Offset::Beginning;
        };
        let Some(last) = LastRecord::of(taken) else {
            return Offset::Offset(next);
        };
        let marks = consumer.fetch_watermarks(&self.topic, taken.partition.1, PATIENCE);
        let has_expired = marks.is_ok_and(|(low, _)| last.offset < low && low <= next);
        Offset::Offset(if has_expired { next } else { last.offset })
    }

    /// Waits for what is being done for these partitions, but not for long: whoever has them next goes on from what the database
    /// says.
    fn give_up(&self, partitions: &TopicPartitionList) {
        let numbers: Vec<i32> = partitions
            .elements()
            .iter()
            .map(TopicPartitionListElem::partition)
            .collect();
        let mut owners = self.owners.lock().expect("no holder panics");
        owners.retain(|number, _| !numbers.contains(number));
        drop(owners);
        let (done, is_done) = orders::channel();
        if self.arrivals.send(Arrival::Revoked(numbers, done)).is_ok() {
            // Either way it is over.
            let _ = is_done.recv_timeout(FAREWELL);
        }
    }
}
