//! The events of people who were taken apart: page by page along each timeline, by a request and then by a worker.

use super::params::{JsonParam, size_of_stored, stored_traits};
use super::profiles::timestamp;
use super::run::{Body, query};
use super::split::lock;
use super::split_statements::{
    DUE_SPLITS, FINISH_SPLIT, LOAD_SPLITS, MARK_MOVED, MOVE_EVENTS, OPEN_SPLITS, PUT_OFF_SPLIT,
    WRITE_KEPT,
};
use super::{Error, Fence, Person, Store};
use crate::domain::parting::Evidence;
use crate::domain::profile::Room;
use crate::domain::{Limits, ProfileId, ProjectId, Timestamp};
use deadpool_postgres::Transaction;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Rows that one statement looks at.
const PAGE: i64 = 1_000;

/// A split as its row has it.
#[derive(Clone, Debug)]
pub struct Split {
    pub project_id: ProjectId,
    pub profile_id: ProfileId,
    pub from_id: ProfileId,
    pub requested_at: Timestamp,
    /// Profiles whose events are looked through.
    sources: Vec<Uuid>,
    vias: Vec<i64>,
    pub events: i64,
    progress: String,
    /// False while events are left.
    pub is_moved: bool,
    pub is_finished: bool,
    /// Sweeps that failed in a row.
    pub attempts: i32,
}

/// A place in a walk along the timelines.
struct Place {
    source: usize,
    after: (Timestamp, Uuid),
}

impl Place {
    const fn at(source: usize) -> Self {
        let after = (Timestamp::MAX, Uuid::max());
        Self { source, after }
    }

    /// Reads what `text` wrote; the beginning where that is nothing.
    fn read(text: &str) -> Self {
        let mut parts = text.split(' ');
        let mut part = || parts.next().unwrap_or_default();
        let read = (part().parse(), part().parse(), part().parse());
        let (Ok(source), Ok(micros), Ok(id)) = read else {
            return Self::at(0);
        };
        let time = Timestamp::from_micros(micros);
        time.map_or(Self::at(0), |time| Self {
            source,
            after: (time, id),
        })
    }

    fn text(&self) -> String {
        format!("{} {} {}", self.source, self.after.0.micros(), self.after.1)
    }
}

