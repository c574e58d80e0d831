//! Signed users: what a JWT of the customer's server says about who calls, for every dialect.
//!
//! HS256 alone, whatever the token says. The library checks the signature; times are held against the database's clock here, since it
//! knows neither the bound of a year nor a clock but its own.

use crate::domain::{Signer, Timestamp, TokenSecret};
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

/// What is wrong with a token. The texts are those that Iterable's SDKs switch on, and never the token's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    #[error("JWT format is invalid")]
    Form,
    /// Its signature is another's, or of another sort.
    #[error("JWT is invalid")]
    Signature,
    /// Its claims are no claims, or not yet.
    #[error("invalid payload")]
    Payload,
    #[error("JWT payload requires a value for userId or email")]
    Nobody,
    #[error("exp must be less than 1 year from iat")]
    TooLong,
    #[error("JWT token is expired")]
    Expired,
    /// It was good until somebody said that it is not (`api::invalidated`).
    #[error("JWT token has been invalidated")]
    Invalidated,
    /// It was not looked at.
    #[error("there are too many tokens in one request")]
    TooMany,
}

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

/// The token of the header `Authorization`, where it has one.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// True of a text in the form of a token, so that it is no key: three parts, the first an object in Base64.
pub fn looks_like_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.matches('.').count() == 2
}

/// Whom a token speaks for, now.
///
/// # Errors
/// What is wrong with it.
pub fn signer(token: &str, secret: &TokenSecret, now: Timestamp) -> Result<Signer, TokenFault> {
    if token.len() > MOST_BYTES || !has_form(token) {
        return Err(TokenFault::Form);
    }
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let key = DecodingKey::from_secret(secret.as_bytes());
    // The signature counts before anything that it stands for.
    decode::<Value>(token, &key, &validation).map_err(|_| TokenFault::Signature)?;
    // Read once more into fields: what stands there twice is an error.
    let claims = decode::<Claims>(token, &key, &validation);
    let claims = claims.map_err(|_| TokenFault::Payload)?.claims;
    claims.hold(now.micros() as f64 / 1e6)?;
    claims.signer()
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
    fn hold(&self, now: f64) -> Result<(), TokenFault> {
        if self.exp - self.iat > LONGEST_SECONDS {
            return Err(TokenFault::TooLong);
        }
        if self.exp + LEEWAY_SECONDS <= now {
            return Err(TokenFault::Expired);
        }
        let begins = self.nbf.unwrap_or(self.iat).max(self.iat);
        if begins > now + LEEWAY_SECONDS || self.exp < self.iat {
            return Err(TokenFault::Payload);
        }
        Ok(())
    }

    fn signer(self) -> Result<Signer, TokenFault> {
        let some = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let email = some(self.email).map(|email| email.trim().to_lowercase());
        let user_id = some(self.user_id);
        if email.is_none() && user_id.is_none() {
            return Err(TokenFault::Nobody);
        }
        let issued_at = Timestamp::from_micros((self.iat * 1e6) as i64);
        Ok(Signer {
            user_id,
            email,
            // A time beyond all calendars is older than whatever is invalidated.
            issued_at: issued_at.unwrap_or(Timestamp::MIN),
        })
    }
}

#[cfg(test)]
#[path = "signed_tests.rs"]
mod tests;
