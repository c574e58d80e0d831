//! Files that the service fetches itself: `POST /v1/imports` with a `source`, and `POST /v1/imports/{id}/source`.

use super::said::Said;
use super::{headers, key_of, reader, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::native::answer_of;
use crate::api::native::profiles::json_body;
use crate::config::PullPlace;
use crate::domain::ProjectId;
use crate::imports::{Job, Shown, Stopped, shown, state};
use crate::pulls::piece::{Failure, Look};
use crate::pulls::source::Source;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

/// A job with where its file is fetched from.
#[derive(Serialize)]
pub struct ShownPull {
    #[serde(flatten)]
    job: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

/// Where a file is by now.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    source: String,
}

/// The job, and its source if it has one.
pub async fn shown_with_source(state: &Data<State>, job: &Job) -> Result<ShownPull, ApiError> {
    let pull = answer_of(state, state.store.load_pull(job.key)).await?;
    Ok(ShownPull {
        job: shown(job),
        source: pull.map(|pull| pull.source),
    })
}

/// Where a file of a project is, if that project may have it.
pub async fn allowed(
    state: &Data<State>,
    project_id: ProjectId,
    text: &str,
) -> Result<(Source, PullPlace), ApiError> {
    let name = answer_of(state, state.store.project_name(project_id)).await?;
    let found = state.pulls.source(&name.unwrap_or_default(), text);
    let (source, place) = found.map_err(ApiError::SourceNotAllowed)?;
    Ok((source, place.clone()))
}

/// A first look, so that what is wrong is told at once. A store that does not answer now may do so later.
pub async fn looked(
    state: &Data<State>,
    source: &Source,
    place: &PullPlace,
) -> Result<Look, ApiError> {
    match state.pulls.look(source, place).await {
        Ok(look) => Ok(look),
        Err(Failure::Passing(_)) => Ok(Look::default()),
        Err(failure) => Err(ApiError::SourceRefused(failure.code(), failure.to_string())),
    }
}

/// Makes the job of a file that is to be fetched.
pub async fn begin(
    state: &Data<State>,
    project_id: ProjectId,
    (text, mut said): (&str, Said),
) -> Result<Job, ApiError> {
    let (source, place) = allowed(state, project_id, text).await?;
    if source.is_folder() {
        let reason = "is a folder: POST /v1/imports/schedules fetches its files";
        return Err(headers::invalid("source", reason));
    }
    let look = looked(state, &source, &place).await?;
    if said.name.is_empty() {
        source.name().clone_into(&mut said.name);
    }
    said.time = said.time.or(look.changed_at);
    let job = state.imports.create(said.job(project_id, None)).await?;
    let (shown, address) = (source.shown(), source.secret());
    answer_of(state, state.store.create_pull(job.key, &shown, address)).await?;
    Ok(job)
}

/// Says where the file of a job is by now, and lets it go on.
pub async fn renew(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, renewed(&request, payload, &state).await)
}

async fn renewed(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<ShownPull, ApiError> {
    let key = key_of(request, state).await?;
    let caller = reader(request, state).await?;
    let moved: Moved = json_body(request, payload, state, &caller).await?;
    let job = state.imports.find(key).await?;
    let (source, place) = allowed(state, key.0, &moved.source).await?;
    looked(state, &source, &place).await?;
    let (shown, address) = (source.shown(), source.secret());
    let renewing = state.store.renew_pull(key, &shown, address);
    if !answer_of(state, renewing).await? {
        let pull = answer_of(state, state.store.load_pull(key)).await?;
        return Err(match pull {
            Some(_) => Stopped::Over(job.state).into(),
            None => headers::invalid("source", "is of no use: this file is sent, not fetched"),
        });
    }
    let job = if job.state == state::PAUSED {
        state.imports.resume(key).await?
    } else {
        job
    };
    shown_with_source(state, &job).await
}
