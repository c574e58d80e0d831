//! How the service ends: signals are heard from the start on, and what was begun is finished in order.

use crate::config::{Config, millis};
use crate::health::Health;
use crate::imports::Imports;
use actix_web::dev::ServerHandle;
use anyhow::Result;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// What is left of traces has so much time to be sent.
const LAST_TRACES: Duration = Duration::from_secs(2);

/// SIGTERM and SIGINT. As long as they are listened for they end nothing by themselves: not this process, and so not its database's only
/// keeper.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// Where the system has no room for that.
    pub fn listen() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Returns once one of them has come since they are listened for.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What runs beside requests, by how it ends.
pub(super) struct Tasks {
    pub batcher: JoinHandle<()>,
    pub backfills: Vec<JoinHandle<()>>,
    pub stop_backfill: watch::Sender<bool>,
    /// Those that write as requests do: files that are fetched, documents that are taken in.
    pub writers: Vec<JoinHandle<()>>,
    pub traces: Option<JoinHandle<()>>,
    pub others: Vec<JoinHandle<()>>,
}

/// Says that this node wants no traffic. Until a load balancer has seen that, requests are served as before: it takes nothing of the time in
/// which they have to be finished.
pub(super) async fn announce(config: &Config, health: &Health, tasks: &Tasks) {
    tracing::info!("draining");
    health.drain();
    // What they have begun is finished while requests are; nobody is left to tell where it fails.
    let _ = tasks.stop_backfill.send(true);
    sleep(millis(config.server.drain_delay_ms)).await;
}

/// Finishes what was begun.
pub(super) async fn drain(
    imports: Imports,
    handle: &ServerHandle,
    tasks: Tasks,
    serving: JoinHandle<std::io::Result<()>>,
) {
    imports.stop();
    drop(imports);
    handle.stop(true).await;
    // The server's end drops the last handles of ingest and keys, which ends their tasks.
    let _ = serving.await;
    for worker in tasks.writers {
        worker.abort();
        // It was aborted; what it had begun another node goes on with.
        let _ = worker.await;
    }
    for backfill in tasks.backfills {
        let _ = backfill.await;
    }
    let _ = tasks.batcher.await;
    if let Some(sending) = tasks.traces {
        // A collector that is away keeps nobody from stopping.
        let _ = timeout(LAST_TRACES, sending).await;
    }
    tasks.others.iter().for_each(JoinHandle::abort);
}
