//! CORS: pages of any origin may send, with any header they ask for.
//!
//! `*` does not cover `Authorization` and is invalid with credentials, so origin and headers are told back (contract section 6).
//! What protects a project is its key; no cookie is ever looked at.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};

/// Adds the headers that let a page read the answer, errors included.
pub async fn cross_origin<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response = next.call(request).await?;
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Retry-After"),
        );
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    Ok(response)
}

/// Answers a preflight: the headers asked for are the headers allowed.
pub async fn preflight(request: HttpRequest) -> HttpResponse {
    let asked = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS);
    let allowed = asked
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_static("Authorization, Content-Type"));
    let mut response = HttpResponse::NoContent();
    if request.headers().get(ORIGIN).is_none() {
        response.insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    }
    response
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, OPTIONS"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, allowed))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "7200"))
        .insert_header((VARY, "Access-Control-Request-Headers"))
        .finish()
}
