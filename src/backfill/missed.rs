//! Deletions that a compacted topic has dropped before they were read: whoever was away for longer than it keeps them does not hear of them.

use super::kafka::{PATIENCE, Properties};
use super::source::Source;
use super::taking::Taker;
use crate::metric_names::BACKFILL_MISSED;
use crate::store::{Partition, TakenPartition};
use metrics::counter;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use std::time::Duration;
use uuid::Uuid;

/// Says where deletions may be gone that nobody has read, and notes it for whoever looks.
pub(super) async fn look(taker: &Taker, partitions: &[TakenPartition], owner: Uuid) {
    let Source { name, topic, .. } = &*taker.source;
    let missed = missed(&taker.source, partitions).await;
    if missed.is_empty() {
        return;
    }
    tracing::warn!(source = %name, %topic, partitions = missed.len(),
        "deletions may be missing: it was away for longer than the compacted topic keeps them (delete.retention.ms)");
    counter!(BACKFILL_MISSED, "source" => name.clone()).increment(missed.len() as u64);
    if let Err(error) = taker.store.note_missed(name, &missed, owner).await {
        tracing::warn!(source = %name, reason = %error.full_text(), "missing deletions were not noted");
    }
}

/// Those of some partitions that were read before, and for too long not since.
async fn missed(source: &Source, partitions: &[TakenPartition]) -> Vec<Partition> {
    let away = |one: &TakenPartition| one.away.filter(|_| one.next_offset.is_some());
    if partitions.iter().all(|one| away(one).is_none()) {
        return Vec::new();
    }
    let Some(kept) = deletions_kept(&source.properties, &source.topic).await else {
        return Vec::new();
    };
    let missed = partitions
        .iter()
        .filter(|one| away(one).is_some_and(|away| away > kept));
    missed.map(|one| one.partition.clone()).collect()
}

/// How long a topic keeps deletions; `None` where it keeps all records by their age, or one may not ask.
async fn deletions_kept(properties: &Properties, topic: &str) -> Option<Duration> {
    let config = properties.client(&[("client.id", "roster")]);
    let admin: AdminClient<DefaultClientContext> = config.create().ok()?;
    let wanted = ResourceSpecifier::Topic(topic);
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let told = admin.describe_configs([&wanted], &options).await;
    let settings = told.ok()?.pop()?.ok()?;
    let setting = |name| settings.get(name)?.value.as_deref();
    let millis = setting("delete.retention.ms")?.parse().ok()?;
    let is_compacted = setting("cleanup.policy")?.contains("compact");
    is_compacted.then(|| Duration::from_millis(millis))
}
