//! Migrations as people act on them, from the command line and by HTTP: measure, judge, take the step.

mod reads;

pub use reads::{ReadsOrder, set_reads};

use crate::domain::ProjectId;
use crate::domain::migration::{Gate, Input, Refused, State, Verb, next};
use crate::domain::migration_gates::{BackfillSeen, Seen, gates};
use crate::domain::reads::{ReadSource, Reads, Unreadable};
use crate::mapping::Mapping;
use crate::store::{
    Error, FieldMismatches, Migration, MigrationPlan, MigrationStep, MirrorSeen, SourceStatus,
    Store,
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
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The plan can't be used.
    #[error("{0}")]
    Plan(String),
    #[error("there is no migration: plan one first")]
    NoMigration,
    #[error("{0}")]
    Refused(Refused),
    #[error("{0}")]
    Reads(Unreadable),
    #[error("somebody else took a step meanwhile: the migration is at {}", .0.as_str())]
    Moved(State),
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
    pub source: Option<String>,
    pub document_kind: String,
    pub reads: ReadsShown,
    /// The gates of the next step.
    pub gates: Vec<Gate>,
    pub mirror: MirrorSeen,
    pub backfill: Option<SourceStatus>,
    pub compare: Option<CompareShown>,
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
    let gates = match &from {
        Some(from) => gates(from.state, verb, &seen(store, project_id, from).await?.0),
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
    let step = MigrationStep {
        id: Uuid::new_v4(),
        reads: Reads::behind(reads, state, to, version),
        verb: verb.as_str(),
        from: from.as_ref(),
        to,
        plan: &plan,
        operator: &order.operator,
        reason: &order.reason,
        is_forced: order.force,
        gates: &input.gates,
    };
    let is_taken = store.take_step(project_id, &step).await?;
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

/// A plan whose mapping can be turned round.
fn checked(mut plan: MigrationPlan) -> Result<MigrationPlan, Denied> {
    let mapping = Mapping::parse(&plan.mapping);
    let mapping = mapping.map_err(|complaints| Denied::Plan(complaints.join("; ")))?;
    if plan.index.is_empty() || plan.soak_seconds < 0 {
        let told = "index is the name of an index, soak_seconds is not negative";
        return Err(Denied::Plan(told.to_owned()));
    }
    let own = (!plan.document_kind.is_empty()).then_some(plan.document_kind.as_str());
    let reverse = mapping.reverse(own).map_err(Denied::Plan)?;
    plan.document_kind = reverse.document_kind().to_owned();
    Ok(plan)
}

async fn seen(
    store: &Store,
    project_id: ProjectId,
    migration: &Migration,
) -> Result<(Seen, MirrorSeen, Option<SourceStatus>), Error> {
    let (mut seen, mirror) = store.measure_migration(project_id, migration).await?;
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
            passed: counts.stored + counts.unchanged + counts.rejected,
            rejected: counts.rejected,
        }
    });
    Ok((seen, mirror, source))
}

async fn shown(
    store: &Store,
    project_id: ProjectId,
    migration: &Migration,
) -> Result<Status, Error> {
    let (seen, mirror, backfill) = seen(store, project_id, migration).await?;
    let compare = compared(store, project_id, migration, &seen).await?;
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
        source: plan.source.clone(),
        document_kind: plan.document_kind.clone(),
        reads: ReadsShown::of(migration.reads),
        gates: gates(migration.state, verb, &seen),
        mirror,
        backfill,
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
