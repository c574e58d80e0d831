//! `GET /v1/profiles/{reference}`, `GET /v1/profiles?{kind}={value}`, `POST …/merge`.

use super::query::Query;
use super::{answer_of, reader, reference, reply};
use crate::api::State;
use crate::api::body;
use crate::api::error::ApiError;
use crate::domain::kinds::DEVICE_TOKEN;
use crate::domain::plan::Merge;
use crate::domain::{Caller, Code, Identity, IdentityKind, KeyKind, ProfileId, Rejection};
use crate::ingest::MergeOutcome;
use crate::store::{KnownIdentity, Profile, Reference};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a read waits for the version that its caller has seen elsewhere, and how often it looks.
const MOST_WAIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);
/// Times that a merge looks again at profiles that somebody else merges meanwhile.
const MERGE_TRIES: u32 = 5;

/// A profile as it is shown.
#[derive(Serialize)]
pub struct Shown {
    id: String,
    traits: Box<RawValue>,
    identities: Vec<ShownIdentity>,
    version: i64,
    created_at: String,
    updated_at: String,
    first_seen: Option<String>,
    last_seen: Option<String>,
    /// The ids of the groups it belongs to.
    groups: Vec<String>,
}

#[derive(Serialize)]
struct ShownIdentity {
    kind: String,
    value: String,
    first_seen: String,
}

/// Shows the profile in the path.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let found = async {
        let caller = reader(&request, &state).await?;
        let query = Query::parse(request.query_string(), &["min_version"])?;
        let reference = reference::of_path(&request, &caller)?;
        find(&state, &caller, &reference, &query).await
    };
    reply::tagged(&request, &state, found.await.map(shown))
}

/// Shows the profile that a name in the query leads to: `?email=ada@example.com`.
pub async fn show_named(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let found = async {
        let caller = reader(&request, &state).await?;
        let mut known = vec!["min_version", DEVICE_TOKEN];
        known.extend(IdentityKind::BUILT_IN.map(|(name, _)| name));
        known.extend(caller.kinds.custom.iter().map(|kind| kind.name.as_str()));
        let query = Query::parse(request.query_string(), &known)?;
        let mut names = query.others(&["min_version"]);
        let (Some((kind, value)), None) = (names.next(), names.next()) else {
            return Err(invalid("query", "must have one name, such as email"));
        };
        let reference = Reference::Name(caller.kinds.identity(kind, value));
        find(&state, &caller, &reference, &query).await
    };
    reply::tagged(&request, &state, found.await.map(shown))
}

async fn find(
    state: &Data<State>,
    caller: &Caller,
    reference: &Reference,
    query: &Query,
) -> Result<Profile, ApiError> {
    let wanted = query.number("min_version")?.unwrap_or(0);
    let until = Instant::now() + MOST_WAIT;
    loop {
        let room = state.reads.room().await?;
        let reading = state.store.load_profile(caller.project_id, reference);
        match answer_of(state, reading).await? {
            Some(profile) if profile.version >= wanted => return Ok(profile),
            // Whoever saw a version saw a commit: what is not there by now was erased, or never was.
            None => return Err(ApiError::NoSuchProfile),
            _ if Instant::now() >= until => return Err(ApiError::NotThatFar),
            _ => {}
        }
        drop(room);
        sleep(POLL).await;
    }
}

/// Reads a body of JSON.
pub async fn json_body<T: serde::de::DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    caller: &Caller,
) -> Result<T, ApiError> {
    let body = body::read(request, payload, state, Some(caller.project_id)).await?;
    serde_json::from_slice(&body.bytes).map_err(|error| ApiError::InvalidJson(error.to_string()))
}

