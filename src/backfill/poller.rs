//! The one thread that talks to Kafka for a source: it does nothing but poll, so that nothing it waits for can cost it the group.
//!
//! Records are copied out at once, and only while there is room for them: without room the thread waits, and where that lasts it
//! lets go of what was fetched and goes on polling.

use super::arrival::{Arrival, Arrived, Failure, Order};
use super::ends::Ends;
use super::member::Context;
use super::room::{Held, Room};
use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc as orders;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);
/// How long the thread waits for room without polling; after it what was fetched is let go, so that the group keeps this member.
const PATIENCE: Duration = Duration::from_secs(20);
/// The thread.
pub(super) struct Thread {
    consumer: BaseConsumer<Context>,
    orders: orders::Receiver<Order>,
    room: Room,
    ends: Ends,
    /// What was fetched has been let go, since there was no room for long.
    is_released: bool,
    waits_since: Option<Instant>,
}

impl Thread {
    pub fn new(
        consumer: BaseConsumer<Context>,
        orders: orders::Receiver<Order>,
        room: Room,
    ) -> Self {
        Self {
            consumer,
            orders,
            room,
            ends: Ends::default(),
            is_released: false,
            waits_since: None,
        }
    }

    /// Polls until it is told to stop.
    pub fn run(&mut self) -> Result<(), Failure> {
        loop {
            self.consumer.context().seen.rounds.fetch_add(1, Relaxed);
            if !self.obey() {
                return Ok(());
            }
            if self.has_room() {
                self.poll(POLL)?;
                self.tell_idle();
            } else if self.is_released {
                self.poll(POLL)?;
            } else {
                std::thread::sleep(POLL / 10);
            }
        }
    }

