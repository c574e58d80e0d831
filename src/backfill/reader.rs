//! The one thread that talks to Kafka for a source: it does nothing but poll, so that nothing it waits for can cost it the group.
//!
//! Where a partition begins is asked of the database, not of Kafka, which forgets. Records are copied out at once, and only while
//! there is room for them: without room the thread waits, and where that lasts it lets go of what was fetched and goes on polling.

use super::kafka::Properties;
use super::room::{Held, Room};
use super::source::Source;
use crate::domain::Timestamp;
use crate::metric_names::{BACKFILL_COMMITS_REFUSED, BACKFILL_REBALANCES};
use crate::store::{Store, TakenPartition};
use bytes::Bytes;
use metrics::counter;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc as orders};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use uuid::Uuid;

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);
/// How long the thread waits for room without polling; after it what was fetched is let go, so that the group keeps this member.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long work on partitions that are taken away is waited for.
const FAREWELL: Duration = Duration::from_secs(5);
/// A partition at its end for so long has nothing more than marks behind its last record.
const IDLE: Duration = Duration::from_secs(5);

/// What the thread tells.
pub(super) enum Arrival {
    Record(Arrived),
    Assigned {
        owner: Uuid,
        partitions: Vec<TakenPartition>,
    },
    /// Partitions go to somebody else once the sender of the reply is dropped, or soon.
    Revoked(Vec<i32>, orders::Sender<()>),
    /// Nothing but marks lies before this offset.
    Idle {
        partition: i32,
        end: i64,
    },
    /// Can't go on; to be begun anew after a pause, or never where it says what has to be done first.
    Failed(Failure),
}

/// Why a consumer ended.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Passes by itself: another consumer is to be made.
    Passing(String),
    /// Somebody has to decide: the source is paused with this reason.
    Lasting(String),
}

/// A record with the room that it holds.
pub(super) struct Arrived {
    pub partition: i32,
    /// The assignment by which it came.
    pub owner: Uuid,
    pub offset: i64,
    /// Kafka's timestamp in milliseconds.
    pub at: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Bytes>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub _room: Held,
}

impl Arrived {
    /// Kafka's timestamp.
    pub fn timestamp(&self) -> Option<Timestamp> {
        Timestamp::from_micros(self.at?.checked_mul(1_000)?)
    }

    /// What it holds.
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.len());
        self.key.as_ref().map_or(0, Vec::len)
            + self.value.as_ref().map_or(0, Bytes::len)
            + headers.sum::<usize>()
    }
}

/// What the thread is told.
pub(super) enum Order {
    /// All before these offsets is done.
    Commit(Vec<(i32, i64)>),
    Stop,
}

/// The ends of partitions as last seen, and when the thread last looked.
#[derive(Default)]
pub(super) struct Seen {
    ends: Mutex<HashMap<i32, (i64, i64)>>,
    /// Rounds of the thread: one that does not move is stuck.
    pub rounds: AtomicU64,
    pub is_without_brokers: AtomicBool,
}

impl Seen {
    /// The end of what can be read, and the end of all.
    pub fn end(&self, partition: i32) -> Option<(i64, i64)> {
        self.ends
            .lock()
            .expect("no holder panics")
            .get(&partition)
            .copied()
    }
}

/// A running consumer. Dropping it ends the thread.
pub(super) struct Reader {
    orders: orders::Sender<Order>,
    pub arrivals: mpsc::UnboundedReceiver<Arrival>,
    pub seen: Arc<Seen>,
}

