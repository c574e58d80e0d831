//! Verifications of migrations: begun by people, worked at under a turn, read by gates and by people.

use super::backfill::optional_time;
use super::migration::plan;
use super::params::JsonParam;
use super::profiles::timestamp;
use super::verification_statements::{
    DUE_VERIFICATIONS, FIND_CLAIMED, FIND_GOING, FIND_OWNERS, FIND_OWNERS_LATELY, FIND_REFUSED,
    FORGET_VERIFICATIONS, LAST_VERIFICATIONS, LOAD_SAMPLES, LOAD_STANDING, LOAD_VERIFICATION,
    NOTE_VERIFICATION, PEOPLE_PAGE, START_VERIFICATION,
};
use super::{AsOf, Error, Fence, MigrationPlan, Store};
use crate::domain::containment::Direction;
use crate::domain::{Identity, Json, ProfileId, ProjectId, Timestamp};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// What a verification has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tallies {
    /// Documents and people that were looked at.
    pub checked: i64,
    pub missing: i64,
    pub different: i64,
    pub extra: i64,
    /// Of which a record was refused with a reason.
    pub rejected: i64,
    /// Documents of which something has given way to something newer.
    pub superseded: i64,
    /// Documents of people who were erased.
    pub erased: i64,
}

impl Tallies {
    /// What is not the same on both sides.
    pub const fn differences(&self) -> i64 {
        self.missing + self.different + self.extra
    }
}

/// A verification as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    pub id: Uuid,
    pub direction: &'static str,
    pub started_at: String,
    pub finished_at: Option<String>,
    /// Why it waits, or came to nothing; empty where it goes well.
    pub reason: String,
    #[serde(flatten)]
    pub counts: Tallies,
    #[serde(skip)]
    pub began: Timestamp,
    /// Seconds since it ended.
    #[serde(skip)]
    pub age_seconds: Option<i64>,
}

impl Verification {
    /// True where it went through everything.
    pub fn is_done(&self) -> bool {
        self.finished_at.is_some() && self.reason.is_empty()
    }
}

/// A difference as it is kept.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub kind: String,
    /// `None` of people who were erased.
    pub document_id: Option<String>,
    /// `None` of somebody as a whole.
    pub field: Option<String>,
    /// What Roster has; cut.
    pub ours: Option<String>,
    /// What the legacy store has; cut.
    pub theirs: Option<String>,
    /// Whose it is, as far as that was seen; never read back.
    #[serde(skip)]
    pub names: Vec<Identity>,
}

/// A verification that is to be worked at.
#[derive(Clone, Debug)]
pub struct DueVerification {
    pub project_id: ProjectId,
    pub id: Uuid,
    pub direction: Direction,
    pub attempts: i32,
    pub counts: Tallies,
    /// What the last who worked at it noted.
    pub progress: String,
    pub project: String,
    pub plan: MigrationPlan,
    pub mirrors: bool,
    /// Everybody was marked once.
    pub is_walked: bool,
    /// Documents are what Roster says.
    pub is_whole: bool,
}

/// How far one has got.
#[derive(Debug, Default)]
pub struct VerificationNote {
    pub counts: Tallies,
    pub progress: Option<Json>,
    pub attempts: i32,
    pub reason: String,
    pub pause: Duration,
    pub is_finished: bool,
    /// With the number of the first.
    pub samples: (i32, Vec<Sample>),
}

impl Store {
    /// Begins a verification, unless one of that direction goes on: the one that goes on. What is old is forgotten.
    pub async fn start_verification(
        &self,
        project_id: ProjectId,
        direction: Direction,
    ) -> Result<Option<Verification>, Error> {
        self.run(&FORGET_VERIFICATIONS, &[&project_id.0]).await?;
        let params: [&(dyn ToSql + Sync); 3] =
            [&project_id.0, &Uuid::new_v4(), &direction.as_str()];
        self.run(&START_VERIFICATION, &params).await?;
        let last = self.last_verifications(project_id, direction).await?;
        Ok(last.into_iter().next())
    }

    /// The newest of a direction, the newest first: one that goes on, and the last that ended.
    pub async fn last_verifications(
        &self,
        project_id: ProjectId,
        direction: Direction,
    ) -> Result<Vec<Verification>, Error> {
        let params: [&(dyn ToSql + Sync); 2] = [&project_id.0, &direction.as_str()];
        let rows = self.run(&LAST_VERIFICATIONS, &params).await?;
        Ok(rows.iter().map(verification).collect())
    }

    /// One verification.
    pub async fn load_verification(
        &self,
        project_id: ProjectId,
        id: Uuid,
    ) -> Result<Option<Verification>, Error> {
        let rows = self.run(&LOAD_VERIFICATION, &[&project_id.0, &id]).await?;
        Ok(rows.first().map(verification))
    }

