//! Whose records are: projects by name, remembered for a while.

use crate::domain::{Kinds, ProjectId};
use crate::store::{Error, Store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a project that was found, or not, is remembered; and how many are.
const MEMORY: Duration = Duration::from_secs(10);
const MOST: usize = 100_000;

/// A project as records need it.
#[derive(Clone)]
pub(super) struct Project {
    pub id: ProjectId,
    pub kinds: Arc<Kinds>,
}

/// What is remembered.
#[derive(Default)]
pub(super) struct Projects(Mutex<HashMap<String, (Instant, Option<Project>)>>);

impl Projects {
    /// A project by its name.
    pub async fn find(&self, store: &Store, name: &str) -> Result<Option<Project>, Error> {
        if let Some(known) = self.remembered(name) {
            return Ok(known);
        }
        let found = store.load_project(name).await?;
        let project = found.map(|(id, kinds)| Project {
            id,
            kinds: Arc::new(kinds),
        });
        let mut known = self.0.lock().expect("no holder panics");
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name.to_owned(), (Instant::now(), project.clone()));
        Ok(project)
    }

    fn remembered(&self, name: &str) -> Option<Option<Project>> {
        let known = self.0.lock().expect("no holder panics");
        let (since, project) = known.get(name)?;
        (since.elapsed() < MEMORY).then(|| project.clone())
    }
}
