//! Gathers what arrives while batches are being written, and writes it as the next batch.
//!
//! No timer: a lone request is written at once; under load the batches grow by themselves, because the next one gathers for as
//! long as the one before is in flight. Beside a batch in flight another one starts only when enough has gathered: a statement
//! costs as much as some twenty rows, so that more batches of fewer rows are slower than fewer of more.

use super::links::KnownLinks;
use super::write::{Stored, goes_straight, write};
use super::{SubmitError, refuse};
use crate::config::{self, millis};
use crate::domain::identity::IdentityKey;
use crate::domain::profile::Room;
use crate::domain::{Code, Command, Item, Receipt, Rejected, Rejection};
use crate::metric_names::{BATCH_ROWS, BATCH_SECONDS, BATCHES_HALVED};
use crate::store::{Error, Store};
use metrics::{counter, histogram};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

/// The answer to a share: one receipt for each item.
pub(super) type Answer = Result<Vec<Receipt>, SubmitError>;

/// Items that are answered together: a request, or a part of a large one.
pub(super) struct Share {
    pub items: Vec<Item>,
    pub bytes: usize,
    pub reply: oneshot::Sender<Answer>,
}

/// What every flush needs.
pub(super) struct Writer {
    pub store: Store,
    pub links: KnownLinks,
    pub deadline: Duration,
    pub room: Room,
}

/// Runs until every sender is gone and everything gathered is written.
pub(super) async fn run(
    mut shares: mpsc::UnboundedReceiver<Share>,
    writer: Arc<Writer>,
    settings: config::Ingest,
) {
    let mut flushes = JoinSet::new();
    let mut waiting = Waiting::default();
    let mut open = true;
    let patience = millis(settings.patience_ms);
    while open || waiting.rows > 0 {
        tokio::select! {
            share = shares.recv(), if open && waiting.cut(&settings).is_none() => match share {
                Some(share) => waiting.add(share),
                None => open = false,
            },
            Some(_) = flushes.join_next() => {}
            () = sleep_until(waiting.since + patience), if waiting.rows > 0 && flushes.len() < settings.parallel_flushes => {}
        }
        // What has arrived by now goes along.
        while waiting.cut(&settings).is_none()
            && let Ok(share) = shares.try_recv()
        {
            waiting.add(share);
        }
        if waiting.may_go(flushes.len(), &settings) {
            let batch = waiting.take(&settings);
            let writer = writer.clone();
            flushes.spawn(async move { writer.flush(batch).await });
        }
    }
    flushes.join_all().await;
}

/// The batch that gathers.
struct Waiting {
    shares: Vec<Share>,
    /// When the first of them arrived.
    since: Instant,
    rows: usize,
    bytes: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            shares: Vec::new(),
            since: Instant::now(),
            rows: 0,
            bytes: 0,
        }
    }
}

impl Waiting {
    fn add(&mut self, share: Share) {
        if self.shares.is_empty() {
            self.since = Instant::now();
        }
        self.rows += share.items.len();
        self.bytes += share.bytes;
        self.shares.push(share);
    }

    /// The limit that has been reached, if any.
    fn cut(&self, settings: &config::Ingest) -> Option<&'static str> {
        if self.rows >= settings.max_batch_rows {
            Some("rows")
        } else if self.bytes >= settings.max_batch_bytes {
            Some("bytes")
        } else {
            None
        }
    }

    /// Goes at once where nothing is in flight; beside another batch only where it is worth a statement of its own, or has waited
    /// long: one batch that hangs must not hold the others up.
    fn may_go(&self, in_flight: usize, settings: &config::Ingest) -> bool {
        let is_large = self.rows >= settings.parallel_rows || self.cut(settings).is_some();
        let is_late = self.since.elapsed() >= millis(settings.patience_ms);
        match in_flight {
            0 => self.rows > 0,
            _ => self.rows > 0 && (is_large || is_late) && in_flight < settings.parallel_flushes,
        }
    }

    fn take(&mut self, settings: &config::Ingest) -> Vec<Share> {
        let cut = self.cut(settings).unwrap_or("drained");
        histogram!(BATCH_ROWS, "cut" => cut).record(self.rows as f64);
        std::mem::take(self).shares
    }
}

impl Writer {
    /// Writes a batch and answers everyone in it. Whoever needs no look-up does not wait for those who do: one person about whom
    /// everybody writes must not slow the others down.
    async fn flush(&self, mut batch: Vec<Share>) {
        // Whoever gave up waiting will send again; writing for them now would only delay the others.
        batch.retain(|share| !share.reply.is_closed());
        let is_straight = |share: &Share| {
            let mut commands = share.items.iter().map(Item::command);
            commands
                .all(|command| command.is_some_and(|command| goes_straight(command, &self.links)))
        };
        let (straight, others) = batch.into_iter().partition(is_straight);
        tokio::join!(self.write_shares(straight), self.write_shares(others));
    }

