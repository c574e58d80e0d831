//! Taking a person apart: names, traits and absorbed profiles go in one transaction, events follow in bounded statements, and a sweep
//! looks once more when nothing that began before can be in flight any more.
//!
//! A row of `split` says what is left to do, so that any node can go on where another was killed. Every statement may be repeated.

use super::merge_record::{KeptMerge, load_records};
use super::params::{JsonParam, size_of_stored, stored_traits};
use super::profiles::{LOAD_IDENTITIES, identity};
use super::run::{Body, query};
use super::split_records::{Family, parted, write_records};
use super::split_statements::{
    LOCK_FAMILY, RECORD_SPLIT, REHOME_PROFILES, TAKE_IDENTITIES, WRITE_KEPT, WRITE_TAKEN,
};
use super::{Error, Person, Store};
use crate::domain::parting::{Evidence, Parted};
use crate::domain::profile::Room;
use crate::domain::split::{Branch, Obstacle, Sides, check, sides};
use crate::domain::{Identity, Kinds, Limits, ProfileId, ProjectId, Timestamp};
use deadpool_postgres::Transaction;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Times that a person is looked at again who changed meanwhile.
const TRIES: u32 = 5;

/// Names to be taken out of somebody.
#[derive(Debug)]
pub struct SplitRequest<'a> {
    pub project_id: ProjectId,
    pub person: &'a Person,
    pub taken: &'a BTreeSet<Identity>,
    /// The id of who comes out, where no profile that had been absorbed stands for itself again.
    pub fresh: ProfileId,
    pub at: Timestamp,
    pub limits: &'a Limits,
    pub kinds: &'a Kinds,
}

/// What became of it.
#[derive(Debug)]
pub enum SplitOutcome {
    Done(Parting),
    /// The person is somebody else's by now: look it up again.
    Gone,
    Refused(Obstacle),
}

/// Two people who were one.
#[derive(Clone, Debug)]
pub struct Parting {
    pub profile_id: ProfileId,
    pub moved: Vec<String>,
    pub restored: Vec<String>,
    pub stayed: Vec<String>,
}

/// The transaction's question.
struct Task<'a> {
    request: &'a SplitRequest<'a>,
    /// What the events tell, and for whose sides that was asked.
    heard: Option<(Evidence, Sides)>,
    room: Room,
    in_flight: Duration,
}

enum Step {
    Found(Sides),
    Outcome(SplitOutcome),
}

impl Store {
    /// Takes names out of a person. Events are left for `move_events`.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn split(&self, request: &SplitRequest<'_>) -> Result<SplitOutcome, Error> {
        let mut task = Task {
            request,
            heard: None,
            room: Room::of(request.limits),
            in_flight: self.in_flight(),
        };
        for _ in 0..TRIES {
            match self
                .run_tx("split", &task, |tx, task| body(tx, task))
                .await?
            {
                Step::Outcome(outcome) => return Ok(outcome),
                Step::Found(sides) => {
                    let evidence = self.hear(request, &sides).await?;
                    task.heard = Some((evidence, sides));
                }
            }
        }
        Err(Error::Contended("split"))
    }
}

/// Looks, and does it where what was heard fits what is there.
fn body<'a>(tx: &'a Transaction<'a>, task: &'a Task<'a>) -> Body<'a, Step> {
    Box::pin(async move {
        let family = match look(tx, task.request).await? {
            Ok(family) => family,
            Err(outcome) => return Ok(Step::Outcome(outcome)),
        };
        let heard = task.heard.as_ref();
        let Some((evidence, _)) = heard.filter(|(_, sides)| *sides == family.sides) else {
            return Ok(Step::Found(family.sides));
        };
        let (parted, cleaned) = parted(evidence.clone(), &family, &task.room);
        let fresh = task.request.fresh;
        let profile_id = family.sides.revived.unwrap_or(fresh);
        write_people(tx, task.request, &family, profile_id, &parted).await?;
        write_records(tx, &family, profile_id, &cleaned).await?;
        record(tx, task, &family, profile_id).await?;
        Ok(Step::Outcome(SplitOutcome::Done(Parting {
            profile_id,
            moved: parted.moved,
            restored: parted.restored,
            stayed: parted.stayed,
        })))
    })
}

