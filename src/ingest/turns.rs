//! Queues by project that take turns: deficit round robin (Shreedhar and Varghese, 1995).
//!
//! Each visit gives a project some credit in units of cost, and a share goes when its project has saved enough. So every
//! project gets its part whatever the size of its shares, in constant time however many projects wait.

use super::share::Share;
use crate::domain::ProjectId;
use std::collections::{HashMap, VecDeque};
use tokio::time::Instant;

/// Credit of one visit, in units of cost: some thirty plain events.
const QUANTUM: usize = 64 * 1024;

/// What a batch may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub rows: usize,
    pub cost: usize,
}

impl Budget {
    /// True where nothing more may come in. An empty batch takes any share.
    pub fn is_spent(&self, next: &Share, is_empty: bool) -> bool {
        !is_empty && (self.rows < next.items.len() || self.cost < next.cost)
    }

    /// Pays for a share.
    pub fn pay(&mut self, share: &Share) {
        self.rows = self.rows.saturating_sub(share.items.len());
        self.cost = self.cost.saturating_sub(share.cost);
    }
}

/// The queues of one class.
#[derive(Default)]
pub(super) struct Turns {
    queues: HashMap<ProjectId, Queue>,
    /// Whose turn comes when; each project that waits stands here once.
    order: VecDeque<ProjectId>,
    rows: usize,
    since: Option<Instant>,
}

#[derive(Default)]
struct Queue {
    shares: VecDeque<Share>,
    credit: usize,
}

impl Turns {
    /// Lets a share wait for its project's turn.
    pub fn add(&mut self, share: Share, now: Instant) {
        self.since.get_or_insert(now);
        self.rows += share.items.len();
        let project_id = share.origin.project_id;
        let queue = self.queues.entry(project_id).or_default();
        if queue.shares.is_empty() {
            self.order.push_back(project_id);
        }
        queue.shares.push_back(share);
    }

    /// True where something of a project waits.
    pub fn waits(&self, project_id: ProjectId) -> bool {
        self.queues.contains_key(&project_id)
    }

    /// The items that wait.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// True where nothing is remembered of anybody.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.order.is_empty()
    }

    /// Since when something waits that could have gone.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Takes shares in turns up to the budget; into an empty batch at least one.
    pub fn take(&mut self, mut budget: Budget, batch: &mut Vec<Share>) {
        while let Some(project_id) = self.order.front().copied() {
            let queue = self
                .queues
                .get_mut(&project_id)
                .expect("who waits has a queue");
            self.rows -= queue.drop_abandoned();
            let Some(next) = queue.shares.front() else {
                self.leave(project_id);
                continue;
            };
            if budget.is_spent(next, batch.is_empty()) {
                break;
            }
            if queue.credit < next.cost {
                queue.credit += QUANTUM;
                self.order.rotate_left(1);
                continue;
            }
            queue.credit -= next.cost;
            let share = queue.shares.pop_front().expect("there is one");
            self.rows -= share.items.len();
            budget.pay(&share);
            batch.push(share);
        }
        self.since = (!self.order.is_empty()).then(Instant::now);
    }

    /// Credit is not kept by who has nothing waiting, or a project could save up a burst.
    fn leave(&mut self, project_id: ProjectId) {
        self.queues.remove(&project_id);
        self.order.pop_front();
    }
}

impl Queue {
    /// Drops what nobody waits for at the head of the queue; how many items that were.
    fn drop_abandoned(&mut self) -> usize {
        let mut rows = 0;
        while self.shares.front().is_some_and(Share::is_abandoned) {
            let gone = self.shares.pop_front();
            rows += gone.map_or(0, |share| share.items.len());
        }
        rows
    }
}
