//! `roster project fields`: a tracking plan as it is, and a type that is to be fixed anew.

use crate::domain::ProjectId;
use crate::domain::tracking_plan::Category;
use crate::output;
use crate::store::Store;
use anyhow::{Result, bail};

fn category(text: &str) -> Result<Category, String> {
    Category::of_row(text).ok_or_else(|| format!("{text:?} is none of user, group, event:NAME"))
}

/// Whose fields, and what is to be done with them.
#[derive(Debug, clap::Args)]
pub struct Given {
    /// Whose fields: user, group, or event: with the name of the events behind it
    #[arg(long, value_parser = category, default_value = "user")]
    of: Category,
    /// Forget the type of this field, e.g. address.city: its next value fixes it. What is stored stays as it is
    #[arg(long, value_name = "FIELD")]
    forget: Option<String>,
}

impl Given {
    /// Shows or forgets.
    ///
    /// # Errors
    /// Where the database does not answer, or there is no such field.
    pub async fn run(self, store: &Store, project_id: ProjectId) -> Result<()> {
        match self.forget {
            Some(field) => forget(store, project_id, &self.of, &field).await,
            None => show(store, project_id, self.of).await,
        }
    }
}

async fn show(store: &Store, project_id: ProjectId, of: Category) -> Result<()> {
    let mut fields = store.load_field_types(project_id, &[of]).await?;
    fields.sort();
    for field in fields {
        output::line(format_args!("{}  {}", field.path, field.its_type.as_str()))?;
    }
    Ok(())
}

async fn forget(store: &Store, project_id: ProjectId, of: &Category, field: &str) -> Result<()> {
    if !store.forget_field_type(project_id, of, field).await? {
        bail!("the plan has no field {field}");
    }
    output::line(format_args!(
        "{field} has no type; nodes know within a minute"
    ))?;
    Ok(())
}
