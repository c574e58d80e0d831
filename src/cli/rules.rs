//! `roster project rules`: how far a project believes its write keys.

use crate::domain::{EmailRule, ProjectId, ProjectType, Rules, TypeRule};
use crate::output;
use crate::store::Store;
use anyhow::Result;

fn email_rule(text: &str) -> Result<EmailRule, String> {
    match text {
        "selects" => Ok(EmailRule::Selects),
        "attaches" => Ok(EmailRule::Attaches),
        "nothing" => Ok(EmailRule::Nothing),
        other => Err(format!("{other:?} is none of selects, attaches, nothing")),
    }
}

fn project_type(text: &str) -> Result<ProjectType, String> {
    match text {
        "hybrid" => Ok(ProjectType::Hybrid),
        "user-id" => Ok(ProjectType::UserId),
        "email" => Ok(ProjectType::Email),
        other => Err(format!("{other:?} is none of hybrid, user-id, email")),
    }
}

fn type_rule(text: &str) -> Result<TypeRule, String> {
    match text {
        "off" => Ok(TypeRule::Off),
        "warn" => Ok(TypeRule::Warn),
        "enforce" => Ok(TypeRule::Enforce),
        other => Err(format!("{other:?} is none of off, warn, enforce")),
    }
}

/// The rules as the command line gives them.
#[derive(Debug, clap::Args)]
pub struct Given {
    /// Let `alias` by a write key join two people who both have user ids, as a server key may
    #[arg(long)]
    write_keys_join: bool,
    /// What an email among the traits of a write key's `identify` does: selects whose the call is, attaches to the user whom the call
    /// names, or nothing but be a trait
    #[arg(long, value_parser = email_rule, default_value = "selects")]
    email: EmailRule,
    /// A text that names nobody, in any case, beside the usual ones; as often as there are
    #[arg(long = "placeholder", value_name = "TEXT")]
    placeholders: Vec<String>,
    /// A text that does name somebody, though it usually does not; as often as there are
    #[arg(long = "no-placeholder", value_name = "TEXT")]
    no_placeholders: Vec<String>,
    /// By which names the Iterable-compatible API knows people (docs/ITERABLE.md): hybrid, user-id or email
    #[arg(long, value_parser = project_type, default_value = "hybrid")]
    iterable: ProjectType,
    /// Keep an unsalted hash of the email and the user id of whoever is forgotten from now on, to be shown by the Iterable-compatible API
    /// (docs/PRIVACY.md)
    #[arg(long)]
    shows_forgotten: bool,
    /// The project has a tracking plan, in which the first value of a field fixes its type (docs/TRACKING_PLAN.md): off, warn of other
    /// values, or enforce it
    #[arg(long, value_parser = type_rule, default_value = "off")]
    types: TypeRule,
    /// Let a write key name a user by a token of theirs alone (docs/KEYS.md): a key that was made without --jwt then names no users, and
    /// what it says counts as anonymous
    #[arg(long)]
    signed_users: bool,
}

impl Given {
    /// Sets them.
    ///
    /// # Errors
    /// Where the database does not take them.
    pub async fn set(self, store: &Store, project_id: ProjectId, name: &str) -> Result<()> {
        store.set_rules(project_id, &self.rules()).await?;
        output::line(format_args!(
            "project {name} has new rules; nodes know within keys.cache_seconds"
        ))?;
        Ok(())
    }

    fn rules(self) -> Rules {
        Rules {
            write_keys_join: self.write_keys_join,
            email: self.email,
            placeholders: self.placeholders,
            no_placeholders: self.no_placeholders,
            iterable: self.iterable,
            shows_forgotten: self.shows_forgotten,
            types: self.types,
            signed_users: self.signed_users,
            ..Rules::default()
        }
    }
}
