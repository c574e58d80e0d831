//! Turns of workers: what only one node does at a time, and how far it has got.
//!
//! A turn is a lease with a token that grows. A holder that is late has lost its turn without knowing it, so every statement
//! of a worker looks for its own token in `held`, and does nothing where another one stands there. The row is locked while a
//! statement runs: nobody takes the turn in the middle of it. Only the database's clock counts.

use super::run::query;
use super::{Error, Statement, Store};
use deadpool_postgres::Transaction;
use std::time::Duration;
use uuid::Uuid;

/// The part of a worker's statement that finds its turn: one row while the worker has it. What is not a worker's says NULL and
/// needs none: `holds_turn!` is then true by itself.
macro_rules! held {
    ($name:literal, $token:literal) => {
        concat!(
            "held AS (SELECT w.token FROM worker AS w WHERE w.name = ",
            $name,
            "::TEXT AND w.token = ",
            $token,
            "::INT8 AND w.expires_at > now() FOR SHARE)"
        )
    };
}
macro_rules! holds_turn {
    ($name:literal) => {
        concat!("(", $name, "::TEXT IS NULL OR EXISTS (SELECT 1 FROM held))")
    };
}
pub(super) use {held, holds_turn};

pub(super) const TAKE_TURN: Statement = Statement {
    name: "take_turn",
    sql: "-- take_turn
INSERT INTO worker AS w (name, owner, token, expires_at, due_at, progress)
VALUES ($1::TEXT, $2::UUID, 1, now() + ($3::FLOAT8 * '1 second'::INTERVAL), now(), '')
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, token = w.token + 1, expires_at = excluded.expires_at
WHERE w.due_at <= now() AND (w.expires_at <= now() OR w.owner = excluded.owner)
RETURNING token, progress",
};

pub(super) const KEEP_TURN: Statement = Statement {
    name: "keep_turn",
    sql: "-- keep_turn
UPDATE worker SET expires_at = now() + ($3::FLOAT8 * '1 second'::INTERVAL), progress = COALESCE($4::TEXT, progress)
WHERE name = $1::TEXT AND token = $2::INT8 AND expires_at > now()
RETURNING token",
};

pub(super) const END_TURN: Statement = Statement {
    name: "end_turn",
    sql: "-- end_turn
UPDATE worker SET expires_at = now(), due_at = now() + ($3::FLOAT8 * '1 second'::INTERVAL)
WHERE name = $1::TEXT AND token = $2::INT8 AND expires_at > now()
RETURNING token",
};

pub(super) const LOCK_TURN: Statement = Statement {
    name: "lock_turn",
    sql: "-- lock_turn
SELECT token FROM worker WHERE name = $1::TEXT AND token = $2::INT8 AND expires_at > now() FOR SHARE",
};

/// A turn as statements check it.
#[derive(Clone, Copy, Debug)]
pub struct Fence {
    pub worker: &'static str,
    pub token: i64,
}

impl Fence {
    /// The two values that `held!` compares; of no turn they are NULL.
    pub(super) fn columns(fence: Option<Self>) -> (Option<&'static str>, Option<i64>) {
        (
            fence.map(|fence| fence.worker),
            fence.map(|fence| fence.token),
        )
    }

    /// Within a transaction: the turn stays with this holder until the end of it.
    pub(super) async fn lock(self, tx: &Transaction<'_>) -> Result<(), Error> {
        let rows = query(tx, &LOCK_TURN, &[&self.worker, &self.token]).await?;
        self.unless_lost(!rows.is_empty())
    }

    pub(super) fn unless_lost(self, is_held: bool) -> Result<(), Error> {
        if is_held {
            Ok(())
        } else {
            Err(Error::TurnLost(self.worker))
        }
    }
}

impl Store {
    /// Takes a worker's turn, if it is due and nobody has it: the fence, and what the last holder noted.
    pub async fn take_turn(
        &self,
        worker: &'static str,
        owner: Uuid,
        time: Duration,
    ) -> Result<Option<(Fence, String)>, Error> {
        let seconds = time.as_secs_f64();
        let rows = self.run(&TAKE_TURN, &[&worker, &owner, &seconds]).await?;
        let turn = |row: &tokio_postgres::Row| {
            let token = row.get(0);
            (Fence { worker, token }, row.get(1))
        };
        Ok(rows.first().map(turn))
    }

    /// Renews a turn, and notes how far the work has got where that is said.
    ///
    /// # Errors
    /// `TurnLost` when somebody else may have it.
    pub async fn keep_turn(
        &self,
        fence: Fence,
        time: Duration,
        progress: Option<&str>,
    ) -> Result<(), Error> {
        let seconds = time.as_secs_f64();
        let rows = self
            .run(
                &KEEP_TURN,
                &[&fence.worker, &fence.token, &seconds, &progress],
            )
            .await?;
        fence.unless_lost(!rows.is_empty())
    }

    /// Gives a turn back; it is due again after a pause, on any node.
    pub async fn end_turn(&self, fence: Fence, pause: Duration) -> Result<(), Error> {
        let seconds = pause.as_secs_f64();
        // Whether a repeat still finds the turn does not matter: it is given up either way.
        self.run(&END_TURN, &[&fence.worker, &fence.token, &seconds])
            .await
            .map(drop)
    }
}
