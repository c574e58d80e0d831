//! The one table from what went wrong to what the caller is told: status, code, and when to come again.
//!
//! 4xx: the request has to change (429: it has to slow down). 503: we can't now, and the same request is safe to send again; 502 and
//! 504: the legacy store can't, from which the project is read.
//! Each dialect has its own envelope around these; the texts tell nothing of our insides and nothing of the data.

use crate::domain::Rejection;
use crate::imports::Stopped;
use crate::ingest::SubmitError;
use crate::metric_names::REQUESTS_REFUSED;
use actix_web::http::StatusCode;
use metrics::counter;

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("there is nothing at this path")]
    NotFound,
    #[error("this path does not take this method")]
    MethodNotAllowed,
    #[error("the request carries no key: send it as the Basic user, a Bearer token or writeKey")]
    MissingKey,
    #[error("the key is not known")]
    UnknownKey,
    #[error("no project has this key")]
    UnknownProject,
    #[error("this takes a server key: a write key only ingests, a read key only reads")]
    ServerKeyNeeded,
    #[error("a read key only reads: use a write key or a server key")]
    WriteKeyNeeded,
    #[error("the body is not valid JSON: {0}")]
    InvalidJson(String),
    #[error("the body is no JSON object")]
    NotAnObject,
    #[error("the body needs a list named batch")]
    MissingBatch,
    #[error("the batch has {count} items, over the limit of {limit}")]
    TooManyItems { count: usize, limit: usize },
    #[error("the content encoding is none of gzip, deflate, br, zstd, identity")]
    UnsupportedEncoding,
    #[error("the body is not what its content encoding says, or is cut short")]
    InvalidEncoding,
    #[error("the body has {size} bytes, over the limit of {limit}")]
    BodyTooLarge { size: u64, limit: usize },
    #[error("the body has more bytes, decoded, than the limit of {limit}")]
    DecodedTooLarge { limit: usize },
    #[error(
        "what the body says takes more memory than a request may hold: send it in smaller parts"
    )]
    HoldsTooMuch,
    #[error("the body ended early")]
    BodyCut,
    #[error("the body did not arrive in time")]
    BodyTimeout,
    #[error("{0}")]
    Import(#[from] Stopped),
    #[error("{0}")]
    SourceNotAllowed(String),
    /// By the code of what is wrong with it.
    #[error("{1}")]
    SourceRefused(&'static str, String),
    #[error("the body is not what its checksum says: nothing of it was taken")]
    ChecksumMismatch,
    #[error("the body of a PATCH is application/offset+octet-stream")]
    NoPiece,
    #[error("this server speaks version 1.0.0 of tus")]
    OtherTusVersion,
    #[error("parameter {name} {reason}")]
    InvalidParameter { name: String, reason: String },
    #[error("there is no such profile")]
    NoSuchProfile,
    #[error("there is no such event")]
    NoSuchEvent,
    #[error("the profile has not reached that version here: ask again")]
    NotThatFar,
    #[error("there is no such erasure")]
    NoSuchErasure,
    #[error("the project has no migration: plan one first")]
    NoMigration,
    #[error("{0}")]
    StepRefused(String),
    #[error("{0}")]
    TargetNotAllowed(String),
    #[error("somebody else took a step meanwhile: the migration is at {0}")]
    MigrationMoved(&'static str),
    #[error("the legacy store, from which this profile is read, does not answer: ask again")]
    LegacyAway,
    #[error("the legacy store, from which this profile is read, did not answer in time: ask again")]
    LegacyLate,
    #[error("the mapping can't read this profile's document in the legacy store: {0}")]
    LegacyUnreadable(String),
    #[error("{0}")]
    Rejected(Rejection),
    #[error("this project or key sends more than it may: send it again in {seconds} s")]
    TooManyRequests { seconds: u32 },
    #[error("too much is in flight: send it again")]
    Overloaded,
    #[error("the service is stopping: send it again")]
    Draining,
    #[error("the service can't store anything at the moment: send it again")]
    Unavailable,
    #[error("the answer took too long: send it again")]
    Timeout,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable name; clients may switch on it.
    pub code: &'static str,
    /// Whole seconds after which the same request may be sent again.
    pub retry_after: Option<u32>,
}

impl ApiError {
    /// The table. A new error must choose its row here.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::NotFound => refused(StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::MissingKey => refused(StatusCode::UNAUTHORIZED, "missing_key"),
            Self::UnknownKey => refused(StatusCode::UNAUTHORIZED, "unknown_key"),
            Self::UnknownProject => refused(StatusCode::NOT_FOUND, "unknown_key"),
            Self::ServerKeyNeeded => refused(StatusCode::FORBIDDEN, "server_key_needed"),
            Self::WriteKeyNeeded => refused(StatusCode::FORBIDDEN, "write_key_needed"),
            Self::InvalidJson(_) => refused(StatusCode::BAD_REQUEST, "invalid_json"),
            Self::NotAnObject => refused(StatusCode::BAD_REQUEST, "not_an_object"),
            Self::MissingBatch => refused(StatusCode::BAD_REQUEST, "missing_batch"),
            Self::TooManyItems { .. } => refused(StatusCode::BAD_REQUEST, "too_many_items"),
            Self::UnsupportedEncoding => refused(StatusCode::BAD_REQUEST, "unsupported_encoding"),
            Self::InvalidEncoding => refused(StatusCode::BAD_REQUEST, "invalid_encoding"),
            Self::BodyTooLarge { .. } | Self::DecodedTooLarge { .. } | Self::HoldsTooMuch => {
                refused(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large")
            }
            Self::BodyCut => refused(StatusCode::BAD_REQUEST, "body_cut"),
            Self::BodyTimeout => refused(StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::Rejected(rejection) => refused(StatusCode::BAD_REQUEST, rejection.code.as_str()),
            Self::Import(stopped) => of_import(stopped),
            Self::SourceNotAllowed(_) => refused(StatusCode::FORBIDDEN, "source_not_allowed"),
            Self::SourceRefused(code, _) => refused(StatusCode::UNPROCESSABLE_ENTITY, code),
            // No registered status: the one that the protocol names.
            Self::ChecksumMismatch => refused(
                StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST),
                "checksum_mismatch",
            ),
            Self::NoPiece => refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no_piece"),
            Self::OtherTusVersion => refused(StatusCode::PRECONDITION_FAILED, "other_tus_version"),
            Self::InvalidParameter { .. } => refused(StatusCode::BAD_REQUEST, "invalid_parameter"),
            Self::NoSuchProfile => refused(StatusCode::NOT_FOUND, "no_such_profile"),
            Self::NoSuchEvent => refused(StatusCode::NOT_FOUND, "no_such_event"),
            Self::NotThatFar => come_again("version_not_reached", 1),
            Self::NoSuchErasure => refused(StatusCode::NOT_FOUND, "no_such_erasure"),
            Self::NoMigration => refused(StatusCode::NOT_FOUND, "no_migration"),
            Self::TargetNotAllowed(_) => refused(StatusCode::FORBIDDEN, "target_not_allowed"),
            Self::StepRefused(_) => refused(StatusCode::CONFLICT, "step_refused"),
            Self::MigrationMoved(_) => refused(StatusCode::CONFLICT, "migration_moved"),
            Self::LegacyAway => gateway(StatusCode::BAD_GATEWAY, "legacy_away", 2),
            Self::LegacyLate => gateway(StatusCode::GATEWAY_TIMEOUT, "legacy_late", 2),
            Self::LegacyUnreadable(_) => gateway(StatusCode::BAD_GATEWAY, "legacy_unreadable", 60),
            Self::TooManyRequests { seconds } => Verdict {
                status: StatusCode::TOO_MANY_REQUESTS,
                code: "too_many_requests",
                retry_after: Some(*seconds),
            },
            Self::Overloaded => come_again("overloaded", 1),
            Self::Draining => come_again("draining", 1),
            Self::Unavailable => come_again("unavailable", 2),
            Self::Timeout => come_again("timeout", 2),
        }
    }

    /// The row of an answer that is made just now: counted.
    pub fn told(&self) -> Verdict {
        let verdict = self.verdict();
        counter!(REQUESTS_REFUSED, "code" => verdict.code).increment(1);
        verdict
    }

    /// The sentence for the caller; for a refused item its own, since code and field stand beside it.
    pub fn message(&self) -> String {
        match self {
            Self::Rejected(rejection) => rejection.message.clone(),
            other => other.to_string(),
        }
    }

    /// The field at fault, where it is one field's fault.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Rejected(rejection) => rejection.field.as_deref(),
            _ => None,
        }
    }

    /// What was measured, where it is known, and the limit it exceeds.
    pub fn measured(&self) -> (Option<u64>, Option<usize>) {
        match self {
            Self::BodyTooLarge { size, limit } => (Some(*size), Some(*limit)),
            Self::DecodedTooLarge { limit } => (None, Some(*limit)),
            Self::TooManyItems { count, limit } => (Some(*count as u64), Some(*limit)),
            _ => (None, None),
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Draining => Self::Draining,
            SubmitError::Store => Self::Unavailable,
        }
    }
}

