//! Profiles from where their project is read: from here, from the legacy store, or from both.

use super::answer_of;
use super::query::Query;
use super::shown::{Shown, shown, shown_of};
use crate::api::State;
use crate::api::error::ApiError;
use crate::config::millis;
use crate::domain::Caller;
use crate::ingest::Reservation;
use crate::legacy_reads::{Answer, Asked, Failure, Leaving, Reader};
use crate::metric_names::READ_SECONDS;
use crate::store::{Profile, Reference};
use actix_web::web::Data;
use metrics::histogram;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long a read waits for the version that its caller has seen elsewhere, and how often it looks.
const MOST_WAIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);

/// The person that a reference leads to.
pub async fn one(
    state: &Data<State>,
    caller: &Caller,
    reference: Reference,
    query: &Query,
) -> Result<Shown, ApiError> {
    let Some(leaving) = leaving(state, caller)? else {
        return roster_profile(state, caller, &reference, query)
            .await
            .map(shown);
    };
    let began = Instant::now();
    let found = roster_profile(state, caller, &reference, query).await;
    histogram!(READ_SECONDS, "source" => "roster").record(began.elapsed().as_secs_f64());
    let profile = match found {
        Ok(profile) => Some(profile),
        // A version was seen here: what has none by now was erased.
        Err(ApiError::NoSuchProfile) if query.number("min_version")?.is_none() => None,
        Err(error) => return Err(error),
    };
    let asked = vec![Asked { reference, profile }];
    let (answers, room) = by_source(state, caller, &leaving, asked).await?;
    let answer = answers.into_iter().next().unwrap_or(Answer::Nobody);
    let shown = shown_of(answer)?;
    Ok(shown.ok_or(ApiError::NoSuchProfile)?.within(room))
}

/// How the caller's project is read, where it is not from here alone.
///
/// # Errors
/// `Unavailable` while this node does not know.
pub fn leaving(state: &State, caller: &Caller) -> Result<Option<Arc<Leaving>>, ApiError> {
    let leaving = state.legacy_reads.of(caller.project_id);
    leaving.map_err(|_| ApiError::Unavailable)
}

/// Answers from where each person is read, with the room that the answers hold.
pub async fn by_source(
    state: &Data<State>,
    caller: &Caller,
    leaving: &Arc<Leaving>,
    asked: Vec<Asked>,
) -> Result<(Vec<Answer>, Reservation), ApiError> {
    let now = state.clock.now();
    let reading = state
        .legacy_reads
        .read(leaving, Reader { caller, now }, asked);
    match timeout(millis(state.server.request_timeout_ms), reading).await {
        Ok(answers) => answers.map_err(refused),
        Err(_) => Err(ApiError::Timeout),
    }
}

fn refused(failure: Failure) -> ApiError {
    match failure {
        Failure::Late => ApiError::LegacyLate,
        Failure::Away(_) | Failure::Rests => ApiError::LegacyAway,
        Failure::NoRoom => ApiError::Overloaded,
        Failure::Store(error) => {
            tracing::error!(reason = %error.full_text(), "read failed");
            ApiError::Unavailable
        }
    }
}

async fn roster_profile(
    state: &Data<State>,
    caller: &Caller,
    reference: &Reference,
    query: &Query,
) -> Result<Profile, ApiError> {
    let wanted = query.number("min_version")?.unwrap_or(0);
    let until = Instant::now() + MOST_WAIT;
    loop {
        let room = state.reads.room(caller.project_id).await?;
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
