//! Migrations as people act on them, from the command line and by HTTP: measure, judge, take the step.

mod reads;

pub use reads::{ReadsOrder, set_reads};

use crate::domain::containment::Direction;
use crate::domain::migration::{Gate, Input, Refused, State, Verb, next};
use crate::domain::migration_gates::{BackfillSeen, Seen, VerifySeen, gates};
use crate::domain::reads::{ReadSource, Reads, Unreadable};
use crate::domain::{Allowed, ProjectId, Timestamp};
use crate::mapping::Mapping;
use crate::store::{
    Error, FieldMismatches, Migration, MigrationPlan, MigrationStep, MirrorSeen, RefusedDocument,
    Sample, SourceStatus, Store, Verification,
};
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Who asks for a step, and how.
#[derive(Clone, Debug, Default)]
pub struct Order {
    pub operator: String,
    /// Empty where none was given.
    pub reason: String,
    /// Take it although a gate is red; the reason says why.
    pub force: bool,
    /// Of the verb `plan`.
    pub plan: Option<MigrationPlan>,
    /// The indices and the topics that the settings allow, for who has no command line.
    pub allowed: Option<(Allowed, Allowed)>,
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The plan can't be used.
    #[error("{0}")]
    Plan(String),
    /// It leads where the operator does not allow the project.
    #[error("{0}")]
    NotAllowed(String),
    #[error("there is no migration: plan one first")]
    NoMigration,
    #[error("{0}")]
    Refused(Refused),
    #[error("{0}")]
    Reads(Unreadable),
    #[error("somebody else took a step meanwhile: the migration is at {}", .0.as_str())]
    Moved(State),
    #[error("nothing is mirrored at {}: there is nothing to verify", .0.as_str())]
    NotMirrored(State),
    #[error("the database did not do it")]
    Store(#[from] Error),
}

/// A migration as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub state: &'static str,
    pub version: i64,
    pub since: String,
    pub mirrors: bool,
    pub index: String,
    pub topic: Option<String>,
    pub source: Option<String>,
    pub document_kind: String,
    pub reads: ReadsShown,
    /// The gates of the next step.
    pub gates: Vec<Gate>,
    pub mirror: MirrorSeen,
    /// Some of whom the legacy store takes no document.
    pub refused: Vec<RefusedDocument>,
    pub backfill: Option<SourceStatus>,
    /// The newest of each direction.
    pub verifications: Vec<Verification>,
    pub compare: Option<CompareShown>,
}

/// A verification with some of what it found.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    #[serde(flatten)]
    pub verification: Verification,
    pub samples: Vec<Sample>,
}

/// Begins a verification, unless one of that direction goes on: the one that goes on.
///
/// # Errors
/// Why there is none.
pub async fn verify(
    store: &Store,
    project_id: ProjectId,
    direction: Direction,
) -> Result<Verification, Denied> {
    let migration = store.load_migration(project_id).await?;
    let migration = migration.ok_or(Denied::NoMigration)?;
    if !migration.mirrors {
        return Err(Denied::NotMirrored(migration.state));
    }
    if let Some(told) = unverifiable(&migration.plan, direction) {
        return Err(Denied::Plan(told.to_owned()));
    }
    let begun = store.start_verification(project_id, direction).await?;
    begun.ok_or(Denied::NoMigration)
}

/// Why a plan can't be verified: without an index there is only the topic of its source, which can't be asked for anybody.
fn unverifiable(plan: &MigrationPlan, direction: Direction) -> Option<&'static str> {
    match direction {
        _ if !plan.index.is_empty() => None,
        Direction::Forward if plan.source.is_some() => None,
        Direction::Forward => Some("the plan names neither an index nor a source to be verified"),
        Direction::Reverse => {
            Some("only an index can be verified in reverse, and the plan names none")
        }
    }
}

/// A verification with what it found, where there is one by that id.
///
/// # Errors
/// When the database does not answer.
pub async fn verified(
    store: &Store,
    project_id: ProjectId,
    id: Uuid,
) -> Result<Option<Verified>, Error> {
    let Some(mut verification) = store.load_verification(project_id, id).await? else {
        return Ok(None);
    };
    if verification.finished_at.is_none() && verification.reason.is_empty() {
        // Whoever relays verifies too: without anybody it waits, and says why.
        let mirror = store.measure_mirror(project_id).await?;
        verification.reason = Some(mirror.reason)
            .filter(|_| mirror.is_nobody_s)
            .unwrap_or_default();
    }
    let samples = store.load_samples(project_id, id).await?;
    Ok(Some(Verified {
        verification,
        samples,
    }))
}

