//! Users whom nobody knows yet: when an app makes one, the session by which it does, and the login by which they become somebody.
//!
//! An SDK draws a UUID for such a user and says it in a session. At the login it merges the user into the one who logged in. That is the
//! one merge that an app's key may ask for, so the service looks itself whether the source is such a user.

use super::drawn::{EVENT, is_drawn, is_unknown_user};
use super::events::{context, id_of};
use super::jwt;
use super::names::{Named, Strangers};
use super::people::{self, Saying};
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::users::{self, UPDATE};
use super::when;
use crate::api::error::ApiError;
use crate::api::reading::answer_of;
use crate::domain::{EventDraft, EventType, Identity, IdentityKind, Json, Text};
use std::collections::BTreeMap;

/// What of a session is data of its event.
const SESSION: [&str; 3] = ["unknownSessionContext", "anonSessionContext", "deviceInfo"];
/// What an SDK is told where the project has no criteria.
const NO_CRITERIA: &str = r#"{"count":0,"criteriaSets":[]}"#;

/// When SDKs make users of people whom they do not know (`roster project criteria`).
pub async fn criteria(asked: Asked) -> Result<Answer, Failure> {
    let state = &asked.state;
    let _room = state.reads.room(asked.caller.project_id).await?;
    let reading = state.store.load_criteria(asked.caller.project_id);
    let known = answer_of(state, reading).await?;
    Ok(Answer::Document(
        known.unwrap_or_else(|| NO_CRITERIA.to_owned()),
    ))
}

/// Nobody has signed for a session: it is about an id that only its own app can know, and about nobody who was there before.
async fn needs_no_token(asked: &Asked, saying: &Saying) -> Result<bool, ApiError> {
    if asked.caller.speaks_for_all() {
        return Ok(true);
    }
    let Some(id) = drawn_id(saying) else {
        return Ok(false);
    };
    let name = Identity::new(IdentityKind::UserId, id);
    Ok(is_unknown_user(asked, &name).await? != Some(false))
}

/// The one name of a session.
fn drawn_id(saying: &Saying) -> Option<&str> {
    let has_others = saying.named.email.is_some() || saying.inner != Named::default();
    let id = saying.named.user_id.as_deref();
    id.filter(|id| !has_others && is_drawn(id))
}

/// Makes the user of an app that does not know who that is, with a session of theirs.
pub async fn session(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let call = &readable.fields;
    let user = call.needed_object("user")?;
    let data = SESSION.into_iter();
    let data = data.filter_map(|name| Some((name.to_owned(), call.value(name)?)));
    let data: BTreeMap<String, Json> = data.collect();
    let event = EventDraft {
        message_id: Some(Text::new(id_of(call)?, "id")),
        event_type: EventType::Track,
        name: Some(Text::new(EVENT, "eventType")),
        properties: Json::from_members(&data),
        context: context(call, Some(EVENT))?,
    };
    let mut saying = users::saying(&asked, &user, 0)?;
    if !needs_no_token(&asked, &saying).await? {
        return Err(jwt::mismatched().into());
    }
    saying.strangers = Strangers::Made {
        prefer_user_id: true,
    };
    saying.event = Some(event);
    saying.at = when::created_at(&asked, call, 0)?;
    people::store_one(&asked, readable, saying, UPDATE).await?;
    Ok(Answer::success())
}

/// Whether an app's key may make one person of these two: the first is a user whom nobody knew, and the second is whoever logged in.
///
/// # Errors
/// 403 where the first is somebody; 401 where a token has to say who logged in, and does not.
pub async fn may_take_in(
    asked: &Asked,
    source: &Identity,
    destination: &Identity,
) -> Result<(), Failure> {
    if is_unknown_user(asked, source).await? != Some(true) {
        return Err(Refusal::forbidden("Known users are merged by a server key alone").into());
    }
    match asked.signer().await? {
        Some(signed) if !signed.vouches_for(destination) => Err(jwt::mismatched().into()),
        _ => Ok(()),
    }
}
