//! Calls out of a file: they look as if they came live, but are history, in the order of their file.

use super::Stamp;
use super::command::{Command, TraitWrite};
use std::iter::once;

impl Command {
    /// The same with a place in an order, where it said that it came live.
    pub fn in_order(mut self, sequence: i64) -> Self {
        let group = self.group.as_mut().and_then(|group| group.traits.as_mut());
        let writes = once(self.traits.as_mut()).chain(once(group)).flatten();
        for write in writes {
            write.put_in_order(sequence);
        }
        self
    }
}

impl TraitWrite {
    fn put_in_order(&mut self, sequence: i64) {
        for stamp in once(&mut self.stamp).chain(self.times.values_mut()) {
            if stamp.sequence == Stamp::LIVE {
                stamp.sequence = sequence;
            }
        }
    }
}
