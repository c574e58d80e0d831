//! Reading events: one by its id, or a profile's timeline.

use super::profiles::timestamp;
use super::{Error, Person, Statement, Store};
use crate::domain::{EventId, Json, ProfileId, ProjectId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

/// Rows that one statement looks at: their sizes are known only when they are read, and a row may have a megabyte.
const STEP: i64 = 100;

/// Newest first, over the profile and those merged into it: each gives its newest, so that no index is read to its end.
/// How far back these go is asked for first: sorted by time alone they come out of the index, whereas PostgreSQL, which expects a
/// row or two of anybody, would read and sort all events of somebody who has a million.
/// The cursor is the last row's key; NULL means "any". The page ends with the row that reaches its bytes. `OFFSET 0` keeps
/// PostgreSQL from writing each row out again wherever its text is used.
pub(super) const LOAD_TIMELINE: Statement = Statement {
    name: "load_timeline",
    sql: "-- load_timeline
SELECT p.event_id, p.profile_id, p.type, p.name, p.message_id, p.occurred_at, p.received_at, p.properties, p.context, p.via
FROM (
    SELECT w.*, sum(w.size) OVER (ORDER BY w.occurred_at DESC, w.event_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - w.size AS before
    FROM (
        SELECT t.*, (octet_length(t.properties) + octet_length(t.context))::INT8 AS size
        FROM (
            SELECT r.event_id, r.profile_id, r.type, r.name, r.message_id, r.occurred_at, r.received_at, r.properties::TEXT AS properties, r.context::TEXT AS context, r.via
            FROM (
                SELECT e.*
                FROM unnest($2::UUID[]) AS t (profile_id)
                CROSS JOIN LATERAL (
                    SELECT min(newest.occurred_at) AS occurred_at
                    FROM (
                        SELECT own.occurred_at FROM event AS own
                        WHERE own.profile_id = t.profile_id AND own.project_id = $1::INT4
                          AND own.occurred_at >= $3::TIMESTAMPTZ AND own.occurred_at < $4::TIMESTAMPTZ
                          AND (own.occurred_at, own.event_id) < ($5::TIMESTAMPTZ, $6::UUID)
                          AND ($7::TEXT IS NULL OR own.name = $7::TEXT) AND ($8::TEXT IS NULL OR own.type = $8::TEXT)
                        ORDER BY own.occurred_at DESC
                        LIMIT $9::INT8
                    ) AS newest
                ) AS oldest
                CROSS JOIN LATERAL (
                    SELECT * FROM event AS own
                    WHERE own.profile_id = t.profile_id AND own.project_id = $1::INT4
                      AND own.occurred_at >= oldest.occurred_at AND own.occurred_at < $4::TIMESTAMPTZ
                      AND (own.occurred_at, own.event_id) < ($5::TIMESTAMPTZ, $6::UUID)
                      AND ($7::TEXT IS NULL OR own.name = $7::TEXT) AND ($8::TEXT IS NULL OR own.type = $8::TEXT)
                    ORDER BY own.occurred_at DESC, own.event_id DESC
                    LIMIT $9::INT8
                ) AS e
                ORDER BY e.occurred_at DESC, e.event_id DESC
                LIMIT $9::INT8
            ) AS r
            OFFSET 0
        ) AS t
    ) AS w
) AS p
WHERE p.before < $10::INT8
ORDER BY p.occurred_at DESC, p.event_id DESC",
};

pub(super) const LOAD_EVENT: Statement = Statement {
    name: "load_event",
    sql: "-- load_event
SELECT e.event_id, COALESCE(p.merged_into, e.profile_id), e.type, e.name, e.message_id, e.occurred_at, e.received_at, e.properties::TEXT, e.context::TEXT, e.via
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
    /// The name by which it came, as `Identity::via` has it; `None` where nobody noted it.
    pub via: Option<i64>,
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

/// Some events of a timeline.
#[derive(Debug, Default)]
pub struct TimelinePage {
    pub events: Vec<StoredEvent>,
    /// The last one's key, where others may follow.
    pub next: Option<(Timestamp, Uuid)>,
}

/// What one statement reads of a page.
struct Part {
    after: Option<(Timestamp, Uuid)>,
    rows: i64,
    bytes: i64,
}

impl StoredEvent {
    fn bytes(&self) -> i64 {
        (self.properties.as_bytes().len() + self.context.as_bytes().len()) as i64
    }
}

impl Store {
    /// A page of a profile's events, newest first. It ends with the event that reaches `most_bytes`.
    pub async fn load_timeline(
        &self,
        project_id: ProjectId,
        person: &Person,
        query: &TimelineQuery,
        most_bytes: usize,
    ) -> Result<TimelinePage, Error> {
        let mut page = TimelinePage::default();
        let (mut bytes_left, mut after) = (most_bytes as i64, query.after);
        loop {
            let wanted = STEP.min(query.limit - page.events.len() as i64);
            let part = Part {
                after,
                rows: wanted,
                bytes: bytes_left,
            };
            let events = self.load_part(project_id, person, query, &part).await?;
            let is_short = (events.len() as i64) < wanted;
            bytes_left -= events.iter().map(StoredEvent::bytes).sum::<i64>();
            page.events.extend(events);
            after = page.events.last().map(|last| (last.occurred_at, last.id.0));
            if bytes_left <= 0 || page.events.len() as i64 == query.limit {
                page.next = after;
                return Ok(page);
            }
            if is_short {
                return Ok(page);
            }
        }
    }

    async fn load_part(
        &self,
        project_id: ProjectId,
        person: &Person,
        query: &TimelineQuery,
        part: &Part,
    ) -> Result<Vec<StoredEvent>, Error> {
        let profiles = person.profiles();
        let from = query.from.unwrap_or(Timestamp::MIN).instant();
        let to = query.to.unwrap_or(Timestamp::MAX).instant();
        let (time, id) = part.after.unwrap_or((Timestamp::MAX, Uuid::max()));
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 10] = [
            &project_id.0,
            &profiles,
            &from,
            &to,
            &time.instant(),
            &id,
            &query.name,
            &query.event_type,
            &part.rows,
            &part.bytes,
        ];
        let rows = self.run(&LOAD_TIMELINE, &params).await?;
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
        via: row.get(9),
    }
}
