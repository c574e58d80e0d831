//! CORS: pages of any origin may send. What protects a project is its key; no cookie is ever looked at.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderValue, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};

/// The headers that the Web SDK asks for, and what mobile SDKs add.
const HEADERS: &str = "Api-Key, Authorization, Content-Type, SDK-Platform, SDK-Version, Sent-At, \
                       SDK-Request-Processor";

/// Adds the headers that let a page read the answer, errors included.
pub async fn cross_origin<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Retry-After"),
    );
    headers.append(VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

/// Answers a preflight, which carries no key.
pub async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((
            ACCESS_CONTROL_ALLOW_METHODS,
            "GET, POST, PUT, PATCH, DELETE, OPTIONS",
        ))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "7200"))
        .finish()
}
