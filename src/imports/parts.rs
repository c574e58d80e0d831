//! What all imports of a node share.

use super::pace::Pace;
use super::slots::Slots;
use crate::config;
use crate::domain::Limits;
use crate::ingest::Ingest;
use crate::mapping::Calls;
use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

pub(super) struct Parts {
    pub store: Store,
    pub ingest: Ingest,
    pub limits: Limits,
    pub settings: config::Imports,
    pub calls: Calls,
    pub slots: Arc<Slots>,
    pub pace: Pace,
    /// Files are read one piece at a time, so that the other processors are left to what somebody waits for.
    pub readers: Arc<Semaphore>,
    /// Samples are read one at a time, and keep no file waiting.
    pub samplers: Arc<Semaphore>,
    pub stop: watch::Sender<bool>,
}

impl Parts {
    /// How long an upload stays open where nobody goes on with it.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.settings.expire_seconds)
    }

    /// Returns when the service stops.
    pub async fn stopped(&self) {
        let mut told = self.stop.subscribe();
        // The sender lives as long as this.
        let _ = told.wait_for(|is_stopped| *is_stopped).await;
    }
}
