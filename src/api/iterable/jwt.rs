//! Signed users in this dialect's words (contract section 7): `api::signed` reads the tokens.

use super::names::Named;
use super::refusal::{Failure, Refusal};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::signed;
use crate::domain::{Caller, Signer, Timestamp};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;

/// Who calls, by the token of a request.
///
/// # Errors
/// 401, with the texts that SDKs switch on; also where the key has no secret, so that it can't have tokens. `Unavailable` where nobody
/// can say whether a token was invalidated.
pub async fn signed(
    state: &State,
    headers: &HeaderMap,
    caller: &Caller,
    now: Timestamp,
) -> Result<Signer, Failure> {
    let secret = caller.secret.as_ref().ok_or(ApiError::ServerKeyNeeded)?;
    let Some(token) = signed::bearer(headers) else {
        let message = "JWT Authorization header is not set";
        return Err(unauthorized("BadAuthorizationHeader", message).into());
    };
    let said = signed::signer(token, secret, now);
    let signer = state.invalidated.hold(caller.project_id, said).await?;
    let invalid = |fault: signed::TokenFault| unauthorized("InvalidJwtPayload", &fault.to_string());
    Ok(signer.map_err(invalid)?)
}

impl From<Signer> for Named {
    fn from(signer: Signer) -> Self {
        Self {
            email: signer.email,
            user_id: signer.user_id,
        }
    }
}

/// Somebody else than the token says is named.
pub fn mismatched() -> Refusal {
    let message = "The email or userId of the request is not the one of the JWT";
    unauthorized("JwtUserIdentifiersMismatched", message)
}

fn unauthorized(code: &'static str, message: &str) -> Refusal {
    Refusal {
        status: StatusCode::UNAUTHORIZED,
        ..Refusal::of(code, message)
    }
}
