//! A way into topics for what is published for good: one idempotent producer, and every record is waited for, but not for ever.

use super::kafka::{Properties, refused};
use super::topic::{NotSent, not_sent};
use crate::config::KafkaProperties;
use crate::domain::Timestamp;
use futures_util::future::join_all;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use std::time::Duration;

/// The header with the version of what a record says: who reads takes none that is not higher.
const VERSION_HEADER: &str = "roster.version";
/// How long a record waits for room in the producer's queue.
const QUEUE: Duration = Duration::from_secs(2);
/// How long brokers have to tell which topics there are.
const LOOK: Duration = Duration::from_secs(5);

/// A record to be published.
#[derive(Clone, Debug)]
pub struct Published {
    pub key: String,
    /// `None`: what the key names is gone.
    pub value: Option<Vec<u8>>,
    pub version: i64,
    /// The time of the record.
    pub at: Timestamp,
}

/// The producer.
pub struct Outlet {
    producer: FutureProducer,
}

impl Outlet {
    /// Prepares a producer; nothing is asked yet. A record that no broker has confirmed within `patience` was not sent.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn open(properties: &KafkaProperties, patience: Duration) -> Result<Self, String> {
        let properties = Properties::revealed([properties]);
        if properties.get("bootstrap.servers").is_none() {
            return Err(
                "backfill.kafka has no bootstrap.servers: where are the brokers?".to_owned(),
            );
        }
        let mut config = properties.client(&[
            ("client.id", "roster"),
            ("compression.type", "zstd"),
            // As Java's producers, so that all records of one key stand in one partition whoever sent them.
            ("partitioner", "murmur2_random"),
            ("linger.ms", "5"),
            ("queue.buffering.max.kbytes", "65536"),
            ("message.max.bytes", "67108864"),
            // A batch above a topic's limit is refused with all that is in it: several records together stay below it.
            ("batch.size", "524288"),
        ]);
        // What nobody may turn off: a mark goes once its record is on all replicas that have to have it, in its order.
        config.set("enable.idempotence", "true").set("acks", "all");
        config.set("message.timeout.ms", patience.as_millis().to_string());
        Ok(Self {
            producer: config.create().map_err(|error| refused(&error))?,
        })
    }

    /// Sends records in their order; what became of each.
    ///
    /// # Errors
    /// No broker answers, or there is no such topic.
    pub async fn send(
        &self,
        topic: &str,
        records: &[Published],
    ) -> Result<Vec<Result<(), NotSent>>, String> {
        self.find(topic)?;
        let mut sent = join_all(records.iter().map(|record| self.send_one(topic, record))).await;
        // One that is too large may have been refused with its neighbours.
        for (sent, record) in sent.iter_mut().zip(records) {
            if matches!(sent, Err(NotSent::TooLarge)) {
                *sent = self.send_one(topic, record).await;
            }
        }
        Ok(sent)
    }

    async fn send_one(&self, topic: &str, record: &Published) -> Result<(), NotSent> {
        let version = record.version.to_string();
        let header = Header {
            key: VERSION_HEADER,
            value: Some(&version),
        };
        let sent = FutureRecord {
            topic,
            partition: None,
            payload: record.value.as_deref(),
            key: Some(record.key.as_str()),
            // Not before what it tells: who reads holds no time to be later than its record's.
            timestamp: Some(record.at.micros().div_euclid(1_000) + 1),
            headers: Some(OwnedHeaders::new_with_capacity(1).insert(header)),
        };
        let sent = self.producer.send(sent, QUEUE).await;
        sent.map(drop).map_err(|(error, _)| not_sent(topic, &error))
    }

    /// Where the partitions of a topic end, which only grows while it is the same topic; `None` where there is none of that name.
    ///
    /// # Errors
    /// No broker answers.
    pub fn ends(&self, topic: &str) -> Result<Option<Vec<i64>>, String> {
        let partitions = self.partitions(topic)?;
        let client = self.producer.client();
        let end = |partition| {
            let marks = client.fetch_watermarks(topic, partition, LOOK);
            let told = |error| format!("no broker tells where topic {topic} ends: {error}");
            marks.map(|(_, end)| end).map_err(told)
        };
        let all = |partitions: i32| (0..partitions).map(end).collect::<Result<Vec<i64>, _>>();
        tokio::task::block_in_place(|| partitions.map(all).transpose())
    }

    /// A topic that is gone would be made anew by whoever sends a record.
    fn find(&self, topic: &str) -> Result<(), String> {
        let partitions = self.partitions(topic)?;
        let missing = || format!("there is no topic {topic}: make it first");
        partitions.map(drop).ok_or_else(missing)
    }

    /// Looks for a topic in the list of all: to ask for it by its name could make it.
    fn partitions(&self, topic: &str) -> Result<Option<i32>, String> {
        let all = tokio::task::block_in_place(|| self.producer.client().fetch_metadata(None, LOOK));
        let all = all.map_err(|error| format!("no broker answers: {error}"))?;
        let mut topics = all.topics().iter();
        let own = topics.find(|own| own.name() == topic);
        Ok(own.map(|own| own.partitions().len() as i32))
    }
}
