//! `GET /v1/profiles/{kind}:{value}` and `/v1/profiles/id:{uuid}`; `POST …/merge`.

use super::{answer_of, reader, reply, segment};
use crate::api::State;
use crate::api::body;
use crate::api::error::ApiError;
use crate::domain::identity::Merge;
use crate::domain::{Caller, Identity, IdentityKind, ProfileId};
use crate::store::{KnownIdentity, Person, Profile};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

#[derive(Serialize)]
struct Shown {
    id: String,
    traits: Box<RawValue>,
    identities: Vec<ShownIdentity>,
    version: i64,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
struct ShownIdentity {
    kind: String,
    value: String,
    first_seen: String,
}

/// Shows a profile.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(find(&request, &state).await.map(shown))
}

async fn find(request: &HttpRequest, state: &Data<State>) -> Result<Profile, ApiError> {
    let caller = reader(request, state).await?;
    let id = resolve(request, state, caller).await?.id;
    answer_of(state, state.store.load_profile(caller.project_id, id))
        .await?
        .ok_or(ApiError::NoSuchProfile)
}

/// Whose the reference in the path is: `{kind}:{value}` or `id:{uuid}`.
pub async fn resolve(
    request: &HttpRequest,
    state: &Data<State>,
    caller: Caller,
) -> Result<Person, ApiError> {
    find_person(&segment(request, 3)?, state, caller).await
}

async fn find_person(
    reference: &str,
    state: &Data<State>,
    caller: Caller,
) -> Result<Person, ApiError> {
    let Some((kind, value)) = reference.split_once(':') else {
        return Err(ApiError::InvalidParameter {
            name: "reference".into(),
            reason: "is neither kind:value nor id:uuid".into(),
        });
    };
    let found = if kind == "id" {
        let id = Uuid::try_parse(value).map_err(|_| ApiError::InvalidParameter {
            name: "id".into(),
            reason: "is no UUID".into(),
        })?;
        answer_of(
            state,
            state
                .store
                .find_person_by_id(caller.project_id, ProfileId(id)),
        )
        .await?
    } else {
        let identity = Identity::new(IdentityKind::parse(kind), value);
        answer_of(state, state.store.find_person(caller.project_id, &identity)).await?
    };
    found.ok_or(ApiError::NoSuchProfile)
}

fn shown(profile: Profile) -> Shown {
    let shown = |known: &KnownIdentity| ShownIdentity {
        kind: known.kind.clone(),
        value: known.value.clone(),
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
    }
}

/// An alias claims its previous id both as a user id and as an anonymous one, since senders don't say which it was. The claim as
/// a user id, never older than the other, is not worth showing beside a real one.
fn is_shadow(known: &KnownIdentity, all: &[KnownIdentity]) -> bool {
    let is_user_id = |other: &KnownIdentity| other.kind == "user_id";
    is_user_id(known)
        && all.iter().any(|other| {
            other.kind == "anonymous_id"
                && other.value == known.value
                && other.first_seen <= known.first_seen
        })
        && all
            .iter()
            .any(|other| is_user_id(other) && other.value != known.value)
}

#[derive(Deserialize)]
struct MergeBody {
    /// Whose profile is to be absorbed: `{kind}:{value}` or `id:{uuid}`.
    from: String,
}

/// Merges another known profile into the one in the path, and shows it.
pub async fn merge(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    reply::json(merged(&request, payload, &state).await.map(shown))
}

async fn merged(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<Profile, ApiError> {
    let caller = reader(request, state).await?;
    let body = body::read(request, payload, state).await?;
    let asked: MergeBody = serde_json::from_slice(&body.bytes)
        .map_err(|error| ApiError::InvalidJson(error.to_string()))?;
    let survivor = resolve(request, state, caller).await?.id;
    let absorbed = find_person(&asked.from, state, caller).await?.id;
    if survivor != absorbed {
        let merge = Merge {
            project_id: caller.project_id,
            survivor,
            absorbed,
            is_explicit: true,
        };
        answer_of(state, state.ingest.merge(merge, (state.now)())).await?;
    }
    answer_of(state, state.store.load_profile(caller.project_id, survivor))
        .await?
        .ok_or(ApiError::NoSuchProfile)
}
