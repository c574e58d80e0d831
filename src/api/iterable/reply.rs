//! Answers: the envelope `{"msg","code","params"}`, documents, and failures as the contract's section 1.2 has them.

use super::refusal::{Failure, Refusal};
use crate::api::State;
use crate::api::error::ApiError;
use crate::domain::{KeyHash, KeyKind};
use crate::metric_names::REQUESTS_REFUSED;
use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use metrics::counter;
use serde::Serialize;
use serde_json::{Value, json};

/// Digits by which the original tells keys apart.
const IDENTIFIER: usize = 8;
/// What is told of a key that is known and does not reach what it asks for.
const INSUFFICIENT: &str = "Disabled API key or insufficient privileges";

/// What is answered with 200.
#[derive(Debug)]
pub enum Answer {
    /// An envelope.
    Done { message: String, params: Value },
    /// A document of its own, as JSON.
    Document(String),
    /// A text of its own.
    Text(String),
    /// What sends itself, page by page.
    Ready(HttpResponse),
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
        Ok(Answer::Document(text)) => match state.reads.answer_to(request, text) {
            Ok(answer) => HttpResponse::Ok()
                .insert_header(ContentType::json())
                .body(answer),
            Err(error) => failure(request, &error),
        },
        Ok(Answer::Text(text)) => HttpResponse::Ok()
            .insert_header(ContentType::plaintext())
            .body(text),
        Ok(Answer::Ready(answer)) => answer,
        Err(Failure::Refused(refusal)) => {
            counter!(REQUESTS_REFUSED, "code" => refusal.code).increment(1);
            refused(&refusal)
        }
        Err(Failure::Api(error)) => failure(request, &error),
    }
}

/// Whatever no route takes, as the original's framework says it.
pub async fn not_found() -> HttpResponse {
    no_such_path()
}

fn no_such_path() -> HttpResponse {
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
        ApiError::NotFound => return no_such_path(),
        ApiError::MissingKey | ApiError::UnknownKey => {
            (verdict.status, "BadApiKey", "Invalid API key".to_owned())
        }
        ApiError::ServerKeyNeeded => (
            StatusCode::UNAUTHORIZED,
            "BadApiKey",
            INSUFFICIENT.to_owned(),
        ),
        ApiError::InvalidJson(_) | ApiError::NotAnObject | ApiError::InvalidEncoding => {
            let message = format!("[{}] Invalid JSON body", request.path());
            (StatusCode::BAD_REQUEST, "BadJsonBody", message)
        }
        ApiError::BodyTooLarge { .. }
        | ApiError::DecodedTooLarge { .. }
        | ApiError::HoldsTooMuch => (verdict.status, "BatchTooLarge", error.message()),
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
    match error {
        ApiError::MissingKey | ApiError::UnknownKey | ApiError::ServerKeyNeeded => {
            json!({"ip": ip_of(request), "endpoint": request.path()})
        }
        ApiError::InvalidJson(_) => json!({"obj": "Valid JSON expected"}),
        ApiError::NotAnObject => json!({"obj": "Object value expected"}),
        _ => Value::Null,
    }
}

/// The key is known and does not reach this. The identifier is the beginning of what `roster key list` shows.
pub fn insufficient(request: &HttpRequest, key: &str, kind: KeyKind) -> Refusal {
    let key_type = match kind {
        KeyKind::Server => "ServerSide",
        KeyKind::Write => "Mobile",
        KeyKind::Read => "ReadOnly",
    };
    let fingerprint = KeyHash::of(key).fingerprint();
    Refusal {
        status: StatusCode::UNAUTHORIZED,
        params: json!({
            "ip": ip_of(request),
            "endpoint": request.path(),
            "apiKeyIdentifier": fingerprint[..IDENTIFIER],
            "apiKeyType": key_type,
        }),
        ..Refusal::of("BadApiKey", INSUFFICIENT)
    }
}

fn ip_of(request: &HttpRequest) -> Option<String> {
    request.peer_addr().map(|peer| peer.ip().to_string())
}

fn envelope(status: StatusCode, (msg, code): (&str, &str), params: &Value) -> HttpResponse {
    HttpResponse::build(status).json(Envelope { msg, code, params })
}