    /// What one has found, a few of each.
    pub async fn load_samples(
        &self,
        project_id: ProjectId,
        id: Uuid,
    ) -> Result<Vec<Sample>, Error> {
        let rows = self.run(&LOAD_SAMPLES, &[&project_id.0, &id]).await?;
        let sample = |row: &Row| Sample {
            kind: row.get(0),
            document_id: row.get(1),
            field: row.get(2),
            ours: row.get(3),
            theirs: row.get(4),
            names: Vec::new(),
        };
        Ok(rows.iter().map(sample).collect())
    }

    /// Verifications that are to be worked at.
    pub async fn due_verifications(&self) -> Result<Vec<DueVerification>, Error> {
        let rows = self.run(&DUE_VERIFICATIONS, &[]).await?;
        rows.iter().map(due_verification).collect()
    }

    /// Notes how far one has got, and what it has found.
    pub async fn note_verification(
        &self,
        fence: Fence,
        due: &DueVerification,
        note: &VerificationNote,
    ) -> Result<(), Error> {
        let (first, samples) = (note.samples.0, &note.samples.1);
        let each = || samples.iter();
        let numbers: Vec<i32> = (first..).take(samples.len()).collect();
        let kinds: Vec<&str> = each().map(|one| one.kind.as_str()).collect();
        let ids: Vec<Option<&str>> = each().map(|one| one.document_id.as_deref()).collect();
        let fields: Vec<Option<&str>> = each().map(|one| one.field.as_deref()).collect();
        let ours: Vec<Option<&str>> = each().map(|one| one.ours.as_deref()).collect();
        let theirs: Vec<Option<&str>> = each().map(|one| one.theirs.as_deref()).collect();
        let names = each().map(|one| (due.project_id, &one.names[..]));
        let hashes = self.name_hashes(names).await?;
        let hashes: Vec<_> = hashes
            .iter()
            .map(|one| one.as_ref().map(JsonParam))
            .collect();
        let old = Json::from_database(due.progress.clone());
        let progress = JsonParam(note.progress.as_ref().unwrap_or(&old));
        let (counts, pause) = (&note.counts, note.pause.as_secs_f64());
        let params: [&(dyn ToSql + Sync); 23] = [
            &fence.worker,
            &fence.token,
            &due.project_id.0,
            &due.id,
            &counts.checked,
            &counts.missing,
            &counts.different,
            &counts.extra,
            &counts.rejected,
            &counts.superseded,
            &counts.erased,
            &progress,
            &note.attempts,
            &note.reason,
            &pause,
            &note.is_finished,
            &numbers,
            &kinds,
            &ids,
            &fields,
            &ours,
            &theirs,
            &hashes,
        ];
        self.run(&NOTE_VERIFICATION, &params).await.map(drop)
    }

    /// Whose names are, in their order.
    pub async fn find_owners(
        &self,
        project_id: ProjectId,
        names: &[&Identity],
    ) -> Result<Vec<Option<ProfileId>>, Error> {
        self.find_owners_as_of(AsOf::Now, project_id, names).await
    }

    /// The same, as it is or was lately.
    pub async fn find_owners_as_of(
        &self,
        as_of: AsOf,
        project_id: ProjectId,
        names: &[&Identity],
    ) -> Result<Vec<Option<ProfileId>>, Error> {
        let statement = match as_of {
            AsOf::Now => &FIND_OWNERS,
            AsOf::Lately => &FIND_OWNERS_LATELY,
        };
        let asked = Names::of(project_id, names);
        let mut owners = vec![None; names.len()];
        for row in self.run(statement, &asked.params()).await? {
            owners[row.get::<_, i32>(0) as usize] = Some(ProfileId(row.get(1)));
        }
        Ok(owners)
    }