/// Uploads have codes of their own: their clients go on after 423 and 503, and give up or begin anew after others.
fn of_import(stopped: &Stopped) -> Verdict {
    let locked = |code| Verdict {
        status: StatusCode::LOCKED,
        code,
        retry_after: Some(1),
    };
    match stopped {
        Stopped::NoSuchImport => refused(StatusCode::NOT_FOUND, "no_such_import"),
        Stopped::Elsewhere(_) => refused(StatusCode::CONFLICT, "upload_elsewhere"),
        Stopped::OtherLength(_) => refused(StatusCode::BAD_REQUEST, "other_length"),
        Stopped::TakenOver => locked("taken_over"),
        Stopped::Paused(_) => locked("paused"),
        Stopped::Over(_) => refused(StatusCode::GONE, "import_over"),
        Stopped::Refused(file) if file.is_of_another_kind() => {
            refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, file.code)
        }
        Stopped::Refused(file) => refused(StatusCode::BAD_REQUEST, file.code),
        Stopped::Changed(_) => refused(StatusCode::UNPROCESSABLE_ENTITY, "file_changed"),
        Stopped::Busy => come_again("too_many_imports", 5),
        Stopped::Draining => come_again("draining", 1),
        Stopped::Unavailable => come_again("unavailable", 2),
    }
}

