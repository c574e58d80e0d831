//! A topic of one's own, filled with records: for measurements, which need one that is full and leave none behind.

use super::kafka::make_topic;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait where the producer's queue is full.
const PAUSE: Duration = Duration::from_millis(2);

/// The topic.
pub struct OwnTopic {
    pub name: String,
    partitions: i32,
    admin: AdminClient<DefaultClientContext>,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl OwnTopic {
    /// Makes a topic that is not there yet.
    ///
    /// # Errors
    /// One sentence: no broker answers, or it refuses.
    pub async fn create(brokers: &str, name: &str, partitions: i32) -> Result<Self, String> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        config.set("linger.ms", "20");
        let told =
            |error: KafkaError| format!("the topic {name} can't be made at {brokers}: {error}");
        let admin: AdminClient<_> = config.create().map_err(told)?;
        make_topic(&admin, name, partitions).await?;
        Ok(Self {
            name: name.to_owned(),
            partitions,
            admin,
            producer: config.create().map_err(told)?,
        })
    }

    /// Puts a record into it, sooner or later; waits where too many are on their way.
    ///
    /// # Errors
    /// Where the record can't be sent at all.
    pub fn put(&self, key: &str, value: &str) -> Result<(), String> {
        let mut record = BaseRecord::to(&self.name).key(key).payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, back)) => {
                    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                        return Err(error.to_string());
                    }
                    record = back;
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Waits until all is there; the number of records in it.
    ///
    /// # Errors
    /// Where the broker does not take them in time.
    pub fn flush(&self) -> Result<u64, String> {
        let flushed = self.producer.flush(PATIENCE);
        flushed.map_err(|error| error.to_string())?;
        let mut all = 0;
        for partition in 0..self.partitions {
            let client = self.producer.client();
            let marks = client.fetch_watermarks(&self.name, partition, PATIENCE);
            let (low, high) = marks.map_err(|error| error.to_string())?;
            all += (high - low).unsigned_abs();
        }
        Ok(all)
    }

    /// Deletes the topic.
    ///
    /// # Errors
    /// Where it is left behind.
    pub async fn delete(self) -> Result<(), String> {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let deleted = self.admin.delete_topics(&[&self.name], &options).await;
        match deleted.map_err(|error| error.to_string())?.first() {
            Some(Err((name, code))) => Err(format!("the topic {name} is left behind: {code}")),
            _ => Ok(()),
        }
    }
}
