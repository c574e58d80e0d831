//! Files that are fetched by the calendar, and which of a folder were fetched before.

use super::backfill::optional_time;
use super::profiles::timestamp;
use super::pull_statements::{
    ADVANCE_SCHEDULE, CREATE_SCHEDULE, DELETE_SCHEDULE, DUE_SCHEDULES, FIND_FETCHED,
    FORGET_FETCHED, LOAD_SCHEDULES, REMEMBER_FETCHED,
};
use super::{Error, Fence, Store};
use crate::domain::{ProjectId, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Schedules of one project.
pub const MOST_SCHEDULES: i64 = 200;

/// What is said of one at its beginning.
#[derive(Clone)]
pub struct NewSchedule {
    pub project_id: ProjectId,
    pub id: Uuid,
    pub cron: String,
    pub time_zone: String,
    pub source: String,
    /// What may not be shown.
    pub address: Option<String>,
    /// JSON.
    pub layout: String,
    /// TOML.
    pub mapping: Option<String>,
    pub due_at: Timestamp,
}

/// One as it stands.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub id: Uuid,
    pub cron: String,
    pub time_zone: String,
    pub source: String,
    pub created_at: Timestamp,
    pub due_at: Timestamp,
    pub last_at: Option<Timestamp>,
    pub last_job: Option<Uuid>,
    pub runs: i64,
    pub skipped: i64,
    pub reason: String,
}

/// One that is due.
#[derive(Clone)]
pub struct DueSchedule {
    pub schedule: Schedule,
    pub project_id: ProjectId,
    /// Whole, with what is never shown.
    pub address: String,
    pub layout: String,
    pub mapping: Option<String>,
    pub project: String,
    /// True where the last job of the run before may still go on.
    pub is_at_work: bool,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The last job that it began.
    pub job: Option<Uuid>,
    /// True where the one before was still at work.
    pub is_skipped: bool,
    pub reason: String,
}

impl Store {
    /// Begins a schedule; false where the project has as many as it may.
    pub async fn create_schedule(&self, new: &NewSchedule) -> Result<bool, Error> {
        let due_at = new.due_at.instant();
        let params: [&(dyn ToSql + Sync); 10] = [
            &new.project_id.0,
            &new.id,
            &new.cron,
            &new.time_zone,
            &new.source,
            &new.address,
            &new.layout,
            &new.mapping,
            &due_at,
            &MOST_SCHEDULES,
        ];
        let rows = self.run(&CREATE_SCHEDULE, &params).await?;
        Ok(!rows.is_empty())
    }

    /// All of a project.
    pub async fn load_schedules(&self, project_id: ProjectId) -> Result<Vec<Schedule>, Error> {
        let params: [&(dyn ToSql + Sync); 2] = [&project_id.0, &MOST_SCHEDULES];
        let rows = self.run(&LOAD_SCHEDULES, &params).await?;
        Ok(rows.iter().map(schedule).collect())
    }

    /// Ends one; false where there is none.
    pub async fn delete_schedule(&self, project_id: ProjectId, id: Uuid) -> Result<bool, Error> {
        let rows = self.run(&DELETE_SCHEDULE, &[&project_id.0, &id]).await?;
        Ok(!rows.is_empty())
    }

    /// Those that are due, the longest waiting first.
    pub async fn due_schedules(&self, most: i64) -> Result<Vec<DueSchedule>, Error> {
        let rows = self.run(&DUE_SCHEDULES, &[&most]).await?;
        let due = |row: &Row| DueSchedule {
            schedule: schedule(row),
            project_id: ProjectId(row.get(11)),
            address: row.get(12),
            layout: row.get(13),
            mapping: row.get(14),
            project: row.get(15),
            is_at_work: row.get(16),
        };
        Ok(rows.iter().map(due).collect())
    }

    /// Says how a run went, and when the next is due.
    pub async fn advance_schedule(
        &self,
        fence: Fence,
        due: &DueSchedule,
        next: Timestamp,
        run: &Run,
    ) -> Result<(), Error> {
        let (was, next) = (due.schedule.due_at.instant(), next.instant());
        let params: [&(dyn ToSql + Sync); 9] = [
            &fence.worker,
            &fence.token,
            &due.project_id.0,
            &due.schedule.id,
            &was,
            &next,
            &run.job,
            &run.is_skipped,
            &run.reason,
        ];
        self.run(&ADVANCE_SCHEDULE, &params).await.map(drop)
    }

    /// Of files of a folder, by name and tag: whether each was fetched before.
    pub async fn find_fetched(
        &self,
        due: &DueSchedule,
        files: &[(String, String)],
    ) -> Result<Vec<bool>, Error> {
        let positions: Vec<i32> = (0..).take(files.len()).collect();
        let (names, tags): (Vec<&str>, Vec<&str>) = files
            .iter()
            .map(|(name, tag)| (name.as_str(), tag.as_str()))
            .unzip();
        let params: [&(dyn ToSql + Sync); 5] = [
            &due.project_id.0,
            &due.schedule.id,
            &positions,
            &names,
            &tags,
        ];
        let mut known = vec![false; files.len()];
        for row in self.run(&FIND_FETCHED, &params).await? {
            known[row.get::<_, i32>(0) as usize] = true;
        }
        Ok(known)
    }

    /// Remembers that a file of a folder was begun.
    pub async fn remember_fetched(
        &self,
        due: &DueSchedule,
        (name, tag): &(String, String),
    ) -> Result<(), Error> {
        let params: [&(dyn ToSql + Sync); 4] = [&due.project_id.0, &due.schedule.id, name, tag];
        self.run(&REMEMBER_FETCHED, &params).await.map(drop)
    }

    /// Forgets files that are gone from the folder for long.
    pub async fn forget_fetched(&self, due: &DueSchedule) -> Result<(), Error> {
        let params: [&(dyn ToSql + Sync); 2] = [&due.project_id.0, &due.schedule.id];
        self.run(&FORGET_FETCHED, &params).await.map(drop)
    }
}

fn schedule(row: &Row) -> Schedule {
    Schedule {
        id: row.get(0),
        cron: row.get(1),
        time_zone: row.get(2),
        source: row.get(3),
        created_at: timestamp(row, 4),
        due_at: timestamp(row, 5),
        last_at: optional_time(row, 6),
        last_job: row.get(7),
        runs: row.get(8),
        skipped: row.get(9),
        reason: row.get(10),
    }
}
