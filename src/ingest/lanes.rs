//! Where shares wait, and in which order they go.
//!
//! Two lanes. The *light* one is for live shares of projects that have little waiting, in either lane: a line, fair because nobody has
//! much in it, and written apart, so that a single call never waits for somebody's thousand rows. Beside an import or a backfill it takes
//! all live shares of a project that is alone: it is nobody else's turn that they could take. All else is *heavy*: a queue for each
//! project and class (`turns.rs`), of which classes get their part of a batch by a floor and a ceiling.

use super::share::Share;
use super::turns::{Budget, Turns};
use crate::config;
use crate::domain::{Class, ProjectId};
use std::collections::{HashMap, VecDeque};
use tokio::time::{Duration, Instant};

/// What one project may have in the light lane, in units of cost: about a dozen plain events.
const LIGHT_COST: usize = 16 * 1024;
/// A project or a class that sent something within this time counts as present.
const PRESENCE: Duration = Duration::from_secs(1);

/// The two lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Light,
    Heavy,
}

impl Lane {
    /// Both, in the order of their places: the light one is served first.
    pub const ALL: [Self; 2] = [Self::Light, Self::Heavy];

    /// The label in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Heavy => "heavy",
        }
    }
}

/// All that waits.
pub(super) struct Lanes {
    light: Light,
    /// By class, in the order of `Class::ALL`.
    heavy: [Turns; 3],
    shares_of_batch: [config::Lane; 3],
    /// When each class last sent something.
    seen: [Option<Instant>; 3],
    /// The last live sender, and when somebody else than the one before sent something live.
    sender: Option<ProjectId>,
    mixed: Option<Instant>,
}

/// Live shares of projects that have little waiting.
#[derive(Default)]
struct Light {
    line: VecDeque<Share>,
    rows: usize,
    /// What each project has in the line; nobody without anything is listed.
    cost: HashMap<ProjectId, usize>,
    since: Option<Instant>,
}

impl Lanes {
    pub fn new(settings: &config::Ingest) -> Self {
        let alone = config::Lane {
            floor_percent: 0,
            ceiling_percent: 100,
        };
        Self {
            light: Light::default(),
            heavy: Default::default(),
            shares_of_batch: [alone, settings.import, settings.backfill],
            seen: [None; 3],
            sender: None,
            mixed: None,
        }
    }

    /// Lets a share wait, in the lane that is returned.
    pub fn add(&mut self, share: Share) -> Lane {
        let now = Instant::now();
        let origin = share.origin;
        self.seen[origin.class as usize] = Some(now);
        let is_live = origin.class == Class::Live;
        if is_live && self.sender.is_some_and(|last| last != origin.project_id) {
            self.mixed = Some(now);
        }
        if is_live {
            self.sender = Some(origin.project_id);
        }
        if is_live && self.rides_apart(&share) {
            self.light.add(share, now);
            Lane::Light
        } else {
            self.heavy[origin.class as usize].add(share, now);
            Lane::Heavy
        }
    }

    /// Drops all that waits.
    pub fn clear(&mut self) {
        self.light = Light::default();
        self.heavy = Default::default();
    }

    /// True where those who sent something lately could be in each other's way.
    pub fn is_mixed(&self) -> bool {
        is_recent(self.mixed) || self.is_beside_bulk()
    }

    fn is_beside_bulk(&self) -> bool {
        let bulk = [Class::Import, Class::Backfill];
        bulk.iter()
            .any(|class| is_recent(self.seen[*class as usize]))
    }

    fn rides_apart(&self, share: &Share) -> bool {
        if is_recent(self.mixed) {
            let queued = self.heavy[Class::Live as usize].waits(share.origin.project_id);
            !queued && self.light.has_room_for(share)
        } else {
            self.is_beside_bulk()
        }
    }

    /// The items that wait.
    pub fn rows(&self, lane: Lane) -> usize {
        match lane {
            Lane::Light => self.light.rows,
            Lane::Heavy => self.heavy.iter().map(Turns::rows).sum(),
        }
    }

    /// Since when something waits.
    pub fn since(&self, lane: Lane) -> Option<Instant> {
        match lane {
            Lane::Light => self.light.since,
            Lane::Heavy => self.heavy.iter().filter_map(Turns::since).min(),
        }
    }

    /// The next batch.
    pub fn take(&mut self, lane: Lane, budget: Budget) -> Vec<Share> {
        let mut batch = Vec::new();
        match lane {
            Lane::Light => self.light.take(budget, &mut batch),
            Lane::Heavy => self.take_heavy(budget, &mut batch),
        }
        batch
    }

    /// Each class that waits is sure of its floor; while a more urgent one is present it gets no more than its ceiling; what then
    /// is left goes to whoever has something, the most urgent first.
    fn take_heavy(&mut self, budget: Budget, batch: &mut Vec<Share>) {
        let mut left = budget;
        for class in [2, 1, 0] {
            let floor = self.shares_of_batch[class].floor_percent;
            if floor > 0 {
                self.take_part(class, floor, budget, (&mut left, batch));
            }
        }
        for class in [0, 1, 2] {
            let yields = self.seen[..class].iter().any(|seen| is_recent(*seen));
            let ceiling = if yields {
                // The floor is part of it.
                let lane = self.shares_of_batch[class];
                lane.ceiling_percent.saturating_sub(lane.floor_percent)
            } else {
                100
            };
            self.take_part(class, ceiling, budget, (&mut left, batch));
        }
    }

    /// Takes from one class up to a part of the batch and no more than is left of it.
    fn take_part(
        &mut self,
        class: usize,
        percent: usize,
        whole: Budget,
        (left, batch): (&mut Budget, &mut Vec<Share>),
    ) {
        let part = Budget {
            rows: (whole.rows * percent / 100).min(left.rows),
            cost: (whole.cost * percent / 100).min(left.cost),
        };
        let first = batch.len();
        if percent > 0 {
            self.heavy[class].take(part, batch);
        }
        batch[first..].iter().for_each(|share| left.pay(share));
    }
}

fn is_recent(at: Option<Instant>) -> bool {
    at.is_some_and(|at| at.elapsed() < PRESENCE)
}

impl Light {
    fn has_room_for(&self, share: &Share) -> bool {
        let waiting = self.cost.get(&share.origin.project_id).copied();
        waiting.unwrap_or(0) + share.cost <= LIGHT_COST
    }

    fn add(&mut self, share: Share, now: Instant) {
        self.since.get_or_insert(now);
        self.rows += share.items.len();
        *self.cost.entry(share.origin.project_id).or_default() += share.cost;
        self.line.push_back(share);
    }

    fn take(&mut self, mut budget: Budget, batch: &mut Vec<Share>) {
        while let Some(share) = self.line.front() {
            if budget.is_spent(share, batch.is_empty()) {
                break;
            }
            let share = self.line.pop_front().expect("there is one");
            self.rows -= share.items.len();
            self.forget(&share);
            if !share.is_abandoned() {
                budget.pay(&share);
                batch.push(share);
            }
        }
        self.since = (!self.line.is_empty()).then(Instant::now);
    }

    fn forget(&mut self, share: &Share) {
        let project_id = share.origin.project_id;
        let waiting = self.cost.entry(project_id).or_default();
        *waiting -= share.cost;
        if *waiting == 0 {
            self.cost.remove(&project_id);
        }
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
pub(super) mod tests;
