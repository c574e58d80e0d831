//! Users who are deleted, forgotten, and no longer forgotten.

use super::known::look_up;
use super::reads::email_name;
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::users::{named_as, naming};
use crate::api::erasing;
use crate::api::reading::{answer_of, segment};
use crate::domain::{Identity, IdentityKind, ProjectType};
use std::collections::BTreeSet;

/// `DELETE users/{email}`. Who is not there is gone already. Where an email finds nobody, no answer may say that somebody was erased.
pub async fn delete_by_email(asked: Asked) -> Result<Answer, Failure> {
    if asked.caller.kinds.rules.iterable == ProjectType::UserId {
        return Err(Refusal::params("A userId must be used in a userId-based project").into());
    }
    let email = segment(&asked.request, 3)?;
    erase(&asked, email_name(&email)?, false).await?;
    Ok(Answer::success())
}

/// `DELETE users/byUserId/{userId}`.
pub async fn delete_by_user_id(asked: Asked) -> Result<Answer, Failure> {
    let user_id = segment(&asked.request, 4)?;
    let name = Identity::new(IdentityKind::UserId, &user_id);
    if !is_known(&asked, &name).await? {
        let message = format!("No users with userId {user_id} exist");
        return Err(Refusal::params(message).into());
    }
    erase(&asked, name, false).await?;
    // In projects by email others may have the same user id as a trait, and are still there.
    let whom = match asked.caller.kinds.rules.iterable {
        ProjectType::Email => format!("The user associated with {user_id} was"),
        ProjectType::Hybrid | ProjectType::UserId => {
            format!("All users associated with {user_id} were")
        }
    };
    Ok(Answer::told(format!("{whom} successfully deleted")))
}

/// Erases somebody, and refuses what comes about them later.
pub async fn forget(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let name = named(&asked, &readable)?;
    if !is_known(&asked, &name).await? {
        return Err(nobody().into());
    }
    erase(&asked, name, true).await?;
    Ok(Answer::success())
}

/// Takes in again what comes about somebody. What was erased stays erased.
pub async fn unforget(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let key = (asked.caller.project_id, named(&asked, &readable)?);
    let state = &asked.state;
    let lifted = answer_of(state, state.store.lift_block(&key)).await?;
    lifted.ok_or_else(nobody)?;
    Ok(Answer::success())
}

fn named(asked: &Asked, readable: &Readable) -> Result<Identity, Refusal> {
    let named = naming(asked, named_as(&readable.fields, ["email", "userId"])?)?;
    if let Some(email) = named.email {
        return email_name(&email);
    }
    let missing = || Refusal::params("Either email or userId must be set");
    let user_id = named.user_id.ok_or_else(missing)?;
    Ok(Identity::new(IdentityKind::UserId, &user_id))
}

fn nobody() -> Refusal {
    Refusal::params("User does not exist")
}

async fn is_known(asked: &Asked, name: &Identity) -> Result<bool, Failure> {
    let owners = look_up(asked, BTreeSet::from([name.clone()])).await?;
    Ok(owners.get(name).is_some())
}

async fn erase(asked: &Asked, name: Identity, is_forgotten: bool) -> Result<(), Failure> {
    let project_id = asked.caller.project_id;
    erasing::erase(&asked.state, project_id, vec![name], is_forgotten).await?;
    Ok(())
}