impl Reader {
    /// Starts a consumer; `is_paused` where it is to be a member of the group that reads nothing.
    pub fn start(
        source: &Source,
        store: Store,
        room: Room,
        is_paused: bool,
    ) -> Result<Self, String> {
        let (arrivals, arrived) = mpsc::unbounded_channel();
        let (orders, ordered) = orders::channel();
        let seen = Arc::new(Seen::default());
        let context = Context {
            source: source.name.clone(),
            topic: source.topic.clone(),
            store,
            runtime: Handle::current(),
            arrivals: arrivals.clone(),
            owners: Mutex::default(),
            seen: seen.clone(),
            is_paused,
        };
        let consumer: BaseConsumer<Context> = client(&source.properties, &source.group)
            .create_with_context(context)
            .map_err(|error| format!("librdkafka refuses the settings: {error}"))?;
        consumer
            .subscribe(&[&source.topic])
            .map_err(|error| error.to_string())?;
        let mut thread = Thread {
            consumer,
            orders: ordered,
            room,
            ends: HashMap::new(),
            is_released: false,
            waits_since: None,
        };
        let name = format!("kafka {}", source.name);
        let spawned = std::thread::Builder::new().name(name).spawn(move || {
            if let Err(failure) = thread.run() {
                // Nobody may be listening any more.
                let _ = arrivals.send(Arrival::Failed(failure));
            }
        });
        spawned.map_err(|error| error.to_string())?;
        Ok(Self {
            orders,
            arrivals: arrived,
            seen,
        })
    }

    /// Tells Kafka how far some partitions have got.
    pub fn commit(&self, offsets: Vec<(i32, i64)>) {
        // A thread that has ended says so by itself.
        let _ = self.orders.send(Order::Commit(offsets));
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
    }
}

/// What a consumer is told by default, and what nobody may change.
fn client(properties: &Properties, group: &str) -> rdkafka::ClientConfig {
    let mut config = properties.client(&[
        ("client.id", "roster"),
        ("fetch.message.max.bytes", "1048576"),
        ("fetch.max.bytes", "8388608"),
        ("queued.max.messages.kbytes", "16384"),
        ("queued.min.messages", "10000"),
        ("fetch.queue.backoff.ms", "50"),
        ("isolation.level", "read_committed"),
        ("topic.metadata.refresh.interval.ms", "10000"),
    ]);
    // The protocol of KIP-848 refuses a strategy, and has a cooperative one by itself.
    if properties.get("group.protocol") != Some("consumer")
        && properties.get("partition.assignment.strategy").is_none()
    {
        config.set("partition.assignment.strategy", "cooperative-sticky");
    }
    for (name, value) in [
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
        ("enable.partition.eof", "true"),
        ("statistics.interval.ms", "1000"),
        ("check.crcs", "true"),
    ] {
        config.set(name, value);
    }
    config
}

/// What the callbacks of librdkafka share with the thread.
struct Context {
    source: String,
    topic: String,
    store: Store,
    runtime: Handle,
    arrivals: mpsc::UnboundedSender<Arrival>,
    owners: Mutex<HashMap<i32, Uuid>>,
    seen: Arc<Seen>,
    is_paused: bool,
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
            tracing::warn!(source = %self.source, facility, message, "Kafka");
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
            self.take(partitions);
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
    fn fail(&self, reason: String) {
        // Nobody may be listening any more.
        let _ = self
            .arrivals
            .send(Arrival::Failed(Failure::Passing(reason)));
    }

    /// Takes partitions over in the database, and begins each one record before where it has to go on: whether that is still the
    /// same record tells whether it is still the same topic.
    fn take(&self, partitions: &mut TopicPartitionList) {
        let owner = Uuid::new_v4();
        let asked: Vec<(String, i32)> = partitions
            .elements()
            .iter()
            .map(|one| (one.topic().to_owned(), one.partition()))
            .collect();
        if asked.is_empty() {
            return;
        }
        let taking = self.store.take_partitions(&self.source, &asked, owner);
        let taken = match self.runtime.block_on(taking) {
            Ok(taken) => taken,
            Err(error) => return self.fail(error.full_text()),
        };
        let mut owners = self.owners.lock().expect("no holder panics");
        for one in &taken {
            let (topic, number) = &one.partition;
            owners.insert(*number, owner);
            let offset = match one.next_offset {
                Some(next) if next > 0 && one.last_digest.is_some() => Offset::Offset(next - 1),
                Some(next) => Offset::Offset(next),
                None => Offset::Beginning,
            };
            if let Err(error) = partitions.set_partition_offset(topic, *number, offset) {
                self.fail(error.to_string());
            }
        }
        let partitions = taken;
        // Nobody may be listening any more.
        let _ = self.arrivals.send(Arrival::Assigned { owner, partitions });
    }