    /// A page of a project's people as they were lately, behind the last of the page before.
    pub async fn people_page(
        &self,
        project_id: ProjectId,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<ProfileId>, Error> {
        let params: [&(dyn ToSql + Sync); 3] = [&project_id.0, &after, &limit];
        let rows = self.run(&PEOPLE_PAGE, &params).await?;
        Ok(rows.iter().map(|row| ProfileId(row.get(0))).collect())
    }

    /// Whether something of people is still to be published, and whether their document is refused, in their order.
    pub async fn load_standing(
        &self,
        project_id: ProjectId,
        people: &[ProfileId],
    ) -> Result<Vec<(bool, bool)>, Error> {
        let positions: Vec<i32> = (0..).take(people.len()).collect();
        let projects = vec![project_id.0; people.len()];
        let ids: Vec<Uuid> = people.iter().map(|id| id.0).collect();
        let mut standing = vec![(false, false); people.len()];
        let params: [&(dyn ToSql + Sync); 3] = [&positions, &projects, &ids];
        for row in self.run(&LOAD_STANDING, &params).await? {
            standing[row.get::<_, i32>(0) as usize] = (row.get(1), row.get(2));
        }
        Ok(standing)
    }

    /// Which of some names are of documents that are still to be deleted, in their order.
    pub async fn find_going(
        &self,
        project_id: ProjectId,
        names: &[&Identity],
    ) -> Result<Vec<bool>, Error> {
        let asked = Names::of(project_id, names);
        let rows = self.run(&FIND_GOING, &asked.params()).await?;
        Ok(marked(&rows, names.len()))
    }

    /// Which of some names a refused record has that is not older than a time, in their order.
    pub async fn find_refused(
        &self,
        project_id: ProjectId,
        since: &[(&Identity, Timestamp)],
    ) -> Result<Vec<bool>, Error> {
        let (mut positions, mut hashes, mut times) = (Vec::new(), Vec::new(), Vec::new());
        let each = since
            .iter()
            .map(|(name, _)| (project_id, std::slice::from_ref(*name)));
        for (position, hash) in (0_i32..).zip(self.name_hashes(each).await?) {
            let texts: BTreeSet<String> = hash
                .and_then(|hash| serde_json::from_slice(hash.as_bytes()).ok())
                .unwrap_or_default();
            for text in texts {
                positions.push(position);
                hashes.push(text);
                times.push(since[position as usize].1.instant());
            }
        }
        let params: [&(dyn ToSql + Sync); 3] = [&positions, &hashes, &times];
        let rows = self.run(&FIND_REFUSED, &params).await?;
        Ok(marked(&rows, since.len()))
    }

    /// Which of some names are listed as claimed by a person while they are somebody else's, in their order.
    pub async fn find_claimed(
        &self,
        project_id: ProjectId,
        claims: &[(&Identity, ProfileId)],
    ) -> Result<Vec<bool>, Error> {
        let names: Vec<&Identity> = claims.iter().map(|(name, _)| *name).collect();
        let people: Vec<Uuid> = claims.iter().map(|(_, id)| id.0).collect();
        let asked = Names::of(project_id, &names);
        let params = [&asked.params()[..], &[&people]].concat();
        let rows = self.run(&FIND_CLAIMED, &params).await?;
        Ok(marked(&rows, claims.len()))
    }
}

/// Names as statements take them.
struct Names<'a> {
    positions: Vec<i32>,
    projects: Vec<i32>,
    kinds: Vec<&'a str>,
    values: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn of(project_id: ProjectId, names: &[&'a Identity]) -> Self {
        Self {
            positions: (0..).take(names.len()).collect(),
            projects: vec![project_id.0; names.len()],
            kinds: names.iter().map(|name| name.kind.as_str()).collect(),
            values: names.iter().map(|name| name.value.as_str()).collect(),
        }
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 4] {
        [&self.positions, &self.projects, &self.kinds, &self.values]
    }
}

/// The places that rows name.
fn marked(rows: &[Row], count: usize) -> Vec<bool> {
    let mut marked = vec![false; count];
    for row in rows {
        marked[row.get::<_, i32>(0) as usize] = true;
    }
    marked
}

fn tallies(row: &Row, first: usize) -> Tallies {
    let count = |place: usize| row.get(first + place);
    Tallies {
        checked: count(0),
        missing: count(1),
        different: count(2),
        extra: count(3),
        rejected: count(4),
        superseded: count(5),
        erased: count(6),
    }
}

fn verification(row: &Row) -> Verification {
    let (began, ended) = (timestamp(row, 2), optional_time(row, 3));
    Verification {
        id: row.get(0),
        direction: Direction::parse(row.get(1)).unwrap_or_default().as_str(),
        started_at: began.to_string(),
        finished_at: ended.map(|at| at.to_string()),
        reason: row.get(4),
        counts: tallies(row, 5),
        began,
        age_seconds: row.get(12),
    }
}

fn due_verification(row: &Row) -> Result<DueVerification, Error> {
    Ok(DueVerification {
        project_id: ProjectId(row.get(0)),
        id: row.get(1),
        direction: Direction::parse(row.get(2)).unwrap_or_default(),
        attempts: row.get(3),
        counts: tallies(row, 4),
        progress: row.get(11),
        project: row.get(12),
        plan: plan(row.get(13))?,
        mirrors: row.get(14),
        is_walked: row.get(15),
        is_whole: row.get(16),
    })
}
