//! Counts and times every request by its route, and gives each an id under which the log speaks of it.

use super::newcomers::Place;
use crate::metric_names::{HTTP_REQUESTS, HTTP_SECONDS};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use metrics::{counter, histogram};
use std::time::Instant;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The middleware.
pub async fn observe<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    if let Some(place) = request.conn_data::<Place>() {
        place.leave();
    }
    let mut response = next.call(request).await?;
    // The pattern, never the path: paths carry keys and people.
    let route = response
        .request()
        .match_pattern()
        .unwrap_or_else(|| "none".into());
    let status = response.status();
    counter!(HTTP_REQUESTS, "route" => route.clone(), "status" => status.as_str().to_owned())
        .increment(1);
    histogram!(HTTP_SECONDS, "route" => route.clone()).record(started.elapsed());
    let id = Uuid::now_v7().to_string();
    // A probe that is told "not ready" got what it asked for.
    if status.is_server_error() && route != "/readyz" {
        tracing::warn!(
            request_id = id,
            route,
            status = status.as_u16(),
            "request failed"
        );
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}
