//! Dead letters: records that were refused, whole, for whoever mends them. The list in the database comes first; a letter that can't
//! be sent costs nothing else.

use super::arrival::Arrived;
use super::room::Room;
use super::source::Source;
use crate::domain::Rejection;
use crate::metric_names::BACKFILL_LETTERS;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use metrics::counter;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::time::Duration;

/// How long a letter waits for room in the producer's queue.
const QUEUE: Duration = Duration::from_millis(200);
/// The header that counts how often a record was tried.
const ATTEMPTS: &str = "roster.attempts";
/// Of a letter that was cut: how many bytes the record has where it came from.
const CUT_FROM: &str = "roster.cut_from_bytes";
/// Headers that Kafka Connect gives its dead letters, by what they begin with.
const CONNECT: &str = "__connect.errors.";

/// Bytes of letters on their way at once: some hundreds of usual records.
const ROOM: usize = 8 << 20;

/// Sends letters of one source.
#[derive(Clone)]
pub(super) struct Letters {
    producer: FutureProducer,
    topic: String,
    source: String,
    /// The topic that the records come from.
    from: String,
    most_bytes: usize,
    /// What letters on their way may hold.
    room: Room,
}

impl Letters {
    /// `None` where the source wants none.
    pub fn of(source: &Source) -> Result<Option<Self>, String> {
        let Some(topic) = source.dead_letter_topic.clone() else {
            return Ok(None);
        };
        let defaults = [
            ("client.id", "roster"),
            ("enable.idempotence", "true"),
            ("compression.type", "zstd"),
            ("message.timeout.ms", "300000"),
            // A topic that is not there yet is waited for as long: brokers say so too while they elect.
            ("topic.metadata.propagation.max.ms", "300000"),
            ("queue.buffering.max.kbytes", "16384"),
        ];
        let config = source.properties.client(&defaults);
        let producer = config.create().map_err(|error| error.to_string())?;
        // Kafka's own default for a topic; a letter's headers need some of it.
        let most = source.properties.get("message.max.bytes");
        let most_bytes = most.and_then(|most| most.parse().ok()).unwrap_or(1_000_000);
        Ok(Some(Self {
            producer,
            topic,
            source: source.name.clone(),
            from: source.topic.clone(),
            most_bytes,
            room: Room::new(ROOM),
        }))
    }

    /// Sends one, cut to its limit; the future ends with its delivery. `None` where as many are on their way as there is room for:
    /// a topic that takes none must neither stop a partition nor fill the memory.
    pub fn send(&self, arrived: &Arrived, rejection: &Rejection) -> Option<BoxFuture<'static, ()>> {
        let cut = |bytes: &[u8]| bytes[..bytes.len().min(self.most_bytes / 2)].to_vec();
        let whole = arrived.value.as_ref().map_or(0, Bytes::len);
        if self.room.free() < whole.min(self.most_bytes) {
            self.told("lost");
            return None;
        }
        let room = self.room.take(whole.min(self.most_bytes));
        let (value, key) = (
            arrived.value.as_deref().map(cut),
            arrived.key.as_deref().map(cut),
        );
        let is_cut = value.as_ref().is_some_and(|value| value.len() < whole);
        let headers = headers(arrived, rejection, &self.from, is_cut.then_some(whole));
        let (own, at) = (self.clone(), arrived.at);
        Some(Box::pin(async move {
            let record = FutureRecord {
                topic: &own.topic,
                partition: None,
                payload: value.as_deref(),
                key: key.as_deref(),
                // The record's first time, by which it is stamped when it is taken after all.
                timestamp: at,
                headers: Some(headers),
            };
            match own.producer.send(record, QUEUE).await {
                Ok(_) => own.told("delivered"),
                Err((error, _)) => {
                    tracing::warn!(source = %own.source, topic = %own.topic, %error, "a dead letter was not delivered; the record is listed");
                    own.told("lost");
                }
            }
            drop(room);
        }))
    }

    fn told(&self, outcome: &'static str) {
        let source = self.source.clone();
        counter!(BACKFILL_LETTERS, "source" => source, "outcome" => outcome).increment(1);
    }
}

/// The record's own headers, then where it came from and why it was refused, by Kafka Connect's names. Of a letter that was tried
/// again the place stays the first one.
fn headers(
    arrived: &Arrived,
    rejection: &Rejection,
    topic: &str,
    cut_from: Option<usize>,
) -> OwnedHeaders {
    let (own, partition, offset) = (&arrived.headers, arrived.partition, arrived.offset);
    let connect = |name: &str| format!("{CONNECT}{name}");
    let known = |name: &str| {
        let name = connect(name);
        let found = own.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    let tried = own.iter().find(|(name, _)| name == ATTEMPTS);
    let tried = tried.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse::<u32>().ok());
    let mut all = own.clone();
    all.retain(|(name, _)| !name.starts_with(CONNECT) && name != ATTEMPTS && name != CUT_FROM);
    let mut add = |name: String, value: String| all.push((name, value.into_bytes()));
    add(
        connect("topic"),
        known("topic").unwrap_or_else(|| topic.to_owned()),
    );
    add(
        connect("partition"),
        known("partition").unwrap_or_else(|| partition.to_string()),
    );
    add(
        connect("offset"),
        known("offset").unwrap_or_else(|| offset.to_string()),
    );
    add(connect("stage"), "VALUE_CONVERTER".to_owned());
    add(connect("class.name"), "roster".to_owned());
    add(
        connect("exception.class.name"),
        rejection.code.as_str().to_owned(),
    );
    add(connect("exception.message"), rejection.to_string());
    add(ATTEMPTS.to_owned(), (tried.unwrap_or(0) + 1).to_string());
    if let Some(bytes) = cut_from {
        add(CUT_FROM.to_owned(), bytes.to_string());
    }
    let empty = OwnedHeaders::new_with_capacity(all.len());
    all.iter().fold(empty, |headers, (key, value)| {
        let value = Some(value);
        headers.insert(Header { key, value })
    })
}
