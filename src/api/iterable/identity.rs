//! `users/updateEmail` and `users/merge`: who somebody is from now on.

use super::fields::Fields;
use super::jwt;
use super::known;
use super::names::{Fault, Named, check_user_id, is_email};
use super::owners::Owners;
use super::people::{self, Joining};
use super::reads::{email_name, profile};
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::show::names_of;
use super::unknown;
use super::users::{named_as, naming};
use crate::domain::{Identity, IdentityKind, Json, KeyKind, ProjectType};
use crate::store::Profile;
use std::collections::{BTreeMap, BTreeSet};

/// Gives somebody another email. The old one goes on leading to them: what is still on its way under it is not lost.
pub async fn update_email(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let body = &readable.fields;
    let new_email = body.needed_text("newEmail")?;
    let new = email_name(&new_email)?;
    let current = current(&asked, body)?;
    let is_name = asked.caller.kinds.rules.iterable != ProjectType::UserId;
    let names = BTreeSet::from([current.clone(), new.clone()]);
    let owners = known::look_up(&asked, names).await?;
    let Some(owner) = owners.get(&current) else {
        let message = format!(
            "Cannot change user Some({}) to {new_email}. User does not exist",
            current.value
        );
        return Err(Refusal::params(message).into());
    };
    let is_anothers = |other: &crate::store::Owner| other.profile_id != owner.profile_id;
    if is_name && owners.get(&new).is_some_and(is_anothers) {
        return Err(exists(&new_email).into());
    }
    if is_name
        && !known::forgotten(&asked, BTreeSet::from([new.clone()]))
            .await?
            .is_empty()
    {
        return Err(Fault::Forgotten.refusal(&Named::default(), "set").into());
    }
    let traits = BTreeMap::from([("email".to_owned(), Json::of(&new.value))]);
    let names = if is_name {
        vec![current, new]
    } else {
        vec![current]
    };
    let joining = Joining {
        names,
        is_explicit: false,
        traits: Json::from_members(&traits),
        by: asked.caller.kind,
    };
    let named = Named {
        email: Some(new_email),
        user_id: None,
    };
    let fate = people::join(&asked, readable, joining).await?;
    fate.map_err(|fault| match fault {
        Fault::EmailTaken(email) => exists(&email),
        other => other.refusal(&named, "set"),
    })?;
    Ok(Answer::success())
}

fn exists(email: &str) -> Refusal {
    let message = format!("A user with email {email} already exists");
    Refusal::of("EmailAlreadyExists", message)
}

/// Whose address changes; by a token only one's own, also where the call says no name.
fn current(asked: &Asked, body: &Fields) -> Result<Identity, Refusal> {
    let mut named = named_as(body, ["currentEmail", "currentUserId"])?.without_empty_email();
    if let Some(signed) = &asked.signed {
        if !named.is_within(signed) {
            return Err(jwt::mismatched());
        }
        if named == Named::default() {
            named = signed.clone().into();
        }
    }
    named_current(naming(asked, named)?)
}

fn named_current(named: Named) -> Result<Identity, Refusal> {
    if let Some(email) = named.email {
        let name = Identity::new(IdentityKind::Email, &email);
        let invalid = || Refusal::params(format!("Invalid currentEmail {email}"));
        return is_email(&name.value).then_some(name).ok_or_else(invalid);
    }
    let missing = || Refusal::params("Either currentEmail or currentUserId must be set");
    let user_id = named.user_id.ok_or_else(missing)?;
    Ok(Identity::new(IdentityKind::UserId, &user_id))
}

/// Makes one person of two. What both have said is joined by the times at which it was true.
pub async fn merge(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let source = named(&asked, &readable.fields, "source")?;
    let destination = named(&asked, &readable.fields, "destination")?;
    let names = BTreeSet::from([source.clone(), destination.clone()]);
    let owners = known::look_up(&asked, names).await?;
    let Some(from) = owners.get(&source) else {
        return Err(unknown(&source).into());
    };
    if owners
        .get(&destination)
        .is_some_and(|into| into.profile_id == from.profile_id)
    {
        return Ok(Answer::success());
    }
    let mut by = asked.caller.kind;
    if !asked.may_join() {
        unknown::may_take_in(&asked, &source, &destination).await?;
        by = KeyKind::Server;
    }
    let joining = Joining {
        traits: names_after(&asked, &owners, &destination).await?,
        names: vec![destination, source.clone()],
        is_explicit: true,
        by,
    };
    let fate = people::join(&asked, readable, joining).await?;
    fate.map_err(|fault| fault.refusal(&Named::default(), "set"))?;
    Ok(Answer::success())
}

/// One of the two; in projects by user id an address is nobody's name.
fn named(asked: &Asked, body: &Fields, whose: &str) -> Result<Identity, Refusal> {
    let (email, user_id) = (format!("{whose}Email"), format!("{whose}UserId"));
    let named = naming(asked, named_as(body, [&email, &user_id])?)?;
    if let Some(email) = named.email {
        return email_name(&email);
    }
    let missing = || Refusal::params(format!("Either {email} or {user_id} must be set"));
    let text = named.user_id.ok_or_else(missing)?;
    check_user_id(Some(&text)).map_err(|fault| fault.refusal(&Named::default(), "set"))?;
    Ok(Identity::new(IdentityKind::UserId, &text))
}

fn unknown(source: &Identity) -> Refusal {
    let fault = match source.kind {
        IdentityKind::Email => Fault::UnknownEmail,
        _ => Fault::UnknownUserId,
    };
    fault.refusal(&Named::by(source.clone()), "set")
}

/// The names that the person has from now on: the destination's.
async fn names_after(
    asked: &Asked,
    owners: &Owners,
    destination: &Identity,
) -> Result<Json, Failure> {
    let _room = asked.state.reads.room(asked.caller.project_id).await?;
    let known: Option<Profile> = match owners.get(destination) {
        Some(_) => profile(asked, destination.clone()).await?,
        None => None,
    };
    let project = asked.caller.kinds.rules.iterable;
    let names = known.as_ref().map(|known| names_of(known, project));
    let (mut email, mut user_id) = names.unwrap_or_default();
    match destination.kind {
        IdentityKind::Email => email = Some(destination.value.clone()),
        _ => user_id = Some(destination.value.clone()),
    }
    let names = [("email", email), ("userId", user_id)].into_iter();
    let names = names.filter_map(|(name, value)| Some((name.to_owned(), Json::of(&value?))));
    Ok(Json::from_members(&names.collect()))
}
