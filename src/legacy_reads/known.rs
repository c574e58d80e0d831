//! Where projects are read from, as this node knows it: asked for about once a second, so that no read costs a question.

use crate::domain::ProjectId;
use crate::domain::migration::State;
use crate::domain::reads::Reads;
use crate::mapping::{Mapping, Reverse};
use crate::store::{Error, MigrationPlan, ProjectReads, Store};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

/// A project that somebody has said where to read from.
#[derive(Clone, Debug)]
pub struct Leaving {
    pub project_id: ProjectId,
    pub state: State,
    pub reads: Reads,
    pub index: String,
    pub reverse: Reverse,
    version: i64,
}

/// This node has not heard yet where projects are read from.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this node does not know yet where profiles are read from")]
pub struct Unknown;

type Projects = HashMap<ProjectId, Result<Arc<Leaving>, String>>;

/// What was heard last; `None` before the first time.
#[derive(Debug, Default)]
pub(super) struct Known(RwLock<Option<Arc<Projects>>>);

impl Known {
    pub fn of(&self, project_id: ProjectId) -> Result<Option<Arc<Leaving>>, Unknown> {
        match self.projects().ok_or(Unknown)?.get(&project_id) {
            None => Ok(None),
            Some(Ok(leaving)) => Ok(Some(leaving.clone())),
            Some(Err(_)) => Err(Unknown),
        }
    }

    /// Asks the database. A plan is read again only where the migration has moved.
    pub async fn refresh(&self, store: &Store) -> Result<(), Error> {
        let before = self.projects().unwrap_or_default();
        let mut projects = Projects::new();
        for own in store.load_reads().await? {
            let known = before.get(&own.project_id);
            let leaving = match known {
                Some(Ok(known)) if known.version == own.version => Ok(known.clone()),
                _ => load(store, &own).await?,
            };
            if let Err(reason) = &leaving {
                tracing::error!(
                    project = own.project_id.0,
                    reason,
                    "its people can't be read"
                );
            }
            projects.insert(own.project_id, leaving);
        }
        *self.0.write().expect("no holder panics") = Some(Arc::new(projects));
        Ok(())
    }

    fn projects(&self) -> Option<Arc<Projects>> {
        self.0.read().expect("no holder panics").clone()
    }
}

/// Where the migration has moved on meanwhile, the next look brings what is new.
async fn load(store: &Store, own: &ProjectReads) -> Result<Result<Arc<Leaving>, String>, Error> {
    let Some(migration) = store.load_migration(own.project_id).await? else {
        return Ok(Err("it has no migration".to_owned()));
    };
    let reverse = reverse(&migration.plan);
    Ok(reverse.map(|reverse| {
        Arc::new(Leaving {
            project_id: own.project_id,
            state: own.state,
            reads: match migration.plan.index.is_empty() {
                true => own.reads.without_index(),
                false => own.reads,
            },
            index: migration.plan.index,
            reverse,
            version: own.version,
        })
    }))
}

fn reverse(plan: &MigrationPlan) -> Result<Reverse, String> {
    let mapping = Mapping::parse(&plan.mapping);
    let mapping = mapping.map_err(|complaints| complaints.join("; "))?;
    mapping.reverse(Some(&plan.document_kind))
}
