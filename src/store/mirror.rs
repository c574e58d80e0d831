//! What the relay of a mirror reads and notes. Every write looks for the relay's turn in its own statement.

use super::migration::plan;
use super::mirror_statements::{
    CLEAR_OUTBOX, DELETE_GONE, DELETE_MARKS, END_MIRROR, FORGET_REFUSALS, LIST_MIRRORS, LOAD_GONE,
    LOAD_MARKED, LOAD_MARKED_LATELY, LOAD_MARKS, LOAD_MIRRORS, LOAD_PUBLISHED, MARK_OWNERS,
    MARK_PAGE, NOTE_GONE, NOTE_MIRROR, PUT_OFF_GONE, RECORD_DOCUMENT_REFUSALS, TIDY_REFUSALS,
};
use super::params::stored_traits;
use super::profiles::timestamp;
use super::projects::kinds;
use super::{AsOf, Error, Fence, MigrationPlan, Store};
use crate::domain::profile::Traits;
use crate::domain::versions::Versions;
use crate::domain::{Kinds, ProfileId, ProjectId, Timestamp};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Bytes of traits and stamps that one look brings, at least one profile.
const BYTES_AT_ONCE: i64 = 4 << 20;

/// A project whose relay is due.
#[derive(Clone, Debug)]
pub struct Mirror {
    pub project_id: ProjectId,
    /// Its name.
    pub project: String,
    pub plan: MigrationPlan,
    /// False where the migration does not mirror any more: its marks are to go.
    pub mirrors: bool,
    pub is_whole: bool,
    /// Everybody was marked once.
    pub is_walked: bool,
    /// Everybody is to be marked, and nothing can be in flight any more that began before.
    pub is_to_walk: bool,
    pub attempts: i32,
    pub has_refusals: bool,
    /// How far it was looked who else writes, where it is time to look again.
    pub watched: Option<Value>,
    /// Nothing can be in flight any more that began before changes were marked.
    pub is_quiet: bool,
    /// How far documents were looked through for people who were erased before; `None` where all were.
    pub swept: Option<Value>,
    /// Somebody was ever erased, or is in this moment without being noted.
    pub has_erased: bool,
    /// The database's clock.
    pub now: Timestamp,
    /// What the project says about identities.
    pub kinds: Kinds,
}

/// A mark as it was read.
#[derive(Clone, Debug)]
pub struct Mark {
    pub profile_id: ProfileId,
    pub mark: Uuid,
}

/// A page of marks.
#[derive(Debug, Default)]
pub struct Marks {
    pub marks: Vec<Mark>,
    /// The database's clock when they were read, in microseconds since 1970.
    pub now: i64,
}

/// A marked profile as it is.
#[derive(Clone, Debug)]
pub struct MarkedProfile {
    /// Kinds and values, the name known longest first.
    pub identities: Vec<(String, String)>,
    pub traits: Marked,
}

/// What was read of a marked profile's traits.
#[derive(Clone, Debug)]
pub enum Marked {
    Read(Traits),
    /// There was no room for more.
    NoRoom,
    /// It is not what this program writes.
    Unreadable,
}

impl Marked {
    /// The traits, if they were read.
    pub const fn read(&self) -> Option<&Traits> {
        match self {
            Self::Read(traits) => Some(traits),
            Self::NoRoom | Self::Unreadable => None,
        }
    }
}

/// A name whose document has to go.
#[derive(Clone, Debug)]
pub struct GoneName {
    pub kind: String,
    pub value: String,
    pub mark: Uuid,
    /// How often the document was deleted before.
    pub looks: i32,
    /// What somebody else has written there since stays.
    pub only_ours: bool,
    /// Whose the name is now: somebody who came back.
    pub owner: Option<ProfileId>,
    /// As of when its person was erased.
    pub erased_at: Timestamp,
    /// As of `Marks`.
    pub now: i64,
}