    /// Waits for what is being done for these partitions, but not for long: whoever has them next goes on from what the database
    /// says.
    fn give_up(&self, partitions: &TopicPartitionList) {
        let numbers: Vec<i32> = partitions
            .elements()
            .iter()
            .map(|one| one.partition())
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

/// A partition at its end.
struct AtEnd {
    since: Instant,
    end: i64,
}

/// The thread.
struct Thread {
    consumer: BaseConsumer<Context>,
    orders: orders::Receiver<Order>,
    room: Room,
    /// Partitions at their end.
    ends: HashMap<i32, AtEnd>,
    /// What was fetched has been let go, since there was no room for long.
    is_released: bool,
    waits_since: Option<Instant>,
}

impl Thread {
    fn run(&mut self) -> Result<(), Failure> {
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
        let needed = if self.is_released { self.most() / 2 } else { 1 };
        if self.room.free() >= needed {
            if self.is_released {
                self.set_paused(false);
            }
            self.waits_since = None;
            return true;
        }
        self.ends.clear();
        let since = *self.waits_since.get_or_insert_with(Instant::now);
        if !self.is_released && since.elapsed() > PATIENCE {
            self.set_paused(true);
        }
        false
    }

    fn most(&self) -> usize {
        self.room.total()
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
        let arrived = match self.consumer.poll(patience) {
            None => return Ok(()),
            Some(Ok(message)) => {
                let context = self.consumer.context();
                copied(&message, context, &self.room)
            }
            Some(Err(error)) => return self.judge(error),
        };
        if let Some(arrived) = arrived {
            self.ends.remove(&arrived.partition);
            let context = self.consumer.context();
            let sent = context.arrivals.send(Arrival::Record(arrived));
            sent.map_err(|_| Failure::Passing("nobody takes records any more".to_owned()))?;
        }
        Ok(())
    }

    fn judge(&mut self, error: KafkaError) -> Result<(), Failure> {
        use RDKafkaErrorCode as Code;
        if let KafkaError::PartitionEOF(partition) = error {
            let at_end = AtEnd {
                since: Instant::now(),
                end: -1,
            };
            self.ends.insert(partition, at_end);
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
            .map(|list| list.elements().iter().map(|one| one.partition()).collect())
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
        for (partition, at_end) in &mut self.ends {
            let Some((end, _)) = context.seen.end(*partition) else {
                continue;
            };
            if end != at_end.end {
                (at_end.end, at_end.since) = (end, Instant::now());
            } else if at_end.since.elapsed() > IDLE {
                at_end.since = Instant::now();
                let partition = *partition;
                // Nobody may be listening any more.
                let _ = context.arrivals.send(Arrival::Idle { partition, end });
            }
        }
    }
}

/// A record with its room.
fn copied(message: &BorrowedMessage<'_>, context: &Context, room: &Room) -> Option<Arrived> {
    let partition = message.partition();
    let owner = *context
        .owners
        .lock()
        .expect("no holder panics")
        .get(&partition)?;
    let headers = message.headers().map(|headers| {
        let all = headers.iter();
        all.map(|one| (one.key.to_owned(), one.value.unwrap_or_default().to_vec()))
            .collect()
    });
    let mut arrived = Arrived {
        partition,
        owner,
        offset: message.offset(),
        at: message.timestamp().to_millis().filter(|at| *at >= 0),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(Bytes::copy_from_slice),
        headers: headers.unwrap_or_default(),
        _room: Held::default(),
    };
    // The record, and what is made of it.
    arrived._room = room.take(2 * arrived.bytes() + 1_024);
    Some(arrived)
}
