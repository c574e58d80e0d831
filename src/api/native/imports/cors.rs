//! What browsers and upload clients ask before they send, and what they may read of an answer.
//!
//! A page that may send has a server key: so this is for tools of the project's own people. Headers are exposed by name, since `*` does
//! not count beside credentials.

use super::headers::{ALGORITHMS, EXTENSIONS, TUS_RESUMABLE, VERSION};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    HeaderName, HeaderValue, ORIGIN, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};

const EXPOSED: &str = "Location, Upload-Offset, Upload-Length, Upload-Defer-Length, Upload-Metadata, Upload-Expires, Tus-Resumable, \
    Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, X-Request-ID, Retry-After";
const ALLOWED: &str = "Authorization, Content-Type, Content-Encoding, Tus-Resumable, Upload-Length, Upload-Defer-Length, Upload-Offset, \
    Upload-Metadata, Upload-Checksum, Upload-Done-Checksum, Upload-Concat, X-HTTP-Method-Override, X-Request-ID, X-Requested-With, X-Write-Key";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Adds what lets a page read the answer, errors included, and the protocol's version; where a client speaks another one, which are spoken.
pub async fn cross_origin<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let origin = request.headers().get(ORIGIN).cloned();
    let is_question = request.method() == Method::OPTIONS;
    let mut response = next.call(request).await?;
    let is_other_version = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    if !is_question {
        let name = HeaderName::from_static(TUS_RESUMABLE);
        headers.insert(name, HeaderValue::from_static(VERSION));
    }
    if is_other_version {
        headers.insert(
            HeaderName::from_static("tus-version"),
            HeaderValue::from_static(VERSION),
        );
    }
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(EXPOSED);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    Ok(response)
}

/// Tells what this server can, and what a page may send: the headers that it asks for too.
pub async fn options(request: HttpRequest) -> HttpResponse {
    let asked = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS);
    let asked = asked.and_then(|names| names.to_str().ok());
    let allowed = asked.map_or_else(|| ALLOWED.to_owned(), |asked| format!("{ALLOWED}, {asked}"));
    HttpResponse::NoContent()
        .insert_header(("tus-version", VERSION))
        .insert_header((TUS_RESUMABLE, VERSION))
        .insert_header(("tus-extension", EXTENSIONS))
        .insert_header(("tus-checksum-algorithm", ALGORITHMS))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, allowed))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "7200"))
        .insert_header((VARY, "Access-Control-Request-Headers"))
        .finish()
}
