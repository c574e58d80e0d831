//! Erasing a person: what names them goes in one transaction, their events in bounded statements, and a sweep follows when
//! nothing that began before can be in flight any more.
//!
//! A row of `erasure_request` says what is left to do, so that any node can go on where another was killed. Every statement may
//! be repeated, also by two nodes at once.

use super::devices::LEAVE_DEVICES;
use super::erase_older;
use super::erase_statements::{
    DELETE_CLAIMS, DELETE_CONFLICTS, DUE_ERASURES, EMPTY_LINES, EMPTY_REFUSALS, EMPTY_REJECTIONS,
    EMPTY_SAMPLES, ERASE_EVENTS, FIND_RETURNED, LIFT_BLOCK, LOAD_ERASED, LOAD_ERASURE, LOAD_SALT,
    MARK_CLEARED, MARK_FINISHED, OLDEST_ERASURE, PUT_OFF_ERASURE,
};
use super::erase_steps::{ErasureRequest, Found, Task, columns, finish, lock, take_away};
use super::groups::{DELETE_MEMBERS, DELETE_MEMBERSHIPS};
use super::lists::LEAVE_LISTS;
use super::profiles::timestamp;
use super::run::Body;
use super::{Error, Fence, Split, Statement, Store};
use crate::domain::erasure::{Erased, identity_hash};
use crate::domain::{Identity, IdentityKey, IdentityKind, ProjectId, Timestamp};
use deadpool_postgres::Transaction;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Events erased by one statement: some ten milliseconds of work, so that nobody else waits for it.
const EVENTS_AT_ONCE: i64 = 500;

/// An erasure whose sweep is due, as its row has it.
#[derive(Debug)]
pub struct DueErasure {
    pub id: Uuid,
    /// Sweeps that failed in a row.
    pub attempts: i32,
    /// Without the names, which may turn out not to be readable.
    request: ErasureRequest,
    names: String,
}

/// What can be shown of an erasure, also to the person.
#[derive(Debug)]
pub struct Erasure {
    pub id: Uuid,
    pub requested_at: Timestamp,
    pub is_forgotten: bool,
    pub identities: i64,
    pub events: i64,
    /// When the last event was gone.
    pub cleared_at: Option<Timestamp>,
    /// When nothing could be in flight any more.
    pub finished_at: Option<Timestamp>,
}

impl Store {
    /// What is remembered of these names, where anything is.
    pub async fn load_erased(
        &self,
        asked: &[&IdentityKey],
    ) -> Result<HashMap<IdentityKey, Erased>, Error> {
        let salt = self.salt().await?;
        let positions: Vec<i32> = (0..).take(asked.len()).collect();
        let projects: Vec<i32> = asked.iter().map(|key| key.0.0).collect();
        let hashes: Vec<_> = asked
            .iter()
            .map(|key| identity_hash(salt, key.0, &key.1))
            .collect();
        let rows = self
            .run(&LOAD_ERASED, &[&positions, &projects, &hashes])
            .await?;
        let erased = |row: &Row| {
            let key = asked[row.get::<_, i32>(0) as usize].clone();
            let (at, is_forgotten) = (timestamp(row, 1), row.get(2));
            (key, Erased { at, is_forgotten })
        };
        Ok(rows.iter().map(erased).collect())
    }

    pub(super) async fn salt(&self) -> Result<Uuid, Error> {
        let load = async || {
            let rows = self.run(&LOAD_SALT, &[]).await?;
            let salt = rows.first().map(|row| row.get(0));
            salt.ok_or_else(|| Error::Inconsistent {
                table: "erasure_salt",
                column: "salt",
                reason: "there is none: every erased name would be unknown".to_owned(),
            })
        };
        self.salt.get_or_try_init(load).await.copied()
    }

    /// Takes a person's names and traits away, and remembers the names by their hashes; returns the profiles whose events are
    /// left for `clear`.
    pub async fn erase(&self, request: &ErasureRequest) -> Result<Vec<Uuid>, Error> {
        self.erase_within(request, None).await
    }

    async fn erase_within(
        &self,
        request: &ErasureRequest,
        fence: Option<Fence>,
    ) -> Result<Vec<Uuid>, Error> {
        let task = Task {
            request,
            in_flight: self.in_flight(),
            salt: self.salt().await?,
            fence,
        };
        if task.keeps_newer() {
            return self
                .run_tx("erase_older", &task, |tx, task| erase_older::body(tx, task))
                .await;
        }
        self.run_tx("erase", &task, |tx, task| body(tx, task)).await
    }

    /// Empties the events of the profiles until none is left or the time is over; tells whether none is left.
    pub async fn clear(&self, request: &ErasureRequest, until: Instant) -> Result<bool, Error> {
        self.clear_within(request, None, until).await
    }