/// A parameter at fault.
pub fn invalid(name: &str, reason: &str) -> ApiError {
    ApiError::InvalidParameter {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}

/// How a profile is shown.
pub fn shown(profile: Profile) -> Shown {
    let shown = |known: &KnownIdentity| ShownIdentity {
        kind: known.identity.kind.as_str().to_owned(),
        value: known.identity.value.clone(),
        first_seen: known.first_seen.to_string(),
    };
    Shown {
        id: profile.id.to_string(),
        traits: profile.traits.to_raw(),
        identities: profile
            .identities
            .iter()
            .filter(|known| !is_shadow(known, &profile.identities))
            .map(shown)
            .collect(),
        version: profile.version,
        created_at: profile.created_at.to_string(),
        updated_at: profile.updated_at.to_string(),
        first_seen: profile.first_seen.map(|time| time.to_string()),
        last_seen: profile.last_seen.map(|time| time.to_string()),
        groups: profile.groups,
    }
}

/// An alias claims its previous id both as a user id and as an anonymous one, since senders don't say which it was. The claim as
/// a user id, never older than the other, is not worth showing beside a real one.
pub fn is_shadow(known: &KnownIdentity, all: &[KnownIdentity]) -> bool {
    let is_user_id = |other: &KnownIdentity| other.identity.kind == IdentityKind::UserId;
    let is_same = |other: &KnownIdentity| other.identity.value == known.identity.value;
    let is_twin = |other: &KnownIdentity| {
        other.identity.kind == IdentityKind::AnonymousId
            && is_same(other)
            && other.first_seen <= known.first_seen
    };
    is_user_id(known)
        && all.iter().any(is_twin)
        && all.iter().any(|other| is_user_id(other) && !is_same(other))
}

#[derive(Deserialize)]
struct MergeBody {
    /// Whose profile is to be absorbed: `{kind}:{value}` or `id:{uuid}`.
    from: String,
}

/// Merges another known profile into the one in the path, and shows it.
pub async fn merge(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    reply::json(&state, merged(&request, payload, &state).await.map(shown))
}

async fn merged(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<Profile, ApiError> {
    let caller = reader(request, state).await?;
    let asked: MergeBody = json_body(request, payload, state, &caller).await?;
    let into = reference::of_path(request, &caller)?;
    let from = reference::parse(&asked.from, &caller)?;
    let survivor = joined(&into, &from, state, &caller).await?;
    let reference = Reference::Id(survivor);
    let _room = state.reads.room().await?;
    let reading = state.store.load_profile(caller.project_id, &reference);
    answer_of(state, reading)
        .await?
        .ok_or(ApiError::NoSuchProfile)
}

/// Merges the two profiles that references lead to; returns the one that they are then. Either may be absorbed by somebody else
/// meanwhile, so that where nothing was merged both are looked up again.
async fn joined(
    into: &Reference,
    from: &Reference,
    state: &Data<State>,
    caller: &Caller,
) -> Result<ProfileId, ApiError> {
    for _ in 0..MERGE_TRIES {
        let survivor = reference::person(into, state, caller).await?.id;
        let absorbed = reference::person(from, state, caller).await?.id;
        if survivor == absorbed {
            return Ok(survivor);
        }
        let merge = Merge {
            project_id: caller.project_id,
            survivor,
            absorbed,
            is_explicit: true,
            is_by_user: false,
            by: KeyKind::Server,
            seen: seen([(into, survivor), (from, absorbed)]),
        };
        let merging = state.ingest.merge(merge, state.clock.now());
        match answer_of(state, merging).await? {
            MergeOutcome::Done => return Ok(survivor),
            MergeOutcome::TooManyNames => return Err(too_many_names(state)),
            MergeOutcome::Gone => {}
        }
    }
    Err(ApiError::Unavailable)
}

/// The names by which two profiles were found.
fn seen(referred: [(&Reference, ProfileId); 2]) -> Vec<(Identity, ProfileId)> {
    let name = |(reference, id): (&Reference, ProfileId)| match reference {
        Reference::Name(name) => Some((name.clone(), id)),
        Reference::Id(_) => None,
    };
    referred.into_iter().filter_map(name).collect()
}

fn too_many_names(state: &Data<State>) -> ApiError {
    let limit = state.limits.profile_identities;
    ApiError::Rejected(Rejection {
        names: Vec::new(),
        code: Code::TooManyIdentities,
        field: None,
        message: format!("the person would have more than the limit of {limit} identities"),
    })
}
