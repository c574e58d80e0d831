//! `GET /v1/profiles/{reference}`, `GET /v1/profiles?{kind}={value}`, `POST …/merge`.

use super::query::Query;
use super::shown::shown;
use super::{answer_of, by_source, reader, reference, reply};
use crate::api::State;
use crate::api::body;
use crate::api::error::ApiError;
use crate::api::work::work;
use crate::domain::kinds::DEVICE_TOKEN;
use crate::domain::plan::Merge;
use crate::domain::{Caller, Code, Identity, IdentityKind, KeyKind, ProfileId, Rejection};
use crate::ingest::MergeOutcome;
use crate::store::{Profile, Reference};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

/// Times that a merge looks again at profiles that somebody else merges meanwhile.
const MERGE_TRIES: u32 = 5;

/// Shows the profile in the path.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let found = async {
        let caller = reader(&request, &state).await?;
        let query = Query::parse(request.query_string(), &["min_version"])?;
        let reference = reference::of_path(&request, &caller)?;
        by_source::one(&state, &caller, reference, &query).await
    };
    reply::tagged(&request, &state, found.await)
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
        by_source::one(&state, &caller, reference, &query).await
    };
    reply::tagged(&request, &state, found.await)
}

/// Reads a body of JSON: one that is large where it keeps nobody waiting. What `T` holds of it has to be bounded.
pub async fn json_body<T: serde::de::DeserializeOwned + Send + 'static>(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    caller: &Caller,
) -> Result<T, ApiError> {
    let body = body::read(request, payload, state, Some(caller.project_id)).await?;
    let (decoders, size) = (body.lane.decoders.clone(), body.bytes.len());
    let read = move || {
        serde_json::from_slice(&body.bytes)
            .map_err(|error| ApiError::InvalidJson(error.to_string()))
    };
    work(&decoders, size, read).await
}

/// A parameter at fault.
pub fn invalid(name: &str, reason: &str) -> ApiError {
    ApiError::InvalidParameter {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}

#[derive(Deserialize)]
struct MergeBody {
    /// Whose profile is to be absorbed: `{kind}:{value}` or `id:{uuid}`.
    from: String,
}

/// Merges another known profile into the one in the path, and shows it.
pub async fn merge(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    reply::json(
        &request,
        &state,
        merged(&request, payload, &state).await.map(shown),
    )
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
    let _room = state.reads.room(caller.project_id).await?;
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
