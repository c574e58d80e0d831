//! How paths and bodies refer to a person: `{kind}:{value}`, or `id:{uuid}`.

use super::{answer_of, segment};
use crate::api::State;
use crate::api::error::ApiError;
use crate::domain::{Caller, ProfileId};
use crate::store::{Person, Reference};
use actix_web::HttpRequest;
use actix_web::web::Data;
use uuid::Uuid;

/// Reads the reference in the path of a request.
pub fn of_path(request: &HttpRequest, caller: &Caller) -> Result<Reference, ApiError> {
    parse(&segment(request, 3)?, caller)
}

/// Reads `{kind}:{value}` or `id:{uuid}`.
pub fn parse(text: &str, caller: &Caller) -> Result<Reference, ApiError> {
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
