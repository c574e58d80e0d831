//! A topic that records are sent into, and read back from its beginning. Not a member of any group: nobody's position moves.

use super::kafka::{PATIENCE, Properties, make_topic, partitions, refused};
use crate::config::KafkaProperties;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// Kafka's own default of a topic's `max.message.bytes`.
const USUAL_RECORD: usize = 1_048_588;

/// A record to be sent.
pub struct Outgoing<'a> {
    pub key: &'a str,
    pub value: &'a [u8],
    pub headers: &'a [(&'a str, &'a str)],
}

/// A record that was found.
pub struct Found<'a> {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// By name; the first where there are several.
    pub headers: Vec<(&'a str, &'a [u8])>,
}

impl Found<'_> {
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }
}

/// Why a record is not in the topic.
#[derive(Debug)]
pub enum NotSent {
    /// Brokers are away.
    Passing(String),
    /// The topic takes no record of this size.
    TooLarge,
    Lasting(String),
}

/// To be at the end of a partition is no error that anybody has to read.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        if !matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::PartitionEOF)
        ) {
            tracing::warn!(%error, reason, "Kafka");
        }
    }
}

impl ConsumerContext for Quiet {}

/// One topic, looked at before anything is sent.
pub struct Topic {
    producer: FutureProducer,
    consumer: BaseConsumer<Quiet>,
    pub name: String,
    /// The id of the cluster: the same topic elsewhere is another one.
    pub cluster: String,
    /// Bytes of the largest record that it takes.
    pub max_record_bytes: usize,
}

impl Topic {
    /// Finds a topic; makes one that is missing only where it is said with how many partitions.
    ///
    /// # Errors
    /// One sentence: settings that librdkafka refuses, no broker, no such topic.
    pub async fn open(
        shared: &KafkaProperties,
        own: &KafkaProperties,
        name: &str,
        wanted: Option<u16>,
    ) -> Result<Self, String> {
        let properties = &Properties::revealed([shared, own]);
        let told = |error: KafkaError| refused(&error);
        let config = properties.client(&[
            ("client.id", "roster"),
            ("enable.idempotence", "true"),
            ("compression.type", "zstd"),
            ("linger.ms", "20"),
            // As Java's producers, so that all records of one key stand in one partition whoever sent them.
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.kbytes", "65536"),
            ("message.max.bytes", "67108864"),
            // A batch above a topic's limit is refused with all that is in it: several records together stay below it.
            ("batch.size", "524288"),
            ("message.timeout.ms", "120000"),
        ]);
        let producer: FutureProducer = config.create().map_err(told)?;
        let mut reading = properties.client(&[("client.id", "roster")]);
        for (name, value) in [
            ("group.id", "roster-export"),
            ("enable.auto.commit", "false"),
            ("enable.partition.eof", "true"),
            ("queued.max.messages.kbytes", "16384"),
            ("allow.auto.create.topics", "false"),
        ] {
            reading.set(name, value);
        }
        let consumer: BaseConsumer<Quiet> = reading.create_with_context(Quiet).map_err(told)?;
        let (is_there, cluster) =
            tokio::task::block_in_place(|| find(&consumer, properties, name))?;
        if !is_there {
            let partitions = wanted.ok_or_else(|| {
                format!("there is no topic {name}: make it first, or say with how many --partitions it is to be made")
            })?;
            let admin: AdminClient<DefaultClientContext> = config.create().map_err(told)?;
            make_topic(&admin, name, i32::from(partitions)).await?;
        }
        let max_record_bytes = limit(&config, name).await;
        Ok(Self {
            producer,
            consumer,
            name: name.to_owned(),
            cluster,
            max_record_bytes,
        })
    }

