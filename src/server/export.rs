//! Puts an export together: documents of a legacy store into a topic.

use super::Signals;
use crate::backfill::Topic;
use crate::clock::machine_time;
use crate::config::{Config, KafkaProperties};
use crate::export::{Export, Options, Outcome, Progress};
use crate::legacy::Client;
use crate::store::Store;
use anyhow::{Result, anyhow};
use std::time::Duration;
use tokio::time::sleep;

/// Where documents go.
pub struct To<'a> {
    pub topic: &'a str,
    /// Above those of the settings.
    pub properties: &'a KafkaProperties,
    /// Of a topic that is to be made if it is missing.
    pub partitions: Option<u16>,
}

/// Sends what is new or changed since the last pass; `show` is told how far it is and how far it goes.
///
/// # Errors
/// With one sentence for the operator.
pub async fn export(
    config: &Config,
    to: To<'_>,
    options: Options,
    (store, mut show): (&Store, impl FnMut(Progress, u64)),
) -> Result<Outcome> {
    let told = |text: String| anyhow!(text);
    let client = Client::new(&config.legacy).map_err(told)?;
    let topic = Topic::open(
        &config.backfill.kafka,
        to.properties,
        to.topic,
        to.partitions,
    );
    let export = Export::new(
        client,
        topic.await.map_err(told)?,
        store.clone(),
        options,
        machine_time,
    );
    let mut signals = Signals::listen()?;
    let stop = async move { signals.asked().await };
    let watch = async {
        let mut total = 0;
        loop {
            sleep(Duration::from_secs(1)).await;
            if total == 0 {
                total = export.total().await;
            }
            show(export.progress(), total);
        }
    };
    tokio::select! {
        ended = export.run(stop) => ended.map_err(told),
        () = watch => unreachable!("it has no end"),
    }
}
