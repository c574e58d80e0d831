//! What every way to erase somebody has in common, within its transaction: whom it finds, what it takes away, and what it remembers.

use super::erase_statements::{
    DELETE_IDENTITIES, DELETE_PROFILES, LOCK_ERASED, RECORD_ERASURE, REMEMBER_ERASED,
};
use super::forgotten::shown_hash;
use super::merge_record::DELETE_MERGE_RECORDS;
use super::params::JsonParam;
use super::profiles::identity;
use super::run::query;
use super::{Error, Fence};
use crate::domain::erasure::identity_hash;
use crate::domain::{Identity, Json, ProjectId, Timestamp};
use deadpool_postgres::Transaction;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Somebody to be erased.
#[derive(Clone, Debug)]
pub struct ErasureRequest {
    pub project_id: ProjectId,
    pub id: Uuid,
    pub at: Timestamp,
    pub is_forgotten: bool,
    /// Names that lead to the person, or would.
    pub identities: Vec<Identity>,
    /// Profiles found so far.
    pub profiles: Vec<Uuid>,
    /// The profiles found so far that have something newer and stay: of an erasure of what is older than `at` alone, or found by a sweep.
    pub kept: Option<Vec<Uuid>>,
}

/// A request as the transaction needs it.
pub(super) struct Task<'a> {
    pub request: &'a ErasureRequest,
    /// What may be in flight is over after so long.
    pub in_flight: Duration,
    pub salt: Uuid,
    /// The turn of the worker that does it; `None` where a request does.
    pub fence: Option<Fence>,
}

impl Task<'_> {
    /// True where what is newer than the erasure stays. A sweep looks seconds later for what was in flight: the person may be back by then, on
    /// the profile that a late call made anew.
    pub fn keeps_newer(&self) -> bool {
        let may_be_back = self.fence.is_some() && !self.request.is_forgotten;
        self.request.kept.is_some() || may_be_back
    }
}

/// What a transaction found of a person.
#[derive(Default)]
pub(super) struct Found {
    /// Their names.
    pub names: BTreeSet<Identity>,
    /// How many of them were taken away.
    pub taken: i64,
    /// Profiles that are gone, and those that were merged into them.
    pub gone: Vec<Uuid>,
    /// Profiles that stay, and those that were merged into them.
    pub kept: Option<Vec<Uuid>>,
}

/// Locks the profiles that the request's names lead to: each with those that were merged into it.
pub(super) async fn lock(
    tx: &Transaction<'_>,
    request: &ErasureRequest,
) -> Result<Vec<Row>, Error> {
    let (projects, kinds, values) = columns(request);
    let at = request.at.instant();
    query(tx, &LOCK_ERASED, &[&projects, &kinds, &values, &at]).await
}

/// Deletes the profiles that are to go, with their names, and what is kept of merges.
pub(super) async fn take_away(
    tx: &Transaction<'_>,
    request: &ErasureRequest,
    found: &mut Found,
) -> Result<(), Error> {
    let kept = found.kept.iter().flatten();
    let family: Vec<Uuid> = found.gone.iter().chain(kept).copied().collect();
    query(tx, &DELETE_MERGE_RECORDS, &[&family]).await?;
    let (projects, kinds, values) = columns(request);
    let is_older = request.kept.is_some();
    let at = request.at.instant();
    let params: [&(dyn ToSql + Sync); 6] =
        [&found.gone, &projects, &kinds, &values, &is_older, &at];
    let taken = query(tx, &DELETE_IDENTITIES, &params).await?;
    found.taken += taken.len() as i64;
    found.names.extend(taken.iter().map(identity));
    let projects = vec![request.project_id.0; found.gone.len()];
    query(tx, &DELETE_PROFILES, &[&projects, &found.gone])
        .await
        .map(drop)
}

/// Remembers the names, and what is left to do.
pub(super) async fn finish(
    tx: &Transaction<'_>,
    task: &Task<'_>,
    mut found: Found,
) -> Result<Vec<Uuid>, Error> {
    let asked = task.request.identities.iter().cloned();
    found.names.extend(asked);
    remember(tx, task, &found.names).await?;
    record(tx, task, &found).await
}

/// The names as a statement takes them.
pub(super) fn columns(request: &ErasureRequest) -> (Vec<i32>, Vec<&str>, Vec<&str>) {
    let names = &request.identities;
    (
        vec![request.project_id.0; names.len()],
        names.iter().map(|name| name.kind.as_str()).collect(),
        names.iter().map(|name| name.value.as_str()).collect(),
    )
}

async fn remember(
    tx: &Transaction<'_>,
    task: &Task<'_>,
    names: &BTreeSet<Identity>,
) -> Result<(), Error> {
    let request = task.request;
    let hash = |name: &Identity| identity_hash(task.salt, request.project_id, name);
    let hashes: Vec<Vec<u8>> = names.iter().map(hash).collect();
    let shown: Vec<Option<String>> = names.iter().map(shown_hash).collect();
    let (projects, at) = (
        vec![request.project_id.0; names.len()],
        request.at.instant(),
    );
    let params: [&(dyn ToSql + Sync); 6] = [
        &projects,
        &hashes,
        &request.id,
        &at,
        &request.is_forgotten,
        &shown,
    ];
    query(tx, &REMEMBER_ERASED, &params).await.map(drop)
}

async fn record(tx: &Transaction<'_>, task: &Task<'_>, found: &Found) -> Result<Vec<Uuid>, Error> {
    let request = task.request;
    let names = found.names.iter();
    let pairs: Vec<(&str, &str)> = names
        .map(|name| (name.kind.as_str(), name.value.as_str()))
        .collect();
    let identities = Json::of(&pairs);
    let params: [&(dyn ToSql + Sync); 9] = [
        &request.project_id.0,
        &request.id,
        &request.at.instant(),
        &request.is_forgotten,
        &found.taken,
        &JsonParam(&identities),
        &found.gone,
        &task.in_flight.as_secs_f64(),
        &found.kept,
    ];
    let rows = query(tx, &RECORD_ERASURE, &params).await?;
    Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
}