    async fn clear_within(
        &self,
        request: &ErasureRequest,
        fence: Option<Fence>,
        until: Instant,
    ) -> Result<bool, Error> {
        let (project, id) = (request.project_id.0, request.id);
        let (worker, token) = Fence::columns(fence);
        let profiles = &request.profiles;
        let Some(others) = self.settle_splits(request, fence, until).await? else {
            return Ok(false);
        };
        let kept = request.kept.as_deref().unwrap_or_default();
        for (profiles, up_to) in [(&profiles[..], Timestamp::MAX), (kept, request.at)] {
            let events = (profiles, up_to, &others[..]);
            if !self.empty_events(request, fence, events, until).await? {
                return Ok(false);
            }
        }
        for emptying in [
            &EMPTY_REJECTIONS,
            &EMPTY_REFUSALS,
            &EMPTY_LINES,
            &EMPTY_SAMPLES,
        ] {
            if !self.empty_list(emptying, request, fence, until).await? {
                return Ok(false);
            }
        }
        for deleting in [
            &DELETE_CONFLICTS,
            &DELETE_CLAIMS,
            &DELETE_MEMBERSHIPS,
            &DELETE_MEMBERS,
            &LEAVE_LISTS,
            &LEAVE_DEVICES,
        ] {
            self.run(deleting, &[profiles, &worker, &token]).await?;
        }
        self.run(&MARK_CLEARED, &[&project, &id, &worker, &token])
            .await?;
        Ok(true)
    }

    /// Who was taken out of somebody just now may have events with the other one still. Moves those of the erased; tells by which names
    /// the others' came, or `None` where the time is over.
    async fn settle_splits(
        &self,
        request: &ErasureRequest,
        fence: Option<Fence>,
        until: Instant,
    ) -> Result<Option<Vec<i64>>, Error> {
        let kept = request.kept.iter().flatten();
        let profiles: Vec<Uuid> = request.profiles.iter().chain(kept).copied().collect();
        let splits = self.open_splits(&profiles).await?;
        for split in &splits {
            let is_erased = profiles.contains(&split.profile_id.0);
            if is_erased && !self.move_events(split, fence, until).await? {
                return Ok(None);
            }
        }
        Ok(Some(Split::vias_of_others(&splits, &profiles)))
    }

