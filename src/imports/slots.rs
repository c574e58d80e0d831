//! How many files are taken in at once: by this node, and by a project of it. And who sends which, so that a sender who returns
//! cuts his old connection off.

use super::stopped::Stopped;
use crate::domain::ProjectId;
use crate::metric_names::IMPORTS_RUNNING;
use metrics::gauge;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use uuid::Uuid;

/// How long a sender waits for a place, with nothing read of what he sends: less than proxies wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The places.
#[derive(Debug)]
pub(super) struct Slots {
    node: Arc<Semaphore>,
    each: usize,
    patience: Duration,
    projects: Mutex<HashMap<ProjectId, Arc<Semaphore>>>,
    senders: Mutex<HashMap<Uuid, watch::Sender<Option<Stopped>>>>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    job: Uuid,
    /// Why its sender is cut off, once he is.
    pub cut: watch::Receiver<Option<Stopped>>,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Slots {
    pub fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            node: Arc::new(Semaphore::new(all)),
            each,
            patience: PATIENCE,
            projects: Mutex::default(),
            senders: Mutex::default(),
        })
    }

    /// Cuts off whoever sends a file to this node, and tells him why.
    pub fn cut(&self, job: Uuid, why: Stopped) {
        let senders = self.senders.lock().expect("no holder panics");
        // Nobody listens where he has gone already.
        senders.get(&job).map(|cut| cut.send(Some(why)));
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// `Busy` where there is none in time.
    pub async fn take(self: &Arc<Self>, project: ProjectId, job: Uuid) -> Result<Slot, Stopped> {
        let own = self.of(project);
        let waiting = async {
            // A project waits for its own place first, and holds none of the others meanwhile.
            let own = own.acquire_owned().await.ok()?;
            Some([own, self.node.clone().acquire_owned().await.ok()?])
        };
        let permits = timeout(self.patience, waiting).await.ok().flatten();
        let permits = permits.ok_or(Stopped::Busy)?;
        let (sender, cut) = watch::channel(None);
        let mut senders = self.senders.lock().expect("no holder panics");
        let before = senders.insert(job, sender);
        before.map(|before| before.send(Some(Stopped::TakenOver)));
        gauge!(IMPORTS_RUNNING).increment(1.0);
        Ok(Slot {
            slots: self.clone(),
            job,
            cut,
            _permits: permits,
        })
    }

    fn of(&self, project: ProjectId) -> Arc<Semaphore> {
        let mut projects = self.projects.lock().expect("no holder panics");
        projects.retain(|_, own| own.available_permits() < self.each || Arc::strong_count(own) > 1);
        let own = projects.entry(project);
        own.or_insert_with(|| Arc::new(Semaphore::new(self.each)))
            .clone()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        gauge!(IMPORTS_RUNNING).decrement(1.0);
        let mut senders = self.slots.senders.lock().expect("no holder panics");
        // Whoever cut this one off stands there by now.
        if self.cut.borrow().is_none() {
            senders.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_project_leaves_places_for_others_and_who_waits_too_long_is_told() {
        let slots = Arc::new(Slots {
            patience: Duration::from_millis(20),
            ..Arc::into_inner(Slots::new(3, 2)).unwrap()
        });
        let take = |project| slots.take(ProjectId(project), Uuid::new_v4());
        let first = [take(1).await.unwrap(), take(1).await.unwrap()];
        assert_eq!(take(1).await.unwrap_err(), Stopped::Busy);
        let other = take(2).await.unwrap();
        assert_eq!(
            take(3).await.unwrap_err(),
            Stopped::Busy,
            "the node is full"
        );
        drop(first);
        assert!(take(1).await.is_ok());
        drop(other);
        drop(take(4).await.unwrap());
        assert_eq!(
            slots.projects.lock().unwrap().len(),
            1,
            "who has gone is forgotten"
        );
    }

    #[tokio::test]
    async fn who_returns_cuts_his_old_connection_off() {
        let (slots, job) = (Slots::new(2, 2), Uuid::new_v4());
        let old = slots.take(ProjectId(1), job).await.unwrap();
        let new = slots.take(ProjectId(1), job).await.unwrap();
        assert_eq!(*old.cut.borrow(), Some(Stopped::TakenOver));
        assert_eq!(*new.cut.borrow(), None);
        drop(old);
        let over = Stopped::Over("cancelled".to_owned());
        slots.cut(job, over.clone());
        assert_eq!(*new.cut.borrow(), Some(over));
    }
}
