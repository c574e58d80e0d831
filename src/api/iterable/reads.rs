//! Users, read.

use super::names::is_email;
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::Asked;
use super::saying::BY_TOKEN;
use super::show::{LISTS, found, static_lists};
use crate::api::error::ApiError;
use crate::api::reading::{answer_of, segment};
use crate::domain::elements::LISTS as STATIC_LISTS;
use crate::domain::tracking_plan::{Category, Types};
use crate::domain::{FieldType, Identity, IdentityKind, ProjectType, TypeRule, plain_date};
use crate::store::{Profile, Reference};
use serde_json::{Map, Value, json};

/// `users/getByEmail?email=`.
pub async fn by_email(asked: Asked) -> Result<Answer, Failure> {
    let email = asked.needed_parameter("email")?;
    // A plus that was not encoded arrives as a blank, which no address has.
    show_email(&asked, &email.replace(' ', "+")).await
}

/// `users/{email}`.
pub async fn by_email_in_path(asked: Asked) -> Result<Answer, Failure> {
    let email = segment(&asked.request, 3)?;
    show_email(&asked, &email).await
}

/// `users/byUserId?userId=`.
pub async fn by_user_id(asked: Asked) -> Result<Answer, Failure> {
    let user_id = asked.needed_parameter("userId")?;
    show_user_id(&asked, &user_id).await
}

/// `users/byUserId/{userId}`.
pub async fn by_user_id_in_path(asked: Asked) -> Result<Answer, Failure> {
    let user_id = segment(&asked.request, 4)?;
    show_user_id(&asked, &user_id).await
}

async fn show_email(asked: &Asked, email: &str) -> Result<Answer, Failure> {
    let name = email_name(email)?;
    let _room = asked.state.reads.room(asked.caller.project_id).await?;
    let profile = match finds_nobody(asked, &name) {
        true => None,
        false => profile(asked, name).await?,
    };
    Ok(profile.map_or_else(
        || Answer::Document("{}".to_owned()),
        |profile| shown(asked, &profile),
    ))
}

/// True of an address in projects by user id: another road may have made it a name all the same.
pub fn finds_nobody(asked: &Asked, name: &Identity) -> bool {
    let is_by_user_id = asked.caller.kinds.rules.iterable == ProjectType::UserId;
    is_by_user_id && name.kind == IdentityKind::Email
}

async fn show_user_id(asked: &Asked, user_id: &str) -> Result<Answer, Failure> {
    let name = Identity::new(IdentityKind::UserId, user_id);
    let _room = asked.state.reads.room(asked.caller.project_id).await?;
    let profile = profile(asked, name).await?;
    let unknown = || {
        Refusal::of(
            "error.users.noUserWithIdExists",
            "No user with that id exists!",
        )
    };
    Ok(shown(asked, &profile.ok_or_else(unknown)?))
}

fn shown(asked: &Asked, profile: &Profile) -> Answer {
    Answer::document(&found(profile, asked.caller.kinds.rules.iterable))
}

/// An address as a name.
///
/// # Errors
/// `InvalidEmailAddressError`.
pub fn email_name(email: &str) -> Result<Identity, Refusal> {
    let invalid = || {
        Refusal::of(
            "InvalidEmailAddressError",
            format!("Invalid email: {email}"),
        )
    };
    let name = Identity::new(IdentityKind::Email, email);
    is_email(&name.value).then_some(name).ok_or_else(invalid)
}

/// Whom a name leads to. Whoever asks holds room of reads meanwhile.
pub async fn profile(asked: &Asked, name: Identity) -> Result<Option<Profile>, ApiError> {
    let state = &asked.state;
    let reference = Reference::Name(name);
    let reading = state
        .store
        .load_profile(asked.caller.project_id, &reference);
    answer_of(state, reading).await
}

/// `users/getFields`: what the profiles of the project have, by its plan of fields or, without one, by a sample of them.
pub async fn fields(asked: Asked) -> Result<Answer, Failure> {
    let _room = asked.state.reads.room(asked.caller.project_id).await?;
    let made = ["email", "signupSource", "userId"].map(|name| (name.to_owned(), json!("string")));
    let dates = ["profileUpdatedAt", "signupDate"].map(|name| (name.to_owned(), json!("date")));
    let mut fields: Map<String, Value> = made.into_iter().chain(dates).collect();
    let own = match asked.caller.kinds.rules.types {
        TypeRule::Off => sampled(&asked).await?,
        TypeRule::Warn | TypeRule::Enforce => planned(&asked).await?,
    };
    let lists = static_lists(asked.caller.kinds.rules.iterable);
    for (name, its_type) in own {
        match name.as_str() {
            STATIC_LISTS => fields.insert(lists.to_owned(), json!("long")),
            // They are kept as objects, and shown as lists.
            other if BY_TOKEN.contains(&other) => fields.insert(name, json!("nested")),
            // Of an empty list nobody can tell of what it is.
            other if LISTS.contains(&other) => fields.insert(name, json!("long")),
            _ => fields.insert(name, json!(its_type)),
        };
    }
    Ok(Answer::document(&json!({ "fields": fields })))
}

async fn sampled(asked: &Asked) -> Result<Vec<(String, &'static str)>, ApiError> {
    let state = &asked.state;
    let reading = state.store.sample_fields(asked.caller.project_id);
    let sampled = answer_of(state, reading).await?.into_iter();
    let typed = |(name, value): (String, String)| {
        let its_type = type_of(&name, &value);
        (name, its_type)
    };
    Ok(sampled.map(typed).collect())
}

/// The fields of the plan, those that it has before there is a value, and those that are in no plan.
async fn planned(asked: &Asked) -> Result<Vec<(String, &'static str)>, ApiError> {
    let state = &asked.state;
    let users = [Category::User];
    let reading = state
        .store
        .load_field_types(asked.caller.project_id, &users);
    let known = answer_of(state, reading).await?.into_iter();
    let mut types = Types::given(&Category::User);
    known.for_each(|field| types.learn(field.path, field.its_type));
    let planned = types
        .all()
        .map(|(path, its_type)| (path.to_owned(), its_type.as_str()));
    let nested = FieldType::Nested.as_str();
    let apart = BY_TOKEN.map(|name| (name.to_owned(), nested));
    Ok(planned.chain(apart).collect())
}

/// The original's name of a type, by the beginning of a value.
fn type_of(name: &str, value: &str) -> &'static str {
    let element = value.trim_start_matches(['[', ' ']);
    match element.as_bytes().first() {
        Some(b'{') if value.starts_with('[') => "nested",
        Some(b'{') if name.ends_with("_geo_location") => "geo_location",
        Some(b'{') => "object",
        Some(b't' | b'f') => "boolean",
        Some(b'-' | b'0'..=b'9') if element.contains('.') => "double",
        Some(b'-' | b'0'..=b'9') => "long",
        _ if plain_date(element.trim_matches('"')).is_some() => "date",
        _ => "string",
    }
}
