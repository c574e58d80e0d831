//! What reads by source need: where each project is read from, and what of its people the legacy store does not have yet.

use super::migration::{malformed, reads};
use super::params::{JsonParam, stored_traits};
use super::{Error, Statement, Store};
use crate::domain::migration::{Gate, State};
use crate::domain::profile::Traits;
use crate::domain::reads::Reads;
use crate::domain::versions::Versions;
use crate::domain::{Json, ProfileId, ProjectId};
use std::collections::HashMap;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Every node asks for it once a second.
pub(super) const LOAD_READS: Statement = Statement {
    name: "load_reads",
    sql: "-- load_reads
SELECT project_id, version, state, reads::TEXT FROM migration WHERE reads IS NOT NULL",
};

/// Sets reads by compare-and-set; the migration stays where it is, and the step says what was and what is.
pub(super) const SET_READS: Statement = Statement {
    name: "set_reads",
    sql: "-- set_reads
WITH moved AS (
    UPDATE migration SET version = version + 1, reads = $3::JSONB
    WHERE project_id = $1::INT4 AND version = $2::INT8
    RETURNING project_id, version, state
)
INSERT INTO migration_step (project_id, version, step_id, verb, from_state, to_state, operator, reason, is_forced, gates, taken_at)
SELECT moved.project_id, moved.version, $4::UUID, 'reads', moved.state, moved.state, $5::TEXT, $6::TEXT, FALSE, $7::JSONB, now() FROM moved
RETURNING version",
};

/// People as they are, with what says whether the legacy store has them so: the mirror, the mark, the refusal.
pub(super) const LOAD_UNMIRRORED: Statement = Statement {
    name: "load_unmirrored",
    sql: "-- load_unmirrored
SELECT p.position, p.traits, p.stamps, m.mirrors AND COALESCE(r.is_walked, FALSE), m.mirrors AND COALESCE(r.is_whole, FALSE),
    EXISTS (SELECT 1 FROM outbox AS o WHERE o.project_id = p.project_id AND o.profile_id = p.profile_id),
    EXISTS (SELECT 1 FROM mirror_refusal AS f WHERE f.project_id = p.project_id AND f.profile_id = p.profile_id),
    (SELECT w.progress FROM worker AS w WHERE w.name = 'mirror')
FROM (
    SELECT t.position, q.project_id, q.profile_id, q.traits::TEXT AS traits, q.stamps::TEXT AS stamps, q.merged_into
    FROM unnest($1::INT4[], $2::INT4[], $3::UUID[]) AS t (position, project_id, profile_id)
    JOIN profile AS q ON q.project_id = t.project_id AND q.profile_id = t.profile_id
    OFFSET 0
) AS p
JOIN migration AS m ON m.project_id = p.project_id
LEFT JOIN mirror AS r ON r.project_id = p.project_id
WHERE p.merged_into IS NULL",
};

/// Names of erased people whose documents still have to go.
pub(super) const FIND_GONE: Statement = Statement {
    name: "find_gone",
    sql: "-- find_gone
SELECT t.position, g.only_ours
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (position, project_id, kind, value)
JOIN outbox_gone AS g ON g.project_id = t.project_id AND g.kind = t.kind AND g.value = t.value",
};

/// Where a project is read from, and since which version of its migration that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectReads {
    pub project_id: ProjectId,
    pub version: i64,
    pub state: State,
    pub reads: Reads,
}

/// What Roster knows of one person beside what the legacy store has.
#[derive(Clone, Debug)]
pub struct Unmirrored {
    pub traits: Traits,
    /// The legacy store has all of it: it was published, and nothing has changed since.
    pub is_mirrored: bool,
    /// A document is what Roster says, and no more.
    pub is_whole: bool,
    /// Those that documents were published with.
    pub versions: Versions,
}

/// A change of reads, from a migration that was read.
#[derive(Clone, Debug)]
pub struct ReadsStep<'a> {
    pub id: Uuid,
    pub version: i64,
    pub reads: Reads,
    pub operator: &'a str,
    pub reason: &'a str,
    /// What was, and what is to be.
    pub seen: &'a Gate,
}

impl Store {
    /// Where projects are read from, those of which somebody has said it.
    pub async fn load_reads(&self) -> Result<Vec<ProjectReads>, Error> {
        let rows = self.run(&LOAD_READS, &[]).await?;
        rows.iter().map(project_reads).collect()
    }

    /// Sets where a project is read from; false where somebody else took a step first.
    pub async fn set_reads(
        &self,
        project_id: ProjectId,
        step: &ReadsStep<'_>,
    ) -> Result<bool, Error> {
        let (reads, seen) = (Json::of(&step.reads), Json::of(&[step.seen]));
        let params: [&(dyn ToSql + Sync); 7] = [
            &project_id.0,
            &step.version,
            &JsonParam(&reads),
            &step.id,
            &step.operator,
            &step.reason,
            &JsonParam(&seen),
        ];
        if !self.run(&SET_READS, &params).await?.is_empty() {
            return Ok(true);
        }
        // It may have been this one, and its answer was lost.
        self.was_taken(project_id, step.version, step.id).await
    }

    /// What Roster has of some people, by their places in the question. Who was merged away meanwhile is left out.
    pub async fn load_unmirrored(
        &self,
        project_id: ProjectId,
        people: &[(usize, ProfileId)],
    ) -> Result<HashMap<usize, Unmirrored>, Error> {
        let positions: Vec<i32> = people.iter().map(|(place, _)| *place as i32).collect();
        let projects = vec![project_id.0; people.len()];
        let ids: Vec<Uuid> = people.iter().map(|(_, id)| id.0).collect();
        let params: [&(dyn ToSql + Sync); 3] = [&positions, &projects, &ids];
        let rows = self.run(&LOAD_UNMIRRORED, &params).await?;
        let placed = |row: &Row| Ok((row.get::<_, i32>(0) as usize, unmirrored(row)?));
        rows.iter().map(placed).collect()
    }

    /// Of which names the documents still have to go, by their places; true where only those that Roster wrote have to.
    pub async fn find_gone(
        &self,
        project_id: ProjectId,
        kind: &str,
        values: &[(usize, &str)],
    ) -> Result<HashMap<usize, bool>, Error> {
        let positions: Vec<i32> = values.iter().map(|(place, _)| *place as i32).collect();
        let projects = vec![project_id.0; values.len()];
        let kinds = vec![kind; values.len()];
        let values: Vec<&str> = values.iter().map(|(_, value)| *value).collect();
        let params: [&(dyn ToSql + Sync); 4] = [&positions, &projects, &kinds, &values];
        let rows = self.run(&FIND_GONE, &params).await?;
        let placed = |row: &Row| (row.get::<_, i32>(0) as usize, row.get(1));
        Ok(rows.iter().map(placed).collect())
    }
}

fn project_reads(row: &Row) -> Result<ProjectReads, Error> {
    let state = State::parse(row.get(2));
    Ok(ProjectReads {
        project_id: ProjectId(row.get(0)),
        version: row.get(1),
        state: state.ok_or_else(|| malformed("state", "it is none"))?,
        reads: reads(row.get(3))?,
    })
}

fn unmirrored(row: &Row) -> Result<Unmirrored, Error> {
    let (is_walked, is_marked, is_refused): (bool, bool, bool) =
        (row.get(3), row.get(5), row.get(6));
    Ok(Unmirrored {
        traits: stored_traits(row.get(1), row.get(2))?,
        is_mirrored: is_walked && !is_marked && !is_refused,
        is_whole: row.get(4),
        versions: Versions::of(row.get::<_, Option<&str>>(7).unwrap_or_default()),
    })
}
