//! A way into topics for what is published for good: one idempotent producer, and every record is waited for, but not for ever.

use super::kafka::Properties;
use super::topic::{NotSent, not_sent};
use crate::config::KafkaProperties;
use crate::domain::Timestamp;
use futures_util::future::join_all;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
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

/// The producer, and the topics that are known to be there.
pub struct Outlet {
    producer: FutureProducer,
    known: Mutex<HashSet<String>>,
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
        let refused = |error| format!("librdkafka refuses the settings: {error}");
        Ok(Self {
            producer: config.create().map_err(refused)?,
            known: Mutex::default(),
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

    /// Looks for a topic in the list of all: to ask for it by its name could make it.
    fn find(&self, topic: &str) -> Result<(), String> {
        let is_known = |known: &HashSet<String>| known.contains(topic);
        if is_known(&self.known.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let all = tokio::task::block_in_place(|| self.producer.client().fetch_metadata(None, LOOK));
        let all = all.map_err(|error| format!("no broker answers: {error}"))?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = all
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .collect();
        is_known(&known)
            .then_some(())
            .ok_or_else(|| format!("there is no topic {topic}: make it first"))
    }
}
