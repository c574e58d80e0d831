//! Admission by bytes: what is in memory at once is bounded, by project too, and what exceeds the bound is told to come back.
//!
//! A project may hold four times what is free. So one that is alone may have four fifths of the room, two of them four ninths
//! each, and whoever comes next always finds some: the more is held, the less a single project may add.

use crate::domain::ProjectId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// How many times the free room a project may hold.
const TIMES_FREE: usize = 4;

/// The bytes of requests that may be in memory at once, as one project sees them or as nobody does yet.
#[derive(Clone, Debug)]
pub struct Admission {
    room: Arc<Room>,
    holder: Option<ProjectId>,
}

#[derive(Debug)]
struct Room {
    total: usize,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    /// Only projects that hold something are listed.
    by_project: HashMap<ProjectId, usize>,
}

/// Bytes held until what they stand for is dropped.
#[derive(Debug)]
pub struct Reservation {
    from: Admission,
    bytes: usize,
}

impl Admission {
    /// Opens `bytes` of room.
    pub fn new(bytes: usize) -> Self {
        let room = Room {
            total: bytes,
            held: Mutex::default(),
            freed: Notify::new(),
        };
        Self {
            room: Arc::new(room),
            holder: None,
        }
    }

    /// The same room, from which a project takes.
    pub fn of(&self, project_id: ProjectId) -> Self {
        Self {
            room: self.room.clone(),
            holder: Some(project_id),
        }
    }

    /// Takes room at once or not at all: a queue for memory would hold memory.
    pub fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        self.try_reserve_beside(bytes, 0)
    }

    /// The same where so much more is free beside it.
    fn try_reserve_beside(&self, bytes: usize, beside: usize) -> Option<Reservation> {
        let mut held = self.held();
        let free = self.room.total.checked_sub(held.all + bytes)?;
        let free = Some(free).filter(|free| *free >= beside)?;
        if let Some(project_id) = self.holder {
            let own = held.by_project.get(&project_id).copied().unwrap_or(0);
            if own > 0 && own + bytes > TIMES_FREE * free {
                return None;
            }
            held.by_project.insert(project_id, own + bytes);
        }
        held.all += bytes;
        drop(held);
        Some(Reservation {
            from: self.clone(),
            bytes,
        })
    }

    /// Waits for room; for reads, which hold nothing while they wait. `None` where there never is as much.
    pub async fn reserve(&self, bytes: usize) -> Option<Reservation> {
        self.reserve_beside(bytes, 0).await
    }

    /// The same where so much more is free beside it, for those who take room at once.
    pub async fn reserve_beside(&self, bytes: usize, beside: usize) -> Option<Reservation> {
        if bytes + beside > self.room.total {
            return None;
        }
        loop {
            // Listening before looking: what is freed in between is not missed.
            let freed = self.room.freed.notified();
            if let Some(room) = self.try_reserve_beside(bytes, beside) {
                return Some(room);
            }
            freed.await;
        }
    }

    /// The room left.
    pub fn available_bytes(&self) -> usize {
        self.room.total - self.held().all
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.room.held.lock().expect("no holder panics")
    }
}

impl Held {
    fn give_back(&mut self, bytes: usize, holder: Option<ProjectId>) {
        self.all -= bytes;
        let Some(project_id) = holder else {
            return;
        };
        let own = self.by_project.entry(project_id).or_default();
        *own -= bytes;
        if *own == 0 {
            self.by_project.remove(&project_id);
        }
    }
}

impl Reservation {
    /// Takes more from the same room; false where there is none, and nothing changes then.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let more = self.from.try_reserve(bytes);
        more.map(|more| self.absorb(more)).is_some()
    }

    /// True of so much more that there is no room for it beside what this holds, even where nobody else holds any.
    pub fn never_grows(&self, bytes: usize) -> bool {
        let (own, total) = (self.bytes + bytes, self.from.room.total);
        match self.from.holder {
            Some(_) => own > total.saturating_sub(own) * TIMES_FREE,
            None => own > total,
        }
    }

    /// Another one of the same room, which holds nothing yet.
    pub fn beside(&self) -> Option<Self> {
        self.from.try_reserve(0)
    }

    /// Adds what another reservation of the same room and project holds.
    pub fn absorb(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.from.held().give_back(self.bytes, self.from.holder);
        self.from.room.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(admission: &Admission) -> Vec<Reservation> {
        std::iter::from_fn(|| admission.try_reserve(10)).collect()
    }

    fn held(reservations: &[Reservation]) -> usize {
        reservations.iter().map(|one| one.bytes).sum()
    }

    #[test]
    fn whoever_is_alone_has_most_and_whoever_comes_next_finds_some() {
        let admission = Admission::new(9_000);
        let first = fill(&admission.of(ProjectId(1)));
        assert_eq!(held(&first), 7_200);
        let second = fill(&admission.of(ProjectId(2)));
        assert!(held(&second) > 1_400, "{}", held(&second));
        assert!(admission.of(ProjectId(3)).try_reserve(10).is_some());
        drop((first, second));
        assert_eq!(admission.available_bytes(), 9_000);
        assert!(admission.held().by_project.is_empty());
    }

    #[test]
    fn what_never_fits_is_told_from_what_does_not_fit_just_now() {
        let admission = Admission::new(100);
        let mut one = admission.of(ProjectId(1)).try_reserve(40).expect("room");
        let other = admission.of(ProjectId(2)).try_reserve(30);
        assert!(!one.grow(40) && !one.never_grows(40));
        assert!(!one.grow(41) && one.never_grows(41));
        drop(other);
        assert!(!one.grow(41) && one.grow(40));
        let nobodys = Admission::new(100).try_reserve(40).expect("room");
        assert!(!nobodys.never_grows(60) && nobodys.never_grows(61));
    }

    #[test]
    fn what_grows_is_given_back_as_a_whole() {
        let admission = Admission::new(100);
        let mut one = admission.try_reserve(40).expect("room");
        assert!(one.grow(60) && !one.grow(1));
        assert_eq!(admission.available_bytes(), 0);
        drop(one);
        assert_eq!(admission.available_bytes(), 100);
    }
}
