//! `roster project rules`: how far a project believes its write keys.

use crate::domain::{ProjectId, Rules};
use crate::store::Store;
use anyhow::Result;

/// The rules as the command line gives them.
#[derive(Debug, clap::Args)]
pub struct Given {
    /// Let `alias` by a write key join two people who both have user ids, as a server key may
    #[arg(long)]
    write_keys_join: bool,
    /// A text that names nobody, in any case, beside the usual ones; as often as there are
    #[arg(long = "placeholder", value_name = "TEXT")]
    placeholders: Vec<String>,
    /// A text that does name somebody, though it usually does not; as often as there are
    #[arg(long = "no-placeholder", value_name = "TEXT")]
    no_placeholders: Vec<String>,
}

impl Given {
    /// Sets them.
    ///
    /// # Errors
    /// Where the database does not take them.
    pub async fn set(self, store: &Store, project_id: ProjectId, name: &str) -> Result<()> {
        store.set_rules(project_id, &self.rules()).await?;
        println!("project {name} has new rules; nodes know within keys.cache_seconds");
        Ok(())
    }

    fn rules(self) -> Rules {
        Rules {
            write_keys_join: self.write_keys_join,
            placeholders: self.placeholders,
            no_placeholders: self.no_placeholders,
        }
    }
}
