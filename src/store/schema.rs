//! Brings the tables to what this binary needs.
//!
//! Each file of `schema/` is one idempotent change, run in its own implicit transaction (CockroachDB half-commits DDL inside
//! larger ones), then recorded with its checksum. A lease row lets ten nodes start together: one works, the others wait.

use super::error::Remedy;
use super::{Engine, Error, Statement, Store};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

/// One change: its file name without the ending, and its text.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! steps {
    ($($name:literal),+ $(,)?) => { &[$(Step { name: $name, sql: include_str!(concat!("../../schema/", $name, ".sql")) }),+] };
}

/// Every change, in order. A published one never changes.
pub const STEPS: &[Step] = steps![
    "0001_schema_step",
    "0002_lease",
    "0003_project",
    "0004_api_key",
    "0005_profile",
    "0006_identity",
    "0007_identity_by_profile",
    "0008_event",
    "0009_event_by_profile",
    "0010_rejection",
    "0011_conflict",
    "0012_conflict_by_owner",
    "0013_conflict_by_claimant",
    "0014_erasure",
    "0015_erasure_by_request",
    "0016_erasure_request",
    "0017_erasure_request_open",
    "0018_erasure_salt",
    "0019_erasure_salt_drawn",
    "0020_membership",
    "0021_membership_by_group",
    "0022_worker",
    "0023_erasure_request_attempts",
    "0024_event_walk",
    "0025_conflict_by_time",
    "0026_heartbeat",
    "0027_project_with_event_age",
    "0028_profile_size",
    "0029_erasure_request_kept",
    "0030_backfill_source",
    "0031_backfill_partition",
    "0032_backfill_count",
    "0033_backfill_rejection",
    "0034_backfill_export",
    "0035_rejection_warnings",
    "0036_project_rules",
    "0037_event_via",
    "0038_merge_record",
    "0039_merge_record_by_time",
    "0040_split",
    "0041_split_open",
    "0042_profile_absorbed",
    "0043_conflict_reason",
    "0044_blocked_name",
    "0045_rejection_name_hashes",
    "0046_rejection_by_name",
    "0047_backfill_rejection_name_hashes",
    "0048_backfill_rejection_by_name",
    "0050_migration",
    "0051_migration_step",
    "0052_outbox",
    "0053_outbox_by_time",
    "0054_outbox_gone",
    "0055_mirror",
    "0056_mirror_refusal",
    "0057_heartbeat_marking_node",
    "0060_verification",
    "0061_verification_sample",
    "0062_verification_sample_by_name",
    "0063_verification_open",
    "0065_migration_reads",
    "0066_read_comparison",
    "0067_read_mismatch",
    "0070_outbox_gone_erased_at",
    "0071_heartbeat_in_flight",
    "0075_backfill_rejection_by_time",
    "0076_mirror_swept",
    "0077_backfill_count_erased",
    "0078_backfill_partition_read_at",
    "0079_backfill_partition_missed_since",
    "0080_import_job",
    "0081_import_rejection",
    "0082_import_rejection_by_name",
    "0083_import_rejection_by_time",
    "0084_import_job_by_expiry",
    "0085_import_pull",
    "0086_import_pull_by_due",
    "0087_import_schedule",
    "0088_import_fetched",
    "0089_import_schedule_by_due",
    "0090_api_key_token_secret",
    "0091_api_key_kinds",
    "0092_token_invalidation",
    "0093_static_list",
    "0094_static_list_member",
    "0095_erasure_shown_hash",
    "0096_field_type",
    "0100_project_unknown_user_criteria",
    "0101_device_holder",
    "0102_static_list_made_by",
];

/// The first steps make the tables in which steps and the lease are kept; being idempotent they run at every start.
const BOOTSTRAP: usize = 2;

/// A holder renews before each step; a step that takes longer than this on its own has lost the lease, which is harmless:
/// steps are idempotent.
const LEASE: &str = "schema";
const LEASE_TIME: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(250);
/// How long a step is tried while the database has no connection left or is restarted; a supervisor starts the service again.
const STEP_PATIENCE: Duration = Duration::from_secs(20);

/// Steps that make a column of that name.
const WITH_A_TAG: [&str; 2] = ["0085_import_pull", "0088_import_fetched"];

pub(super) const APPLIED_STEPS: Statement = Statement {
    name: "applied_steps",
    sql: "-- applied_steps\nSELECT name, checksum FROM schema_step ORDER BY name",
};

pub(super) const RECORD_STEP: Statement = Statement {
    name: "record_step",
    sql: "-- record_step
INSERT INTO schema_step (name, checksum) VALUES ($1::TEXT, $2::TEXT) ON CONFLICT (name) DO NOTHING",
};

