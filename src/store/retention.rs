//! What has reached its age goes, a page at a time.
//!
//! Events have no index by time, which would cost every write; so the job walks along the primary key, as CockroachDB's own
//! row-level TTL does. Rejections and conflicts are found by time, for many projects at once.

use super::worker::held;
use super::{Error, Fence, Statement, Store};
use crate::domain::{ProjectId, Timestamp};
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

/// Projects that one statement looks at.
const PROJECTS: i64 = 1_000;

/// Projects whose events have an age and whose walk is due, the longest waiting first.
pub(super) const DUE_WALKS: Statement = Statement {
    name: "due_walks",
    sql: "-- due_walks
SELECT p.project_id, now() - LEAST(p.event_retention_days, 36500) * '1 day'::INTERVAL, COALESCE(w.after, $2::UUID), COALESCE(w.attempts, 0)
FROM project AS p LEFT JOIN event_walk AS w ON w.project_id = p.project_id
WHERE p.event_retention_days IS NOT NULL AND (w.due_at IS NULL OR w.due_at <= now())
ORDER BY COALESCE(w.due_at, p.created_at), p.project_id LIMIT $1::INT8",
};

/// Looks at one page of a project's events, deletes the old ones among them, and notes where the page ended.
pub(super) const EXPIRE_EVENTS: Statement = Statement {
    name: "expire_events",
    sql: concat!(
        "-- expire_events
WITH ",
        held!("$5", "$6"),
        ", page AS (
    SELECT event_id, received_at FROM event
    WHERE project_id = $1::INT4 AND event_id > $2::UUID
    ORDER BY event_id LIMIT $4::INT8
), gone AS (
    DELETE FROM event WHERE project_id = $1::INT4 AND event_id IN (SELECT p.event_id FROM page AS p WHERE p.received_at < $3::TIMESTAMPTZ)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING event_id
), noted AS (
    INSERT INTO event_walk AS w (project_id, after, due_at, attempts)
    SELECT $1::INT4, p.event_id, now(), 0 FROM page AS p WHERE EXISTS (SELECT 1 FROM held) ORDER BY p.event_id DESC LIMIT 1
    ON CONFLICT (project_id) DO UPDATE SET after = excluded.after, attempts = 0
    RETURNING project_id
)
SELECT (SELECT p.event_id FROM page AS p ORDER BY p.event_id DESC LIMIT 1), (SELECT count(*) FROM gone)::INT8"
    ),
};

/// Sets when a project's walk goes on, where, and how often it has failed.
pub(super) const SET_WALK: Statement = Statement {
    name: "set_walk",
    sql: concat!(
        "-- set_walk
WITH ",
        held!("$5", "$6"),
        "
INSERT INTO event_walk AS w (project_id, after, due_at, attempts)
SELECT $1::INT4, COALESCE($2::UUID, $7::UUID), now() + ($3::FLOAT8 * '1 second'::INTERVAL), $4::INT4 WHERE EXISTS (SELECT 1 FROM held)
ON CONFLICT (project_id) DO UPDATE SET after = COALESCE($2::UUID, w.after), due_at = excluded.due_at, attempts = excluded.attempts"
    ),
};

