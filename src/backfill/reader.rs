//! A consumer of a source: its settings, and the thread behind it.

use super::arrival::{Arrival, Order, Seen};
use super::kafka::{PATIENCE, Properties, refused};
use super::member::Context;
use super::poller::Thread;
use super::room::Room;
use super::source::Source;
use crate::store::Store;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use std::sync::{Arc, Mutex, PoisonError, mpsc as orders};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

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
            .map_err(|error| refused(&error))?;
        consumer
            .subscribe(&[&source.topic])
            .map_err(|error| error.to_string())?;
        let mut thread = Thread::new(consumer, ordered, room);
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

/// Tells whether librdkafka takes a source's settings.
///
/// # Errors
/// With the setting that it does not take.
pub fn check(source: &Source) -> Result<(), String> {
    let made: Result<BaseConsumer, _> = client(&source.properties, &source.group).create();
    let told = |error| format!("backfill source {:?}: {}", source.name, refused(&error));
    made.map(drop).map_err(told)
}

/// Tells whether a source's topic is there, for who waits for it at a terminal: a service goes on looking.
///
/// # Errors
/// One sentence: no broker answers, no such topic, no right to see it.
pub fn probe(source: &Source) -> Result<(), String> {
    let last_words = LastWords::default();
    let consumer: BaseConsumer<LastWords> = client(&source.properties, &source.group)
        .create_with_context(last_words.clone())
        .map_err(|error| refused(&error))?;
    find_topic(&consumer, &source.properties, &source.topic).map_err(|error| {
        let said = last_words.wait(&consumer);
        said.map_or(error.clone(), |said| format!("{error}: {said}"))
    })
}

/// How long the reason of a failure is looked for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What librdkafka said last about a connection that failed: a certificate, a password, a name that is not known.
#[derive(Clone, Default)]
struct LastWords(Arc<Mutex<Option<String>>>);

impl LastWords {
    /// What is logged waits in the client's queue, which nobody has polled so far.
    fn wait(&self, consumer: &BaseConsumer<Self>) -> Option<String> {
        let until = Instant::now() + LAST_WORDS;
        loop {
            // Nothing was subscribed to: there are no records, and failures are logged.
            let _ = consumer.poll(LAST_WORDS / 20);
            let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if said.is_some() || Instant::now() >= until {
                return said.clone();
            }
        }
    }
}

impl ClientContext for LastWords {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" {
            // Before it stands the name of a thread.
            let said = message.split_once("]: ").map_or(message, |(_, said)| said);
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(said.to_owned());
        }
    }

    /// Whoever asks hears it once, in the answer.
    fn error(&self, _: KafkaError, _: &str) {}

    fn stats(&self, _: Statistics) {}
}

impl ConsumerContext for LastWords {}

/// Tells whether a topic is there.
///
/// # Errors
/// As `probe`.
pub(super) fn find_topic<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    properties: &Properties,
    topic: &str,
) -> Result<(), String> {
    let brokers = properties
        .get("bootstrap.servers")
        .unwrap_or("nowhere: bootstrap.servers is not set");
    let found = consumer.fetch_metadata(Some(topic), PATIENCE);
    let found = found.map_err(|error| format!("no broker answers at {brokers}: {error}"))?;
    match found
        .topics()
        .first()
        .map(rdkafka::metadata::MetadataTopic::error)
    {
        Some(None) => Ok(()),
        Some(Some(error)) => Err(format!(
            "there is no topic {topic} that can be read: {error:?}"
        )),
        None => Err(format!("there is no topic {topic}")),
    }
}

/// What a consumer is told by default, and what nobody may change.
pub(super) fn client(properties: &Properties, group: &str) -> rdkafka::ClientConfig {
    let mut config = properties.client(&[
        ("client.id", "roster"),
        // As they come over the wire: what is packed thirty to one is thirty times as large in memory before anybody can say stop.
        ("fetch.message.max.bytes", "262144"),
        ("fetch.max.bytes", "1048576"),
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