    /// Empties the events of some profiles up to a time; tells whether none is left.
    async fn empty_events(
        &self,
        request: &ErasureRequest,
        fence: Option<Fence>,
        (profiles, up_to, others): (&[Uuid], Timestamp, &[i64]),
        until: Instant,
    ) -> Result<bool, Error> {
        let (project, id) = (request.project_id.0, request.id);
        let (worker, token) = Fence::columns(fence);
        while !profiles.is_empty() {
            let params: [&(dyn ToSql + Sync); 9] = [
                &project,
                &id,
                &profiles,
                &request.at.instant(),
                &EVENTS_AT_ONCE,
                &worker,
                &token,
                &up_to.instant(),
                &others,
            ];
            let rows = self.run(&ERASE_EVENTS, &params).await?;
            let told = |row: &Row| (row.get::<_, i64>(0), row.get(1));
            let Some((left, is_held)) = rows.first().map(told) else {
                break;
            };
            fence.map_or(Ok(()), |fence| fence.unless_lost(is_held))?;
            if left == 0 {
                break;
            }
            if Instant::now() >= until {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Empties what is listed of an erased person, from before the erasure; tells whether nothing is left.
    async fn empty_list(
        &self,
        emptying: &'static Statement,
        request: &ErasureRequest,
        fence: Option<Fence>,
        until: Instant,
    ) -> Result<bool, Error> {
        let (worker, token) = Fence::columns(fence);
        let at = request.at.instant();
        let params: [&(dyn ToSql + Sync); 5] = [&request.id, &at, &EVENTS_AT_ONCE, &worker, &token];
        loop {
            let rows = self.run(emptying, &params).await?;
            let (left, is_held): (i64, bool) = (rows[0].get(0), rows[0].get(1));
            fence.map_or(Ok(()), |fence| fence.unless_lost(is_held))?;
            if left == 0 {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
        }
    }

    /// Removes what was in flight when the person was erased, once nothing can be in flight any more; tells whether all is done.
    pub async fn sweep(
        &self,
        fence: Fence,
        erasure: &DueErasure,
        until: Instant,
    ) -> Result<bool, Error> {
        let request = &erasure.readable()?;
        let (projects, kinds, values) = columns(request);
        let at = request.at.instant();
        let back = self
            .run(&FIND_RETURNED, &[&projects, &kinds, &values, &at])
            .await?;
        if !back.is_empty() {
            self.erase_within(request, Some(fence)).await?;
            return Ok(false);
        }
        if !self.clear_within(request, Some(fence), until).await? {
            self.move_erasure(fence, erasure, Duration::ZERO, 0).await?;
            return Ok(false);
        }
        let (project, id) = (request.project_id.0, request.id);
        let rows = self
            .run(
                &MARK_FINISHED,
                &[&project, &id, &fence.worker, &fence.token],
            )
            .await?;
        Ok(!rows.is_empty())
    }

    /// Erasures whose sweep is due, the longest waiting first.
    pub async fn due_erasures(&self, limit: i64) -> Result<Vec<DueErasure>, Error> {
        let rows = self.run(&DUE_ERASURES, &[&limit]).await?;
        Ok(rows.iter().map(due_erasure).collect())
    }

    /// The age of the oldest erasure that is not finished, among so many that are due next, in seconds; 0 without one.
    pub async fn oldest_erasure(&self, among: i64) -> Result<f64, Error> {
        let rows = self.run(&OLDEST_ERASURE, &[&among]).await?;
        Ok(rows[0].get(0))
    }

    /// The sweep failed: it is due again after a pause.
    pub async fn put_off_erasure(
        &self,
        fence: Fence,
        erasure: &DueErasure,
        pause: Duration,
    ) -> Result<(), Error> {
        let attempts = erasure.attempts.saturating_add(1);
        self.move_erasure(fence, erasure, pause, attempts).await
    }

    async fn move_erasure(
        &self,
        fence: Fence,
        erasure: &DueErasure,
        pause: Duration,
        attempts: i32,
    ) -> Result<(), Error> {
        let (project, seconds) = (erasure.request.project_id.0, pause.as_secs_f64());
        let params: [&(dyn ToSql + Sync); 6] = [
            &project,
            &erasure.id,
            &seconds,
            &attempts,
            &fence.worker,
            &fence.token,
        ];
        self.run(&PUT_OFF_ERASURE, &params).await.map(drop)
    }

    /// The receipt of an erasure.
    pub async fn load_erasure(
        &self,
        project_id: ProjectId,
        id: Uuid,
    ) -> Result<Option<Erasure>, Error> {
        let rows = self.run(&LOAD_ERASURE, &[&project_id.0, &id]).await?;
        Ok(rows.first().map(erasure))
    }

    /// Lifts a person's block; the erasure's id, where there was one.
    pub async fn lift_block(&self, key: &IdentityKey) -> Result<Option<Uuid>, Error> {
        let hash = identity_hash(self.salt().await?, key.0, &key.1);
        let rows = self.run(&LIFT_BLOCK, &[&key.0.0, &hash]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }
}

fn body<'a>(tx: &'a Transaction<'a>, task: &'a Task<'a>) -> Body<'a, Vec<Uuid>> {
    Box::pin(async move {
        let request = task.request;
        if let Some(fence) = task.fence {
            fence.lock(tx).await?;
        }
        let found = lock(tx, request).await?;
        let mut profiles = BTreeSet::<Uuid>::new();
        for row in &found {
            profiles.insert(row.get(0));
            profiles.extend(row.get::<_, Vec<Uuid>>(1));
        }
        let mut found = Found {
            gone: profiles.into_iter().collect(),
            ..Found::default()
        };
        take_away(tx, request, &mut found).await?;
        finish(tx, task, found).await
    })
}

impl DueErasure {
    /// The request with its names.
    fn readable(&self) -> Result<ErasureRequest, Error> {
        let pairs: BTreeSet<(String, String)> =
            serde_json::from_str(&self.names).map_err(|error| Error::Inconsistent {
                table: "erasure_request",
                column: "identities",
                reason: error.to_string(),
            })?;
        let name = |(kind, value): (String, String)| Identity {
            kind: IdentityKind::parse(&kind),
            value,
        };
        Ok(ErasureRequest {
            identities: pairs.into_iter().map(name).collect(),
            ..self.request.clone()
        })
    }
}

fn due_erasure(row: &Row) -> DueErasure {
    DueErasure {
        id: row.get(1),
        attempts: row.get(6),
        request: ErasureRequest {
            project_id: ProjectId(row.get(0)),
            id: row.get(1),
            at: timestamp(row, 2),
            is_forgotten: row.get(3),
            identities: Vec::new(),
            profiles: row.get(5),
            kept: row.get(7),
        },
        names: row.get(4),
    }
}

fn erasure(row: &Row) -> Erasure {
    let time = |column| {
        row.get::<_, Option<jiff::Timestamp>>(column)
            .map(Timestamp::new)
    };
    Erasure {
        id: row.get(0),
        requested_at: timestamp(row, 1),
        is_forgotten: row.get(2),
        identities: row.get(3),
        events: row.get(4),
        cleared_at: time(5),
        finished_at: time(6),
    }
}