/// What comparing reads came to, as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct CompareShown {
    pub reads: i64,
    pub mismatches: i64,
    /// By the first name of the path, with the last one of each.
    pub fields: BTreeMap<String, FieldMismatches>,
}

/// Where profiles are read from, as it is shown.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ReadsShown {
    pub source: ReadSource,
    /// Of a hundred people so many are read from Roster, whatever the source.
    pub share: u8,
}

impl ReadsShown {
    fn of(reads: Option<Reads>) -> Self {
        let (source, share) =
            reads.map_or((ReadSource::Roster, 0), |reads| (reads.source, reads.share));
        Self { source, share }
    }
}

/// Takes a step, if it is one from here and its gates are green.
///
/// # Errors
/// Why it was not taken.
pub async fn step(
    store: &Store,
    project_id: ProjectId,
    verb: Verb,
    order: &Order,
) -> Result<Status, Denied> {
    let from = store.load_migration(project_id).await?;
    let plan = plan(from.as_ref(), verb, order)?;
    if matches!(verb, Verb::Plan | Verb::Start) {
        allow(store, project_id, (&plan, order)).await?;
    }
    if verb == Verb::Plan {
        has_kind(store, project_id, &plan.document_kind).await?;
    }
    let gates = match &from {
        Some(from) => gates(from.state, verb, &seen(store, project_id, from).await?.seen),
        None => Vec::new(),
    };
    let input = Input {
        verb,
        gates,
        force: order.force.then(|| order.reason.clone()),
    };
    let state = from.as_ref().map(|from| from.state);
    let to = next(state, &input).map_err(Denied::Refused)?;
    let version = from.as_ref().map_or(0, |from| from.version) + 1;
    let reads = from.as_ref().and_then(|from| from.reads);
    let reads = Reads::behind(reads, state, to, version);
    let step = MigrationStep {
        id: Uuid::new_v4(),
        reads: match plan.index.is_empty() {
            true => reads.map(Reads::without_index),
            false => reads,
        },
        verb: verb.as_str(),
        from: from.as_ref(),
        to,
        plan: &plan,
        operator: &order.operator,
        reason: &order.reason,
        is_forced: order.force,
        gates: &input.gates,
    };
    fail::fail_point!("step-judged");
    let is_taken = store.take_step(project_id, &step).await?;
    fail::fail_point!("step-taken");
    let now = store.load_migration(project_id).await?;
    let now = now.ok_or(Denied::NoMigration)?;
    if is_taken {
        shown(store, project_id, &now).await.map_err(Denied::Store)
    } else {
        Err(Denied::Moved(now.state))
    }
}

/// How a project's migration is, if it has one.
///
/// # Errors
/// When the database does not answer.
pub async fn status(store: &Store, project_id: ProjectId) -> Result<Option<Status>, Error> {
    match store.load_migration(project_id).await? {
        Some(migration) => shown(store, project_id, &migration).await.map(Some),
        None => Ok(None),
    }
}

/// The plan behind a step: a new one, or the one that there is.
fn plan(from: Option<&Migration>, verb: Verb, order: &Order) -> Result<MigrationPlan, Denied> {
    match (verb, &order.plan, from) {
        (Verb::Plan, Some(plan), _) => checked(plan.clone()),
        (Verb::Plan, None, _) => Err(Denied::Plan("a plan needs a mapping and an index".into())),
        (_, _, Some(from)) => Ok(from.plan.clone()),
        (_, _, None) => Err(Denied::NoMigration),
    }
}

/// Nobody without a command line sets out for where he may not go.
async fn allow(
    store: &Store,
    project_id: ProjectId,
    (plan, order): (&MigrationPlan, &Order),
) -> Result<(), Denied> {
    let Some((indices, topics)) = &order.allowed else {
        return Ok(());
    };
    let name = store.project_name(project_id).await?.unwrap_or_default();
    let refusal = plan.refusal(&name, (indices, topics));
    refusal.map_or(Ok(()), |told| Err(Denied::NotAllowed(told)))
}

/// Nobody has a name of a kind that the project does not have.
async fn has_kind(store: &Store, project_id: ProjectId, kind: &str) -> Result<(), Denied> {
    let name = store.project_name(project_id).await?.unwrap_or_default();
    let project = store.load_project(&name).await?;
    let is_there = project.is_some_and(|(_, kinds)| kinds.has(kind));
    let told = || format!("document_kind {kind} is no kind of identity of the project");
    is_there.then_some(()).ok_or_else(|| Denied::Plan(told()))
}

