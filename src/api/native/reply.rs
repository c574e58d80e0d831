//! Answers of the native API: JSON, and RFC 9457 problem details for errors.

use crate::api::State;
use crate::api::error::ApiError;
use crate::api::stream::{self, Pages};
use actix_web::http::header::{
    ALLOW, ETag, EntityTag, Header, HeaderValue, IfNoneMatch, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// RFC 9457, with the stable code that clients may switch on.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'a str,
}

/// 200 with the value, which holds its room until it is sent, or the problem.
pub fn json<T: Serialize>(
    request: &HttpRequest,
    state: &State,
    outcome: Result<T, ApiError>,
) -> HttpResponse {
    match outcome.and_then(|value| state.reads.answer_to(request, text_of(&value))) {
        Ok(answer) => HttpResponse::Ok()
            .content_type("application/json")
            .body(answer),
        Err(error) => problem(&error),
    }
}

/// 200 with all pages, or the problem where there is no first one.
pub async fn streamed(
    state: &Data<State>,
    content_type: &'static str,
    pages: Result<impl Pages + 'static, ApiError>,
) -> HttpResponse {
    let begun = async { stream::answer(state, content_type, pages?).await };
    begun.await.unwrap_or_else(|error| problem(&error))
}

/// A value as JSON.
pub fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain texts always serialise")
}

/// 200 with the value and a tag of it, 304 where the caller has it already, or the problem.
pub fn tagged<T: Serialize>(
    request: &HttpRequest,
    state: &State,
    outcome: Result<T, ApiError>,
) -> HttpResponse {
    let text = match outcome {
        Ok(value) => text_of(&value),
        Err(error) => return problem(&error),
    };
    let digest = Sha256::digest(&text);
    let digits: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = EntityTag::new_strong(digits);
    let is_known = IfNoneMatch::parse(request).is_ok_and(|known| match known {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|known| known.weak_eq(&tag)),
    });
    if is_known {
        return HttpResponse::NotModified()
            .insert_header(ETag(tag))
            .finish();
    }
    let answer = match state.reads.answer_to(request, text) {
        Ok(answer) => answer,
        Err(error) => return problem(&error),
    };
    let mut reply = HttpResponse::Ok();
    reply.insert_header(ETag(tag));
    reply.content_type("application/json").body(answer)
}

/// The problem as the caller sees it.
pub fn problem(error: &ApiError) -> HttpResponse {
    let verdict = error.told();
    let mut reply = HttpResponse::build(verdict.status);
    if let Some(seconds) = verdict.retry_after {
        reply.insert_header((RETRY_AFTER, seconds));
    }
    if verdict.status == actix_web::http::StatusCode::UNAUTHORIZED {
        reply.insert_header((WWW_AUTHENTICATE, "Bearer"));
    }
    let text = problem_text(error);
    reply.content_type("application/problem+json").body(text)
}

/// The problem of a method that a path does not take, with those that it takes.
pub fn other_method(takes: &'static str) -> HttpResponse {
    let mut answer = problem(&ApiError::MethodNotAllowed);
    let takes = HeaderValue::from_static(takes);
    answer.headers_mut().insert(ALLOW, takes);
    answer
}

/// The problem as JSON.
pub fn problem_text(error: &ApiError) -> String {
    let verdict = error.verdict();
    let title = verdict.status.canonical_reason().unwrap_or_default();
    text_of(&Problem {
        r#type: "about:blank",
        title,
        status: verdict.status.as_u16(),
        detail: error.message(),
        code: verdict.code,
    })
}
