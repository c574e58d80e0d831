//! Why a request is not done, in the words of the contract's sections 1.1 and 1.2.

use crate::api::error::ApiError;
use crate::domain::{Code, Rejection};
use actix_web::http::StatusCode;
use serde_json::{Value, json};

/// A refusal in this dialect's own words.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub params: Value,
}

/// What keeps a request from being done.
#[derive(Debug)]
pub enum Failure {
    /// What all dialects share.
    Api(ApiError),
    Refused(Refusal),
}

impl Refusal {
    /// The request is at fault.
    pub fn of(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            message: message.into(),
            params: Value::Null,
        }
    }

    /// A parameter is at fault.
    pub fn params(message: impl Into<String>) -> Self {
        Self::of("BadParams", message)
    }

    /// Something that there is already stands against it.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            ..Self::of(code, message)
        }
    }

    /// It is not for this key to say.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            ..Self::of("Forbidden", message)
        }
    }

    /// A field of the body at `path` is not what it has to be.
    pub fn field(endpoint: &str, path: &str, wants: &str) -> Self {
        Self {
            params: json!({ path: wants }),
            ..Self::of("BadJsonBody", format!("[{endpoint}] Invalid JSON body"))
        }
    }

    /// What the gate or the database would not take.
    pub fn rejected(rejection: &Rejection) -> Self {
        if rejection.code == Code::Forgotten {
            return Self::conflict("ForgottenUserError", "The user has been forgotten");
        }
        Self {
            params: json!({"reason": rejection.code.as_str(), "field": rejection.field}),
            ..Self::params(&rejection.message)
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
