//! For those who run the service: is it alive, is it ready, how is it doing, which version is it.

use super::openapi::operation::{Group, Operation};
use super::{State, openapi, tracking};
use crate::metric_names::{BYTES_AVAILABLE, POOL_CONNECTIONS};
use actix_web::guard::{Any, Get, Head};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Resource, Responder, Route};
use metrics::gauge;
use serde_json::json;

/// All of them; `observe` leaves them out of traces.
pub const PATHS: [&str; 5] = ["/livez", "/readyz", "/metrics", "/version", "/openapi.json"];
const GROUP: Group = Group {
    tag: "operations",
    failure: None,
};

/// The routes.
pub fn configure(app: &mut ServiceConfig) {
    app.service(path(0).route(read().to(live)))
        .service(path(1).route(read().to(ready)))
        .service(path(2).route(read().to(metrics)))
        .service(path(3).route(read().to(version)))
        .service(path(4).route(read().to(openapi::show)));
}

/// The same for `/openapi.json`.
pub fn operations() -> Vec<Operation> {
    let row = |place: usize, summary| GROUP.row(PATHS[place], summary);
    vec![
        row(0, "Tells that the process runs").answers(200, "Document"),
        row(1, "Tells whether this node should get traffic")
            .answers(200, "Document")
            .answers(503, "Document"),
        row(2, "Tells the metrics, for Prometheus").answers_as("text/plain", "text"),
        row(3, "Tells name and version").answers(200, "Document"),
        row(4, "Describes what is served").answers(200, "Document"),
    ]
}

/// One of them; by another method there is nothing.
fn path(place: usize) -> Resource {
    web::resource(PATHS[place]).default_service(web::to(other_method))
}

async fn other_method() -> HttpResponse {
    let mut answer = tracking::method_not_allowed().await;
    let takes = HeaderValue::from_static("GET, HEAD");
    answer.headers_mut().insert(ALLOW, takes);
    answer
}

/// GET, and HEAD for checks that want no body.
pub(super) fn read() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

async fn live() -> impl Responder {
    HttpResponse::Ok().json(json!({"live": true}))
}

/// 503 while draining, while the schema is behind, or when the database has not answered for some seconds. What keeps a backfill
/// from going on is said, and changes nothing: requests do not depend on it.
async fn ready(state: Data<State>) -> impl Responder {
    match state.health.why_not_ready() {
        None => {
            let backfills = state.health.backfills();
            let mut answer = json!({"ready": true});
            if !backfills.is_empty() {
                answer["backfill"] = json!(backfills);
            }
            HttpResponse::Ok().json(answer)
        }
        Some(reason) => {
            HttpResponse::ServiceUnavailable().json(json!({"ready": false, "reason": reason}))
        }
    }
}

async fn metrics(state: Data<State>) -> impl Responder {
    let pool = state.store.pool_status();
    gauge!(POOL_CONNECTIONS, "state" => "open").set(pool.size as f64);
    gauge!(POOL_CONNECTIONS, "state" => "idle").set(pool.available as f64);
    gauge!(POOL_CONNECTIONS, "state" => "waiting").set(pool.waiting as f64);
    let rooms = [
        ("requests", state.ingest.admission().available_bytes()),
        ("beginnings", state.lanes.beginnings.room.available_bytes()),
        ("strangers", state.lanes.strangers.room.available_bytes()),
        ("reads", state.reads.available_bytes()),
    ];
    for (room, bytes) in rooms {
        gauge!(BYTES_AVAILABLE, "room" => room).set(bytes as f64);
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(state.metrics.render())
}

async fn version() -> impl Responder {
    HttpResponse::Ok().json(json!({"name": "roster", "version": env!("CARGO_PKG_VERSION")}))
}
