//! Takes refused records again, from their places in Kafka: after a mapping was mended, or a person's data made smaller.

use super::arrival::Arrived;
use super::poller::record_of;
use super::projects::Projects;
use super::room::Held;
use super::source::Source;
use super::taking::Taker;
use crate::domain::ProjectId;
use crate::ingest::Ingest;
use crate::store::{Error, Refusal, Store};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long one record is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Refusals that are loaded at once.
const PAGE: i64 = 200;

/// What became of refused records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Taken after all: they are no longer listed.
    pub taken: usize,
    /// Refused again, with the reason of now.
    pub refused: usize,
    /// No longer in the topic: they stay listed.
    pub gone: usize,
}

/// Takes all refused records of a source again.
///
/// # Errors
/// One sentence for the operator.
pub async fn replay(source: Source, ingest: Ingest, store: Store) -> Result<Replayed, String> {
    let told = |error: Error| error.full_text();
    let row = store.load_source(&source.name).await.map_err(told)?;
    let row = row.ok_or_else(|| format!("there is no source {}", source.name))?;
    let group = format!("{}-replay", source.group);
    let mut config = source.properties.client(&[("client.id", "roster-replay")]);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false");
    config.set("auto.offset.reset", "error");
    let consumer: BaseConsumer = config.create().map_err(|error| error.to_string())?;
    let taker = Arc::new(Taker {
        source: Arc::new(source),
        ingest,
        store,
        projects: Projects::default(),
        start: row.started_at,
    });
    let mut replayed = Replayed::default();
    for project_id in projects(&taker).await.map_err(told)? {
        replay_project(&taker, &consumer, project_id, &mut replayed).await?;
    }
    Ok(replayed)
}

/// Whose refusals there may be.
async fn projects(taker: &Taker) -> Result<BTreeSet<i32>, Error> {
    let counts = taker.store.load_counts(&taker.source.name, None).await?;
    let known = counts.into_iter().map(|(_, project_id, _)| project_id.0);
    Ok(known.chain([0]).collect())
}

async fn replay_project(
    taker: &Arc<Taker>,
    consumer: &BaseConsumer,
    project_id: i32,
    replayed: &mut Replayed,
) -> Result<(), String> {
    let mut last = None;
    loop {
        let loading = taker
            .store
            .load_refusals(ProjectId(project_id), last.as_ref(), PAGE);
        let page = loading.await.map_err(|error| error.full_text())?;
        for refusal in page.iter().filter(|one| one.source == taker.source.name) {
            again(taker, consumer, refusal, replayed).await?;
        }
        match page.into_iter().last() {
            Some(refusal) => last = Some(refusal),
            None => return Ok(()),
        }
    }
}

async fn again(
    taker: &Arc<Taker>,
    consumer: &BaseConsumer,
    refusal: &Refusal,
    replayed: &mut Replayed,
) -> Result<(), String> {
    let found = tokio::task::block_in_place(|| fetch(consumer, refusal))?;
    let Some(arrived) = found else {
        replayed.gone += 1;
        return Ok(());
    };
    let taken = taker.clone().take(vec![arrived]).await;
    let outcome = taken.into_iter().next().map(|taken| taken.outcome);
    let written = match outcome.as_ref().and_then(|outcome| outcome.rejection()) {
        None => {
            replayed.taken += 1;
            taker
                .store
                .forget_refusals(std::slice::from_ref(refusal))
                .await
        }
        Some(rejection) => {
            replayed.refused += 1;
            let attempts = refusal.attempts.saturating_add(1);
            let known = Refusal {
                attempts,
                ..refusal.clone()
            };
            taker
                .store
                .record_refusals(vec![known.because(rejection)])
                .await
        }
    };
    written.map_err(|error| error.full_text())
}

/// The record at a refusal's place; `None` where it is no longer there.
fn fetch(consumer: &BaseConsumer, refusal: &Refusal) -> Result<Option<Arrived>, String> {
    let (topic, partition) = &refusal.partition;
    let told = |error: rdkafka::error::KafkaError| error.to_string();
    let mut place = TopicPartitionList::new();
    place
        .add_partition_offset(topic, *partition, Offset::Offset(refusal.offset))
        .map_err(told)?;
    consumer.assign(&place).map_err(told)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Ok(message)) if message.offset() == refusal.offset => {
                return Ok(Some(record_of(&message, Uuid::nil(), Held::default())));
            }
            Some(Ok(message)) if message.offset() > refusal.offset => return Ok(None),
            Some(Ok(_)) => {}
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(rdkafka::error::RDKafkaErrorCode::AutoOffsetReset) => return Ok(None),
                _ => tracing::warn!(%error, "Kafka"),
            },
        }
    }
    Err(format!(
        "the record at {topic} {partition}, offset {} did not come within {PATIENCE:?}",
        refusal.offset
    ))
}
