//! Ids that SDKs drew for users whom nobody knows yet: whose they are, and whether they count.

use super::names::placeholder_email;
use super::reads::profile;
use super::request::Asked;
use super::timeline::events_of;
use crate::api::error::ApiError;
use crate::domain::{Identity, IdentityKind, Timestamp};
use crate::store::{Profile, TimelineQuery};
use std::time::Duration;
use uuid::Uuid;

/// The event of a session.
pub const EVENT: &str = "unknownSession";
/// A user is made by the batch that their session is in.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Sessions that are read at once, and how often: those that say a time before the user was made are few.
const PAGE: i64 = 100;
const MOST_PAGES: usize = 10;

/// True of an id that an SDK drew.
pub fn is_drawn(id: &str) -> bool {
    Uuid::try_parse(id).is_ok()
}

/// True of a user who has no name but an id that an SDK drew, and began with a session; `None` of nobody. When somebody began is told by
/// this service's own clock: a session that is said of a user who was there before makes nobody unknown.
pub async fn is_unknown_user(asked: &Asked, source: &Identity) -> Result<Option<bool>, ApiError> {
    let _room = asked.state.reads.room(asked.caller.project_id).await?;
    let Some(profile) = profile(asked, source.clone()).await? else {
        return Ok(None);
    };
    let is_user = source.kind == IdentityKind::UserId && is_drawn(&source.value);
    if !is_user || !has_no_other_name(&profile, source) {
        return Ok(Some(false));
    }
    Ok(Some(
        began_with_session(asked, source, profile.created_at).await?,
    ))
}

/// True where a session that named the user by this id made them. Of those that came later, however many, none is looked at but those
/// that say an older time.
async fn began_with_session(
    asked: &Asked,
    name: &Identity,
    made_at: Timestamp,
) -> Result<bool, ApiError> {
    // A session that was stored before events kept the name by which they came counts for any.
    let own = own_names(name).map(|own| own.via());
    let is_own = |via: Option<i64>| via.is_none_or(|via| own.contains(&via));
    let between = |at: Timestamp| at.micros().abs_diff(made_at.micros());
    let began = |at: Timestamp| Duration::from_micros(between(at)) <= AT_ONCE;
    let latest = made_at.micros() + AT_ONCE.as_micros() as i64;
    let mut query = TimelineQuery {
        name: Some(EVENT.to_owned()),
        event_type: None,
        from: None,
        to: Timestamp::from_micros(latest + 1),
        after: None,
        limit: PAGE,
    };
    for _ in 0..MOST_PAGES {
        let page = events_of(asked, name, &query).await?;
        let mut sessions = page.events.iter();
        if sessions.any(|session| is_own(session.via) && began(session.received_at)) {
            return Ok(true);
        }
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    Ok(false)
}

/// By which names a session of an id comes: in projects by email the user has an address that stands for none.
fn own_names(id: &Identity) -> [Identity; 2] {
    let email = Identity::new(IdentityKind::Email, &placeholder_email(&id.value));
    [id.clone(), email]
}

/// True of somebody who has no user ids but those of unknown users: by an address they logged in, and the user id that comes is their first.
///
/// # Errors
/// When the database does not answer.
pub async fn has_drawn_ids_alone(asked: &Asked, email: Identity) -> Result<bool, ApiError> {
    let _room = asked.state.reads.room(asked.caller.project_id).await?;
    let Some(profile) = profile(asked, email).await? else {
        return Ok(false);
    };
    let ids = profile.identities.iter();
    for id in ids.filter(|id| id.identity.kind == IdentityKind::UserId) {
        let (name, since) = (&id.identity, id.first_seen);
        if !is_drawn(&name.value) || !began_with_session(asked, name, since).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_no_other_name(profile: &Profile, source: &Identity) -> bool {
    profile
        .identities
        .iter()
        .all(|known| match known.identity.kind {
            IdentityKind::UserId => known.identity == *source,
            IdentityKind::Email => known.identity.value == placeholder_email(&source.value),
            IdentityKind::AnonymousId => true,
            IdentityKind::Custom(_) | IdentityKind::GroupId => false,
        })
}
