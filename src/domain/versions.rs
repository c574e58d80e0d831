//! The versions that documents are published with.
//!
//! They are times of the database's clock, so that they are above whatever a store has counted by itself, and each page's are above
//! those of the page before, whatever clocks do. They are multiples of a thousand: who writes past Roster makes one more of it.

/// What lies between two versions of ours.
pub const STEP: i64 = 1_000;

/// None of ours is lower: they are the time, and this is 2020.
const EARLIEST: i64 = 1_577_836_800_000_000;

/// Stands for the version of a document that has the last one already: there is none above.
pub const HIGHEST: i64 = i64::MAX;

/// The versions that pages use: noted with the turn before they are. The default is of nobody who has published.
#[derive(Clone, Copy, Debug, Default)]
pub struct Versions {
    pub first: i64,
    pub last: i64,
    /// The last one before the page.
    pub before: i64,
    /// The highest of any document: one that had a high version has a higher one since.
    pub highest: i64,
}

impl Versions {
    /// Reads the note of a turn.
    pub fn of(progress: &str) -> Self {
        let mut numbers = progress.split(' ').filter_map(|number| number.parse().ok());
        let first = numbers.next().unwrap_or(0);
        let last = numbers.next().unwrap_or(first);
        Self {
            first,
            last,
            before: last,
            highest: numbers.next().unwrap_or(last),
        }
    }

    /// Those with one more, of a page that was read at `now` (microseconds).
    pub fn after(self, now: i64) -> Self {
        let last = of_page(now, self.last);
        let first = if self.first == 0 { last } else { self.first };
        Self {
            first,
            last,
            before: self.last,
            highest: self.highest.max(last),
        }
    }

    /// The same of a page that writes over documents of some versions.
    pub fn over(self, there: impl Iterator<Item = i64>) -> Self {
        let own = there.map(|there| of_document(self.last, Some(there)));
        let highest = own.filter(|own| *own != HIGHEST).max();
        Self {
            highest: self.highest.max(highest.unwrap_or(0)),
            ..self
        }
    }

    /// The note.
    pub fn note(self) -> String {
        format!("{} {} {}", self.first, self.last, self.highest)
    }

    /// True where something was published.
    pub fn has_begun(self) -> bool {
        self.first > 0
    }

    /// True for a version that may be ours, of a document that was written since the first page.
    pub fn may_have(self, version: i64) -> bool {
        self.has_begun() && (self.first..=self.highest).contains(&version) && version % STEP == 0
    }

    /// True for a version that only a page can have used.
    pub fn has(self, version: i64) -> bool {
        (self.first..=self.last).contains(&version) && version % STEP == 0
    }
}

/// True for a version that looks like one of ours, where nobody knows which were used.
pub fn is_like_ours(version: i64) -> bool {
    version >= EARLIEST && version % STEP == 0
}

/// The version of a page that was read at `now` (microseconds), above all that were used before.
pub fn of_page(now: i64, last: i64) -> i64 {
    above(now - 1, last)
}

/// The version of one document of a page, above the one that is there.
pub fn of_document(page: i64, there: Option<i64>) -> i64 {
    there.map_or(page, |there| above(page - 1, there))
}

/// True where a document of a version that was used before was written since by somebody else. What is above all that were used is the
/// store's own from before.
pub fn is_foreign(there: i64, first: i64, last: i64) -> bool {
    there % STEP != 0 && (first..last + STEP).contains(&there)
}

/// The lowest multiple that is above both; `HIGHEST` where there is none.
fn above(one: i64, other: i64) -> i64 {
    (one.max(other) / STEP + 1).saturating_mul(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_700_000_000_000_000;

    proptest! {
        #[test]
        fn laws_of_versions_they_grow_whatever_clocks_do(clocks in prop::collection::vec(-5_000_i64..5_000, 1..20), there in 0_i64..4 * NOW) {
            let mut last = 0;
            for clock in clocks {
                let page = of_page(NOW + clock, last);
                prop_assert!(page > last && page % STEP == 0);
                let document = of_document(page, Some(there));
                prop_assert!(document >= page && document > there && document % STEP == 0);
                prop_assert!(is_foreign(page + 1, page, page) && !is_foreign(page, page, page));
                last = page;
            }
        }
    }

    #[test]
    fn what_was_written_below_ours_or_above_is_somebody_else_s() {
        let page = Versions::of("").after(NOW).over([3, NOW * 7].into_iter());
        let noted = Versions::of(&page.note());
        let ours = of_document(noted.last, Some(NOW * 7));
        assert!(noted.may_have(NOW) && noted.may_have(ours));
        for others in [5_000, NOW - STEP, NOW + 1, ours + STEP] {
            assert!(!noted.may_have(others), "{others}");
        }
        let unused = Versions::of("");
        assert!(!unused.may_have(STEP));
        let of_before = Versions::of(&format!("{NOW} {}", NOW + STEP));
        assert!(of_before.may_have(NOW + STEP) && !of_before.may_have(NOW + 2 * STEP));
    }

    #[test]
    fn what_a_store_counted_before_is_not_foreign() {
        assert!(!is_foreign(37, NOW, NOW) && !is_foreign(i64::MAX / 2 + 1, NOW, NOW));
        assert_eq!(of_document(NOW, Some(i64::MAX)), HIGHEST);
    }
}