/// What a try came to.
#[derive(Clone, Debug, Default)]
pub struct MirrorNote {
    pub published: i64,
    pub foreign_writes: i64,
    /// Empty where it went well.
    pub reason: String,
    pub attempts: i32,
    pub pause: Duration,
    /// How far it was looked who else writes, where it was.
    pub watched: Option<Value>,
    /// That look came to its end.
    pub is_watched: bool,
    /// Another index stands in the place of the one that was published to: everybody is to be marked once more.
    pub is_replaced: bool,
    /// How far documents were looked through: as it was read, and as it is; `None` behind it where all were.
    pub swept: Option<(Value, Option<Value>)>,
}

impl Store {
    /// Projects whose relay is due.
    pub async fn due_mirrors(&self) -> Result<Vec<Mirror>, Error> {
        let rows = self.run(&LOAD_MIRRORS, &[]).await?;
        rows.iter().map(mirror).collect()
    }

    /// Projects that mirror, or did and have marks left.
    pub async fn active_mirrors(&self) -> Result<BTreeSet<ProjectId>, Error> {
        let rows = self.run(&LIST_MIRRORS, &[]).await?;
        Ok(rows.iter().map(|row| ProjectId(row.get(0))).collect())
    }

    /// Notes what a try came to, and when the next is due.
    pub async fn note_mirror(
        &self,
        fence: Fence,
        project_id: ProjectId,
        note: &MirrorNote,
    ) -> Result<(), Error> {
        let (before, swept) = note.swept.clone().unzip();
        let params: [&(dyn ToSql + Sync); 14] = [
            &project_id.0,
            &note.published,
            &note.foreign_writes,
            &note.reason,
            &note.attempts,
            &note.pause.as_secs_f64(),
            &fence.worker,
            &fence.token,
            &note.watched,
            &before,
            &swept.flatten(),
            &note.is_replaced,
            &Uuid::nil(),
            &note.is_watched,
        ];
        self.run(&NOTE_MIRROR, &params).await.map(drop)
    }