    /// Does what was ordered; false where it is to stop.
    fn obey(&self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Commit(offsets)) => self.commit(&offsets),
                Ok(Order::Stop) | Err(orders::TryRecvError::Disconnected) => return false,
                Err(orders::TryRecvError::Empty) => return true,
            }
        }
    }

    fn commit(&self, offsets: &[(i32, i64)]) {
        let topic = &self.consumer.context().topic;
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            // A number of a list that it does not take is no partition of ours.
            let _ = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "offsets were not committed");
        }
    }

    /// True while there is room for another record. What waits long lets go of what was fetched.
    fn has_room(&mut self) -> bool {
        // Half of the room has to be free again before anything is fetched anew: each time costs what had been fetched.
        let half = self.room.total() / 2;
        let needed = if self.is_released { half } else { 1 };
        if self.room.free() >= needed {
            if self.is_released {
                self.set_paused(false);
            }
            self.waits_since = None;
            return true;
        }
        self.ends.wait_anew(Instant::now());
        let since = *self.waits_since.get_or_insert_with(Instant::now);
        if !self.is_released && since.elapsed() > PATIENCE {
            self.set_paused(true);
        }
        false
    }

    fn set_paused(&mut self, is_paused: bool) {
        if self.consumer.context().is_paused {
            return;
        }
        let assigned = self.consumer.assignment();
        let done = assigned.and_then(|assigned| {
            if is_paused {
                self.consumer.pause(&assigned)
            } else {
                self.consumer.resume(&assigned)
            }
        });
        match done {
            Ok(()) => self.is_released = is_paused,
            Err(error) => tracing::warn!(%error, "partitions were not paused"),
        }
    }

    fn poll(&mut self, patience: Duration) -> Result<(), Failure> {
        let begun = Instant::now();
        let polled = self.consumer.poll(patience);
        if begun.elapsed() > 2 * patience {
            // A rebalance was waited for.
            self.ends.wait_anew(Instant::now());
        }
        let arrived = match polled {
            None => return Ok(()),
            Some(Ok(message)) => {
                let context = self.consumer.context();
                copied(&message, context, &self.room)
            }
            Some(Err(error)) => return self.judge(error),
        };
        if let Some(arrived) = arrived {
            self.ends.leave(arrived.partition);
            let context = self.consumer.context();
            let sent = context.arrivals.send(Arrival::Record(arrived));
            sent.map_err(|_| Failure::Passing("nobody takes records any more".to_owned()))?;
        }
        Ok(())
    }

    fn judge(&mut self, error: KafkaError) -> Result<(), Failure> {
        use RDKafkaErrorCode as Code;
        if let KafkaError::PartitionEOF(partition) = error {
            if let Some(owner) = self.consumer.context().owner_of(partition) {
                self.ends.reach(partition, owner);
            }
            return Ok(());
        }
        let topic = &self.consumer.context().topic;
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                Err(Failure::Lasting(self.what_is_gone()))
            }
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                Err(Failure::Passing(format!("there is no topic {topic}")))
            }
            Some(Code::TopicAuthorizationFailed) => Err(Failure::Passing(format!(
                "the Kafka user may not read the topic {topic}"
            ))),
            Some(Code::GroupAuthorizationFailed) => Err(Failure::Passing(
                "the Kafka user may not use the consumer group".to_owned(),
            )),
            Some(Code::BadMessage | Code::NotImplemented) => Err(Failure::Lasting(format!(
                "a batch of records can't be read ({error}): it is damaged, or packed in a way that this program does not know"
            ))),
            Some(Code::PollExceeded) => Err(Failure::Passing(
                "the group gave this member up: max.poll.interval.ms was exceeded".to_owned(),
            )),
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                Err(Failure::Passing(format!("a fatal error: {error}")))
            }
            _ => {
                tracing::warn!(%error, "Kafka");
                Ok(())
            }
        }
    }

    /// Says which range of the log is gone.
    fn what_is_gone(&self) -> String {
        let topic = &self.consumer.context().topic;
        let assigned = self.consumer.assignment();
        let numbers: Vec<i32> = assigned
            .map(|list| {
                list.elements()
                    .iter()
                    .map(TopicPartitionListElem::partition)
                    .collect()
            })
            .unwrap_or_default();
        let ranges = numbers.iter().filter_map(|number| {
            let patience = Duration::from_secs(2);
            let (low, high) = self
                .consumer
                .fetch_watermarks(topic, *number, patience)
                .ok()?;
            Some(format!("partition {number} now has {low} to {high}"))
        });
        let ranges: Vec<String> = ranges.collect();
        format!(
            "the records to go on from are not in the topic {topic}, they expired or it was made anew: {}",
            ranges.join(", ")
        )
    }

    /// Tells of partitions that have been at their end for a while, with nothing fetched and nothing waiting.
    fn tell_idle(&mut self) {
        let context = self.consumer.context();
        let owners = context.owners.lock().expect("no holder panics");
        let end_of = |partition| context.seen.end(partition).map(|(end, _)| end);
        for idle in self.ends.idle(&owners, end_of, Instant::now()) {
            // Nobody may be listening any more.
            let _ = context.arrivals.send(Arrival::Idle(idle));
        }
    }
}

/// A record with its room.
fn copied(message: &BorrowedMessage<'_>, context: &Context, room: &Room) -> Option<Arrived> {
    let partition = message.partition();
    let owner = context.owner_of(partition)?;
    let mut arrived = record_of(message, owner, Held::default());
    // The record, and what is made of it.
    arrived._room = room.take(2 * arrived.bytes() + 1_024);
    Some(arrived)
}

/// The headers of a record. One whose name is no text counts as none: rdkafka panics over it.
fn headers_of(message: &BorrowedMessage<'_>) -> Vec<(String, Vec<u8>)> {
    let Some(headers) = message.headers() else {
        return Vec::new();
    };
    let read = |place: usize| {
        let reading = AssertUnwindSafe(|| headers.try_get(place));
        let one = catch_unwind(reading).ok().flatten()?;
        Some((one.key.to_owned(), one.value.unwrap_or_default().to_vec()))
    };
    (0..headers.count()).filter_map(read).collect()
}

/// A record copied out.
pub(super) fn record_of(message: &BorrowedMessage<'_>, owner: Uuid, room: Held) -> Arrived {
    Arrived {
        partition: message.partition(),
        owner,
        offset: message.offset(),
        after: message.offset(),
        at: message.timestamp().to_millis().filter(|at| *at >= 0),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(Bytes::copy_from_slice),
        headers: headers_of(message),
        _room: room,
    }
}
