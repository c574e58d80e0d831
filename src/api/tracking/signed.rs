//! Calls that have to be signed: by keys with a secret, and by any write key of a project that asks for it (docs/KEYS.md).
//!
//! A token comes with the request (`X-User-Token`, or `Authorization: Bearer` beside a key that stands elsewhere), or in a call's own
//! `context.userToken`: what a phone queued may be of several people. A call is never refused while something of it can be kept: names
//! that nobody signed are left out.

use crate::api::signed::{TokenFault, bearer, looks_like_token, signer};
use crate::domain::{
    Caller, Code, Gate, Json, Name, Rejection, Signer, Timestamp, TokenSecret, Vouched, Warnings,
};
use actix_web::http::header::HeaderMap;
use memchr::memmem;
use serde_json::Value;
use std::borrow::Cow;

/// Where a call carries its token. It is read, and never kept.
const FIELD: &str = "userToken";
/// The same as it stands in a body.
const IN_BODY: &[u8] = b"\"userToken\"";
const HEADER: &str = "x-user-token";
/// The warning about a name that counts for nothing.
const UNSIGNED: &str = "unsigned_user";

/// How the calls of a request are signed.
#[derive(Clone, Debug)]
pub struct Signing {
    /// `None` where the key can't have tokens.
    secret: Option<TokenSecret>,
    /// Who signed the request as a whole.
    of_request: Option<Result<Signer, TokenFault>>,
    now: Timestamp,
}

/// Who signed a call.
struct Signers {
    all: Vec<Signer>,
    /// What was wrong with a token.
    fault: Option<TokenFault>,
}

impl Signing {
    /// `None` where the caller's own word is enough.
    pub fn of(caller: &Caller, headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        if caller.speaks_for_all() {
            return None;
        }
        let secret = caller.secret.clone();
        let token = token_of(headers);
        let of_request = token.zip(secret.as_ref());
        Some(Self {
            of_request: of_request.map(|(token, secret)| signer(token, secret, now)),
            secret,
            now,
        })
    }

    /// Leaves out of a call the names that nobody signed; so many of the first are one person's by the caller's word.
    ///
    /// # Errors
    /// `UnsignedUser` where nobody is left whom the call could be about.
    pub fn hold(
        &self,
        (names, explicit): (Vec<Name>, usize),
        token: Option<String>,
        gate: &Gate<'_>,
        warnings: &mut Warnings,
    ) -> Result<Vouched, Rejection> {
        let signers = self.signers(token);
        let had_names = !names.is_empty();
        let vouched = gate.vouched(names, explicit, &signers.all);
        let reason = self.reason(&signers);
        for field in &vouched.left_out {
            let message = format!("{reason}: the call counts without this name");
            warnings.add(UNSIGNED, field, message);
        }
        if had_names && vouched.names.is_empty() {
            let field = vouched.left_out.first().map_or("traits", Cow::as_ref);
            let message = format!("{reason}, and the call names nobody else");
            return Err(Rejection::of(Code::UnsignedUser, field, message));
        }
        Ok(vouched)
    }

    fn signers(&self, token: Option<String>) -> Signers {
        let own = token.as_deref().zip(self.secret.as_ref());
        let own = own.map(|(token, secret)| signer(token, secret, self.now));
        let mut signers = Signers {
            all: Vec::new(),
            fault: None,
        };
        for said in own.into_iter().chain(self.of_request.clone()) {
            match said {
                Ok(signer) => signers.all.push(signer),
                Err(fault) => signers.fault = signers.fault.or(Some(fault)),
            }
        }
        signers
    }

    fn reason(&self, signers: &Signers) -> String {
        match (&self.secret, signers.fault) {
            (None, _) => "the key has no secret, and users of this project need a token".to_owned(),
            (_, Some(fault)) => format!("the token is of no use ({fault})"),
            _ if signers.all.is_empty() => "no token says who this is".to_owned(),
            _ => "the token is another user's".to_owned(),
        }
    }
}

/// The token of a request: of its own header, or as a Bearer where that is no key.
fn token_of(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get(HEADER).and_then(|value| value.to_str().ok());
    let own = own.map(|text| text.trim().trim_start_matches("Bearer "));
    let bearer = bearer(headers).filter(|text| looks_like_token(text));
    own.filter(|text| !text.is_empty()).or(bearer)
}

/// True of a body in which some call may carry a token; of most there is none.
pub fn may_have_tokens(body: &[u8]) -> bool {
    memmem::find(body, IN_BODY).is_some()
}

/// A context without its token, and the token.
pub fn without_token(context: Json) -> (Json, Option<String>) {
    let Some(token) = context.member(FIELD) else {
        return (context, None);
    };
    let mut members = context.members().unwrap_or_default();
    members.remove(FIELD);
    (Json::from_members(&members), token.as_text())
}

/// The text of a call as it may be kept: a token is none of the data.
pub fn redacted(text: &str) -> Cow<'_, str> {
    if !may_have_tokens(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let Ok(mut call) = serde_json::from_str::<Value>(text) else {
        return Cow::Borrowed("null");
    };
    let context = call.get_mut("context").and_then(Value::as_object_mut);
    context.and_then(|context| context.remove(FIELD));
    Cow::Owned(call.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_out_of_what_is_kept() {
        let context = Json::from_database(r#"{"userToken":"t","ip":"::1"}"#.to_owned());
        let (context, token) = without_token(context);
        assert_eq!(
            (context.as_str(), token.as_deref()),
            (r#"{"ip":"::1"}"#, Some("t"))
        );
        let kept = redacted(r#"{"n":1.5,"context":{"userToken":"t"},"userToken":"x"}"#);
        let kept: Value = serde_json::from_str(&kept).expect("JSON");
        assert_eq!(
            kept,
            serde_json::json!({"n": 1.5, "context": {}, "userToken": "x"})
        );
        assert_eq!(redacted(r#"{"a":1}"#), r#"{"a":1}"#);
    }

    #[test]
    fn a_request_says_its_token_in_either_header() {
        let of = |name: &'static str, value: &str| {
            let request = actix_web::test::TestRequest::default();
            let request = request.insert_header((name, value)).to_http_request();
            token_of(request.headers()).map(str::to_owned)
        };
        for value in ["eyJh.b.c", " eyJh.b.c", "Bearer eyJh.b.c"] {
            assert_eq!(of("X-User-Token", value).as_deref(), Some("eyJh.b.c"));
        }
        assert_eq!(
            of("Authorization", "bearer eyJh.b.c").as_deref(),
            Some("eyJh.b.c")
        );
        for none in ["Bearer a-write-key", "Basic eyJh.b.c", "Bearer"] {
            assert_eq!(of("Authorization", none), None, "{none}");
        }
    }
}
