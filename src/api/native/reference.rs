//! How paths and bodies refer to a person: `{kind}:{value}`, or `id:{uuid}`.

use super::{answer_of, segment};
use crate::api::State;
use crate::api::error::ApiError;
use crate::domain::kinds::DEVICE_TOKEN;
use crate::domain::sizes::beginning;
use crate::domain::{Caller, IdentityKind, ProfileId};
use crate::store::{Person, Reference};
use actix_web::HttpRequest;
use actix_web::web::Data;
use uuid::Uuid;

/// Bytes of a reference that a refusal repeats.
pub const MOST_SHOWN: usize = 100;

/// Reads the reference in the path of a request.
pub fn of_path(request: &HttpRequest, caller: &Caller) -> Result<Reference, ApiError> {
    parse(&segment(request, 3)?, caller)
}

/// Reads `{kind}:{value}` or `id:{uuid}`.
///
/// # Errors
/// `InvalidParameter`, also for a kind that the project has not: whoever misspells one must not be told that its person is erased.
pub fn parse(text: &str, caller: &Caller) -> Result<Reference, ApiError> {
    let reference = of_any_kind(text, caller)?;
    match &reference {
        Reference::Name(name) if !is_known(name.kind.as_str(), caller) => {
            Err(unknown_kind(text, caller))
        }
        _ => Ok(reference),
    }
}

fn is_known(kind: &str, caller: &Caller) -> bool {
    // Tokens that named people before the project took that back are still theirs.
    caller.kinds.has(kind) || [IdentityKind::GroupId.as_str(), DEVICE_TOKEN].contains(&kind)
}

fn unknown_kind(text: &str, caller: &Caller) -> ApiError {
    let own = caller.kinds.custom.iter().map(|kind| kind.name.as_str());
    let built_in = IdentityKind::BUILT_IN.map(|(name, _)| name);
    let all: Vec<&str> = built_in.into_iter().chain(own).chain(["id"]).collect();
    let (kind, all) = (text.split(':').next().unwrap_or_default(), all.join(", "));
    let reason = format!(
        "has no such kind as {:?}; there are {all}",
        beginning(kind, MOST_SHOWN)
    );
    invalid("reference", &reason)
}

/// The same of a name of any kind, for what takes a name away that may be misspelt.
pub fn of_any_kind(text: &str, caller: &Caller) -> Result<Reference, ApiError> {
    if text.contains('\0') {
        return Err(invalid("reference", "has a NUL character"));
    }
    let Some((kind, value)) = text.split_once(':') else {
        return Err(invalid("reference", "is neither kind:value nor id:uuid"));
    };
    if value.trim().is_empty() {
        return Err(invalid(
            "reference",
            "names nobody: nothing follows the colon",
        ));
    }
    if kind != "id" {
        return Ok(Reference::Name(caller.kinds.identity(kind, value)));
    }
    let id = Uuid::try_parse(value).map_err(|_| invalid("id", "is no UUID"))?;
    Ok(Reference::Id(ProfileId(id)))
}

/// Finds whom a reference leads to.
pub async fn person(
    reference: &Reference,
    state: &Data<State>,
    caller: &Caller,
) -> Result<Person, ApiError> {
    let (store, project_id) = (&state.store, caller.project_id);
    let found = match reference {
        Reference::Id(id) => answer_of(state, store.find_person_by_id(project_id, *id)).await?,
        Reference::Name(name) => answer_of(state, store.find_person(project_id, name)).await?,
    };
    found.ok_or(ApiError::NoSuchProfile)
}

fn invalid(name: &str, reason: &str) -> ApiError {
    ApiError::InvalidParameter {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}
