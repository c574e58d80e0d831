//! How many rows a batch may have: fewer after one that was not written in time, more again after those that were.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What a batch comes down to at the least: one that takes longer than the deadline even so is the database's trouble.
const FEWEST: usize = 16;

/// The rows of the next batch.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    rows: AtomicUsize,
}

impl Pace {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            rows: AtomicUsize::new(most),
        }
    }

    pub fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// A batch was not written in time: the next are half as large.
    pub fn slower(&self) {
        let fewer = (self.rows() / 2).max(FEWEST.min(self.most));
        self.rows.store(fewer, Ordering::Relaxed);
    }

    /// A batch was written: the next may be a quarter larger.
    pub fn faster(&self) {
        let rows = self.rows();
        if rows < self.most {
            let more = (rows + rows / 4 + 1).min(self.most);
            self.rows.store(more, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_at_once_and_grow_back() {
        let pace = Pace::new(1_000);
        pace.slower();
        assert_eq!(pace.rows(), 500);
        (0..20).for_each(|_| pace.slower());
        assert_eq!(pace.rows(), FEWEST);
        (0..40).for_each(|_| pace.faster());
        assert_eq!(pace.rows(), 1_000);
    }
}
