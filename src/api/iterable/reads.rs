//! Users and their events, read.

use super::names::is_email;
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::Asked;
use super::show::{found, names_of, static_lists, with_dates, written};
use super::subscriptions::LISTS;
use crate::api::error::ApiError;
use crate::api::reading::{answer_of, segment};
use crate::domain::elements::LISTS as STATIC_LISTS;
use crate::domain::tracking_plan::Category;
use crate::domain::{Identity, IdentityKind, TypeRule, plain_date};
use crate::store::{Profile, Reference, StoredEvent, TimelineQuery};
use serde_json::{Map, Value, json};

const DEFAULT_EVENTS: i64 = 30;
const MOST_EVENTS: i64 = 200;
/// Events are shown through a tree of their values, which holds so much more than their text that fewer of them are read at once.
const TREE: usize = 8;

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
    let _room = asked.state.reads.room().await?;
    let profile = profile(asked, name).await?;
    Ok(profile.map_or_else(
        || Answer::Document("{}".to_owned()),
        |profile| shown(asked, &profile),
    ))
}

async fn show_user_id(asked: &Asked, user_id: &str) -> Result<Answer, Failure> {
    let name = Identity::new(IdentityKind::UserId, user_id);
    let _room = asked.state.reads.room().await?;
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
    let _room = asked.state.reads.room().await?;
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

async fn planned(asked: &Asked) -> Result<Vec<(String, &'static str)>, ApiError> {
    let state = &asked.state;
    let users = [Category::User];
    let reading = state
        .store
        .load_field_types(asked.caller.project_id, &users);
    let known = answer_of(state, reading).await?.into_iter();
    Ok(known
        .map(|field| (field.path, field.its_type.as_str()))
        .collect())
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

/// `events/{email}`.
pub async fn events_by_email(asked: Asked) -> Result<Answer, Failure> {
    let email = segment(&asked.request, 3)?;
    events(&asked, email_name(&email)?).await
}

/// `events/byUserId/{userId}`.
pub async fn events_by_user_id(asked: Asked) -> Result<Answer, Failure> {
    let user_id = segment(&asked.request, 4)?;
    events(&asked, Identity::new(IdentityKind::UserId, &user_id)).await
}

async fn events(asked: &Asked, name: Identity) -> Result<Answer, Failure> {
    let limit = limit(asked)?;
    let _room = asked.state.reads.room().await?;
    let events = match profile(asked, name.clone()).await? {
        Some(profile) => timeline(asked, &name, limit, &names_of(&profile)).await?,
        None => Vec::new(),
    };
    Ok(Answer::document(&json!({ "events": events })))
}

async fn timeline(
    asked: &Asked,
    name: &Identity,
    limit: i64,
    names: &(Option<String>, Option<String>),
) -> Result<Vec<Value>, ApiError> {
    let events = events_of(asked, name, None, limit).await?;
    Ok(events.iter().map(|event| event_of(event, names)).collect())
}

/// The newest events of one name of whom a name leads to. Whoever asks holds room of reads meanwhile.
pub async fn events_named(
    asked: &Asked,
    name: &Identity,
    event: &str,
) -> Result<Vec<StoredEvent>, ApiError> {
    events_of(asked, name, Some(event.to_owned()), MOST_EVENTS).await
}

async fn events_of(
    asked: &Asked,
    name: &Identity,
    event: Option<String>,
    limit: i64,
) -> Result<Vec<StoredEvent>, ApiError> {
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    let person = answer_of(state, state.store.find_person(project_id, name)).await?;
    let Some(person) = person else {
        return Ok(Vec::new());
    };
    let query = TimelineQuery {
        name: event,
        event_type: None,
        from: None,
        to: None,
        after: None,
        limit,
    };
    let bytes = state.reads.page_bytes / TREE;
    let reading = state
        .store
        .load_timeline(project_id, &person, &query, bytes);
    Ok(answer_of(state, reading).await?.events)
}

fn limit(asked: &Asked) -> Result<i64, Refusal> {
    let Some(text) = asked.parameter("limit") else {
        return Ok(DEFAULT_EVENTS);
    };
    let limit = text.parse::<i64>().ok().filter(|limit| *limit > 0);
    let limit = limit.ok_or_else(|| Refusal::params("limit is no positive number"))?;
    Ok(limit.min(MOST_EVENTS))
}

/// An event of any dialect. What came by another has no type of this one's: it is a custom event.
fn event_of(event: &StoredEvent, (email, user_id): &(Option<String>, Option<String>)) -> Value {
    let mut shown = Map::new();
    let context: Value = serde_json::from_slice(event.context.as_bytes()).unwrap_or_default();
    if let Value::Object(own) = &context["iterable"] {
        shown.extend(own.clone());
    }
    let event_type = shown.remove("eventType");
    let event_type = event_type.unwrap_or_else(|| json!("customEvent"));
    let name = event.name.as_deref().unwrap_or(&event.event_type);
    let fields = with_dates(&event.properties);
    let fields: Value = serde_json::from_slice(fields.as_bytes()).unwrap_or_default();
    if event_type == "customEvent" {
        shown.insert("eventName".to_owned(), json!(name));
        shown.insert(
            "eventUpdatedAt".to_owned(),
            json!(written(event.received_at)),
        );
    }
    let more = [
        ("_id", json!(event.message_id)),
        ("eventType", event_type),
        ("createdAt", json!(written(event.occurred_at))),
        ("email", json!(email)),
        ("userId", json!(user_id)),
        ("dataFields", fields),
        (
            "itblInternal",
            json!({
                "documentCreatedAt": written(event.received_at),
                "documentUpdatedAt": written(event.received_at),
            }),
        ),
    ];
    let more = more.into_iter().filter(|(_, value)| !value.is_null());
    shown.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(shown)
}
