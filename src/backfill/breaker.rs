//! Stops a source that refuses too much, before what it refuses goes anywhere.

use crate::domain::Rejection;
use std::collections::VecDeque;

/// Records after which a share means anything.
const FEWEST: usize = 100;

/// The last records, and how many of them were refused.
pub(super) struct Breaker {
    most_percent: usize,
    window: usize,
    last: VecDeque<bool>,
    refused: usize,
}

impl Breaker {
    pub fn new(most_percent: u8, window: usize) -> Self {
        Self {
            most_percent: most_percent.into(),
            window,
            last: VecDeque::with_capacity(window),
            refused: 0,
        }
    }

    /// Takes note of records (`None`: taken); says why the source has to pause, where too many are refused.
    pub fn judge<'a>(
        &mut self,
        records: impl Iterator<Item = Option<&'a Rejection>>,
    ) -> Option<String> {
        let mut example = None;
        for refusal in records {
            self.note(refusal.is_some());
            example = refusal.or(example);
        }
        let seen = self.last.len();
        let is_over = self.refused * 100 > self.most_percent * seen;
        let enough = seen >= FEWEST.min(self.window);
        let example = example.filter(|_| is_over && enough)?;
        Some(format!(
            "{} of the last {seen} records were refused, over the limit of {} %; the last one: {example}",
            self.refused, self.most_percent
        ))
    }

    fn note(&mut self, is_refused: bool) {
        if self.last.len() == self.window && self.last.pop_front() == Some(true) {
            self.refused -= 1;
        }
        self.last.push_back(is_refused);
        self.refused += usize::from(is_refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;

    fn judged(breaker: &mut Breaker, taken: usize, refused: usize) -> Option<String> {
        let refusal = Rejection::of(Code::InvalidField, "/id", "no id");
        let records = (0..taken)
            .map(|_| None)
            .chain((0..refused).map(|_| Some(&refusal)));
        breaker.judge(records)
    }

    #[test]
    fn a_typo_in_the_mapping_stops_the_source_with_the_reason() {
        let mut breaker = Breaker::new(10, 1_000);
        assert_eq!(judged(&mut breaker, 0, 99), None, "too few to tell");
        let reason = judged(&mut breaker, 0, 1).expect("all of them");
        assert!(reason.contains("100 of the last 100") && reason.contains("/id"));
    }

    #[test]
    fn a_few_among_many_do_not_and_old_ones_are_forgotten() {
        let mut breaker = Breaker::new(10, 1_000);
        assert_eq!(judged(&mut breaker, 900, 100), None, "the limit itself");
        assert!(judged(&mut breaker, 0, 1).is_some());
        assert_eq!(judged(&mut breaker, 1_000, 0), None);
        assert_eq!(breaker.refused, 0);
    }
}
