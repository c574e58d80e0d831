//! What became of a file: of its only job, or of those of its parts together.

use super::upload::Job;
use serde::Serialize;

/// A file's jobs, as one.
#[derive(Debug, Default, Serialize)]
pub struct Total {
    #[serde(flatten)]
    pub sum: Job,
    /// The jobs of its parts, in the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<String>,
    #[serde(skip)]
    pub jobs: Vec<Job>,
    /// Why a part has no job that ended.
    #[serde(skip)]
    failure: Option<String>,
}

impl Total {
    /// Takes the job of a part, or the only one.
    pub fn add(&mut self, job: Job) {
        if self.jobs.is_empty() {
            self.sum = job.clone();
        } else {
            self.sum.add(&job);
        }
        self.jobs.push(job);
        if self.jobs.len() > 1 {
            self.parts = self.jobs.iter().map(|job| job.id.clone()).collect();
        }
    }

    /// Takes note of a part that has no job, or one that goes on.
    pub fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    /// All that there is to add: without one of its parts a file is not done.
    pub fn closed(mut self) -> Self {
        if self.sum.is_done() && self.failure.is_some() {
            self.sum.state = "failed".to_owned();
            self.sum.reason = self.failure.take();
        }
        self
    }
}

impl Job {
    fn add(&mut self, other: &Self) {
        // What did not come to its end is what a person has to know.
        if self.is_done() {
            self.state.clone_from(&other.state);
            self.reason.clone_from(&other.reason);
        }
        self.offset += other.offset;
        self.length = self.length.zip(other.length).map(|(own, more)| own + more);
        self.lines += other.lines;
        self.blank += other.blank;
        self.stored += other.stored;
        self.unchanged += other.unchanged;
        self.duplicate += other.duplicate;
        self.rejected += other.rejected;
        self.warned += other.warned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_one_of_its_parts_is_not_done() {
        let mut total = Total::default();
        total.fail("403: no".to_owned());
        total.add(Job {
            state: "done".to_owned(),
            ..Job::default()
        });
        let total = total.closed();
        assert_eq!(total.sum.state, "failed");
        assert_eq!(total.sum.reason.as_deref(), Some("403: no"));
    }

    #[test]
    fn parts_add_up_and_one_that_failed_is_what_is_told() {
        let job = |id: &str, state: &str, lines| Job {
            id: id.to_owned(),
            state: state.to_owned(),
            length: Some(10),
            lines,
            ..Job::default()
        };
        let mut total = Total::default();
        total.add(job("a", "done", 1));
        let alone = serde_json::to_value(&total).expect("JSON");
        assert!(
            alone.get("parts").is_none() && alone["lines"] == 1,
            "{alone}"
        );
        total.add(job("b", "failed", 2));
        total.add(job("c", "done", 4));
        let all = serde_json::to_value(&total).expect("JSON");
        assert_eq!(all["parts"], serde_json::json!(["a", "b", "c"]));
        assert_eq!(
            (&all["state"], &all["lines"], &all["length"]),
            (&"failed".into(), &7.into(), &30.into())
        );
    }
}
