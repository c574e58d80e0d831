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
mod lookup;
mod migration;
mod profiles;
mod query;
mod reference;
mod rejections;
mod reply;
mod shown;
mod split;

use super::State;
use super::credentials::Candidates;
use super::error::ApiError;
use super::reading::{answer_of, segment};
use crate::domain::{Caller, KeyKind};
use actix_web::HttpRequest;
use actix_web::web::{self, Data, ServiceConfig};

const LOOKUP: &str = "/v1/profiles/lookup";

/// The routes.
pub fn configure(app: &mut ServiceConfig) {
    imports::configure(app);
    app.route("/v1/profiles", web::get().to(profiles::show_named))
        .route(LOOKUP, web::post().to(lookup::lookup))
        .route("/v1/profiles/{reference}", web::get().to(profiles::show))
        .route(
            "/v1/profiles/{reference}",
            web::delete().to(erasures::erase),
        )
        .route(
            "/v1/profiles/{reference}/unforget",
            web::post().to(erasures::unforget),
        )
        .route("/v1/erasures/{id}", web::get().to(erasures::show))
        .route(
            "/v1/profiles/{reference}/events",
            web::get().to(events::timeline),
        )
        .route(
            "/v1/profiles/{reference}/export",
            web::get().to(export::export),
        )
        .route("/v1/events/{message_id}", web::get().to(events::show))
        .route(
            "/v1/profiles/{reference}/merge",
            web::post().to(profiles::merge),
        )
        .route(
            "/v1/profiles/{reference}/split",
            web::post().to(split::split),
        )
        .route(
            "/v1/identities/{reference}/block",
            web::post().to(blocks::block),
        )
        .route(
            "/v1/identities/{reference}/block",
            web::delete().to(blocks::unblock),
        )
        .route("/v1/conflicts", web::get().to(conflicts::list))
        .route("/v1/backfill", web::get().to(backfill::show))
        .route(
            "/v1/backfill/rejections",
            web::get().to(backfill::rejections),
        )
        .route("/v1/migration", web::get().to(migration::show))
        .route("/v1/migration/history", web::get().to(migration::history))
        .route("/v1/migration/verify", web::post().to(migration::verify))
        .route(
            "/v1/migration/verify/{id}",
            web::get().to(migration::verified),
        )
        .route("/v1/migration/reads", web::put().to(migration::reads))
        .route("/v1/migration/{verb}", web::post().to(migration::step))
        .route("/v1/rejections", web::get().to(rejections::list));
}

/// Finds who asks: a server key in a header, or a read key where the request only reads. Keys in queries end up in logs, so they
/// are not taken.
async fn reader(request: &HttpRequest, state: &Data<State>) -> Result<Caller, ApiError> {
    let candidates = Candidates::of_headers(request.headers());
    match candidates.caller(&state.keys).await? {
        Some(caller) if caller.kind == KeyKind::Server => Ok(caller),
        Some(caller) if caller.kind.may_read() && only_reads(request) => Ok(caller),
        Some(_) => Err(ApiError::ServerKeyNeeded),
        None if candidates.are_none() => Err(ApiError::MissingKey),
        None => Err(ApiError::UnknownKey),
    }
}

/// By the method, so that a new route writes unless it says otherwise. A look-up of many is a read whose names fit into no query.
fn only_reads(request: &HttpRequest) -> bool {
    request.method().is_safe() || request.path() == LOOKUP
}