impl Store {
    /// Moves events until none is left or the time is over; tells whether none is left.
    ///
    /// # Errors
    /// When the database does not take it, or the turn is lost.
    pub async fn move_events(
        &self,
        split: &Split,
        fence: Option<Fence>,
        until: Instant,
    ) -> Result<bool, Error> {
        let mut place = Place::read(&split.progress);
        while place.source < split.sources.len() {
            let end = self.move_page(split, fence, &place).await?;
            fail::fail_point!("page-of-a-split");
            place = match end {
                Some(after) => Place { after, ..place },
                None => Place::at(place.source + 1),
            };
            if Instant::now() >= until && place.source < split.sources.len() {
                self.put_off_split(split, fence, &place.text(), (Duration::ZERO, 0))
                    .await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where a page ended; `None` where nothing is behind it.
    async fn move_page(
        &self,
        split: &Split,
        fence: Option<Fence>,
        place: &Place,
    ) -> Result<Option<(Timestamp, Uuid)>, Error> {
        let (worker, token) = Fence::columns(fence);
        let params: [&(dyn ToSql + Sync); 9] = [
            &split.project_id.0,
            &split.sources[place.source],
            &split.profile_id.0,
            &split.vias,
            &place.after.0.instant(),
            &place.after.1,
            &PAGE,
            &worker,
            &token,
        ];
        let rows = self.run(&MOVE_EVENTS, &params).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        fence.map_or(Ok(()), |fence| fence.unless_lost(row.get(3)))?;
        let is_full = row.get::<_, i64>(0) == PAGE;
        Ok(is_full.then(|| (timestamp(row, 1), row.get(2))))
    }

    /// All that was there has moved: groups follow the calls that named them.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn mark_moved(&self, split: &Split) -> Result<(), Error> {
        if let Some((kept, taken)) = self.both(split).await? {
            self.regroup(split.project_id, &kept, &taken).await?;
            self.relist(split.project_id, &kept, &taken).await?;
        }
        let (project, id) = (split.project_id.0, split.profile_id.0);
        self.run(&MARK_MOVED, &[&project, &id]).await.map(drop)
    }

    /// Looks once more when nothing can be in flight any more: for events, traits and groups. Tells whether all is done.
    ///
    /// # Errors
    /// When the database does not take it, or the turn is lost.
    pub async fn sweep_split(
        &self,
        fence: Fence,
        split: &Split,
        limits: &Limits,
        until: Instant,
    ) -> Result<bool, Error> {
        if !self.move_events(split, Some(fence), until).await? {
            return Ok(false);
        }
        if let Some((kept, taken)) = self.both(split).await? {
            let people = (&kept, &taken);
            let evidence = self.hear_both(split.project_id, people, limits).await?;
            let task = (split, evidence, Room::of(limits), fence);
            self.run_tx("settle_split", &task, |tx, task| settle(tx, task))
                .await?;
            self.regroup(split.project_id, &kept, &taken).await?;
            self.relist(split.project_id, &kept, &taken).await?;
        }
        let (project, id, at) = (split.project_id.0, split.profile_id.0, split.requested_at);
        let params: [&(dyn ToSql + Sync); 5] =
            [&project, &id, &at.instant(), &fence.worker, &fence.token];
        self.run(&FINISH_SPLIT, &params).await.map(|_| true)
    }

    /// Both people, while they are still two and neither was merged into somebody else or erased.
    async fn both(&self, split: &Split) -> Result<Option<(Person, Person)>, Error> {
        let kept = self
            .find_person_by_id(split.project_id, split.from_id)
            .await?;
        let taken = self
            .find_person_by_id(split.project_id, split.profile_id)
            .await?;
        let are_themselves = |(kept, taken): &(Person, Person)| {
            kept.id == split.from_id && taken.id == split.profile_id
        };
        Ok(kept.zip(taken).filter(are_themselves))
    }

    /// Goes on later, after a pause, from a place in the walk.
    pub async fn put_off_split(
        &self,
        split: &Split,
        fence: Option<Fence>,
        progress: &str,
        (pause, attempts): (Duration, i32),
    ) -> Result<(), Error> {
        let (worker, token) = Fence::columns(fence);
        let params: [&(dyn ToSql + Sync); 7] = [
            &split.project_id.0,
            &split.profile_id.0,
            &progress,
            &pause.as_secs_f64(),
            &attempts,
            &worker,
            &token,
        ];
        self.run(&PUT_OFF_SPLIT, &params).await.map(drop)
    }

    /// Splits whose sweep is due, the longest waiting first.
    pub async fn due_splits(&self, limit: i64) -> Result<Vec<Split>, Error> {
        let rows = self.run(&DUE_SPLITS, &[&limit]).await?;
        Ok(rows.iter().map(split).collect())
    }

    /// How somebody came to be, where that was by a split.
    pub async fn load_split(
        &self,
        project_id: ProjectId,
        id: ProfileId,
    ) -> Result<Option<Split>, Error> {
        let (projects, ids) = (vec![project_id.0], vec![id.0]);
        let params: [&(dyn ToSql + Sync); 2] = [&projects, &ids];
        let rows = self.run(&LOAD_SPLITS, &params).await?;
        Ok(rows.first().map(split))
    }

    /// Splits with work left that some profiles are a side of.
    pub(super) async fn open_splits(&self, profiles: &[Uuid]) -> Result<Vec<Split>, Error> {
        let rows = self.run(&OPEN_SPLITS, &[&profiles]).await?;
        Ok(rows.iter().map(split).collect())
    }
}

impl Split {
    /// The names whose events are still on their way to somebody who is none of these profiles.
    pub(super) fn vias_of_others<'a>(splits: &'a [Self], profiles: &[Uuid]) -> Vec<i64> {
        let is_others = |split: &&'a Self| !profiles.contains(&split.profile_id.0);
        let others = splits.iter().filter(is_others);
        others
            .flat_map(|split| split.vias.iter().copied())
            .collect()
    }
}

/// Takes both apart once more, by what their calls said: a write that was in flight may have gone to the other one.
fn settle<'a>(
    tx: &'a Transaction<'a>,
    (split, evidence, room, fence): &'a (&'a Split, Evidence, Room, Fence),
) -> Body<'a, ()> {
    Box::pin(async move {
        fence.lock(tx).await?;
        let ids = [split.from_id.0, split.profile_id.0];
        let rows = lock(tx, split.project_id, &ids).await?;
        let find = |id: Uuid| rows.iter().find(|row| row.get::<_, Uuid>(0) == id);
        let (Some(kept), Some(taken)) = (find(ids[0]), find(ids[1])) else {
            return Ok(());
        };
        let kept = stored_traits(kept.get(4), kept.get(5))?;
        let taken = stored_traits(taken.get(4), taken.get(5))?;
        let parted = evidence.clone().part(&kept, room);
        let mut joined = taken.clone();
        joined.absorb(&parted.taken);
        let changed = [(ids[0], &kept, &parted.kept), (ids[1], &taken, &joined)];
        for (id, before, after) in changed {
            if before == after {
                continue;
            }
            let (traits, stamps) = after.to_stored();
            let size = size_of_stored(&traits, &stamps);
            let (traits, stamps) = (JsonParam(&traits), JsonParam(&stamps));
            let none: &[Uuid] = &[];
            let at = split.requested_at.instant();
            let params: [&(dyn ToSql + Sync); 7] = [
                &split.project_id.0,
                &id,
                &traits,
                &stamps,
                &size,
                &none,
                &at,
            ];
            query(tx, &WRITE_KEPT, &params).await?;
        }
        Ok(())
    })
}

fn split(row: &Row) -> Split {
    let is_set = |column| row.get::<_, Option<jiff::Timestamp>>(column).is_some();
    Split {
        project_id: ProjectId(row.get(0)),
        profile_id: ProfileId(row.get(1)),
        from_id: ProfileId(row.get(2)),
        requested_at: timestamp(row, 3),
        sources: row.get(4),
        vias: row.get(5),
        events: row.get(6),
        progress: row.get(7),
        is_moved: is_set(8),
        is_finished: is_set(9),
        attempts: row.get(10),
    }
}
