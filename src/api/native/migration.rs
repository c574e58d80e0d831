//! `/v1/migration`: a project's way out of a legacy store.

use super::profiles::json_body;
use super::query::Query;
use super::{answer_of, reader, reply, segment};
use crate::api::State;
use crate::api::body;
use crate::api::error::ApiError;
use crate::config::millis;
use crate::domain::Caller;
use crate::domain::containment::Direction;
use crate::domain::migration::Verb;
use crate::domain::reads::ReadSource;
use crate::migration::{self, Denied, Order, ReadsOrder, Status, Verified};
use crate::store::{MigrationPlan, TakenStep, TopicFormat, Verification};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use uuid::Uuid;

/// The time of a soak where none is said: three days.
const SOAK_SECONDS: i64 = 259_200;
/// Who took a step by HTTP and did not say who they are.
const BY_KEY: &str = "a server key";
/// Bytes of a mapping: they are small.
const LONGEST_MAPPING: usize = 65_536;
/// Bytes of each other text: each step is kept with its own, and they are listed in pages.
const LONGEST_TEXT: usize = 1_024;

/// What a step may say; a body may be missing.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    operator: Option<String>,
    reason: Option<String>,
    force: bool,
    /// Of `plan`: the text of the mapping file.
    mapping: Option<String>,
    index: Option<String>,
    topic: Option<String>,
    topic_format: TopicFormat,
    source: Option<String>,
    document_kind: Option<String>,
    soak_seconds: Option<u32>,
}

/// Where profiles are to be read from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedReads {
    source: ReadSource,
    #[serde(default)]
    share: u8,
    operator: Option<String>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct History {
    steps: Vec<TakenStep>,
    next_cursor: Option<String>,
}

/// Shows how far it is, and the gates of the next step.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, found(&request, &state).await)
}

async fn found(request: &HttpRequest, state: &Data<State>) -> Result<Status, ApiError> {
    let caller = reader(request, state).await?;
    let found = answer_of(state, migration::status(&state.store, caller.project_id)).await?;
    found.ok_or(ApiError::NoMigration)
}

/// Lists the steps that were taken, the first first.
pub async fn history(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, steps(&request, &state).await)
}

async fn steps(request: &HttpRequest, state: &Data<State>) -> Result<History, ApiError> {
    let caller = reader(request, state).await?;
    let query = Query::parse(request.query_string(), &["limit", "cursor"])?;
    let (limit, after) = (query.limit()?, query.number("cursor")?);
    let _room = state.reads.room(caller.project_id).await?;
    let store = &state.store;
    let loading = store.migration_steps(caller.project_id, after.unwrap_or(0), limit);
    let steps = answer_of(state, loading).await?;
    let next = steps.last().filter(|_| steps.len() as i64 == limit);
    Ok(History {
        next_cursor: next.map(|last| last.version.to_string()),
        steps,
    })
}

/// Takes a step: the last part of the path says which.
pub async fn step(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, taken(&request, payload, &state).await)
}

async fn taken(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<Status, ApiError> {
    let caller = reader(request, state).await?;
    let name = segment(request, 3)?;
    let mut verbs = Verb::ALL.into_iter();
    let verb = verbs.find(|verb| verb.as_str() == name);
    let verb = verb.ok_or(ApiError::NotFound)?;
    let asked = asked(request, payload, state, &caller).await?;
    let order = Order {
        allowed: Some(state.mirrored.clone()),
        ..order(verb, asked)
    };
    let _connection = state.reads.connection().await?;
    let stepping = migration::step(&state.store, caller.project_id, verb, &order);
    match timeout(millis(state.server.request_timeout_ms), stepping).await {
        Ok(outcome) => outcome.map_err(denied),
        Err(_) => Err(ApiError::Timeout),
    }
}

/// Sets where profiles are read from.
pub async fn reads(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, reads_set(&request, payload, &state).await)
}