/// A plan whose mapping can be turned round.
fn checked(mut plan: MigrationPlan) -> Result<MigrationPlan, Denied> {
    let mapping = Mapping::parse(&plan.mapping);
    let mapping = mapping.map_err(|complaints| Denied::Plan(complaints.join("; ")))?;
    if let Some(complaint) = plan.complaint() {
        return Err(Denied::Plan(complaint.to_owned()));
    }
    if plan.soak_seconds < 0 {
        return Err(Denied::Plan("soak_seconds is not negative".to_owned()));
    }
    plan.document_kind = document_kind(&mapping, &plan.document_kind).map_err(Denied::Plan)?;
    Ok(plan)
}

/// What the mapping says that a document's id is, or else what is asked for.
fn document_kind(mapping: &Mapping, asked: &str) -> Result<String, String> {
    let asked = Some(asked).filter(|asked| !asked.is_empty());
    let own = mapping.reverse(None).or_else(|_| mapping.reverse(asked))?;
    let own = own.document_kind();
    match asked.filter(|asked| *asked != own) {
        Some(asked) => Err(format!(
            "document_kind is {asked}, and the mapping says that a document's _id is its {own}"
        )),
        None => Ok(own.to_owned()),
    }
}

/// What is measured of a migration.
struct Measured {
    seen: Seen,
    mirror: MirrorSeen,
    source: Option<SourceStatus>,
    verifications: Vec<Verification>,
}

async fn seen(
    store: &Store,
    project_id: ProjectId,
    migration: &Migration,
) -> Result<Measured, Error> {
    let (mut seen, mirror) = store.measure_migration(project_id, migration).await?;
    seen.has_index = !migration.plan.index.is_empty();
    let sources = store.backfill_status(Some(project_id)).await?;
    let mut sources = sources.into_iter();
    let own = migration.plan.source.as_ref();
    let source = own.and_then(|own| sources.find(|source| source.source == *own));
    if let Some(reads) = migration.reads {
        seen.compare = store.load_comparison((project_id, reads.since)).await?;
    }
    seen.backfill = source.as_ref().map(|source| {
        let counts = source.counts;
        BackfillSeen {
            state: source.state.to_owned(),
            lag: source.lag,
            idle_seconds: source.idle_seconds,
            passed: counts.stored + counts.unchanged + counts.rejected,
            rejected: counts.rejected - counts.erased,
        }
    });
    let forward = store.last_verifications(project_id, Direction::Forward);
    let forward = forward.await?;
    let reverse = store.last_verifications(project_id, Direction::Reverse);
    let reverse = reverse.await?;
    seen.verify = done_since(&forward, migration.changed_at);
    seen.reverse = done_since(&reverse, Timestamp::MIN);
    let newest = [forward, reverse].into_iter();
    Ok(Measured {
        seen,
        mirror,
        source,
        verifications: newest.filter_map(|own| own.into_iter().next()).collect(),
    })
}

/// The last verification that went through everything, and began since.
fn done_since(newest: &[Verification], since: Timestamp) -> Option<VerifySeen> {
    let mut done = newest
        .iter()
        .filter(|own| own.is_done() && own.began >= since);
    let last = done.next()?;
    Some(VerifySeen {
        age_seconds: last.age_seconds.unwrap_or_default(),
        differences: last.counts.differences(),
    })
}

async fn shown(
    store: &Store,
    project_id: ProjectId,
    migration: &Migration,
) -> Result<Status, Error> {
    let measured = seen(store, project_id, migration).await?;
    let compare = compared(store, project_id, migration, &measured.seen).await?;
    let refused = match measured.mirror.refused {
        0 => Vec::new(),
        _ => store.refused_documents(project_id).await?,
    };
    let verb = match migration.state {
        State::Plan | State::RolledBack => Verb::Start,
        State::Done => Verb::Rollback,
        _ => Verb::Advance,
    };
    let plan = &migration.plan;
    Ok(Status {
        state: migration.state.as_str(),
        version: migration.version,
        since: migration.changed_at.to_string(),
        mirrors: migration.mirrors,
        index: plan.index.clone(),
        topic: plan.topic.clone(),
        source: plan.source.clone(),
        document_kind: plan.document_kind.clone(),
        reads: ReadsShown::of(migration.reads),
        gates: gates(migration.state, verb, &measured.seen),
        mirror: measured.mirror,
        refused,
        backfill: measured.source,
        verifications: measured.verifications,
        compare,
    })
}

async fn compared(
    store: &Store,
    project_id: ProjectId,
    migration: &Migration,
    seen: &Seen,
) -> Result<Option<CompareShown>, Error> {
    let (Some(reads), Some(own)) = (migration.reads, seen.compare) else {
        return Ok(None);
    };
    Ok(Some(CompareShown {
        reads: own.reads,
        mismatches: own.mismatches,
        fields: store.load_mismatches((project_id, reads.since)).await?,
    }))
}
