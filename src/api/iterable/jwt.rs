//! Signed identities: what a JWT of a key that needs one says about who calls (contract section 7).
//!
//! HS256 alone, whatever the token says. The library checks the signature; times are held against the database's clock here, since it
//! knows neither the bound of a year nor a clock but its own.

use super::names::Named;
use super::refusal::Refusal;
use crate::domain::{Timestamp, TokenSecret};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use serde_json::Value;

/// Clocks of servers differ.
const LEEWAY_SECONDS: f64 = 60.0;
/// A leap year.
const LONGEST_SECONDS: f64 = 366.0 * 86_400.0;
/// Tokens of users are small; a longer text is none.
const MOST_BYTES: usize = 8_192;

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    email: Option<String>,
    #[serde(rename = "userId")]
    user_id: Option<String>,
    iat: f64,
    exp: f64,
    nbf: Option<f64>,
}

/// Who calls, by the token of a request.
///
/// # Errors
/// 401, with the texts that SDKs switch on.
pub fn signed(headers: &HeaderMap, secret: &TokenSecret, now: Timestamp) -> Result<Named, Refusal> {
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = token.and_then(|text| text.trim().split_once(' '));
    let bearer = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = bearer else {
        let message = "JWT Authorization header is not set";
        return Err(unauthorized("BadAuthorizationHeader", message));
    };
    named(token.trim(), secret, now)
}

fn named(token: &str, secret: &TokenSecret, now: Timestamp) -> Result<Named, Refusal> {
    if token.len() > MOST_BYTES || !has_form(token) {
        return Err(invalid("JWT format is invalid"));
    }
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let key = DecodingKey::from_secret(secret.as_bytes());
    // The signature counts before anything that it stands for.
    decode::<Value>(token, &key, &validation).map_err(|_| invalid("JWT is invalid"))?;
    // Read once more into fields: what stands there twice is an error.
    let claims = decode::<Claims>(token, &key, &validation);
    let claims = claims.map_err(|_| invalid("invalid payload"))?.claims;
    claims.hold(now.micros() as f64 / 1e6)?;
    let some = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let named = Named {
        email: some(claims.email).map(|email| email.trim().to_lowercase()),
        user_id: some(claims.user_id),
    };
    if named == Named::default() {
        return Err(invalid("JWT payload requires a value for userId or email"));
    }
    Ok(named)
}

/// Three parts, of which the first is a header without demands that nobody here knows.
fn has_form(token: &str) -> bool {
    let mut parts = token.split('.');
    let header = parts
        .next()
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header: Option<Value> = header.and_then(|text| serde_json::from_slice(&text).ok());
    header.is_some_and(|header| header.is_object() && header.get("crit").is_none())
        && parts.filter(|part| !part.is_empty()).count() == 2
}

impl Claims {
    fn hold(&self, now: f64) -> Result<(), Refusal> {
        if self.exp - self.iat > LONGEST_SECONDS {
            return Err(invalid("exp must be less than 1 year from iat"));
        }
        if self.exp + LEEWAY_SECONDS <= now {
            return Err(invalid("JWT token is expired"));
        }
        let begins = self.nbf.unwrap_or(self.iat).max(self.iat);
        if begins > now + LEEWAY_SECONDS || self.exp < self.iat {
            return Err(invalid("invalid payload"));
        }
        Ok(())
    }
}

fn invalid(message: &str) -> Refusal {
    unauthorized("InvalidJwtPayload", message)
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

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
