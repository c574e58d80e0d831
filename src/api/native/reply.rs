//! Answers of the native API: JSON, and RFC 9457 problem details for errors.

use crate::api::error::ApiError;
use actix_web::HttpResponse;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;

/// RFC 9457, with the stable code that clients may switch on.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'a str,
}

/// 200 with the value, or the problem.
pub fn json<T: Serialize>(outcome: Result<T, ApiError>) -> HttpResponse {
    match outcome {
        Ok(value) => HttpResponse::Ok().json(value),
        Err(error) => problem(&error),
    }
}

/// The problem as the caller sees it.
pub fn problem(error: &ApiError) -> HttpResponse {
    let verdict = error.verdict();
    let mut reply = HttpResponse::build(verdict.status);
    if let Some(seconds) = verdict.retry_after {
        reply.insert_header((RETRY_AFTER, seconds));
    }
    if verdict.status == actix_web::http::StatusCode::UNAUTHORIZED {
        reply.insert_header((WWW_AUTHENTICATE, "Bearer"));
    }
    let title = verdict.status.canonical_reason().unwrap_or_default();
    let body = Problem {
        r#type: "about:blank",
        title,
        status: verdict.status.as_u16(),
        detail: error.message(),
        code: verdict.code,
    };
    let text = serde_json::to_string(&body).expect("plain texts always serialise");
    reply.content_type("application/problem+json").body(text)
}
