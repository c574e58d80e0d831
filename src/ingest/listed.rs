//! How many mendings of one kind are listed: one broken page sends the same mistake with each of its calls, and must not fill the list
//! in which others are looked for. The metric counts them all.

use crate::domain::ProjectId;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Of one code and field of a project as many are listed in one window on one node: enough to see what is wrong.
const MOST: u32 = 60;
const WINDOW: Duration = Duration::from_secs(60);
/// Fields are the sender's words: of more kinds in one window nothing is listed.
const MOST_KINDS: usize = 10_000;

/// What was listed in the present window.
#[derive(Debug, Default)]
pub(super) struct Listed(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    /// By project and a hash of code and field, which may be long.
    counts: HashMap<(ProjectId, u64), u32>,
}

impl Listed {
    /// Counts one more; true where it is to be listed.
    pub fn has_room(&self, project_id: ProjectId, code: &str, field: &str) -> bool {
        self.has_room_at(project_id, (code, field), Instant::now())
    }

    fn has_room_at(&self, project_id: ProjectId, kind: (&str, &str), now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        let kind = (project_id, hasher.finish());
        let mut window = self.0.lock().expect("no holder panics");
        if window
            .since
            .is_none_or(|since| now.duration_since(since) >= WINDOW)
        {
            *window = Window {
                since: Some(now),
                ..Window::default()
            };
        }
        if window.counts.len() >= MOST_KINDS && !window.counts.contains_key(&kind) {
            return false;
        }
        let count = window.counts.entry(kind).or_default();
        *count += 1;
        *count <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_some_are_listed_and_of_endless_kinds_no_more_than_are_held() {
        let (listed, begin) = (Listed::default(), Instant::now());
        let take = |project: i32, kind: &str, times: usize, at: Instant| {
            let take = |_: &usize| listed.has_room_at(ProjectId(project), ("bad_time", kind), at);
            (0..times).filter(take).count()
        };
        assert_eq!(take(1, "timestamp", 200, begin), 60);
        assert_eq!(take(1, "sentAt", 200, begin), 60);
        assert_eq!(take(2, "timestamp", 5, begin), 5);
        assert_eq!(take(1, "timestamp", 200, begin + WINDOW), 60);
        let kinds =
            (0..2 * MOST_KINDS).map(|number| take(1, &format!("{number}"), 1, begin + WINDOW));
        assert_eq!(kinds.sum::<usize>(), MOST_KINDS - 1);
        assert_eq!(take(1, "anything", 1, begin + 2 * WINDOW), 1);
    }
}
