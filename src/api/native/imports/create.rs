//! `POST /v1/imports`: a file as the body, or an upload that begins, or a job that is only described.

use super::body::{Arrival, Arriving};
use super::described::Described;
use super::said::Said;
use super::{headers, pulls, reader, reply, upload};
use crate::api::State;
use crate::api::error::ApiError;
use crate::domain::ProjectId;
use crate::imports::{Job, Opening, shown};
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use url::Url;

/// Takes a file, or makes the upload of one.
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    match created(&request, payload, &state).await {
        Ok((job, is_upload)) => reply_of(&state, &job, is_upload),
        Err(error) => reply::problem(&error),
    }
}

/// Where the upload goes on, without scheme and host, which a proxy may have changed; with the path under which browsers reach this.
fn reply_of(state: &State, job: &Job, is_upload: bool) -> HttpResponse {
    let mut reply = HttpResponse::Created();
    let public = Url::parse(&state.server.public_url).ok();
    let prefix = public
        .as_ref()
        .map_or("", |url| url.path().trim_end_matches('/'));
    reply.insert_header((LOCATION, format!("{prefix}/v1/imports/{}", job.key.1)));
    headers::tell(&mut reply, job);
    if is_upload {
        return reply.finish();
    }
    let text = reply::text_of(&shown(job));
    reply.content_type("application/json").body(text)
}

async fn created(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<(Job, bool), ApiError> {
    let is_tus = headers::is_tus(request)?;
    let project_id = reader(request, state).await?.project_id;
    let said = Said::of(request)?;
    if is_tus {
        let job = begin_upload(request, payload, state, (project_id, said)).await?;
        return Ok((job, true));
    }
    let is_json = headers::media_type(request).as_deref() == Some("application/json");
    let job = if is_json && request.query_string().is_empty() {
        describe(request, payload, state, project_id).await?
    } else {
        take_file(request, payload, state, (project_id, said)).await?
    };
    Ok((job, false))
}

/// The creation of tus, with or without the first bytes. An empty file is done by it.
async fn begin_upload(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    (project_id, said): (ProjectId, Said),
) -> Result<Job, ApiError> {
    let length = headers::length(request)?;
    if length.is_none() && headers::text(request, "upload-defer-length") != Some("1") {
        let reason = "is missing: a length, or Upload-Defer-Length: 1";
        return Err(headers::invalid("Upload-Length", reason));
    }
    let job = state.imports.create(said.job(project_id, length)).await?;
    let announced = headers::body_bytes(request);
    let is_piece = headers::media_type(request).as_deref() == Some(headers::PIECE);
    let has_bytes = is_piece && announced != Some(0);
    if !has_bytes && length != Some(0) {
        return Ok(job);
    }
    let opening = Opening {
        offset: Some(0),
        length,
        is_whole: announced.is_none() || announced == length,
    };
    match upload::take(request, payload, state, (job.key, opening)).await {
        Err(error) if goes_on(&error) => Ok(state.imports.find(job.key).await.unwrap_or(job)),
        taken => taken,
    }
}

/// The upload is there, and whoever made it has to hear where: else he makes another one, whatever was said of this one.
fn goes_on(error: &ApiError) -> bool {
    let status = error.verdict().status;
    let is_other = [StatusCode::CONFLICT, StatusCode::GONE, StatusCode::LOCKED].contains(&status);
    is_other || status.is_server_error()
}

/// A job that is described in JSON: its bytes come by `PATCH`, or the service fetches them.
async fn describe(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    project_id: ProjectId,
) -> Result<Job, ApiError> {
    let mut document = Described::read(request, payload, state, project_id).await?;
    let source = document.take_text("source")?;
    let said = Said::of_document(document.members())?;
    if let Some(source) = source {
        if said.length.is_some() {
            return Err(headers::invalid("length", "is the source's to say"));
        }
        return pulls::begin(state, project_id, (&source, said)).await;
    }
    Ok(state.imports.create(said.job(project_id, None)).await?)
}

/// A whole file as the body. Where it is cut, its upload can be gone on with.
async fn take_file(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    (project_id, said): (ProjectId, Said),
) -> Result<Job, ApiError> {
    let length = headers::body_bytes(request);
    let job = state.imports.create(said.job(project_id, length)).await?;
    let opening = Opening {
        offset: Some(0),
        length: None,
        is_whole: true,
    };
    let mut intake = state.imports.open_at(job.key, opening).await?;
    let idle = state.imports.settings().idle_seconds;
    match Arriving::new(&mut intake).take(payload, idle).await? {
        Arrival::Whole => Ok(intake.end().await?),
        Arrival::Cut => Err(ApiError::BodyCut),
    }
}
