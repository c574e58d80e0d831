//! What waits to be written: whoever submits puts it in at one end, the batcher takes it out at the other.
//!
//! The batcher is woken by what it may begin a batch with, not by each share: while batches are in flight most shares change
//! nothing for it, and to wake it costs two changes of threads, for which single calls would pay.

use super::lanes::Lanes;
use super::share::{Share, SubmitError};
use crate::config;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// The end of those who submit; the batcher ends when it is dropped and all is written.
pub(super) struct Entrance(Arc<Waiting>);

/// The batcher's end; when it is dropped nobody is served any more.
pub(super) struct Exit(Arc<Waiting>);

struct Waiting {
    shelf: Mutex<Shelf>,
    bell: Notify,
}

/// What waits, and what is agreed on it.
pub(super) struct Shelf {
    pub lanes: Lanes,
    /// The rows of each lane, in the order of the lanes, that are worth a wake-up.
    pub wanted: [usize; 2],
    /// Somebody may still submit.
    pub is_open: bool,
    is_served: bool,
}

/// Both ends.
pub(super) fn line(settings: &config::Ingest) -> (Entrance, Exit) {
    let shelf = Shelf {
        lanes: Lanes::new(settings),
        wanted: [1; 2],
        is_open: true,
        is_served: true,
    };
    let waiting = Arc::new(Waiting {
        shelf: Mutex::new(shelf),
        bell: Notify::new(),
    });
    (Entrance(waiting.clone()), Exit(waiting))
}

impl Entrance {
    /// Lets a share wait.
    pub fn add(&self, share: Share) -> Result<(), SubmitError> {
        let mut shelf = self.0.shelf();
        if !shelf.is_served {
            return Err(SubmitError::Draining);
        }
        let lane = shelf.lanes.add(share);
        if shelf.lanes.rows(lane) >= shelf.wanted[lane as usize] {
            // Once is enough.
            shelf.wanted[lane as usize] = usize::MAX;
            drop(shelf);
            self.0.bell.notify_one();
        }
        Ok(())
    }
}

impl Exit {
    /// What waits; not to be held for long, since everybody who submits wants it.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.shelf()
    }

    /// Waits until a lane has as many rows as were wanted, or nobody submits any more.
    pub async fn rung(&self) {
        self.0.bell.notified().await;
    }
}

impl Waiting {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().expect("no holder panics")
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.0.shelf().is_open = false;
        self.0.bell.notify_one();
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        let mut shelf = self.0.shelf();
        shelf.is_served = false;
        // Who waits hears it by the end of their share.
        shelf.lanes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Lane;
    use super::super::lanes::tests::{settings, share};
    use super::*;
    use crate::domain::Class;
    use futures_util::FutureExt;
    use tokio::sync::oneshot::error::TryRecvError;

    fn line() -> (Entrance, Exit) {
        super::line(&settings())
    }

    fn is_rung(exit: &Exit) -> bool {
        exit.rung().now_or_never().is_some()
    }

    #[test]
    fn nobody_is_woken_before_there_is_enough_and_then_once() {
        let (entrance, exit) = line();
        exit.shelf().wanted = [usize::MAX, 3];
        let mut ears = Vec::new();
        let mut rings = Vec::new();
        for _ in 0..5 {
            let (share, ear) = share(1, Class::Live, 10);
            ears.push(ear);
            entrance.add(share).expect("the batcher is there");
            rings.push(is_rung(&exit));
        }
        assert_eq!(rings, [false, false, true, false, false]);
        assert_eq!(exit.shelf().lanes.rows(Lane::Heavy), 5);
    }

    #[test]
    fn what_came_while_nobody_listened_is_heard_later() {
        let (entrance, exit) = line();
        let (share, _ear) = share(1, Class::Live, 10);
        entrance.add(share).expect("the batcher is there");
        assert!(is_rung(&exit) && !is_rung(&exit));
    }

    #[test]
    fn the_batcher_hears_that_nobody_submits_any_more() {
        let (entrance, exit) = line();
        assert!(exit.shelf().is_open && !is_rung(&exit));
        drop(entrance);
        assert!(is_rung(&exit) && !exit.shelf().is_open);
    }

    #[test]
    fn who_waits_when_the_batcher_goes_hears_it_and_who_comes_later_too() {
        let (entrance, exit) = line();
        let (waiting, mut ear) = share(1, Class::Live, 10);
        entrance.add(waiting).expect("the batcher is there");
        drop(exit);
        assert!(
            ear.try_recv()
                .is_err_and(|error| error == TryRecvError::Closed)
        );
        let (late, _ear) = share(1, Class::Live, 10);
        assert!(matches!(entrance.add(late), Err(SubmitError::Draining)));
    }
}
