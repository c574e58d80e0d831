//! Answers in the shape that every SDK of the family takes (contract section 2).
//!
//! Success is exactly 200 and JSON: older Python SDKs resend after any other 2xx, and Jitsu's needs JSON. Errors are an object
//! with `code` and `message`: without both, the same Python SDKs resend after a 400.

use super::items::Told;
use crate::api::error::ApiError;
use crate::domain::{Receipt, Rejection, Warning};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

const JSON: (HeaderName, HeaderValue) =
    (CONTENT_TYPE, HeaderValue::from_static("application/json"));

/// An error on its way out of a handler.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Failure(#[from] ApiError);

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.0.verdict().status
    }

    fn error_response(&self) -> HttpResponse {
        failure(&self.0)
    }
}

#[derive(Serialize)]
struct FailureBody<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Results<'a> {
    success: bool,
    results: Vec<ItemResult<'a>>,
}

#[derive(Serialize)]
struct ItemResult<'a> {
    index: usize,
    message_id: Option<&'a str>,
    status: &'static str,
    #[serde(flatten)]
    reason: Option<Reason<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'a Warning>,
}

#[derive(Serialize)]
struct Reason<'a> {
    code: &'static str,
    field: Option<&'a str>,
    message: &'a str,
}

/// `200 {"success":true}`.
pub fn success() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(JSON)
        .body(r#"{"success":true}"#)
}

/// Success with one result for each item, for those who ask by `?results=true`.
pub fn results(told: &[Told], receipts: &[Receipt]) -> HttpResponse {
    let results = receipts
        .iter()
        .zip(told)
        .enumerate()
        .map(|(index, (receipt, told))| ItemResult {
            index,
            message_id: told.message_id.as_deref(),
            status: status(receipt),
            reason: match receipt {
                Receipt::Rejected(rejection) | Receipt::Taken(rejection) => Some(reason(rejection)),
                _ => None,
            },
            warnings: told.warnings.iter().chain(left_out(receipt)).collect(),
        })
        .collect();
    json(
        StatusCode::OK,
        &Results {
            success: true,
            results,
        },
    )
}

/// An error with its row of the table.
pub fn failure(error: &ApiError) -> HttpResponse {
    let verdict = error.told();
    let (size, limit) = error.measured();
    let mut response = json(
        verdict.status,
        &FailureBody {
            code: verdict.code,
            field: error.field(),
            message: error.message(),
            size,
            limit,
        },
    );
    if let Some(seconds) = verdict.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Any document.
pub fn json(status: StatusCode, document: &impl Serialize) -> HttpResponse {
    let body = serde_json::to_vec(document).expect("plain structs always serialise");
    HttpResponse::build(status).insert_header(JSON).body(body)
}

fn status(receipt: &Receipt) -> &'static str {
    match receipt {
        Receipt::Stored | Receipt::StoredWithout(_) => "stored",
        Receipt::Unchanged => "unchanged",
        Receipt::Duplicate | Receipt::Taken(_) => "duplicate",
        Receipt::Rejected(_) => "rejected",
    }
}

fn left_out(receipt: &Receipt) -> Option<&Warning> {
    match receipt {
        Receipt::StoredWithout(warning) => Some(warning),
        _ => None,
    }
}

fn reason(rejection: &Rejection) -> Reason<'_> {
    Reason {
        code: rejection.code.as_str(),
        field: rejection.field.as_deref(),
        message: &rejection.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;
    use actix_web::body::to_bytes;

    async fn body(response: HttpResponse) -> String {
        let bytes = to_bytes(response.into_body()).await.expect("memory");
        String::from_utf8(bytes.to_vec()).expect("JSON")
    }

    #[tokio::test]
    async fn success_is_exactly_what_every_sdk_takes() {
        let response = success();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers().get(CONTENT_TYPE).expect("set"),
            "application/json"
        );
        assert_eq!(body(response).await, r#"{"success":true}"#);
    }

    #[tokio::test]
    async fn results_name_each_item() {
        let rejection = Rejection::of(Code::MissingField, "event", "the call needs event");
        let receipts = [
            Receipt::Stored,
            Receipt::Duplicate,
            Receipt::Rejected(rejection),
        ];
        let told =
            [(Some("a"), true), (Some("b"), false), (None, false)].map(|(id, is_mended)| Told {
                message_id: id.map(str::to_owned),
                warnings: is_mended
                    .then(|| Warning::of("bad_time", "timestamp", "no time"))
                    .into_iter()
                    .collect(),
            });
        assert_eq!(
            body(results(&told, &receipts)).await,
            concat!(
                r#"{"success":true,"results":[{"index":0,"message_id":"a","status":"stored","#,
                r#""warnings":[{"code":"bad_time","field":"timestamp","message":"no time"}]},"#,
                r#"{"index":1,"message_id":"b","status":"duplicate"},"#,
                r#"{"index":2,"message_id":null,"status":"rejected","#,
                r#""code":"missing_field","field":"event","message":"the call needs event"}]}"#
            )
        );
    }

    #[tokio::test]
    async fn errors_have_code_and_message() {
        let response = failure(&ApiError::BodyTooLarge {
            size: 20,
            limit: 10,
        });
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(
            body(response).await,
            r#"{"code":"body_too_large","message":"the body has 20 bytes, over the limit of 10","size":20,"limit":10}"#
        );
        let response = failure(&ApiError::Overloaded);
        assert_eq!(response.headers().get(RETRY_AFTER).expect("set"), "1");
    }
}
