//! Whose records are: projects by name, remembered for a while.

use crate::domain::versions::Versions;
use crate::domain::{Kinds, ProjectId};
use crate::store::{Error, Store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a project that was found, or not, is remembered; and how many are.
const MEMORY: Duration = Duration::from_secs(10);
const MOST: usize = 100_000;
/// How long it is remembered what a mirror has published.
const LATELY: Duration = Duration::from_secs(1);

/// A project as records need it.
#[derive(Clone)]
pub(super) struct Project {
    pub id: ProjectId,
    pub kinds: Arc<Kinds>,
    /// The versions that its documents were published with.
    pub published: Versions,
}

/// What mirrors have published, and when that was asked for.
type Published = Option<(Instant, HashMap<ProjectId, Versions>)>;

/// What is remembered.
#[derive(Default)]
pub(super) struct Projects {
    by_name: Mutex<HashMap<String, (Instant, Option<Project>)>>,
    published: Mutex<Published>,
}

impl Projects {
    /// A project by its name.
    pub async fn find(&self, store: &Store, name: &str) -> Result<Option<Project>, Error> {
        let Some(project) = self.named(store, name).await? else {
            return Ok(None);
        };
        let published = self.published(store, project.id).await?;
        Ok(Some(Project {
            published,
            ..project
        }))
    }

    async fn named(&self, store: &Store, name: &str) -> Result<Option<Project>, Error> {
        if let Some(known) = self.remembered(name) {
            return Ok(known);
        }
        let found = store.load_project(name).await?;
        let project = found.map(|(id, kinds)| Project {
            id,
            kinds: Arc::new(kinds),
            published: Versions::default(),
        });
        let mut known = self.by_name.lock().expect("no holder panics");
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name.to_owned(), (Instant::now(), project.clone()));
        Ok(project)
    }

    async fn published(&self, store: &Store, id: ProjectId) -> Result<Versions, Error> {
        let of = |all: &HashMap<ProjectId, Versions>| all.get(&id).copied().unwrap_or_default();
        if let Some((since, all)) = &*self.published.lock().expect("no holder panics")
            && since.elapsed() < LATELY
        {
            return Ok(of(all));
        }
        let (asked, all) = (Instant::now(), store.load_published().await?);
        let own = of(&all);
        *self.published.lock().expect("no holder panics") = Some((asked, all));
        Ok(own)
    }

    fn remembered(&self, name: &str) -> Option<Option<Project>> {
        let known = self.by_name.lock().expect("no holder panics");
        let (since, project) = known.get(name)?;
        (since.elapsed() < MEMORY).then(|| project.clone())
    }
}
