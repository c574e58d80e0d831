//! Writes a batch of commands by the sequence of single statements that `docs/ARCHITECTURE.md` explains.
//!
//! 1. Events of people who are known go in at once, where nobody in the batch has to be looked up; most batches end here.
//! 2. What is left is looked up; new people are made, new names linked, traits merged and compared-and-set.
//! 3. The events that step 2 made ready go in. Who lost a race goes round again.
//!
//! Every statement is idempotent, so a crash between two of them leaves only what a resend completes.

use super::batcher::Writer;
use super::links::KnownLinks;
use super::round::{Key, Round};
use crate::domain::{Command, Receipt, Rejection};
use crate::metric_names::BATCH_ROUNDS;
use crate::store::Error;
use metrics::histogram;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// More rounds than the busiest profile needs: each means that somebody else's write won.
const MAX_ROUNDS: u32 = 40;

/// The keys of events that this batch made rows of, kept over the halving of a batch, so that no receipt calls them duplicates.
pub(super) type Stored = HashSet<Key>;

/// Writes every command; one receipt for each, in their order.
pub(super) async fn write(
    writer: &Writer,
    commands: &[&Command],
    stored: &mut Stored,
) -> Result<Vec<Receipt>, Error> {
    let mut pending = first_copies(commands);
    // Where some have to be looked up, looking all of them up costs less than a statement for the others alone.
    if pending
        .iter()
        .all(|command| goes_straight(command, &writer.links))
    {
        pending = insert(writer, pending, false, stored).await?;
    }
    pending.retain(|command| !stored.contains(&command.key()));
    let refused = settle(writer, pending, stored).await?;
    Ok(receipts(commands, stored, &refused))
}

/// Goes round until every identity is known, every trait written and every event there; returns what can't be done.
async fn settle(
    writer: &Writer,
    mut pending: Vec<&Command>,
    stored: &mut Stored,
) -> Result<HashMap<Key, Rejection>, Error> {
    let mut refused = HashMap::new();
    for round in 0..MAX_ROUNDS {
        if pending.is_empty() {
            if round > 0 {
                histogram!(BATCH_ROUNDS).record(round);
            }
            return Ok(refused);
        }
        tokio::time::sleep(pause(round)).await;
        let outcome = Round::read(&writer.store, pending, &writer.room)
            .await?
            .write(&writer.store, &writer.links)
            .await?;
        refused.extend(outcome.refused);
        pending = outcome.again;
        // Whoever does not come back was there already, or was erased just now: the next look tells.
        pending.extend(insert(writer, outcome.ready, true, stored).await?);
    }
    Err(Error::Contended("settle"))
}

/// None at first: the loser of one race reads at once who won. Then longer and random, so that two nodes get out of step.
fn pause(round: u32) -> Duration {
    let most = u64::from(round.saturating_sub(2).min(10)) * 5;
    Duration::from_millis(rand::random_range(0..=most))
}

/// True where nothing has to be looked up first.
pub(super) fn goes_straight(command: &Command, links: &KnownLinks) -> bool {
    let states_nothing = command.traits.is_none() && command.group.is_none();
    states_nothing && (command.identities.len() == 1 || links.contains(command))
}

/// Stores events; returns the commands that did not become rows.
async fn insert<'a>(
    writer: &Writer,
    mut commands: Vec<&'a Command>,
    looked_up: bool,
    stored: &mut Stored,
) -> Result<Vec<&'a Command>, Error> {
    if !commands.is_empty() {
        stored.extend(writer.store.insert_events(&mut commands, looked_up).await?);
        commands.retain(|command| !stored.contains(&command.key()));
    }
    Ok(commands)
}

/// The first command of each event id: one statement can't write a row twice.
fn first_copies<'a>(commands: &[&'a Command]) -> Vec<&'a Command> {
    let mut seen = HashSet::with_capacity(commands.len());
    let commands = commands.iter().copied();
    commands
        .filter(|command| seen.insert(command.key()))
        .collect()
}

/// A copy of a refused command is refused as well; a copy of a stored one is a duplicate.
fn receipts(
    commands: &[&Command],
    stored: &Stored,
    refused: &HashMap<Key, Rejection>,
) -> Vec<Receipt> {
    let mut answered = HashSet::with_capacity(commands.len());
    let receipt = |command: &&Command| match refused.get(&command.key()) {
        Some(rejection) => Receipt::Rejected(rejection.clone()),
        None if answered.insert(command.key()) && stored.contains(&command.key()) => {
            Receipt::Stored
        }
        None => Receipt::Duplicate,
    };
    commands.iter().map(receipt).collect()
}