const fn refused(status: StatusCode, code: &'static str) -> Verdict {
    Verdict {
        status,
        code,
        retry_after: None,
    }
}

/// Somebody behind us is at fault.
const fn gateway(status: StatusCode, code: &'static str, seconds: u32) -> Verdict {
    Verdict {
        status,
        code,
        retry_after: Some(seconds),
    }
}

const fn come_again(code: &'static str, seconds: u32) -> Verdict {
    Verdict {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code,
        retry_after: Some(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;

    #[test]
    fn whoever_may_come_again_hears_when() {
        for error in [
            ApiError::Overloaded,
            ApiError::from(SubmitError::Draining),
            ApiError::from(SubmitError::Store),
            ApiError::Timeout,
        ] {
            let verdict = error.verdict();
            assert_eq!(verdict.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(verdict.retry_after.is_some_and(|seconds| seconds > 0));
        }
        assert_eq!(ApiError::UnknownKey.verdict().retry_after, None);
    }

    #[test]
    fn a_rejection_keeps_its_own_code_and_field() {
        let error = ApiError::Rejected(Rejection::of(Code::InvalidTime, "timestamp", "no time"));
        assert_eq!(error.verdict().code, "invalid_time");
        assert_eq!(error.verdict().status, StatusCode::BAD_REQUEST);
        assert_eq!(error.field(), Some("timestamp"));
        assert_eq!(error.message(), "no time");
    }
}
