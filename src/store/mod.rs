//! The only place that knows SQL.
//!
//! One struct, one door: `run` for single statements (the write path) and `run_tx` for the rare transaction of several.
//! Both retry by the rules of `contracts/cockroachdb.md` section 10, are named, and are measured.

mod as_of;
mod backfill;
mod backfill_refusals;
mod backfill_statements;
mod backfill_status;
mod blocks;
mod comparisons;
mod conflicts;
mod connect;
mod criteria;
mod devices;
mod encoding;
mod erase;
mod erase_older;
mod erase_statements;
mod erase_steps;
mod error;
mod event_row;
mod events;
mod export;
mod field_types;
mod fields;
mod forgotten;
mod groups;
mod heartbeat;
mod import_refusals;
mod import_statements;
mod imports;
mod invalidations;
mod lease;
mod listed_of;
mod lists;
mod lookup;
mod marks;
mod merge;
mod merge_record;
mod migration;
mod migration_plan;
mod mirror;
mod mirror_statements;
mod others;
mod owners;
mod params;
mod pool;
mod profiles;
mod projects;
mod pull_statements;
mod pulls;
mod reads;
mod refused;
mod rejections;
mod retention;
mod rights;
mod run;
mod schedules;
pub mod schema;
mod split;
mod split_events;
mod split_evidence;
mod split_records;
mod split_statements;
mod statement;
mod traced;
mod verification;
mod verification_statements;
mod worker;
mod write;
mod write_statements;

pub use as_of::AsOf;
pub use backfill::{
    BackfillSource, Counts, Partition, PartitionMove, StoredPartition, TakenPartition,
};
pub use backfill_refusals::Refusal;
pub use backfill_status::{CountsShown, PartitionStatus, SourceStatus};
pub use blocks::MOST_BLOCKED;
pub use comparisons::{Compared, ComparedKey, FieldMismatches};
pub use connect::{Engine, session_settings, set_up_session};
pub use devices::Holder;
pub use erase::{DueErasure, Erasure};
pub use erase_steps::ErasureRequest;
pub use error::Error;
pub use event_row::EventRow;
pub use events::{StoredEvent, TimelinePage, TimelineQuery};
pub use field_types::TypedField;
pub use groups::Membership;
pub use import_refusals::ImportRefusal;
pub use imports::{ImportChange, ImportCounts, ImportKey, ImportStep, NewImport, StoredImport};
pub use invalidations::{Invalidation, InvalidationPlace, NameHash};
pub use listed_of::{ListOf, Listed};
pub use lists::{LARGEST_LIST_ID, ListKey, ListMember, MOST_LISTS, StaticList};
pub use lookup::{KnownIdentity, Profile, Reference};
pub use merge::Merged;
pub use merge_record::{KeptMerge, KeptMerges};
pub use migration::{Migration, MigrationStep, MirrorSeen, RefusedDocument, TakenStep};
pub use migration_plan::{MigrationPlan, TopicFormat};
pub use mirror::{GoneName, Mark, Marked, MarkedProfile, Marks, Mirror, MirrorNote};
pub use owners::Owner;
pub use profiles::{Person, StoredConflict};
pub use projects::ListedKey;
pub use pulls::{DuePull, PullNote, StoredPull};
pub use reads::{ProjectReads, ReadsStep, Unmirrored};
pub use rejections::StoredRejection;
pub use retention::{EventWalk, ExpiringList, NextWalk};
pub use rights::{Right, needed_rights};
pub use schedules::{DueSchedule, MOST_SCHEDULES, NewSchedule, Run, Schedule};
pub use split::{Parting, SplitOutcome, SplitRequest};
pub use split_events::Split;
pub use statement::{Statement, catalogue};
pub use verification::{DueVerification, Sample, Tallies, Verification, VerificationNote};
pub use worker::Fence;
pub use write::{HeldProfile, NewIdentity, NewProfile, ResolvedIdentity, TraitsChange};

use crate::config;
use crate::domain::Timestamp;
use crate::metric_names::POOL_WAIT_SECONDS;
use deadpool_postgres::Pool;
use error::Remedy;
use metrics::{Histogram, histogram};
use refused::Refused;
use run::Retries;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The database, shared by everyone in the process.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    engine: Arc<OnceLock<Engine>>,
    statement_timeout: Duration,
    deadline: Duration,
    pool_wait: Histogram,
    /// What names are hashed with where a person was erased.
    salt: Arc<OnceCell<Uuid>>,
    refused: Refused,
}

impl Store {
    /// What is wrong with the URL of the database, where one is set. Nothing is opened.
    pub fn complaint(settings: &config::Database) -> Option<String> {
        let url = settings.url.reveal();
        let parsed = connect::Target::parse(url, Duration::ZERO, Duration::ZERO);
        let error = parsed.err().filter(|_| !url.is_empty())?;
        Some(error.to_string())
    }

    /// Prepares the pool; connections are opened when they are needed. Must be called on the main runtime, which then owns
    /// every connection: an HTTP worker's runtime may end before the last flush.
    ///
    /// # Errors
    /// When the URL can't be used.
    pub fn open(settings: &config::Database, url: &str, deadline: Duration) -> Result<Self, Error> {
        let engine = Arc::new(OnceLock::new());
        let pool = pool::build(settings, url, engine.clone())?;
        Ok(Self {
            pool,
            engine,
            statement_timeout: config::millis(settings.statement_timeout_ms),
            deadline,
            pool_wait: histogram!(POOL_WAIT_SECONDS),
            salt: Arc::default(),
            refused: Refused::default(),
        })
    }

    /// Which database answers; asks it if nobody has yet. That nobody answers is said at once, but where others have all
    /// connections one is waited for.
    pub async fn engine(&self) -> Result<Engine, Error> {
        if let Some(engine) = self.engine.get() {
            return Ok(*engine);
        }
        let mut retries = Retries::new(statement::PING.name, self.deadline);
        while let Err(error) = self.ping().await {
            if error.remedy() != Remedy::Wait {
                return Err(error);
            }
            retries.after(error, self).await?;
        }
        Ok(*self
            .engine
            .get()
            .expect("every new connection tells the engine"))
    }

    /// Asks the database for a sign of life: what its clock says.
    pub async fn ping(&self) -> Result<Timestamp, Error> {
        let rows = self.run_once(&statement::PING, &[]).await?;
        Ok(profiles::timestamp(&rows[0], 0))
    }

    /// Closes the pool: nothing can be written or read any more.
    pub fn close(&self) {
        self.pool.close();
    }

    /// Connections by state, for the metrics.
    pub fn pool_status(&self) -> deadpool_postgres::Status {
        self.pool.status()
    }
}
