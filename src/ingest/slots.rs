//! Who may start a batch: so many are in flight at once, and neither lane takes all of them from the other.

use super::lanes::Lane;

/// The batches in flight.
#[derive(Debug)]
pub(super) struct Slots {
    all: usize,
    light: usize,
    heavy: usize,
    last: Lane,
}

impl Slots {
    pub fn new(all: usize) -> Self {
        Self {
            all,
            light: 0,
            heavy: 0,
            last: Lane::Heavy,
        }
    }

    /// Batches of one lane.
    pub fn in_flight(&self, lane: Lane) -> usize {
        match lane {
            Lane::Light => self.light,
            Lane::Heavy => self.heavy,
        }
    }

    /// True where a lane may start one more. So many may be heavy ones (`most_heavy`); and after a light one the next free slot is a
    /// heavy one's, where some wait and none is in flight.
    pub fn has_one(&self, lane: Lane, most_heavy: usize, heavy_waits: bool) -> bool {
        let free = self.all > self.light + self.heavy;
        match lane {
            Lane::Heavy => free && self.heavy < most_heavy,
            Lane::Light => {
                let owed = heavy_waits && self.heavy == 0 && self.last == Lane::Light;
                free && self.light < self.all - usize::from(owed)
            }
        }
    }

    /// A batch starts.
    pub fn start(&mut self, lane: Lane) {
        *self.of(lane) += 1;
        self.last = lane;
    }

    /// A batch has ended.
    pub fn end(&mut self, lane: Lane) {
        *self.of(lane) -= 1;
    }

    fn of(&mut self, lane: Lane) -> &mut usize {
        match lane {
            Lane::Light => &mut self.light,
            Lane::Heavy => &mut self.heavy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills all slots as the batcher does, light first, while both lanes always have more.
    fn fill(slots: &mut Slots) -> (usize, usize) {
        for lane in [Lane::Light, Lane::Heavy] {
            while slots.has_one(lane, slots.all.saturating_sub(1).max(1), true) {
                slots.start(lane);
            }
        }
        (slots.light, slots.heavy)
    }

    #[test]
    fn neither_lane_takes_every_slot_from_the_other() {
        assert_eq!(fill(&mut Slots::new(3)), (2, 1));
        let mut heavy_first = Slots::new(3);
        while heavy_first.has_one(Lane::Heavy, 2, true) {
            heavy_first.start(Lane::Heavy);
        }
        assert_eq!(fill(&mut heavy_first), (1, 2));
    }

    #[test]
    fn a_single_slot_goes_back_and_forth() {
        let mut slots = Slots::new(1);
        let mut order = Vec::new();
        for _ in 0..4 {
            fill(&mut slots);
            order.push(slots.last);
            slots.end(slots.last);
        }
        assert_eq!(order, [Lane::Light, Lane::Heavy, Lane::Light, Lane::Heavy]);
    }

    #[test]
    fn who_is_alone_has_all() {
        let mut slots = Slots::new(3);
        while slots.has_one(Lane::Heavy, 3, true) {
            slots.start(Lane::Heavy);
        }
        assert_eq!(slots.in_flight(Lane::Heavy), 3);
    }
}