    /// Marks the next profiles of a walk; tells how many it looked at.
    pub async fn mark_page(
        &self,
        fence: Fence,
        project_id: ProjectId,
        page: i64,
    ) -> Result<i64, Error> {
        let params: [&(dyn ToSql + Sync); 4] = [&project_id.0, &page, &fence.worker, &fence.token];
        let rows = self.run(&MARK_PAGE, &params).await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    /// The versions that documents of projects were published with, of those that have a migration.
    pub async fn load_published(&self) -> Result<HashMap<ProjectId, Versions>, Error> {
        let rows = self.run(&LOAD_PUBLISHED, &[]).await?;
        let own = |row: &Row| (ProjectId(row.get(0)), Versions::of(row.get(1)));
        Ok(rows.iter().map(own).collect())
    }

    /// The oldest marks of a project, but those of some people.
    pub async fn load_marks(
        &self,
        project_id: ProjectId,
        limit: i64,
        without: &[ProfileId],
    ) -> Result<Marks, Error> {
        let without: Vec<Uuid> = without.iter().map(|id| id.0).collect();
        let params: [&(dyn ToSql + Sync); 3] = [&project_id.0, &limit, &without];
        let rows = self.run(&LOAD_MARKS, &params).await?;
        let now = rows.first().map(|row| row.get(2)).unwrap_or_default();
        let mark = |row: &Row| Mark {
            profile_id: ProfileId(row.get(0)),
            mark: row.get(1),
        };
        let marks = rows.iter().map(mark).collect();
        Ok(Marks { marks, now })
    }

    /// Profiles that stand for themselves, as they are.
    pub async fn load_marked(
        &self,
        project_id: ProjectId,
        ids: &[ProfileId],
    ) -> Result<HashMap<ProfileId, MarkedProfile>, Error> {
        self.load_marked_as_of(AsOf::Now, project_id, ids).await
    }

    /// The same, as they are or were lately.
    pub async fn load_marked_as_of(
        &self,
        as_of: AsOf,
        project_id: ProjectId,
        ids: &[ProfileId],
    ) -> Result<HashMap<ProfileId, MarkedProfile>, Error> {
        let statement = match as_of {
            AsOf::Now => &LOAD_MARKED,
            AsOf::Lately => &LOAD_MARKED_LATELY,
        };
        let positions: Vec<i32> = (0..).take(ids.len()).collect();
        let projects = vec![project_id.0; ids.len()];
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let params: [&(dyn ToSql + Sync); 4] = [&positions, &projects, &ids, &BYTES_AT_ONCE];
        let rows = self.run(statement, &params).await?;
        let with_id = |row: &Row| (ProfileId(row.get(0)), marked_profile(row));
        Ok(rows.iter().map(with_id).collect())
    }

    /// Deletes marks that are still those that were read.
    pub async fn delete_marks(
        &self,
        fence: Fence,
        project_id: ProjectId,
        marks: &[Mark],
    ) -> Result<(), Error> {
        let projects = vec![project_id.0; marks.len()];
        let ids: Vec<Uuid> = marks.iter().map(|mark| mark.profile_id.0).collect();
        let own: Vec<Uuid> = marks.iter().map(|mark| mark.mark).collect();
        let params: [&(dyn ToSql + Sync); 5] = [&projects, &ids, &own, &fence.worker, &fence.token];
        self.run(&DELETE_MARKS, &params).await.map(drop)
    }

    /// Names of erased people that are due, with whoever has them now.
    pub async fn load_gone(
        &self,
        project_id: ProjectId,
        limit: i64,
    ) -> Result<Vec<GoneName>, Error> {
        let rows = self.run(&LOAD_GONE, &[&project_id.0, &limit]).await?;
        let gone = |row: &Row| GoneName {
            kind: row.get(0),
            value: row.get(1),
            mark: row.get(2),
            looks: row.get(3),
            only_ours: row.get(4),
            owner: row.get::<_, Option<Uuid>>(5).map(ProfileId),
            now: row.get(6),
            erased_at: timestamp(row, 7),
        };
        Ok(rows.iter().map(gone).collect())
    }

    /// Notes ids of documents that are about people who were erased, with the time of that: they have to go.
    pub async fn note_gone(
        &self,
        fence: Fence,
        (project_id, kind): (ProjectId, &str),
        gone: &[(&str, Timestamp)],
    ) -> Result<(), Error> {
        let projects = vec![project_id.0; gone.len()];
        let kinds = vec![kind; gone.len()];
        let values: Vec<&str> = gone.iter().map(|(id, _)| *id).collect();
        let erased: Vec<_> = gone.iter().map(|(_, at)| at.instant()).collect();
        let params: [&(dyn ToSql + Sync); 6] = [
            &projects,
            &kinds,
            &values,
            &erased,
            &fence.worker,
            &fence.token,
        ];
        self.run(&NOTE_GONE, &params).await.map(drop)
    }

    /// Marks who has the names of erased people by now.
    pub async fn mark_owners(
        &self,
        fence: Fence,
        project_id: ProjectId,
        owners: &BTreeSet<ProfileId>,
    ) -> Result<(), Error> {
        let projects = vec![project_id.0; owners.len()];
        let ids: Vec<Uuid> = owners.iter().map(|id| id.0).collect();
        let params: [&(dyn ToSql + Sync); 4] = [&projects, &ids, &fence.worker, &fence.token];
        self.run(&MARK_OWNERS, &params).await.map(drop)
    }

    /// The documents of some names are gone: they are looked at once more after a pause, or were for the last time.
    pub async fn settle_gone(
        &self,
        fence: Fence,
        project_id: ProjectId,
        (again, settled): (&[&GoneName], &[&GoneName]),
        pause: Duration,
    ) -> Result<(), Error> {
        let pause = pause.as_secs_f64();
        if !again.is_empty() {
            let names = GoneColumns::of(project_id, again);
            let mut params = names.params(&fence).to_vec();
            params.push(&pause);
            self.run(&PUT_OFF_GONE, &params).await?;
        }
        if !settled.is_empty() {
            let names = GoneColumns::of(project_id, settled);
            self.run(&DELETE_GONE, &names.params(&fence)).await?;
        }
        Ok(())
    }

    /// Lists documents that the legacy store refuses.
    pub async fn record_document_refusals(
        &self,
        fence: Fence,
        project_id: ProjectId,
        refused: &[(ProfileId, String)],
    ) -> Result<(), Error> {
        let projects = vec![project_id.0; refused.len()];
        let ids: Vec<Uuid> = refused.iter().map(|(id, _)| id.0).collect();
        let reasons: Vec<&str> = refused.iter().map(|(_, reason)| reason.as_str()).collect();
        let params: [&(dyn ToSql + Sync); 5] =
            [&projects, &ids, &reasons, &fence.worker, &fence.token];
        self.run(&RECORD_DOCUMENT_REFUSALS, &params).await.map(drop)
    }

    /// Takes people off that list whose documents were taken, and those who are gone.
    pub async fn forget_document_refusals(
        &self,
        fence: Fence,
        project_id: ProjectId,
        done: &[Mark],
    ) -> Result<(), Error> {
        let projects = vec![project_id.0; done.len()];
        let ids: Vec<Uuid> = done.iter().map(|mark| mark.profile_id.0).collect();
        let params: [&(dyn ToSql + Sync); 4] = [&projects, &ids, &fence.worker, &fence.token];
        self.run(&FORGET_REFUSALS, &params).await?;
        let params: [&(dyn ToSql + Sync); 3] = [&project_id.0, &fence.worker, &fence.token];
        self.run(&TIDY_REFUSALS, &params).await.map(drop)
    }

    /// Deletes some marks of a project that does not mirror any more; true where none is left.
    pub async fn clear_outbox(
        &self,
        fence: Fence,
        project_id: ProjectId,
        page: i64,
    ) -> Result<bool, Error> {
        let params: [&(dyn ToSql + Sync); 4] = [&project_id.0, &page, &fence.worker, &fence.token];
        let rows = self.run(&CLEAR_OUTBOX, &params).await?;
        let cleared: i64 = rows.first().map(|row| row.get(0)).unwrap_or_default();
        if cleared > 0 {
            return Ok(false);
        }
        let params: [&(dyn ToSql + Sync); 3] = [&project_id.0, &fence.worker, &fence.token];
        self.run(&END_MIRROR, &params).await.map(|_| true)
    }
}

/// Names as statements take them.
struct GoneColumns<'a> {
    projects: Vec<i32>,
    kinds: Vec<&'a str>,
    values: Vec<&'a str>,
    marks: Vec<Uuid>,
}

