//! The database that a verb works on, and who ends the verb where that database was started for it.

use super::backfill::BackfillVerb;
use super::{Verb, explained};
use crate::config::{Config, millis};
use crate::embedded::{self, Embedded};
use crate::server::Signals;
use crate::store::Store;
use anyhow::Result;
use std::future::pending;

/// The configured database; else the private one of the service that runs in the data directory; else that one, started for us.
pub(super) async fn find(config: &Config) -> Result<(Option<Embedded>, String)> {
    if !config.is_embedded() {
        return Ok((None, config.database.url.reveal().to_owned()));
    }
    if let Ok(url) = embedded::running_url(&config.data_dir) {
        return Ok((None, url));
    }
    let embedded = Embedded::start(&config.data_dir).await?;
    let url = embedded.database_url().to_owned();
    Ok((Some(embedded), url))
}

pub(super) async fn open(config: &Config, url: &str) -> Result<Store> {
    let deadline = millis(config.ingest.write_deadline_ms);
    let store = Store::open(&config.database, url, deadline)?;
    store.engine().await.map_err(explained)?;
    Ok(store)
}

/// Where this process may start a database it has to stop it too, whatever ends the verb. Two verbs hear signals themselves, and end in order.
pub(super) fn signals(verb: &Verb, config: &Config) -> Result<Option<Signals>> {
    let is_patient = matches!(
        verb,
        Verb::Backfill(BackfillVerb::Run(_) | BackfillVerb::Export(_))
    );
    let is_needed = config.is_embedded() && !is_patient;
    is_needed.then(Signals::listen).transpose()
}

/// Returns when a signal has come, if they are listened for.
pub(super) async fn asked_to_end(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => signals.asked().await,
        None => pending().await,
    }
}
