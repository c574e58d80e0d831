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
pub(super) struct Sender(Arc<Queue>);

/// The batcher's end; when it is dropped nobody is served any more.
pub(super) struct Receiver(Arc<Queue>);

struct Queue {
    state: Mutex<State>,
    notify: Notify,
}

/// What waits, and what is agreed on it.
pub(super) struct State {
    pub lanes: Lanes,
    /// The rows of each lane, in the order of the lanes, that are worth a wake-up.
    pub wanted: [usize; 2],
    /// Somebody may still submit.
    pub is_open: bool,
    is_served: bool,
}

/// Both ends.
pub(super) fn channel(settings: &config::Ingest) -> (Sender, Receiver) {
    let state = State {
        lanes: Lanes::new(settings),
        wanted: [1; 2],
        is_open: true,
        is_served: true,
    };
    let queue = Arc::new(Queue {
        state: Mutex::new(state),
        notify: Notify::new(),
    });
    (Sender(queue.clone()), Receiver(queue))
}

impl Sender {
    /// Lets a share wait.
    pub fn send(&self, share: Share) -> Result<(), SubmitError> {
        let mut state = self.0.state();
        if !state.is_served {
            return Err(SubmitError::Draining);
        }
        let lane = state.lanes.add(share);
        if state.lanes.rows(lane) >= state.wanted[lane as usize] {
            // Once is enough.
            state.wanted[lane as usize] = usize::MAX;
            drop(state);
            self.0.notify.notify_one();
        }
        Ok(())
    }
}

impl Receiver {
    /// What waits; not to be held for long, since everybody who submits wants it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    /// Waits until a lane has as many rows as were wanted, or nobody submits any more.
    pub async fn notified(&self) {
        self.0.notify.notified().await;
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.state().is_open = false;
        self.0.notify.notify_one();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_served = false;
        // Who waits hears it by the end of their share.
        state.lanes.clear();
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

    fn channel() -> (Sender, Receiver) {
        super::channel(&settings())
    }

    fn is_notified(receiver: &Receiver) -> bool {
        receiver.notified().now_or_never().is_some()
    }

    #[test]
    fn nobody_is_woken_before_there_is_enough_and_then_once() {
        let (sender, receiver) = channel();
        receiver.state().wanted = [usize::MAX, 3];
        let mut ears = Vec::new();
        let mut rings = Vec::new();
        for _ in 0..5 {
            let (share, ear) = share(1, Class::Live, 10);
            ears.push(ear);
            sender.send(share).expect("the batcher is there");
            rings.push(is_notified(&receiver));
        }
        assert_eq!(rings, [false, false, true, false, false]);
        assert_eq!(receiver.state().lanes.rows(Lane::Heavy), 5);
    }

    #[test]
    fn what_came_while_nobody_listened_is_heard_later() {
        let (sender, receiver) = channel();
        let (share, _ear) = share(1, Class::Live, 10);
        sender.send(share).expect("the batcher is there");
        assert!(is_notified(&receiver) && !is_notified(&receiver));
    }

    #[test]
    fn the_batcher_hears_that_nobody_submits_any_more() {
        let (sender, receiver) = channel();
        assert!(receiver.state().is_open && !is_notified(&receiver));
        drop(sender);
        assert!(is_notified(&receiver) && !receiver.state().is_open);
    }

    #[test]
    fn who_waits_when_the_batcher_goes_hears_it_and_who_comes_later_too() {
        let (sender, receiver) = channel();
        let (waiting, mut ear) = share(1, Class::Live, 10);
        sender.send(waiting).expect("the batcher is there");
        drop(receiver);
        assert!(
            ear.try_recv()
                .is_err_and(|error| error == TryRecvError::Closed)
        );
        let (late, _ear) = share(1, Class::Live, 10);
        assert!(matches!(sender.send(late), Err(SubmitError::Draining)));
    }
}
