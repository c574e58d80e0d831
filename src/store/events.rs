//! Reading events: one by its id, or a profile's timeline.

use super::profiles::timestamp;
use super::{Error, Person, Statement, Store};
use crate::domain::{EventId, Json, ProfileId, ProjectId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

/// Newest first, over the profile and those merged into it: each gives its newest, so that no index is read to its end.
/// The cursor is the last row's key; NULL means "any".
pub(super) const LOAD_TIMELINE: Statement = Statement {
    name: "load_timeline",
    sql: "-- load_timeline
SELECT e.event_id, e.profile_id, e.type, e.name, e.message_id, e.occurred_at, e.received_at, e.properties::TEXT, e.context::TEXT
FROM unnest($2::UUID[]) AS t (profile_id)
CROSS JOIN LATERAL (
    SELECT * FROM event AS own
    WHERE own.profile_id = t.profile_id AND own.project_id = $1::INT4
      AND own.occurred_at >= $3::TIMESTAMPTZ AND own.occurred_at < $4::TIMESTAMPTZ
      AND (own.occurred_at, own.event_id) < ($5::TIMESTAMPTZ, $6::UUID)
      AND ($7::TEXT IS NULL OR own.name = $7::TEXT) AND ($8::TEXT IS NULL OR own.type = $8::TEXT)
    ORDER BY own.occurred_at DESC, own.event_id DESC
    LIMIT $9::INT8
) AS e
ORDER BY e.occurred_at DESC, e.event_id DESC
LIMIT $9::INT8",
};

pub(super) const LOAD_EVENT: Statement = Statement {
    name: "load_event",
    sql: "-- load_event
SELECT e.event_id, COALESCE(p.merged_into, e.profile_id), e.type, e.name, e.message_id, e.occurred_at, e.received_at, e.properties::TEXT, e.context::TEXT
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, event_id)
JOIN event AS e ON e.project_id = t.project_id AND e.event_id = t.event_id
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = e.profile_id",
};

/// An event as it is read.
#[derive(Debug)]
pub struct StoredEvent {
    pub id: EventId,
    pub profile_id: ProfileId,
    pub event_type: String,
    pub name: Option<String>,
    pub message_id: String,
    pub occurred_at: Timestamp,
    pub received_at: Timestamp,
    pub properties: Json,
    pub context: Json,
}

/// Which part of a timeline is wanted.
#[derive(Clone, Debug)]
pub struct TimelineQuery {
    pub name: Option<String>,
    pub event_type: Option<String>,
    /// Inclusive.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
    /// The last row of the page before.
    pub after: Option<(Timestamp, Uuid)>,
    pub limit: i64,
}

impl Store {
    /// A page of a profile's events, newest first.
    pub async fn load_timeline(
        &self,
        project_id: ProjectId,
        person: &Person,
        query: &TimelineQuery,
    ) -> Result<Vec<StoredEvent>, Error> {
        let profiles = person.profiles();
        let from = query.from.unwrap_or(Timestamp::MIN).instant();
        let to = query.to.unwrap_or(Timestamp::MAX).instant();
        let (time, id) = query
            .after
            .map_or((Timestamp::MAX, Uuid::max()), |after| after);
        let rows = self
            .run(
                &LOAD_TIMELINE,
                &[
                    &project_id.0,
                    &profiles,
                    &from,
                    &to,
                    &time.instant(),
                    &id,
                    &query.name,
                    &query.event_type,
                    &query.limit,
                ],
            )
            .await?;
        Ok(rows.iter().map(stored_event).collect())
    }

    /// One event by its key.
    pub async fn load_event(
        &self,
        project_id: ProjectId,
        id: EventId,
    ) -> Result<Option<StoredEvent>, Error> {
        let rows = self
            .run(
                &LOAD_EVENT,
                &[&[project_id.0].as_slice(), &[id.0].as_slice()],
            )
            .await?;
        Ok(rows.first().map(stored_event))
    }
}

fn stored_event(row: &Row) -> StoredEvent {
    let id = EventId(row.get(0));
    StoredEvent {
        id,
        profile_id: ProfileId(row.get(1)),
        event_type: row.get(2),
        name: row.get(3),
        message_id: row
            .get::<_, Option<String>>(4)
            .unwrap_or_else(|| id.0.to_string()),
        occurred_at: timestamp(row, 5),
        received_at: timestamp(row, 6),
        properties: Json::from_database(row.get(7)),
        context: Json::from_database(row.get(8)),
    }
}
