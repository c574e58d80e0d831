//! The native API: reading, merging and erasing with a server key. Errors are RFC 9457 problem details.

mod backfill;
mod blocks;
mod by_source;
mod conflicts;
mod cursor;
mod erasures;
mod events;
mod export;
mod imports;
mod listed;
mod lookup;
mod migration;
mod operations;
mod profiles;
mod query;
mod reference;
mod rejections;
mod reply;
mod shown;
mod split;
mod texts;

pub use operations::{operations, shapes};

use super::State;
use super::credentials::Candidates;
use super::error::ApiError;
use super::ops::read;
use super::reading::{answer_of, segment};
use super::reads::note_asker;
use crate::domain::{Caller, KeyKind};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, Resource};
use std::future::ready;

const LOOKUP: &str = "/v1/profiles/lookup";

/// The methods of a path that is read.
const READ: &str = "GET, HEAD";

/// The routes.
pub fn configure(app: &mut ServiceConfig) {
    imports::configure(app);
    configure_people(app);
    configure_migration(app);
    let block = path("/v1/identities/{reference}/block", "POST, DELETE")
        .route(web::post().to(blocks::block))
        .route(web::delete().to(blocks::unblock));
    app.service(block)
        .service(path("/v1/erasures/{id}", READ).route(read().to(erasures::show)))
        .service(path("/v1/events/{message_id}", READ).route(read().to(events::show)))
        .service(path("/v1/conflicts", READ).route(read().to(conflicts::list)))
        .service(path("/v1/backfill", READ).route(read().to(backfill::show)))
        .service(path("/v1/backfill/rejections", READ).route(read().to(backfill::rejections)))
        .service(path("/v1/rejections", READ).route(read().to(rejections::list)));
}

fn configure_people(app: &mut ServiceConfig) {
    let person = path("/v1/profiles/{reference}", "GET, HEAD, DELETE")
        .route(read().to(profiles::show))
        .route(web::delete().to(erasures::erase));
    let of = |verb: &str, takes, route| {
        path(&format!("/v1/profiles/{{reference}}/{verb}"), takes).route(route)
    };
    // What has a name of its own goes before what has any.
    app.service(path("/v1/profiles", READ).route(read().to(profiles::show_named)))
        .service(path(LOOKUP, "POST").route(web::post().to(lookup::lookup)))
        .service(person)
        .service(of("unforget", "POST", web::post().to(erasures::unforget)))
        .service(of("events", READ, read().to(events::timeline)))
        .service(of("export", READ, read().to(export::export)))
        .service(of("merge", "POST", web::post().to(profiles::merge)))
        .service(of("split", "POST", web::post().to(split::split)));
}

fn configure_migration(app: &mut ServiceConfig) {
    let of = |verb: &str, takes, route| path(&format!("/v1/migration/{verb}"), takes).route(route);
    app.service(path("/v1/migration", READ).route(read().to(migration::show)))
        .service(of("history", READ, read().to(migration::history)))
        .service(of("verify", "POST", web::post().to(migration::verify)))
        .service(of("verify/{id}", READ, read().to(migration::verified)))
        .service(of("reads", "PUT", web::put().to(migration::reads)))
        .service(of("{verb}", "POST", web::post().to(migration::step)));
}

/// A path; whoever comes with a method that it does not take is told which it takes.
fn path(path: &str, takes: &'static str) -> Resource {
    let other = move || ready(reply::other_method(takes));
    web::resource(path).default_service(web::to(other))
}

/// Finds who asks: a server key in a header, or a read key where the request only reads. Keys in queries end up in logs, so they
/// are not taken.
async fn reader(request: &HttpRequest, state: &Data<State>) -> Result<Caller, ApiError> {
    let candidates = Candidates::of_headers(request.headers());
    let caller = match candidates.caller(&state.keys).await? {
        Some(caller) if caller.kind == KeyKind::Server => caller,
        Some(caller) if caller.kind.may_read() && only_reads(request) => caller,
        Some(_) => return Err(ApiError::ServerKeyNeeded),
        None if candidates.are_none() => return Err(ApiError::MissingKey),
        None => return Err(ApiError::UnknownKey),
    };
    note_asker(request, caller.project_id);
    Ok(caller)
}

/// By the method, so that a new route writes unless it says otherwise. A look-up of many is a read whose names fit into no query.
fn only_reads(request: &HttpRequest) -> bool {
    request.method().is_safe() || request.path() == LOOKUP
}
