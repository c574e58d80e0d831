//! Where callers put their keys: the Basic user, a Bearer token, `X-Write-Key`, the query.
//!
//! Contract section 7, gotcha 10: the header wins over the query, the query over the body. A Bearer token that is no key may
//! be somebody's OAuth token, so that it alone leaves the body's key a chance. One in the form of a user's token (`api::signed`) is not
//! even looked up: each would cost a look-up of its own.

use super::auth::Keys;
use super::error::ApiError;
use super::signed::looks_like_token;
use crate::domain::Caller;
use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use url::form_urlencoded;

/// Some senders leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The texts of a request that may be its key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// In the order of trying.
    keys: Vec<String>,
    /// One of them can be nothing but a key, so that a request without a known one is refused at once.
    certain: bool,
}

impl Candidates {
    /// Gathers the keys of the headers and of the query's `writeKey`.
    pub fn of(request: &HttpRequest) -> Self {
        let mut candidates = Self::of_headers(request.headers());
        if let Some(key) = query_value(request.query_string(), "writeKey") {
            candidates.add(key);
        }
        candidates
    }

    /// Gathers the keys of the headers.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let mut candidates = Self::default();
        let authorization = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        if let Some((scheme, rest)) = authorization.and_then(|text| text.trim().split_once(' ')) {
            candidates.add_authorization(scheme, rest.trim());
        }
        let write_key = headers.get("x-write-key").and_then(|it| it.to_str().ok());
        if let Some(key) = write_key {
            candidates.add_with_halves(key.trim());
        }
        candidates
    }

    /// Finds the caller; `None` leaves the question to the body.
    ///
    /// # Errors
    /// `UnknownKey` where a text that can only be a key is not known; `Unavailable` where nobody can say.
    pub async fn caller(&self, keys: &Keys) -> Result<Option<Caller>, ApiError> {
        Ok(self.known(keys).await?.map(|(caller, _)| caller))
    }

    /// Finds the caller and the key that it used.
    ///
    /// # Errors
    /// As `caller`.
    pub async fn known(&self, keys: &Keys) -> Result<Option<(Caller, &str)>, ApiError> {
        for key in &self.keys {
            let found = keys.find(key).await.map_err(|_| ApiError::Unavailable)?;
            if let Some(caller) = found {
                return Ok(Some((caller, key)));
            }
        }
        if self.certain {
            Err(ApiError::UnknownKey)
        } else {
            Ok(None)
        }
    }

    /// Finds who says something, and the key.
    ///
    /// # Errors
    /// As `caller`; `WriteKeyNeeded` where the key only reads.
    pub async fn writer(&self, keys: &Keys) -> Result<Option<(Caller, &str)>, ApiError> {
        let known = self.known(keys).await?;
        match &known {
            Some((caller, _)) if !caller.kind.may_write() => Err(ApiError::WriteKeyNeeded),
            _ => Ok(known),
        }
    }

    /// True where the request carries no key at all.
    pub fn are_none(&self) -> bool {
        self.keys.is_empty()
    }

    fn add(&mut self, key: String) {
        if !key.is_empty() {
            self.keys.push(key);
            self.certain = true;
        }
    }

    fn add_authorization(&mut self, scheme: &str, rest: &str) {
        if scheme.eq_ignore_ascii_case("basic") {
            self.add(basic_user(rest));
        } else if scheme.eq_ignore_ascii_case("bearer")
            && !rest.is_empty()
            && !looks_like_token(rest)
        {
            self.keys.push(rest.to_owned());
        }
    }

    /// Jitsu sends `id:secret`; either half or the whole may be the key it was given.
    fn add_with_halves(&mut self, key: &str) {
        self.add(key.to_owned());
        if let Some((id, secret)) = key.split_once(':') {
            self.add(id.to_owned());
            self.add(secret.to_owned());
        }
    }
}