async fn look(
    tx: &Transaction<'_>,
    request: &SplitRequest<'_>,
) -> Result<Result<Family, SplitOutcome>, Error> {
    let id = request.person.id;
    let own = lock(tx, request.project_id, &[id.0]).await?;
    let Some(row) = own
        .first()
        .filter(|row| row.get::<_, Option<Uuid>>(3).is_none())
    else {
        return Ok(Err(SplitOutcome::Gone));
    };
    let merged_from: Vec<Uuid> = row.get(2);
    let absorbed = lock(tx, request.project_id, &merged_from).await?;
    let names = query(tx, &LOAD_IDENTITIES, &[&id.0]).await?;
    let names: BTreeSet<Identity> = names.iter().map(identity).collect();
    if let Err(obstacle) = check(&names, request.taken) {
        return Ok(Err(SplitOutcome::Refused(obstacle)));
    }
    let merges = load_records(tx, &merged_from).await?;
    let branches: Vec<Branch> = merges.iter().map(branch).collect();
    let version = |row: &Row| row.get::<_, i64>(1);
    Ok(Ok(Family {
        present: stored_traits(row.get(4), row.get(5))?,
        version: absorbed.iter().map(version).fold(version(row), i64::max),
        sides: sides(id, &names, request.taken, &branches),
        merged_from,
        merges,
    }))
}

fn branch(merge: &KeptMerge) -> Branch<'_> {
    Branch {
        absorbed: ProfileId(merge.absorbed),
        survivor: ProfileId(merge.survivor),
        identities: &merge.identities,
    }
}

pub(super) async fn lock(
    tx: &Transaction<'_>,
    project_id: ProjectId,
    ids: &[Uuid],
) -> Result<Vec<Row>, Error> {
    let projects = vec![project_id.0; ids.len()];
    query(tx, &LOCK_FAMILY, &[&projects, &ids]).await
}

async fn write_people(
    tx: &Transaction<'_>,
    request: &SplitRequest<'_>,
    family: &Family,
    profile_id: ProfileId,
    parted: &Parted,
) -> Result<(), Error> {
    let (project, at) = (request.project_id.0, request.at.instant());
    let going: Vec<Uuid> = family.sides.going.iter().map(|id| id.0).collect();
    let (traits, stamps) = parted.kept.to_stored();
    let size = size_of_stored(&traits, &stamps);
    let (traits, stamps) = (JsonParam(&traits), JsonParam(&stamps));
    let params: [&(dyn ToSql + Sync); 7] = [
        &project,
        &request.person.id.0,
        &traits,
        &stamps,
        &size,
        &going,
        &at,
    ];
    query(tx, &WRITE_KEPT, &params).await?;
    let others: Vec<Uuid> = going
        .iter()
        .copied()
        .filter(|id| *id != profile_id.0)
        .collect();
    let (traits, stamps) = parted.taken.to_stored();
    let (size, version) = (size_of_stored(&traits, &stamps), family.version + 1);
    let (traits, stamps) = (JsonParam(&traits), JsonParam(&stamps));
    let params: [&(dyn ToSql + Sync); 8] = [
        &project,
        &profile_id.0,
        &traits,
        &stamps,
        &size,
        &version,
        &others,
        &at,
    ];
    query(tx, &WRITE_TAKEN, &params).await?;
    let projects = vec![project; others.len()];
    query(
        tx,
        &REHOME_PROFILES,
        &[&projects, &others, &profile_id.0, &at],
    )
    .await?;
    let kinds: Vec<&str> = request
        .taken
        .iter()
        .map(|name| name.kind.as_str())
        .collect();
    let values: Vec<&str> = request.taken.iter().map(|name| &*name.value).collect();
    let projects = vec![project; kinds.len()];
    query(
        tx,
        &TAKE_IDENTITIES,
        &[&projects, &kinds, &values, &profile_id.0],
    )
    .await
    .map(drop)
}

async fn record(
    tx: &Transaction<'_>,
    task: &Task<'_>,
    family: &Family,
    profile_id: ProfileId,
) -> Result<(), Error> {
    let request = task.request;
    let stays = |id: &Uuid| !family.sides.going.contains(&ProfileId(*id));
    let own = std::iter::once(request.person.id.0);
    let sources: Vec<Uuid> = own
        .chain(family.merged_from.iter().copied().filter(stays))
        .collect();
    let vias: Vec<i64> = request.taken.iter().map(Identity::via).collect();
    let params: [&(dyn ToSql + Sync); 7] = [
        &request.project_id.0,
        &profile_id.0,
        &request.person.id.0,
        &request.at.instant(),
        &sources,
        &vias,
        &task.in_flight.as_secs_f64(),
    ];
    query(tx, &RECORD_SPLIT, &params).await.map(drop)
}
