//! `POST` and `DELETE /v1/identities/{kind}:{value}/block`: a name that stands for nobody from now on, and again for somebody.

use super::profiles::invalid;
use super::{answer_of, reader, reference, reply, segment};
use crate::api::State;
use crate::api::error::ApiError;
use crate::domain::{Caller, IdentityKey};
use crate::store::{MOST_BLOCKED, Reference};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

/// A name as it counts from now on.
#[derive(Serialize)]
pub struct Shown {
    kind: String,
    value: String,
    blocked: bool,
}

/// Lets a name stand for nobody.
pub async fn block(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let blocked = async {
        let key = name(&request, &state, reference::parse).await?;
        if !answer_of(&state, state.store.block_name(&key)).await? {
            let reason = format!("is one more than the {MOST_BLOCKED} that a project may block");
            return Err(invalid("reference", &reason));
        }
        Ok(shown(&key, true))
    };
    reply::json(&request, &state, blocked.await)
}

/// Lets a name stand for somebody again.
pub async fn unblock(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let unblocked = async {
        // What was blocked when its kind was there, or before kinds were looked at, can be let go.
        let key = name(&request, &state, reference::of_any_kind).await?;
        answer_of(&state, state.store.unblock_name(&key)).await?;
        Ok(shown(&key, false))
    };
    reply::json(&request, &state, unblocked.await)
}

async fn name(
    request: &HttpRequest,
    state: &Data<State>,
    read: fn(&str, &Caller) -> Result<Reference, ApiError>,
) -> Result<IdentityKey, ApiError> {
    let caller = reader(request, state).await?;
    match read(&segment(request, 3)?, &caller)? {
        Reference::Name(name) if name.value.len() <= state.limits.identity_bytes => {
            Ok((caller.project_id, name))
        }
        Reference::Name(_) => Err(invalid("reference", "is longer than a name may be")),
        Reference::Id(_) => Err(invalid("reference", "must be kind:value")),
    }
}

fn shown((_, name): &IdentityKey, blocked: bool) -> Shown {
    Shown {
        kind: name.kind.as_str().to_owned(),
        value: name.value.clone(),
        blocked,
    }
}