impl<'a> GoneColumns<'a> {
    fn of(project_id: ProjectId, names: &[&'a GoneName]) -> Self {
        Self {
            projects: vec![project_id.0; names.len()],
            kinds: names.iter().map(|name| name.kind.as_str()).collect(),
            values: names.iter().map(|name| name.value.as_str()).collect(),
            marks: names.iter().map(|name| name.mark).collect(),
        }
    }

    fn params<'b>(&'b self, fence: &'b Fence) -> [&'b (dyn ToSql + Sync); 6] {
        [
            &self.projects,
            &self.kinds,
            &self.values,
            &self.marks,
            &fence.worker,
            &fence.token,
        ]
    }
}

fn mirror(row: &Row) -> Result<Mirror, Error> {
    let is_walked = row.get(4);
    let json = |column| {
        let text: Option<String> = row.get(column);
        text.and_then(|text| serde_json::from_str(&text).ok())
    };
    let is_quiet: bool = row.get(5);
    Ok(Mirror {
        project_id: ProjectId(row.get(0)),
        plan: plan(row.get(1))?,
        mirrors: row.get(2),
        is_whole: row.get(3),
        is_walked,
        is_to_walk: !is_walked && is_quiet,
        attempts: row.get(6),
        has_refusals: row.get(7),
        watched: json(8),
        project: row.get(9),
        is_quiet,
        swept: json(10),
        has_erased: !is_quiet || row.get(11),
        now: timestamp(row, 12),
        kinds: kinds(row, 13),
    })
}

fn marked_profile(row: &Row) -> MarkedProfile {
    let (kinds, values): (Vec<String>, Vec<String>) = (row.get(3), row.get(4));
    let stored: Option<String> = row.get(1);
    let traits = stored.map_or(Marked::NoRoom, |traits| {
        stored_traits(traits, row.get(2)).map_or(Marked::Unreadable, Marked::Read)
    });
    MarkedProfile {
        identities: kinds.into_iter().zip(values).collect(),
        traits,
    }
}