/// The user of Basic credentials, with or without a colon; the password is ignored. What is no Base64 stays as it is and will
/// not be known.
fn basic_user(encoded: &str) -> String {
    let Some(decoded) = BASE64
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
    else {
        return encoded.to_owned();
    };
    let user = decoded.split_once(':').map_or(&*decoded, |(user, _)| user);
    user.trim().to_owned()
}

/// The first text behind a `"writeKey"` in the beginning of a body, as a hint: it may stand within some event.
pub fn early_key(beginning: &[u8]) -> Option<String> {
    const NAME: &[u8] = br#""writeKey""#;
    let found = memchr::memmem::find(beginning, NAME)?;
    let rest = beginning[found + NAME.len()..].trim_ascii_start();
    let text = rest.strip_prefix(b":")?.trim_ascii_start();
    let mut texts = serde_json::Deserializer::from_slice(text).into_iter::<String>();
    texts.next()?.ok()
}

/// The first value of this name in a query string.
pub fn query_value(query: &str, name: &str) -> Option<String> {
    if query.is_empty() {
        return None;
    }
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn of(uri: &str, headers: &[(&str, &str)]) -> (Vec<String>, bool) {
        let mut request = TestRequest::with_uri(uri);
        for header in headers {
            request = request.insert_header(*header);
        }
        let candidates = Candidates::of(&request.to_http_request());
        (candidates.keys, candidates.certain)
    }

    fn certain(keys: &[&str]) -> (Vec<String>, bool) {
        (keys.iter().map(|key| (*key).to_owned()).collect(), true)
    }

    #[test]
    fn every_place_of_a_key_is_looked_at() {
        let basic = |user: &str| format!("Basic {}", BASE64.encode(user));
        for user in ["wk", "wk:", "wk:password", "wk:a:b"] {
            assert_eq!(
                of("/", &[("Authorization", &basic(user))]),
                certain(&["wk"])
            );
        }
        assert_eq!(
            of("/", &[("authorization", "basic d2s6")]),
            certain(&["wk"])
        );
        assert_eq!(of("/", &[("authorization", "Basic d2s")]), certain(&["wk"]));
        assert_eq!(
            of("/", &[("Authorization", "Bearer pk_eu_1")]),
            (vec!["pk_eu_1".to_owned()], false)
        );
        assert_eq!(
            of("/", &[("X-Write-Key", "id:secret")]),
            certain(&["id:secret", "id", "secret"])
        );
        assert_eq!(of("/", &[("x-write-key", "wk")]), certain(&["wk"]));
        assert_eq!(of("/?a=b&writeKey=w%2Bk", &[]), certain(&["w+k"]));
    }

    #[test]
    fn headers_come_first_and_nothing_is_no_key() {
        assert_eq!(
            of(
                "/?writeKey=query",
                &[("X-Write-Key", "header"), ("Authorization", "Bearer token")]
            ),
            certain(&["token", "header", "query"])
        );
        for nothing in [
            "Basic Og==",
            "Basic ",
            "Bearer",
            "Digest x",
            "Bearer eyJh.eyJi.c",
        ] {
            assert_eq!(of("/", &[("Authorization", nothing)]), (Vec::new(), false));
        }
        assert_eq!(
            of("/", &[("Authorization", "Basic %%%")]),
            certain(&["%%%"])
        );
        assert_eq!(of("/?writeKey=", &[]), (Vec::new(), false));
    }

    #[test]
    fn an_early_key_is_seen_in_a_body_that_is_cut() {
        let seen = |text: &str| early_key(text.as_bytes());
        assert_eq!(
            seen(r#"{"writeKey" : "wk","batch":[{"ty"#),
            Some("wk".into())
        );
        assert_eq!(
            seen(r#"{"batch":[{"writeKey":"w\u006b"}"#),
            Some("wk".into())
        );
        for none in [
            r#"{"batch":[]"#,
            r#"{"writeKey":7"#,
            r#"{"writeKey":"cu"#,
            r#"{"writeKey""#,
        ] {
            assert_eq!(seen(none), None, "{none}");
        }
    }
}