/// The text for one list, whose rows are found by project, time and id; `$of_nobody` adds to the projects.
macro_rules! expire {
    ($name:literal, $table:literal, $time:literal, $id:literal) => {
        expire!($name, $table, $time, $id, "")
    };
    ($name:literal, $table:literal, $time:literal, $id:literal, $of_nobody:literal) => {
        concat!("-- ", $name, "
WITH ", held!("$4", "$5"), ", asked AS (
    SELECT project_id, now() - rejection_retention_days * '1 day'::INTERVAL AS before FROM project
    WHERE project_id > $1::INT4 ORDER BY project_id LIMIT $2::INT8
), owners AS (
    SELECT project_id, before FROM asked", $of_nobody, "
), expired AS (
    SELECT r.project_id, r.", $time, ", r.", $id, " FROM owners AS s
    CROSS JOIN LATERAL (
        SELECT project_id, ", $time, ", ", $id, " FROM ", $table, " AS l
        WHERE l.project_id = s.project_id AND l.", $time, " < s.before
        ORDER BY l.", $time, " LIMIT $3::INT8
    ) AS r
    LIMIT $3::INT8
), gone AS (
    DELETE FROM ", $table, " WHERE (project_id, ", $time, ", ", $id, ") IN (SELECT o.project_id, o.", $time, ", o.", $id, " FROM expired AS o)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING ", $id, "
)
SELECT (SELECT max(project_id) FROM asked), (SELECT count(*) FROM gone)::INT8")
    };
}

pub(super) const EXPIRE_REJECTIONS: Statement = Statement {
    name: "expire_rejections",
    sql: expire!(
        "expire_rejections",
        "rejection",
        "received_at",
        "rejection_id"
    ),
};

pub(super) const EXPIRE_CONFLICTS: Statement = Statement {
    name: "expire_conflicts",
    sql: expire!("expire_conflicts", "conflict", "first_seen", "conflict_id"),
};

pub(super) const EXPIRE_MERGE_RECORDS: Statement = Statement {
    name: "expire_merge_records",
    sql: expire!(
        "expire_merge_records",
        "merge_record",
        "merged_at",
        "absorbed_id"
    ),
};

/// Records of which nobody knows whose they are stay as long as a project's do that says nothing about it. Of one time and offset
/// all have the same age.
pub(super) const EXPIRE_BACKFILL_REJECTIONS: Statement = Statement {
    name: "expire_backfill_rejections",
    sql: expire!(
        "expire_backfill_rejections",
        "backfill_rejection",
        "rejected_at",
        "record_offset",
        " UNION ALL SELECT 0::INT4, now() - 30 * '1 day'::INTERVAL WHERE $1::INT4 = 0"
    ),
};

/// What comparing reads came to under a setting that is over: nobody is shown it any more.
pub(super) const EXPIRE_COMPARISONS: Statement = Statement {
    name: "expire_comparisons",
    sql: concat!(
        "-- expire_comparisons\nWITH ",
        held!("$4", "$5"),
        ", asked AS (
    SELECT project_id FROM project WHERE project_id > $1::INT4 ORDER BY project_id LIMIT $2::INT8
), ended AS (
    SELECT c.project_id, c.since, c.node FROM asked AS a
    JOIN migration AS m ON m.project_id = a.project_id
    CROSS JOIN LATERAL (
        SELECT project_id, since, node FROM read_comparison AS l
        WHERE l.project_id = m.project_id AND l.since < (m.reads->>'since')::INT8 LIMIT $3::INT8
    ) AS c
    LIMIT $3::INT8
), fields AS (
    DELETE FROM read_mismatch WHERE (project_id, since, node) IN (SELECT e.project_id, e.since, e.node FROM ended AS e)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING field
), gone AS (
    DELETE FROM read_comparison WHERE (project_id, since, node) IN (SELECT e.project_id, e.since, e.node FROM ended AS e)
        AND EXISTS (SELECT 1 FROM held)
    RETURNING node
)
SELECT (SELECT max(project_id) FROM asked), (SELECT count(*) FROM gone)::INT8"
    ),
};

pub(super) const EXPIRE_IMPORT_REJECTIONS: Statement = Statement {
    name: "expire_import_rejections",
    sql: expire!(
        "expire_import_rejections",
        "import_rejection",
        "rejected_at",
        "number"
    ),
};

pub(super) const SET_RETENTION: Statement = Statement {
    name: "set_retention",
    sql: "-- set_retention
UPDATE project SET event_retention_days = $2::INT4, rejection_retention_days = $3::INT4 WHERE project_id = $1::INT4",
};

/// What is listed for people to look at, for as long as the project says.
#[derive(Clone, Copy, Debug)]
pub enum ExpiringList {
    Rejections,
    BackfillRejections,
    ImportRejections,
    Conflicts,
    MergeRecords,
    /// Of settings that are over, whatever their age.
    Comparisons,
}

/// A walk over one project's events.
#[derive(Clone, Copy, Debug)]
pub struct EventWalk {
    pub project_id: ProjectId,
    /// What was received before goes.
    pub before: Timestamp,
    /// Where it goes on.
    pub after: Uuid,
    /// Failures in a row.
    pub attempts: i32,
}

