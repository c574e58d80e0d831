//! Writes a batch of commands by the sequence of single statements that `docs/ARCHITECTURE.md` explains.
//!
//! 1. Events of people who are known go in at once; most batches end here.
//! 2. What is left is looked up; new people are made, new names linked, traits merged and compared-and-set. Who loses a race
//!    goes round again.
//! 3. The events that step 2 made ready go in.
//!
//! Every statement is idempotent, so a crash between two of them leaves only what a resend completes.

use super::batcher::Writer;
use super::links::KnownLinks;
use super::round::{Placed, Round};
use crate::domain::{Command, EventId, ProjectId, Receipt, Rejection};
use crate::metric_names::BATCH_ROUNDS;
use crate::store::Error;
use metrics::histogram;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// More rounds than the busiest profile needs: each means that somebody else's write won.
const MAX_ROUNDS: u32 = 40;

/// The keys of events that this batch made rows of, kept over the halving of a batch, so that no receipt calls them duplicates.
pub(super) type Stored = HashSet<(ProjectId, EventId)>;

/// Writes every command; one receipt for each, in their order.
pub(super) async fn write(
    writer: &Writer,
    commands: &[&Command],
    stored: &mut Stored,
) -> Result<Vec<Receipt>, Error> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let firsts = first_copies(commands);
    let is_direct = |command: &Command| goes_straight(command, &writer.links);
    let direct: Vec<bool> = commands.iter().map(|command| is_direct(command)).collect();
    let at_once = firsts
        .iter()
        .filter(|position| direct[**position])
        .map(|position| commands[*position]);
    insert(writer, at_once.collect(), stored).await?;
    let is_done = |position: usize| direct[position] && stored.contains(&commands[position].key());
    let is_first: HashSet<usize> = firsts.iter().copied().collect();
    let placed = |position: usize| {
        let command = commands[position];
        let traits = command
            .traits
            .as_ref()
            .filter(|_| is_first.contains(&position));
        Placed {
            position,
            command,
            traits,
        }
    };
    let pending: Vec<Placed> = (0..commands.len())
        .filter(|position| !is_done(*position))
        .map(placed)
        .collect();
    if pending.is_empty() {
        return Ok(receipts(commands, stored, &HashMap::new()));
    }
    let refused = settle(writer, pending).await?;
    let is_late = |position: &&usize| {
        !refused.contains_key(*position) && !stored.contains(&commands[**position].key())
    };
    let late = firsts
        .iter()
        .filter(is_late)
        .map(|position| commands[*position])
        .collect();
    insert(writer, late, stored).await?;
    Ok(receipts(commands, stored, &refused))
}

/// Goes round until every identity is known and every trait written; returns what can't be done.
async fn settle(
    writer: &Writer,
    mut pending: Vec<Placed<'_>>,
) -> Result<HashMap<usize, Rejection>, Error> {
    let mut refused = HashMap::new();
    for round in 1..=MAX_ROUNDS {
        let outcome = Round::read(&writer.store, pending, writer.max_identities)
            .await?
            .write(&writer.store, &writer.links)
            .await?;
        refused.extend(outcome.refused);
        pending = outcome.again;
        if pending.is_empty() {
            histogram!(BATCH_ROUNDS).record(round);
            return Ok(refused);
        }
        tokio::time::sleep(pause(round)).await;
    }
    Err(Error::Contended("settle"))
}

/// None at first: the loser of one race reads at once who won. Then longer and random, so that two nodes get out of step.
fn pause(round: u32) -> Duration {
    let most = u64::from(round.saturating_sub(2).min(10)) * 5;
    Duration::from_millis(rand::random_range(0..=most))
}

fn goes_straight(command: &Command, links: &KnownLinks) -> bool {
    command.traits.is_none() && (command.identities.len() == 1 || links.contains(command))
}

async fn insert(
    writer: &Writer,
    mut commands: Vec<&Command>,
    stored: &mut Stored,
) -> Result<(), Error> {
    if !commands.is_empty() {
        stored.extend(writer.store.insert_events(&mut commands).await?);
    }
    Ok(())
}

/// The place of the first command of each event id: one statement can't write a row twice.
fn first_copies(commands: &[&Command]) -> Vec<usize> {
    let mut seen = HashSet::with_capacity(commands.len());
    (0..commands.len())
        .filter(|position| seen.insert(commands[*position].key()))
        .collect()
}

fn receipts(
    commands: &[&Command],
    stored: &Stored,
    refused: &HashMap<usize, Rejection>,
) -> Vec<Receipt> {
    let mut answered = HashSet::with_capacity(commands.len());
    let receipt = |(position, command): (usize, &&Command)| match refused.get(&position) {
        Some(rejection) => Receipt::Rejected(rejection.clone()),
        None if answered.insert(command.key()) && stored.contains(&command.key()) => {
            Receipt::Stored
        }
        None => Receipt::Duplicate,
    };
    commands.iter().enumerate().map(receipt).collect()
}
