//! What has reached its age goes, a page at a time.
//!
//! Events have no index by time, which would cost every write; so the job walks along the primary key, as CockroachDB's own
//! row-level TTL does.

use super::profiles::timestamp;
use super::{Error, Statement, Store};
use crate::domain::{ProjectId, Timestamp};
use uuid::Uuid;

pub(super) const LOAD_RETENTIONS: Statement = Statement {
    name: "load_retentions",
    sql: "-- load_retentions
SELECT project_id, now() - event_retention_days * '1 day'::INTERVAL, now() - rejection_retention_days * '1 day'::INTERVAL
FROM project ORDER BY project_id",
};

/// Looks at one page of a project's events and deletes the old ones among them; tells where the page ended.
pub(super) const EXPIRE_EVENTS: Statement = Statement {
    name: "expire_events",
    sql: "-- expire_events
WITH page AS (
    SELECT event_id, received_at FROM event
    WHERE project_id = $1::INT4 AND event_id > $2::UUID
    ORDER BY event_id LIMIT $4::INT8
), gone AS (
    DELETE FROM event WHERE project_id = $1::INT4 AND event_id IN (SELECT p.event_id FROM page AS p WHERE p.received_at < $3::TIMESTAMPTZ)
    RETURNING event_id
)
SELECT (SELECT p.event_id FROM page AS p ORDER BY p.event_id DESC LIMIT 1), (SELECT count(*) FROM gone)::INT8",
};

pub(super) const EXPIRE_REJECTIONS: Statement = Statement {
    name: "expire_rejections",
    sql: "-- expire_rejections
WITH gone AS (
    DELETE FROM rejection WHERE project_id = $1::INT4 AND (received_at, rejection_id) IN (
        SELECT r.received_at, r.rejection_id FROM rejection AS r
        WHERE r.project_id = $1::INT4 AND r.received_at < $2::TIMESTAMPTZ
        ORDER BY r.received_at, r.rejection_id LIMIT $3::INT8
    )
    RETURNING rejection_id
)
SELECT count(*)::INT8 FROM gone",
};

pub(super) const SET_RETENTION: Statement = Statement {
    name: "set_retention",
    sql: "-- set_retention
UPDATE project SET event_retention_days = $2::INT4, rejection_retention_days = $3::INT4 WHERE project_id = $1::INT4",
};

/// What goes in one project: all that was received before these times.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub project_id: ProjectId,
    /// `None` where events stay.
    pub events_before: Option<Timestamp>,
    pub rejections_before: Timestamp,
}

impl Store {
    /// The retention of every project, by the database's clock.
    pub async fn load_retentions(&self) -> Result<Vec<Retention>, Error> {
        let rows = self.run(&LOAD_RETENTIONS, &[]).await?;
        let retention = |row: &tokio_postgres::Row| Retention {
            project_id: ProjectId(row.get(0)),
            events_before: row.get::<_, Option<jiff::Timestamp>>(1).map(Timestamp::new),
            rejections_before: timestamp(row, 2),
        };
        Ok(rows.iter().map(retention).collect())
    }

    /// Deletes what is too old in the page of events behind `after`; where that page ended (`None`: nothing is left), and how many
    /// events went.
    pub async fn expire_events(
        &self,
        project_id: ProjectId,
        after: Uuid,
        before: Timestamp,
        page: i64,
    ) -> Result<(Option<Uuid>, i64), Error> {
        let rows = self
            .run(
                &EXPIRE_EVENTS,
                &[&project_id.0, &after, &before.instant(), &page],
            )
            .await?;
        Ok(rows
            .first()
            .map_or((None, 0), |row| (row.get(0), row.get(1))))
    }

    /// Deletes some rejections that are too old; how many.
    pub async fn expire_rejections(
        &self,
        project_id: ProjectId,
        before: Timestamp,
        page: i64,
    ) -> Result<i64, Error> {
        let rows = self
            .run(
                &EXPIRE_REJECTIONS,
                &[&project_id.0, &before.instant(), &page],
            )
            .await?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }

    /// Sets how long a project keeps its events (`None`: for ever) and its rejections.
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