/// When and where a walk goes on.
#[derive(Clone, Copy, Debug)]
pub struct NextWalk {
    /// `None`: where its last page ended.
    pub after: Option<Uuid>,
    pub pause: Duration,
    pub attempts: i32,
}

impl EventWalk {
    /// It is at its end, and begins again after a pause.
    pub fn again(&self, pause: Duration) -> NextWalk {
        NextWalk {
            after: Some(Uuid::nil()),
            pause,
            attempts: 0,
        }
    }

    /// It failed, and goes on where it is after a pause.
    pub fn later(&self, pause: Duration) -> NextWalk {
        NextWalk {
            after: None,
            pause,
            attempts: self.attempts.saturating_add(1),
        }
    }
}

impl Store {
    /// Walks that are due, by the database's clock.
    pub async fn due_walks(&self, limit: i64) -> Result<Vec<EventWalk>, Error> {
        let rows = self.run(&DUE_WALKS, &[&limit, &Uuid::nil()]).await?;
        let walk = |row: &Row| EventWalk {
            project_id: ProjectId(row.get(0)),
            before: super::profiles::timestamp(row, 1),
            after: row.get(2),
            attempts: row.get(3),
        };
        Ok(rows.iter().map(walk).collect())
    }

    /// Deletes what is too old in the page of events behind `after`; where that page ended (`None`: nothing is left), and how many
    /// events went.
    pub async fn expire_events(
        &self,
        fence: Fence,
        walk: &EventWalk,
        after: Uuid,
        page: i64,
    ) -> Result<(Option<Uuid>, i64), Error> {
        let (project, before) = (walk.project_id.0, walk.before.instant());
        let rows = self
            .run(
                &EXPIRE_EVENTS,
                &[
                    &project,
                    &after,
                    &before,
                    &page,
                    &fence.worker,
                    &fence.token,
                ],
            )
            .await?;
        Ok(rows
            .first()
            .map_or((None, 0), |row| (row.get(0), row.get(1))))
    }

    /// Sets when and where a walk goes on.
    pub async fn set_walk(
        &self,
        fence: Fence,
        walk: &EventWalk,
        next: NextWalk,
    ) -> Result<(), Error> {
        let (project, seconds) = (walk.project_id.0, next.pause.as_secs_f64());
        self.run(
            &SET_WALK,
            &[
                &project,
                &next.after,
                &seconds,
                &next.attempts,
                &fence.worker,
                &fence.token,
                &walk.after,
            ],
        )
        .await
        .map(drop)
    }

    /// Deletes a page of what is too old in a list, in the projects behind `after`; the last of these projects (`None`: there was
    /// none), and how many rows went.
    pub async fn expire(
        &self,
        fence: Fence,
        list: ExpiringList,
        after: ProjectId,
        page: i64,
    ) -> Result<(Option<ProjectId>, i64), Error> {
        let statement = match list {
            ExpiringList::Rejections => &EXPIRE_REJECTIONS,
            ExpiringList::BackfillRejections => &EXPIRE_BACKFILL_REJECTIONS,
            ExpiringList::ImportRejections => &EXPIRE_IMPORT_REJECTIONS,
            ExpiringList::Conflicts => &EXPIRE_CONFLICTS,
            ExpiringList::MergeRecords => &EXPIRE_MERGE_RECORDS,
            ExpiringList::Comparisons => &EXPIRE_COMPARISONS,
        };
        let rows = self
            .run(
                statement,
                &[&after.0, &PROJECTS, &page, &fence.worker, &fence.token],
            )
            .await?;
        Ok(rows.first().map_or((None, 0), |row| {
            (row.get::<_, Option<i32>>(0).map(ProjectId), row.get(1))
        }))
    }

    /// Sets how long a project keeps its events (`None`: for ever) and what is listed for people to look at.
    pub async fn set_retention(
        &self,
        project_id: ProjectId,
        event_days: Option<i32>,
        rejection_days: i32,
    ) -> Result<(), Error> {
        self.run(
            &SET_RETENTION,
            &[&project_id.0, &event_days, &rejection_days],
        )
        .await
        .map(drop)
    }
}