    /// Sends a record and waits until it is on all replicas that have to have it.
    ///
    /// # Errors
    /// Why it is not there.
    pub async fn send(&self, record: &Outgoing<'_>) -> Result<(), NotSent> {
        let headers = record.headers.iter();
        let headers = headers.fold(OwnedHeaders::new(), |all, (key, value)| {
            let value = Some(*value);
            all.insert(Header { key, value })
        });
        let sent = FutureRecord::to(&self.name)
            .key(record.key)
            .payload(record.value)
            .headers(headers);
        match self.producer.send(sent, PATIENCE).await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(not_sent(&self.name, &error)),
        }
    }

    /// Its partitions: number, first offset, end.
    ///
    /// # Errors
    /// No broker answers.
    pub fn ends(&self) -> Result<Vec<(i32, i64, i64)>, String> {
        partitions(&self.consumer, &self.name)
    }

    /// Reads every record from the beginning of each partition to its end.
    ///
    /// # Errors
    /// The brokers went away, or the topic did.
    pub fn scan(&self, mut each: impl FnMut(&Found<'_>)) -> Result<(), String> {
        let told = |error: KafkaError| format!("topic {}: {error}", self.name);
        let mut left: Vec<i32> = self.ends()?.iter().map(|(number, ..)| *number).collect();
        let mut places = TopicPartitionList::new();
        for partition in &left {
            let placed = places.add_partition_offset(&self.name, *partition, Offset::Beginning);
            placed.map_err(told)?;
        }
        self.consumer.assign(&places).map_err(told)?;
        let mut heard = Instant::now();
        while !left.is_empty() {
            let polled = self.consumer.poll(Duration::from_millis(200));
            if !matches!(polled, None | Some(Err(_))) {
                heard = Instant::now();
            }
            match polled {
                Some(Ok(message)) => each(&found(&message)),
                Some(Err(KafkaError::PartitionEOF(done))) => left.retain(|one| *one != done),
                Some(Err(error)) if !is_passing(&error) => return Err(told(error)),
                _ if heard.elapsed() > 6 * PATIENCE => {
                    return Err(format!("topic {} gives no more records", self.name));
                }
                _ => {}
            }
        }
        self.consumer.unassign().map_err(told)
    }
}

fn found<'a>(message: &'a rdkafka::message::BorrowedMessage<'_>) -> Found<'a> {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    Found {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key(),
        value: message.payload(),
        headers: headers
            .map(|one| (one.key, one.value.unwrap_or_default()))
            .collect(),
    }
}

/// Looks for a topic in the list of all: to ask for it by its name could make it.
fn find(
    consumer: &BaseConsumer<Quiet>,
    properties: &Properties,
    name: &str,
) -> Result<(bool, String), String> {
    let brokers = properties
        .get("bootstrap.servers")
        .unwrap_or("nowhere: bootstrap.servers is not set");
    let all = consumer.fetch_metadata(None, PATIENCE);
    let all = all.map_err(|error| format!("no broker answers at {brokers}: {error}"))?;
    let is_there = all.topics().iter().any(|topic| topic.name() == name);
    let cluster = consumer.client().fetch_cluster_id(PATIENCE);
    let cluster =
        cluster.ok_or_else(|| format!("the brokers at {brokers} do not tell their cluster's id"));
    Ok((is_there, cluster?))
}

/// What the topic takes; Kafka's default where one may not ask.
async fn limit(config: &rdkafka::ClientConfig, name: &str) -> usize {
    let asked = async {
        let admin: AdminClient<DefaultClientContext> = config.create().ok()?;
        let wanted = ResourceSpecifier::Topic(name);
        let told = admin.describe_configs([&wanted], &AdminOptions::new());
        let resource = told.await.ok()?.pop()?.ok()?;
        let entry = resource.get("max.message.bytes")?;
        entry.value.as_ref()?.parse().ok()
    };
    asked.await.unwrap_or(USUAL_RECORD)
}

pub(super) fn not_sent(topic: &str, error: &KafkaError) -> NotSent {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => NotSent::TooLarge,
        _ if is_passing(error) => NotSent::Passing(format!("topic {topic}: {error}")),
        _ => NotSent::Lasting(format!("topic {topic}: {error}")),
    }
}

fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::MessageTimedOut
                | Code::QueueFull
                | Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::NotEnoughReplicas
                | Code::NotEnoughReplicasAfterAppend
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::CoordinatorLoadInProgress
                | Code::NotCoordinator
                | Code::CoordinatorNotAvailable
                | Code::Resolve
        )
    )
}