impl Step {
    /// The text for one engine: on CockroachDB its `/*crdb ... */` clauses are opened, elsewhere they are comments. Engines of its family
    /// keep the word `tag` for themselves; what is applied somewhere can't be written otherwise any more.
    pub fn sql_for(&self, engine: Engine) -> Cow<'static, str> {
        match engine {
            Engine::PostgreSql => self.sql.into(),
            Engine::CockroachDb if WITH_A_TAG.contains(&self.name) => {
                open_clauses(self.sql).replace(" tag", " \"tag\"").into()
            }
            Engine::CockroachDb => open_clauses(self.sql),
        }
    }

    /// Tells two texts apart; the same for both engines.
    pub fn checksum(&self) -> String {
        Sha256::digest(self.sql.as_bytes())
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Opens every `/*crdb ... */`.
pub(super) fn open_clauses(sql: &'static str) -> Cow<'static, str> {
    if !sql.contains("/*crdb") {
        return sql.into();
    }
    let mut parts = sql.split("/*crdb");
    let mut opened = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (clause, rest) = part.split_once("*/").unwrap_or((part, ""));
        opened.push_str(clause);
        opened.push_str(rest);
    }
    opened.into()
}

impl Store {
    /// Applies what is missing. Safe to run by many at once, and to be killed anywhere.
    ///
    /// # Errors
    /// When a recorded step has another text, or the database refuses.
    pub async fn migrate(&self) -> Result<(), Error> {
        for step in &STEPS[..BOOTSTRAP] {
            self.apply(step).await?;
        }
        if self.pending_steps().await?.is_empty() {
            return Ok(());
        }
        let owner = Uuid::new_v4();
        self.wait_for_lease(owner).await?;
        let outcome = self.apply_pending(owner).await;
        self.end_lease(LEASE, owner).await?;
        outcome
    }

    /// The steps that this database lacks.
    ///
    /// # Errors
    /// When the schema was made by a newer binary or a step was changed after it was applied.
    pub async fn pending_steps(&self) -> Result<Vec<&'static Step>, Error> {
        let rows = match self.run(&APPLIED_STEPS, &[]).await {
            // An empty database: nothing was ever applied.
            Err(error) if error.sql_state() == Some(&SqlState::UNDEFINED_TABLE) => Vec::new(),
            rows => rows?,
        };
        let mut applied: HashMap<String, String> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let mut pending = Vec::new();
        for step in STEPS {
            match applied.remove(step.name) {
                None => pending.push(step),
                Some(checksum) if checksum != step.checksum() => {
                    return Err(Error::Schema(format!(
                        "schema step {} was applied with another text: this binary and the database do not belong together",
                        step.name
                    )));
                }
                Some(_) => {}
            }
        }
        if let Some(step) = applied.into_keys().max() {
            // Steps only add: this binary finds all that it needs, as one does that runs while a newer one is rolled out.
            tracing::warn!(step, "the database has been migrated by a newer version");
        }
        Ok(pending)
    }

    async fn apply_pending(&self, owner: Uuid) -> Result<(), Error> {
        for step in self.pending_steps().await? {
            self.wait_for_lease(owner).await?;
            fail::fail_point!("schema-step");
            self.apply(step).await?;
            fail::fail_point!("schema-step-unrecorded");
            self.run(&RECORD_STEP, &[&step.name, &step.checksum()])
                .await?;
            tracing::info!(step = step.name, "applied schema step");
        }
        Ok(())
    }

    /// Waits until this owner holds the lease; meanwhile it keeps no connection that the holder may need.
    async fn wait_for_lease(&self, owner: Uuid) -> Result<(), Error> {
        while !self.take_lease(LEASE, owner, LEASE_TIME).await? {
            self.pool.retain(|_, _| false);
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Runs one step, again where that helps: steps are idempotent.
    async fn apply(&self, step: &Step) -> Result<(), Error> {
        let engine = self.engine().await?;
        let sql = step.sql_for(engine);
        let deadline = Instant::now() + STEP_PATIENCE;
        loop {
            match self.run_script("schema_step", &sql).await {
                Err(error) if may_pass(&error) && Instant::now() < deadline => sleep(POLL).await,
                done => return done,
            }
        }
    }
}

/// What passes with a statement passes here too. Besides, two nodes that make the same table at once can both be told that it
/// exists already (PostgreSQL answers that its type does, or with a violated key of its own catalogue): the second try finds it there.
fn may_pass(error: &Error) -> bool {
    let state = error.sql_state().map(SqlState::code);
    match error.remedy() {
        Remedy::Retry | Remedy::Reconnect | Remedy::Wait => true,
        // A script has no plan that could be stale: what the database does not know stays unknown.
        Remedy::Reprepare | Remedy::GiveUp => {
            matches!(state, Some("23505" | "42710" | "42P07" | "XX000"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_are_opened_for_one_engine_only() {
        let step = Step {
            name: "t",
            sql: "CREATE TABLE t (a INT8 PRIMARY KEY /*crdb USING HASH */) /*crdb WITH (x = 1) */;",
        };
        assert_eq!(
            step.sql_for(Engine::CockroachDb),
            "CREATE TABLE t (a INT8 PRIMARY KEY  USING HASH ) WITH (x = 1) ;"
                .replace(") WITH", ")  WITH")
        );
        assert_eq!(step.sql_for(Engine::PostgreSql), step.sql);
    }

    #[test]
    fn a_word_that_engines_of_the_family_keep_is_in_quotes_there() {
        let steps = STEPS.iter().filter(|step| WITH_A_TAG.contains(&step.name));
        let texts: Vec<_> = steps
            .map(|step| step.sql_for(Engine::CockroachDb))
            .collect();
        assert!(texts[0].contains("\n    \"tag\" TEXT, --"), "{}", texts[0]);
        assert!(texts[1].contains("name, \"tag\")"), "{}", texts[1]);
    }

    #[test]
    fn every_file_of_the_folder_is_a_step() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schema");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("schema folder")
            .map(|entry| {
                entry
                    .expect("entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        files.retain(|name| name.ends_with(".sql"));
        files.sort();
        let steps: Vec<String> = STEPS
            .iter()
            .map(|step| format!("{}.sql", step.name))
            .collect();
        assert_eq!(files, steps);
    }
}
