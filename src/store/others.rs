//! Tells an event that was stored before from another one that has its id.

use super::event_row::{EventColumns, EventRow};
use super::{Error, Statement, Store};
use tokio_postgres::Row;

/// The places of events under whose id something else is stored: of another type, name or content, or about another person than
/// whom the strongest name of the call leads to. Of an erased event nobody can tell any more. Reads only.
pub(super) const FIND_OTHERS: Statement = Statement {
    name: "find_others",
    sql: "-- find_others
SELECT t.place
FROM unnest($1::INT4[], $2::INT4[], $3::UUID[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::JSONB[])
    AS t (place, project_id, event_id, kind, value, type, name, properties)
JOIN event AS e ON e.project_id = t.project_id AND e.event_id = t.event_id
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = e.profile_id
LEFT JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value
WHERE e.type <> 'erased'
  AND NOT (e.type = t.type AND e.name IS NOT DISTINCT FROM t.name AND e.properties = t.properties
    AND COALESCE(i.profile_id = COALESCE(p.merged_into, e.profile_id), TRUE))",
};

impl Store {
    /// The places of events that are not what is stored under their ids.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_others(&self, rows: &[EventRow<'_>]) -> Result<Vec<usize>, Error> {
        let places: Vec<i32> = (0..).take(rows.len()).collect();
        let columns = EventColumns::of(rows);
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 8] = [
            &places,
            &columns.projects,
            &columns.ids,
            &columns.kinds,
            &columns.values,
            &columns.types,
            &columns.names,
            &columns.properties,
        ];
        let found = self.run(&FIND_OTHERS, &params).await?;
        let place = |row: &Row| row.get::<_, i32>(0) as usize;
        Ok(found.iter().map(place).collect())
    }
}
