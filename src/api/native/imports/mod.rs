//! Files of profiles and events: sent in one request, or resumably by tus 1.0; their jobs, and what was refused of them.

mod body;
mod cors;
mod create;
mod described;
mod digest;
mod headers;
mod jobs;
mod preview;
mod pulls;
mod rejections;
mod said;
mod schedules;
mod upload;

use super::{reader, reply, segment};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::ops::read;
use crate::imports::{JobKey, Stopped};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, Resource};
use uuid::Uuid;

/// The routes.
pub fn configure(app: &mut ServiceConfig) {
    let files = resource("/v1/imports", "GET, HEAD, POST, PUT, OPTIONS")
        .route(read().to(jobs::list))
        .route(web::post().to(create::create))
        .route(web::put().to(create::create));
    let preview =
        resource("/v1/imports/preview", "POST, OPTIONS").route(web::post().to(preview::preview));
    let file = resource(
        "/v1/imports/{id}",
        "GET, HEAD, PATCH, POST, DELETE, OPTIONS",
    )
    .route(web::get().to(jobs::show))
    .route(web::head().to(upload::head))
    .route(web::patch().to(upload::patch))
    .route(web::delete().to(upload::delete))
    .route(web::post().to(upload::overridden));
    let list = resource("/v1/imports/{id}/rejections", "GET, HEAD, OPTIONS")
        .route(read().to(rejections::list));
    let verbs = resource(
        "/v1/imports/{id}/{verb:pause|resume|cancel}",
        "POST, OPTIONS",
    )
    .route(web::post().to(jobs::change));
    let source =
        resource("/v1/imports/{id}/source", "POST, OPTIONS").route(web::post().to(pulls::renew));
    let schedules = resource("/v1/imports/schedules", "GET, HEAD, POST, OPTIONS")
        .route(read().to(schedules::list))
        .route(web::post().to(schedules::create));
    let schedule = resource("/v1/imports/schedules/{id}", "DELETE, OPTIONS")
        .route(web::delete().to(schedules::end));
    // What has a name of its own goes before what has any.
    for route in [
        files, preview, schedules, schedule, file, list, verbs, source,
    ] {
        app.service(route.wrap(from_fn(cors::cross_origin)));
    }
}

/// A path with its preflight.
fn resource(path: &str, takes: &'static str) -> Resource {
    super::path(path, takes).route(web::method(Method::OPTIONS).to(cors::options))
}

/// Which import of the caller's project the path names.
async fn key_of(request: &HttpRequest, state: &Data<State>) -> Result<JobKey, ApiError> {
    let caller = reader(request, state).await?;
    let id = Uuid::try_parse(&segment(request, 3)?);
    let id = id.map_err(|_| ApiError::Import(Stopped::NoSuchImport))?;
    Ok((caller.project_id, id))
}
