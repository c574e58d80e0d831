//! Files that the service fetches: from where each is, and what it was when that began.

use super::pull_statements::{
    CREATE_PULL, DUE_PULLS, FORGET_PULL, LOAD_PULL, NOTE_PULL, RENEW_PULL,
};
use super::{Error, Fence, Store};
use crate::domain::ProjectId;
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

/// What goes before all others counts as due since then.
const FIRST_SECONDS: f64 = 86_400.0;

/// One that is to be gone on with.
#[derive(Clone)]
pub struct DuePull {
    pub project_id: ProjectId,
    pub job_id: Uuid,
    /// Whole, with what is never shown.
    pub address: String,
    pub tag: Option<String>,
    pub size: Option<i64>,
    pub attempts: i32,
    pub is_over: bool,
    /// Of its job; `None` where that is gone.
    pub state: Option<String>,
    pub project: String,
}

/// How one went.
#[derive(Clone, Debug, Default)]
pub struct PullNote {
    pub tag: Option<String>,
    pub size: Option<i64>,
    pub attempts: i32,
    /// Until it is due again; of one that is over, until it is forgotten.
    pub pause: Duration,
    /// It goes before all others: it could only be begun anew.
    pub is_first: bool,
    pub is_over: bool,
}

/// One as it is shown.
#[derive(Clone, Debug)]
pub struct StoredPull {
    pub source: String,
    pub size: Option<i64>,
    pub attempts: i32,
}

impl Store {
    /// Begins to fetch a file for a job; a repeat finds it begun. `address` is what may not be shown.
    pub async fn create_pull(
        &self,
        (project_id, job_id): (ProjectId, Uuid),
        source: &str,
        address: Option<&str>,
    ) -> Result<(), Error> {
        self.run(&CREATE_PULL, &[&project_id.0, &job_id, &source, &address])
            .await
            .map(drop)
    }

    /// Where the file of a job is fetched from, if it is.
    pub async fn load_pull(
        &self,
        (project_id, job_id): (ProjectId, Uuid),
    ) -> Result<Option<StoredPull>, Error> {
        let rows = self.run(&LOAD_PULL, &[&project_id.0, &job_id]).await?;
        let stored = |row: &Row| StoredPull {
            source: row.get(0),
            size: row.get(1),
            attempts: row.get(2),
        };
        Ok(rows.first().map(stored))
    }

    /// Says where the file of a job is by now; false where nothing is fetched for it any more.
    pub async fn renew_pull(
        &self,
        (project_id, job_id): (ProjectId, Uuid),
        source: &str,
        address: Option<&str>,
    ) -> Result<bool, Error> {
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&project_id.0, &job_id, &source, &address];
        let rows = self.run(&RENEW_PULL, &params).await?;
        Ok(!rows.is_empty())
    }

    /// Those that are due, the longest waiting first.
    pub async fn due_pulls(&self, most: i64) -> Result<Vec<DuePull>, Error> {
        let rows = self.run(&DUE_PULLS, &[&most]).await?;
        Ok(rows.iter().map(due).collect())
    }

    /// Notes how one went; nothing where the turn is another's, or it is over.
    pub async fn note_pull(
        &self,
        fence: Fence,
        due: &DuePull,
        note: &PullNote,
    ) -> Result<(), Error> {
        let first = if note.is_first { FIRST_SECONDS } else { 0.0 };
        let seconds = note.pause.as_secs_f64() - first;
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
            &fence.worker,
            &fence.token,
            &due.project_id.0,
            &due.job_id,
            &note.tag,
            &note.size,
            &note.attempts,
            &seconds,
            &note.is_over,
        ];
        self.run(&NOTE_PULL, &params).await.map(drop)
    }

    /// Forgets one that is over for long.
    pub async fn forget_pull(&self, due: &DuePull) -> Result<(), Error> {
        self.run(&FORGET_PULL, &[&due.project_id.0, &due.job_id])
            .await
            .map(drop)
    }
}

fn due(row: &Row) -> DuePull {
    DuePull {
        project_id: ProjectId(row.get(0)),
        job_id: row.get(1),
        address: row.get(2),
        tag: row.get(3),
        size: row.get(4),
        attempts: row.get(5),
        is_over: row.get(6),
        state: row.get(7),
        project: row.get(8),
    }
}
