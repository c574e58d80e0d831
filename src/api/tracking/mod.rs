//! The tracking API: Segment's HTTP API and its relatives, as published SDKs speak it (`contracts/tracking-api.md`).
//!
//! Never looks at `Content-Type`, never redirects, answers exactly `200 {"success":true}` or `{"code","message"}`.

mod asked;
mod bootstrap;
pub mod call;
mod cors;
pub mod envelope;
mod fields;
mod holes;
pub mod items;
mod names;
mod operations;
mod pixel;
mod receive;
pub mod record;
mod reply;
mod signed;
mod when;

pub use operations::{operations, shapes};

use crate::api::State;
use crate::api::body;
use crate::api::error::ApiError;
use crate::domain::Class;
use actix_web::dev::HttpServiceFactory;
use actix_web::guard::{Any, Get, Head, Post};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};
use items::Form;
use receive::Road;
use reply::Failure;

/// A single call's endpoints; the letters are what browsers use.
const CALL: &str = "/v1/{call:identify|i|track|t|page|p|screen|s|group|g|alias|a|merge}";
/// The same for mobile SDKs whose host was set without `/v1`: they append the rest.
const BARE_CALL: &str = "/{call:identify|i|track|t|page|p|screen|s|group|g|alias|a|merge}";

/// The busiest paths: routes are tried in their order, and patterns cost more than all that stands behind a plain one.
pub fn configure_busiest(app: &mut ServiceConfig) {
    app.service(endpoint("/v1/batch", web::post().to(batch)))
        .service(endpoint("/v1/track", web::post().to(track)));
}

/// The other paths of contract section 8.
pub fn configure(app: &mut ServiceConfig) {
    app.service(endpoint(CALL, web::post().to(call)))
        .service(endpoint("/v1/b", web::post().to(batch)))
        .service(endpoint("/v1/import", web::post().to(import)))
        .service(endpoint("/v1/m", web::post().to(metrics)))
        .service(endpoint("/v1", web::post().to(batch)))
        .service(endpoint("/", web::post().to(batch)))
        .service(endpoint("/sdk/batch", web::post().to(batch)))
        .service(endpoint("/beacon/v1/batch", web::post().to(batch)))
        .service(endpoint("/api/s/s2s/{call}", web::post().to(jitsu)))
        .service(endpoint("/api/s/{call}", web::post().to(jitsu)))
        .service(endpoint(
            "/pixel/v1/{call:track|page}",
            taking().to(pixel::pixel),
        ))
        .service(endpoint(BARE_CALL, web::post().to(call)))
        .service(endpoint("/{batch:batch|b}", web::post().to(batch)))
        .service(endpoint("/import", web::post().to(import)))
        .service(endpoint("/m", web::post().to(metrics)))
        .service(endpoint(
            "/v1/projects/{key}/settings",
            get().to(bootstrap::settings),
        ))
        .service(endpoint(
            "/projects/{key}/settings",
            get().to(bootstrap::settings),
        ))
        .service(endpoint(
            "/sourceConfig",
            get().to(bootstrap::source_config),
        ));
}

/// Whatever no route takes.
pub async fn not_found() -> HttpResponse {
    reply::failure(&ApiError::NotFound)
}

/// A path with its route, its preflight, and CORS on every answer.
fn endpoint(path: &str, route: Route) -> impl HttpServiceFactory + use<> {
    web::resource(path)
        .route(route)
        .route(web::method(Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(method_not_allowed))
        .wrap(from_fn(cors::cross_origin))
}

/// Of a pixel: beacons are posted.
fn taking() -> Route {
    web::route().guard(Any(Get()).or(Head()).or(Post()))
}

fn get() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

/// Of a path that takes another method.
pub async fn method_not_allowed() -> HttpResponse {
    reply::failure(&ApiError::MethodNotAllowed)
}

type Reply = Result<HttpResponse, Failure>;

async fn batch(request: HttpRequest, payload: Payload, state: Data<State>) -> Reply {
    let (form, class) = (Form::Batch, Class::Live);
    Ok(receive::receive(&request, payload, &state, Road { form, class }).await?)
}

/// History: it gives way to what happens now.
async fn import(request: HttpRequest, payload: Payload, state: Data<State>) -> Reply {
    let (form, class) = (Form::Batch, Class::Import);
    Ok(receive::receive(&request, payload, &state, Road { form, class }).await?)
}

async fn call(request: HttpRequest, payload: Payload, state: Data<State>) -> Reply {
    let call = request.match_info().get("call").unwrap_or_default();
    let (form, class) = (Form::Single(full_name(call).to_owned()), Class::Live);
    Ok(receive::receive(&request, payload, &state, Road { form, class }).await?)
}

/// The busiest of the calls, without the pattern that finds the others.
async fn track(request: HttpRequest, payload: Payload, state: Data<State>) -> Reply {
    let (form, class) = (Form::Single("track".to_owned()), Class::Live);
    Ok(receive::receive(&request, payload, &state, Road { form, class }).await?)
}

/// Jitsu names the type in the path too, and has a batch beside the types.
async fn jitsu(request: HttpRequest, payload: Payload, state: Data<State>) -> Reply {
    match request.match_info().get("call") {
        Some("batch") => batch(request, payload, state).await,
        _ => call(request, payload, state).await,
    }
}

/// What browsers tell about themselves is thrown away, whoever they are.
async fn metrics(payload: Payload, state: Data<State>) -> HttpResponse {
    body::discard(payload, &state).await;
    reply::success()
}

fn full_name(call: &str) -> &str {
    match call {
        "i" => "identify",
        "t" => "track",
        "p" => "page",
        "s" => "screen",
        "g" => "group",
        "a" => "alias",
        other => other,
    }
}
