//! Answers: the envelope `{"msg","code","params"}`, documents, and failures as the contract's section 1.2 has them.

use super::refusal::{Failure, Refusal};
use crate::api::State;
use crate::api::error::ApiError;
use crate::metric_names::REQUESTS_REFUSED;
use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use metrics::counter;
use serde::Serialize;
use serde_json::{Value, json};

/// What is answered with 200.
#[derive(Debug)]
pub enum Answer {
    /// An envelope.
    Done { message: String, params: Value },
    /// A document of its own, as JSON.
    Document(String),
}

#[derive(Serialize)]
struct Envelope<'a> {
    msg: &'a str,
    code: &'a str,
    params: &'a Value,
}

impl Answer {
    /// Plain success.
    pub fn success() -> Self {
        Self::told("")
    }

    /// Success with a sentence.
    pub fn told(message: impl Into<String>) -> Self {
        Self::Done {
            message: message.into(),
            params: Value::Null,
        }
    }

    /// A document.
    pub fn document(value: &impl Serialize) -> Self {
        Self::Document(serde_json::to_string(value).expect("plain values always serialise"))
    }
}

/// Makes the answer of what came out. A document holds its room until it is sent.
pub fn answer(
    request: &HttpRequest,
    state: &State,
    outcome: Result<Answer, Failure>,
) -> HttpResponse {
    match outcome {
        Ok(Answer::Done { message, params }) => {
            envelope(StatusCode::OK, (&message, "Success"), &params)
        }
        Ok(Answer::Document(text)) => match state.reads.answer(text) {
            Ok(answer) => HttpResponse::Ok()
                .insert_header(ContentType::json())
                .body(answer),
            Err(error) => failure(request, &error),
        },
        Err(Failure::Refused(refusal)) => {
            counter!(REQUESTS_REFUSED, "code" => refusal.code).increment(1);
            refused(&refusal)
        }
        Err(Failure::Api(error)) => failure(request, &error),
    }
}

/// Whatever no route takes, as the original's framework says it.
pub async fn not_found() -> HttpResponse {
    HttpResponse::NotFound()
        .insert_header(ContentType::html())
        .body("<!DOCTYPE html><html><head><title>Action not found</title></head><body><h1>Action not found</h1></body></html>")
}

fn refused(refusal: &Refusal) -> HttpResponse {
    envelope(
        refusal.status,
        (&refusal.message, refusal.code),
        &refusal.params,
    )
}

fn failure(request: &HttpRequest, error: &ApiError) -> HttpResponse {
    let verdict = error.told();
    let (status, code, message) = match error {
        ApiError::MissingKey | ApiError::UnknownKey => {
            (verdict.status, "BadApiKey", "Invalid API key".to_owned())
        }
        ApiError::ServerKeyNeeded => {
            let message = "Disabled API key or insufficient privileges";
            (StatusCode::UNAUTHORIZED, "BadApiKey", message.to_owned())
        }
        ApiError::InvalidJson(_) | ApiError::NotAnObject | ApiError::InvalidEncoding => {
            let message = format!("[{}] Invalid JSON body", request.path());
            (StatusCode::BAD_REQUEST, "BadJsonBody", message)
        }
        ApiError::BodyTooLarge { .. } | ApiError::DecodedTooLarge { .. } => {
            (verdict.status, "BatchTooLarge", error.message())
        }
        ApiError::TooManyRequests { .. } => {
            let message = "Exceeded rate limit.".to_owned();
            (verdict.status, "RateLimitExceeded", message)
        }
        ApiError::Rejected(rejection) => return refused(&Refusal::rejected(rejection)),
        _ if verdict.status.is_client_error() => (verdict.status, "BadParams", error.message()),
        _ => (verdict.status, "GenericError", error.message()),
    };
    let mut response = envelope(status, (&message, code), &params_of(request, error));
    if let Some(seconds) = verdict.retry_after {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn params_of(request: &HttpRequest, error: &ApiError) -> Value {
    let ip = || request.peer_addr().map(|peer| peer.ip().to_string());
    match error {
        ApiError::MissingKey | ApiError::UnknownKey => {
            json!({"ip": ip(), "endpoint": request.path()})
        }
        ApiError::ServerKeyNeeded => {
            json!({"ip": ip(), "endpoint": request.path(), "apiKeyType": "Mobile"})
        }
        ApiError::InvalidJson(_) => json!({"obj": "Valid JSON expected"}),
        ApiError::NotAnObject => json!({"obj": "Object value expected"}),
        _ => Value::Null,
    }
}

fn envelope(status: StatusCode, (msg, code): (&str, &str), params: &Value) -> HttpResponse {
    HttpResponse::build(status).json(Envelope { msg, code, params })
}