async fn reads_set(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<Status, ApiError> {
    let caller = reader(request, state).await?;
    let asked: AskedReads = json_body(request, payload, state, &caller).await?;
    let texts = [("operator", &asked.operator), ("reason", &asked.reason)];
    check(&texts, LONGEST_TEXT)?;
    let order = ReadsOrder {
        source: asked.source,
        share: asked.share,
        operator: asked.operator.unwrap_or_else(|| BY_KEY.to_owned()),
        reason: asked.reason.unwrap_or_default(),
    };
    let _connection = state.reads.connection().await?;
    let setting = migration::set_reads(&state.store, caller.project_id, &order);
    match timeout(millis(state.server.request_timeout_ms), setting).await {
        Ok(outcome) => outcome.map_err(denied),
        Err(_) => Err(ApiError::Timeout),
    }
}

/// A step needs no body.
async fn asked(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    caller: &Caller,
) -> Result<Asked, ApiError> {
    let body = body::read(request, payload, state, Some(caller.project_id)).await?;
    if body.bytes.is_empty() {
        return Ok(Asked::default());
    }
    let asked: Asked = serde_json::from_slice(&body.bytes)
        .map_err(|error| ApiError::InvalidJson(error.to_string()))?;
    let texts = [
        ("operator", &asked.operator),
        ("reason", &asked.reason),
        ("index", &asked.index),
        ("topic", &asked.topic),
        ("source", &asked.source),
        ("document_kind", &asked.document_kind),
    ];
    check(&texts, LONGEST_TEXT)?;
    check(&[("mapping", &asked.mapping)], LONGEST_MAPPING)?;
    Ok(asked)
}

fn check(texts: &[(&str, &Option<String>)], longest: usize) -> Result<(), ApiError> {
    for (name, text) in texts {
        let text = text.as_deref().unwrap_or_default();
        if text.contains('\0') || text.len() > longest {
            let reason = format!("has a NUL character, or more than {longest} bytes");
            return Err(invalid(name, reason));
        }
    }
    Ok(())
}

fn order(verb: Verb, asked: Asked) -> Order {
    let plan = (verb == Verb::Plan).then(|| MigrationPlan {
        mapping: asked.mapping.unwrap_or_default(),
        source: asked.source,
        index: asked.index.unwrap_or_default(),
        topic: asked.topic,
        topic_format: asked.topic_format,
        is_by_operator: false,
        document_kind: asked.document_kind.unwrap_or_default(),
        soak_seconds: asked.soak_seconds.map_or(SOAK_SECONDS, i64::from),
    });
    Order {
        operator: asked.operator.unwrap_or_else(|| BY_KEY.to_owned()),
        reason: asked.reason.unwrap_or_default(),
        force: asked.force,
        plan,
        allowed: None,
    }
}

/// Begins a verification; `direction` is `forward` or `reverse`.
pub async fn verify(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, begun(&request, &state).await)
}

async fn begun(request: &HttpRequest, state: &Data<State>) -> Result<Verification, ApiError> {
    let caller = reader(request, state).await?;
    let query = Query::parse(request.query_string(), &["direction"])?;
    let name = query.text("direction");
    let name = name.as_deref().unwrap_or(Direction::Forward.as_str());
    let direction = Direction::parse(name);
    let direction = direction.ok_or_else(|| invalid("direction", "is forward or reverse"))?;
    let _connection = state.reads.connection().await?;
    let beginning = migration::verify(&state.store, caller.project_id, direction);
    match timeout(millis(state.server.request_timeout_ms), beginning).await {
        Ok(outcome) => outcome.map_err(denied),
        Err(_) => Err(ApiError::Timeout),
    }
}

/// Shows a verification, and some of what it found.
pub async fn verified(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, found_by(&request, &state).await)
}

async fn found_by(request: &HttpRequest, state: &Data<State>) -> Result<Verified, ApiError> {
    let caller = reader(request, state).await?;
    let id = segment(request, 4)?;
    let id = Uuid::parse_str(&id).map_err(|_| ApiError::NotFound)?;
    let finding = migration::verified(&state.store, caller.project_id, id);
    answer_of(state, finding).await?.ok_or(ApiError::NotFound)
}

fn denied(denied: Denied) -> ApiError {
    match denied {
        Denied::Plan(reason) => invalid("plan", reason),
        Denied::NotAllowed(told) => ApiError::TargetNotAllowed(told),
        Denied::NoMigration => ApiError::NoMigration,
        Denied::NotMirrored(_) => ApiError::StepRefused(denied.to_string()),
        Denied::Refused(refused) => ApiError::StepRefused(refused.to_string()),
        Denied::Reads(why) => ApiError::StepRefused(why.to_string()),
        Denied::Moved(state) => ApiError::MigrationMoved(state.as_str()),
        Denied::Store(error) => {
            tracing::error!(reason = %error.full_text(), "a step was not taken");
            ApiError::Unavailable
        }
    }
}

fn invalid(name: &str, reason: impl Into<String>) -> ApiError {
    ApiError::InvalidParameter {
        name: name.to_owned(),
        reason: reason.into(),
    }
}
