//! `GET /v1/profiles/{kind}:{value}` and `/v1/profiles/id:{uuid}`; `POST …/merge`.

use super::reference::Reference;
use super::{answer_of, reader, reply};
use crate::api::State;
use crate::api::body;
use crate::api::error::ApiError;
use crate::domain::IdentityKind;
use crate::domain::identity::Merge;
use crate::store::{KnownIdentity, Profile};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A profile as it is shown.
#[derive(Serialize)]
pub struct Shown {
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
    let person = Reference::of_path(request)?.person(state, caller).await?;
    answer_of(
        state,
        state.store.load_profile(caller.project_id, person.id),
    )
    .await?
    .ok_or(ApiError::NoSuchProfile)
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
    }
}

/// An alias claims its previous id both as a user id and as an anonymous one, since senders don't say which it was. The claim as
/// a user id, never older than the other, is not worth showing beside a real one.
fn is_shadow(known: &KnownIdentity, all: &[KnownIdentity]) -> bool {
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
    let (into, from) = (Reference::of_path(request)?, Reference::parse(&asked.from)?);
    let survivor = into.person(state, caller).await?.id;
    let absorbed = from.person(state, caller).await?.id;
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