    async fn write_shares(&self, batch: Vec<Share>) {
        if batch.is_empty() {
            return;
        }
        let started = Instant::now();
        let items: Vec<&Item> = batch.iter().flat_map(|share| &share.items).collect();
        let result = timeout(self.deadline, self.write_items(&items)).await;
        let outcome = if matches!(result, Ok(Ok(_))) {
            "ok"
        } else {
            "error"
        };
        histogram!(BATCH_SECONDS, "outcome" => outcome).record(started.elapsed());
        fail::fail_point!("between-commit-and-reply");
        match result {
            Ok(Ok(receipts)) => answer(batch, receipts),
            Ok(Err(error)) => refuse(batch, &error),
            Err(_) => refuse(batch, &Error::Timeout(self.deadline)),
        }
    }

    async fn write_items(&self, items: &[&Item]) -> Result<Vec<Receipt>, Error> {
        let commands: Vec<&Command> = items.iter().filter_map(|item| item.command()).collect();
        let mut written = self
            .write_or_halve(&commands, &mut Stored::new())
            .await?
            .into_iter();
        let receipt = |item: &&Item| match item {
            Item::Rejected(rejected) => Receipt::Rejected(rejected.rejection.clone()),
            Item::Command(_) => written.next().expect("one receipt for each command"),
        };
        let receipts: Vec<Receipt> = items.iter().map(receipt).collect();
        self.list_refused(items, &receipts).await?;
        Ok(receipts)
    }

    /// Writes; where the database refuses some item's data, halves until the bad one stands alone. Its neighbours are stored.
    fn write_or_halve<'a>(
        &'a self,
        commands: &'a [&'a Command],
        stored: &'a mut Stored,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Receipt>, Error>> + Send + 'a>> {
        Box::pin(async move {
            match write(self, commands, stored).await {
                Err(error) if error.is_data() && commands.len() == 1 => {
                    Ok(vec![Receipt::Rejected(by_database(&error))])
                }
                Err(error) if error.is_data() => {
                    counter!(BATCHES_HALVED).increment(1);
                    let (left, right) = commands.split_at(commands.len() / 2);
                    let mut receipts = self.write_or_halve(left, stored).await?;
                    receipts.extend(self.write_or_halve(right, stored).await?);
                    Ok(receipts)
                }
                done => done,
            }
        })
    }

    /// Records what was refused, on arrival or here, so that a person can look it up. Of people who are forgotten nothing is kept.
    async fn list_refused(&self, items: &[&Item], receipts: &[Receipt]) -> Result<(), Error> {
        let refused = |(item, receipt): (&&Item, &Receipt)| match (*item, receipt) {
            (Item::Rejected(rejected), _) => Some(rejected.clone()),
            (Item::Command(command), Receipt::Rejected(rejection)) => {
                let is_kept = rejection.code != Code::Forgotten;
                is_kept.then(|| Rejected::command(command, Uuid::now_v7(), rejection.clone()))
            }
            _ => None,
        };
        let mut refused: Vec<Rejected> = items.iter().zip(receipts).filter_map(refused).collect();
        self.leave_out_forgotten(&mut refused).await?;
        if refused.is_empty() {
            Ok(())
        } else {
            self.store.insert_rejections(&refused).await
        }
    }

    async fn leave_out_forgotten(&self, refused: &mut Vec<Rejected>) -> Result<(), Error> {
        let keys = |rejected: &Rejected| -> Vec<IdentityKey> {
            let names = rejected.names.iter();
            names
                .map(|name| (rejected.project_id, name.clone()))
                .collect()
        };
        let asked: Vec<IdentityKey> = refused.iter().flat_map(keys).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let erased = self
            .store
            .load_erased(&asked.iter().collect::<Vec<_>>())
            .await?;
        let is_forgotten =
            |key: &IdentityKey| erased.get(key).is_some_and(|erased| erased.is_forgotten);
        refused.retain(|rejected| !keys(rejected).iter().any(&is_forgotten));
        Ok(())
    }
}

fn by_database(error: &Error) -> Rejection {
    let state = error.sql_state().map_or("", |state| state.code());
    let message = format!(
        "the database refused this item's data (SQLSTATE {state}); its neighbours were stored"
    );
    Rejection {
        code: Code::RefusedByDatabase,
        field: None,
        message,
    }
}

fn answer(batch: Vec<Share>, receipts: Vec<Receipt>) {
    let mut receipts = receipts.into_iter();
    for share in batch {
        let own = receipts.by_ref().take(share.items.len()).collect();
        // Nobody may be waiting any more; what they asked for is done all the same.
        drop(share.reply.send(Ok(own)));
    }
}
