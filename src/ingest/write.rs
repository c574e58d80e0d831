//! Writes a batch of commands by the sequence of single statements that `docs/ARCHITECTURE.md` explains.
//!
//! 1. Events of people who are known go in at once; most batches end here.
//! 2. What is left is looked up; new people are made, new names linked, traits merged and compared-and-set.
//! 3. The events that step 2 made ready go in. A write that lost a race is retried.
//!
//! Every statement is idempotent, so a crash between two of them leaves only what a resend completes.

use super::round::Round;
use super::tools::{Key, Tools};
use crate::domain::{Command, IdentityKind, Item, Receipt, Rejection, Warning};
use crate::metric_names::BATCH_ROUNDS;
use crate::store::{Error, EventRow};
use metrics::histogram;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// More rounds without anything done than the busiest profile needs: each means that somebody else's write won.
const MAX_FRUITLESS_ROUNDS: u32 = 40;
/// Events that go straight beside others have a statement of their own from so many on; looking fewer of them up costs less than that.
const WORTH_A_STATEMENT: usize = 16;

/// What became of the commands of a batch so far, kept over the halving of a batch.
#[derive(Default)]
pub(super) struct Written {
    /// Events that became rows, and commands without one that changed something.
    stored: HashSet<Key>,
    refused: HashMap<Key, Rejection>,
    /// Names that had no place on their person any more.
    crowded: HashMap<Key, IdentityKind>,
    answered: HashSet<Key>,
}

impl Written {
    /// The first command of each key: one statement can't write a row twice.
    pub fn first_copies<'a>(&self, commands: &[&'a Command]) -> Vec<&'a Command> {
        let mut seen = HashSet::with_capacity(commands.len());
        let commands = commands.iter().copied();
        commands
            .filter(|command| seen.insert(command.key()))
            .collect()
    }

    /// Notes that a command can't be done.
    pub fn refuse(&mut self, key: Key, rejection: Rejection) {
        self.refused.insert(key, rejection);
    }

    /// The receipt of the next item of the batch. A copy of a refused command is refused as well; a copy of a stored one is a
    /// duplicate.
    pub fn receipt(&mut self, item: &Item) -> Receipt {
        let command = match item {
            Item::Rejected(rejected) => return Receipt::Rejected(rejected.rejection.clone()),
            Item::Command(command) => command,
        };
        let key = command.key();
        match self.refused.get(&key) {
            Some(rejection) => Receipt::Rejected(rejection.clone()),
            None if self.stored.contains(&key) && self.answered.insert(key) => {
                match self.crowded.get(&key) {
                    Some(kind) => Receipt::StoredWithout(Box::new(no_place(kind))),
                    None => Receipt::Stored,
                }
            }
            None if command.event().is_some() => Receipt::Duplicate,
            None => Receipt::Unchanged,
        }
    }
}

fn no_place(kind: &IdentityKind) -> Warning {
    let field = match kind {
        IdentityKind::UserId => "userId",
        IdentityKind::AnonymousId => "anonymousId",
        IdentityKind::GroupId => "groupId",
        IdentityKind::Email | IdentityKind::Custom(_) => kind.as_str(),
    };
    let message = "the person has as many names as one may have: the new name is left out";
    Warning::of("too_many_identities", field, message)
}

/// Writes every command, each of a key of its own.
pub(super) async fn write(
    tools: &Tools,
    commands: &[&Command],
    written: &mut Written,
) -> Result<(), Error> {
    let mut pending = commands.to_vec();
    pending.retain(|command| !written.stored.contains(&command.key()));
    pending = erase(tools, pending, written).await?;
    let straight = pending.iter().filter(|command| goes_straight(command));
    let straight = straight.count();
    if straight == pending.len() || straight >= WORTH_A_STATEMENT {
        pending = insert_straight(tools, pending, written).await?;
    }
    settle(tools, pending, written).await
}

/// Does what erases, each by itself; returns the others. Who is deleted and comes back in one batch ends the same in either order.
async fn erase<'a>(
    tools: &Tools,
    commands: Vec<&'a Command>,
    written: &mut Written,
) -> Result<Vec<&'a Command>, Error> {
    let (erasing, others): (Vec<_>, Vec<_>) =
        commands.into_iter().partition(|command| command.erases());
    for command in erasing {
        if tools.store.erase_older(command).await? {
            written.stored.insert(command.key());
        }
    }
    Ok(others)
}

/// Goes round until every identity is known, every trait written and every event there.
async fn settle(
    tools: &Tools,
    mut pending: Vec<&Command>,
    written: &mut Written,
) -> Result<(), Error> {
    let (mut rounds, mut fruitless) = (0, 0);
    while !pending.is_empty() {
        if fruitless > MAX_FRUITLESS_ROUNDS {
            return Err(Error::Contended("settle"));
        }
        if fruitless > 1 {
            tokio::time::sleep(pause(fruitless)).await;
        }
        let before = pending.len();
        let round = Round::read(tools, pending, rounds == 0).await?;
        let outcome = round.write(tools).await?;
        written.refused.extend(outcome.refused);
        written.stored.extend(outcome.changed);
        written.crowded.extend(outcome.crowded);
        pending = outcome.again;
        // What does not come back was there already, or was erased just now: the next look tells.
        let ready = outcome.ready.into_iter();
        let rows = ready.filter_map(|(command, anchor)| EventRow::of(command, anchor));
        pending.extend(insert(tools, rows.collect(), true, written).await?);
        rounds += 1;
        fruitless = if pending.len() < before {
            0
        } else {
            fruitless + 1
        };
    }
    if rounds > 0 {
        histogram!(BATCH_ROUNDS).record(rounds);
    }
    Ok(())
}

/// The first repeats follow at once: the loser of one race reads who won. Then longer and random, so that two nodes get out of
/// step.
fn pause(fruitless: u32) -> Duration {
    Duration::from_millis(rand::random_range(1..=u64::from(fruitless.min(10)) * 5))
}

/// True where nothing has to be looked up first: the statement that stores an event looks at one name or two by itself.
pub(super) fn goes_straight(command: &Command) -> bool {
    command.is_event_only() && command.identities().len() <= 2
}

/// Stores the events that go straight; returns all other commands.
async fn insert_straight<'a>(
    tools: &Tools,
    commands: Vec<&'a Command>,
    written: &mut Written,
) -> Result<Vec<&'a Command>, Error> {
    let (straight, mut others): (Vec<_>, Vec<_>) = commands
        .into_iter()
        .partition(|command| goes_straight(command));
    let rows = straight.into_iter().filter_map(EventRow::straight);
    others.extend(insert(tools, rows.collect(), false, written).await?);
    Ok(others)
}

/// Stores events; returns the commands whose events did not become rows.
async fn insert<'a>(
    tools: &Tools,
    mut rows: Vec<EventRow<'a>>,
    looked_up: bool,
    written: &mut Written,
) -> Result<Vec<&'a Command>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let stored = tools.store.insert_events(&mut rows, looked_up).await?;
    written.stored.extend(stored);
    let left = rows.iter().map(|row| row.command);
    Ok(left
        .filter(|command| !written.stored.contains(&command.key()))
        .collect())
}
