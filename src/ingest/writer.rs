//! Writes a batch and answers everyone in it; lists what was refused.

use super::lanes::Lane;
use super::measures::Measures;
use super::pace::Pace;
use super::refusals;
use super::share::{Share, SubmitError};
use super::taken;
use super::tools::Tools;
use super::traced;
use super::write::{Written, goes_straight, write};
use crate::domain::{Code, Command, Item, Receipt, Rejection};
use crate::metric_names::BATCHES_HALVED;
use crate::store::Error;
use crate::traces;
use metrics::counter;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

/// What every flush needs.
pub(super) struct Writer {
    pub tools: Tools,
    pub deadline: Duration,
    pub pace: Pace,
    pub measures: Arc<Measures>,
}

impl Writer {
    /// Writes a batch and answers everyone in it. Whoever needs no look-up does not wait for those who do: one person about whom
    /// everybody writes must not slow the others down.
    pub async fn flush(&self, batch: Vec<Share>, lane: Lane) {
        let is_straight = |share: &Share| {
            let mut commands = share.items.iter().map(Item::command);
            commands.all(|command| command.is_some_and(goes_straight))
        };
        let (straight, others) = batch.into_iter().partition(is_straight);
        tokio::join!(
            self.write_shares(straight, lane),
            self.write_shares(others, lane)
        );
    }

    async fn write_shares(&self, mut batch: Vec<Share>, lane: Lane) {
        if batch.is_empty() {
            return;
        }
        let result = self.write_in_time(&mut batch, lane).await;
        fail::fail_point!("between-commit-and-reply");
        match result {
            Ok(Ok(receipts)) => {
                self.pace.faster();
                self.tools.store.note_written();
                answer(batch, receipts);
            }
            Ok(Err(error)) => {
                self.tools.store.note_refused(&error);
                refuse(batch, &error);
            }
            Err(_) => {
                self.pace.slower();
                refuse(batch, &Error::Timeout(self.deadline));
            }
        }
    }

    /// Writes the items of shares within the limit of time: measured, and traced where one of their requests is.
    async fn write_in_time(
        &self,
        batch: &mut [Share],
        lane: Lane,
    ) -> Result<Result<Vec<Receipt>, Error>, Elapsed> {
        let mut span = traced::batch(batch, lane);
        let started = Instant::now();
        let sent = batch.iter().flat_map(|share| {
            let items = share.items.iter();
            items.map(|item| (item, share.is_of_a_file))
        });
        let sent: Vec<(&Item, bool)> = sent.collect();
        let writing = traces::within(span.as_ref(), self.write_items(&sent));
        let result = timeout(self.deadline, writing).await;
        let is_written = matches!(result, Ok(Ok(_)));
        self.measures.end(lane, is_written, started.elapsed());
        if let Some(span) = span.as_mut().filter(|_| !is_written) {
            span.fail("not_written");
        }
        result
    }

    /// Writes items, of each of which is said whether it is of a file.
    async fn write_items(&self, sent: &[(&Item, bool)]) -> Result<Vec<Receipt>, Error> {
        let items: Vec<&Item> = sent.iter().map(|(item, _)| *item).collect();
        let commands: Vec<&Command> = items.iter().filter_map(|item| item.command()).collect();
        let mut written = Written::default();
        let first_copies = written.first_copies(&commands);
        self.write_or_halve(&first_copies, &mut written).await?;
        let mut receipts: Vec<Receipt> = items.iter().map(|item| written.receipt(item)).collect();
        taken::tell(&self.tools.store, &items, &mut receipts).await?;
        refusals::list(&self.tools, sent, &receipts).await?;
        Ok(receipts)
    }

    /// Writes; where the database refuses some item's data, halves until the bad one stands alone. Its neighbours are stored.
    fn write_or_halve<'a>(
        &'a self,
        commands: &'a [&'a Command],
        written: &'a mut Written,
    ) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>> {
        Box::pin(async move {
            match write(&self.tools, commands, written).await {
                Err(error) if error.is_data() && commands.len() == 1 => {
                    written.refuse(commands[0].key(), by_database(&error));
                    Ok(())
                }
                Err(error) if error.is_data() => {
                    counter!(BATCHES_HALVED).increment(1);
                    let (left, right) = commands.split_at(commands.len() / 2);
                    self.write_or_halve(left, written).await?;
                    self.write_or_halve(right, written).await
                }
                done => done,
            }
        })
    }
}

fn by_database(error: &Error) -> Rejection {
    let state = error.sql_state().map_or("", |state| state.code());
    let message = format!(
        "the database refused this item's data (SQLSTATE {state}); its neighbours were stored"
    );
    Rejection {
        names: Vec::new(),
        code: Code::RefusedByDatabase,
        field: None,
        message,
    }
}

fn answer(batch: Vec<Share>, receipts: Vec<Receipt>) {
    let mut receipts = receipts.into_iter();
    for share in batch {
        let own = receipts.by_ref().take(share.items.len()).collect();
        share.answer(Ok(own));
    }
}

/// Tells everyone in a batch that nothing can be said about their items; the log has the reason, once.
fn refuse(batch: Vec<Share>, error: &Error) {
    tracing::error!(shares = batch.len(), reason = %error.full_text(), "batch was not written");
    for share in batch {
        share.answer(Err(SubmitError::Store));
    }
}
