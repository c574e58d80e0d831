//! Calls that have to be signed: by keys with a secret, and by any write key of a project that asks for it (docs/KEYS.md).
//!
//! A token comes with the request (`X-User-Token`, or `Authorization: Bearer` beside a key that stands elsewhere), or in a call's own
//! `context.userToken`: what a phone queued may be of several people. A call is never refused while something of it can be kept: names
//! that nobody signed are left out.

use crate::api::State;
use crate::api::error::ApiError;
use crate::api::lane::Lane;
use crate::api::signed::{TokenFault, bearer, looks_like_token, signer};
use crate::api::work::work;
use crate::domain::{
    Caller, Code, Gate, Json, Name, Rejection, Signer, Timestamp, TokenSecret, Vouched, Warnings,
    edited,
};
use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use memchr::memmem;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Where a call carries its token. It is read, and never kept.
const FIELD: &str = "userToken";
/// The same as it stands in a body.
const IN_BODY: &[u8] = b"\"userToken\"";
const HEADER: &str = "x-user-token";
/// The first characters of any token: `{"` in Base64.
const TOKEN_BEGINS: &str = "eyJ";
/// Tokens of one request that are looked at: what a phone queued is of a few people.
const MOST_TOKENS: usize = 500;
/// The warning about a name that counts for nothing.
const UNSIGNED: &str = "unsigned_user";

/// What a token says, or what is wrong with it.
type Said = Result<Signer, TokenFault>;

/// How the calls of a request are signed.
#[derive(Clone, Debug)]
pub struct Signing {
    /// `None` where the key can't have tokens.
    secret: Option<TokenSecret>,
    /// Who signed the request as a whole.
    of_request: Option<Said>,
    /// What the tokens in the body say, by their texts.
    of_calls: Arc<BTreeMap<String, Said>>,
}

/// Who signed a call.
struct Signers {
    all: Vec<Signer>,
    /// What was wrong with a token.
    fault: Option<TokenFault>,
}

impl Signing {
    /// Reads all tokens of a request; `None` where the caller's own word is enough.
    ///
    /// # Errors
    /// `Unavailable` where nobody can say whether a token was invalidated.
    pub async fn of(
        state: &State,
        caller: &Caller,
        headers: &HeaderMap,
        (lane, body): (&Lane, &Bytes),
        now: Timestamp,
    ) -> Result<Option<Self>, ApiError> {
        if caller.speaks_for_all() {
            return Ok(None);
        }
        let mut signing = Self {
            secret: caller.secret.clone(),
            of_request: None,
            of_calls: Arc::default(),
        };
        let Some(secret) = caller.secret.clone() else {
            return Ok(Some(signing));
        };
        let (invalidated, project_id) = (&state.invalidated, caller.project_id);
        if let Some(token) = token_of(headers) {
            let said = signer(token, &secret, now);
            signing.of_request = Some(invalidated.hold(project_id, said).await?);
        }
        let (size, body) = (body.len(), body.clone());
        let reading = move || Ok(said_in(&body, &secret, now));
        let mut of_calls = work(&lane.decoders, size, reading).await?;
        for said in of_calls.values_mut() {
            *said = invalidated.hold(project_id, said.clone()).await?;
        }
        signing.of_calls = Arc::new(of_calls);
        Ok(Some(signing))
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
        let mut vouched = gate.vouched(names, explicit, &signers.all);
        let reason = self.reason(&signers);
        for field in &vouched.left_out {
            let message = format!("{reason}: the call counts without this name");
            warnings.add(UNSIGNED, field, message);
        }
        warnings.leave_out(std::mem::take(&mut vouched.unsigned));
        if had_names && vouched.names.is_empty() {
            let field = vouched.left_out.first().map_or("traits", Cow::as_ref);
            let message = format!("{reason}, and the call names nobody else");
            return Err(Rejection::of(Code::UnsignedUser, field, message));
        }
        Ok(vouched)
    }

    fn signers(&self, token: Option<String>) -> Signers {
        let own = token.filter(|_| self.secret.is_some());
        let own = own.map(|token| self.of_calls.get(&token).cloned());
        let own = own.map(|said| said.unwrap_or(Err(TokenFault::TooMany)));
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

/// The texts behind the names of tokens in a body, each once, with what they say.
fn said_in(body: &[u8], secret: &TokenSecret, now: Timestamp) -> BTreeMap<String, Said> {
    let mut said = BTreeMap::new();
    for place in memmem::find_iter(body, IN_BODY) {
        let Some(token) = text_behind(&body[place + IN_BODY.len()..]) else {
            continue;
        };
        if said.len() == MOST_TOKENS {
            break;
        }
        if let Entry::Vacant(unread) = said.entry(token) {
            let says = signer(unread.key(), secret, now);
            unread.insert(says);
        }
    }
    said
}

/// The text that is the value of a name, from behind the name on.
fn text_behind(rest: &[u8]) -> Option<String> {
    let value = rest.trim_ascii_start().strip_prefix(b":")?;
    let mut texts = serde_json::Deserializer::from_slice(value).into_iter::<String>();
    texts.next()?.ok()
}

/// True of a body in which some call may carry a token; of most there is none. Escapes could spell its name otherwise.
pub fn may_have_tokens(body: &[u8]) -> bool {
    memmem::find(body, FIELD.as_bytes()).is_some() || memmem::find(body, b"\\u").is_some()
}

/// A context without its token, and the token.
pub fn without_token(context: Json) -> (Json, Option<String>) {
    let Some(token) = context.member(FIELD) else {
        return (context, None);
    };
    let rest = without_field(context.as_str()).map(Json::from_database);
    (rest.unwrap_or(context), token.as_text())
}

/// The text of a call as it may be kept: a token is none of the data. What can't be read as a call, or has its token elsewhere, loses all
/// that looks like one.
pub fn redacted(text: &str) -> Cow<'_, str> {
    if !may_have_tokens(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let call = edited(text, |name, value| {
        let context = (name == "context").then(|| without_field(value));
        Some(context.flatten().map_or(Cow::Borrowed(value), Cow::Owned))
    });
    let text = match call {
        Some(call) => call,
        None if text.starts_with('{') => return Cow::Borrowed("null"),
        None => text.to_owned(),
    };
    let without = Json::from_database(text).with_texts(without_tokens);
    Cow::Owned(without.as_str().to_owned())
}

/// A text with a mark for each token in it; `None` where there is none.
fn without_tokens(text: &str) -> Option<String> {
    let is_of_token =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    let mut without = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(TOKEN_BEGINS) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|character| !is_of_token(character));
        let (word, behind) = from.split_at(end.unwrap_or(from.len()));
        without.push_str(before);
        let is_token = word.matches('.').count() >= 2;
        without.push_str(if is_token { "[token]" } else { word });
        rest = behind;
    }
    without.push_str(rest);
    (without != text).then_some(without)
}

/// An object without its token.
fn without_field(context: &str) -> Option<String> {
    edited(context, |name, value| {
        (name != FIELD).then_some(Cow::Borrowed(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

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
        let twice = r#"{"context":{"userToken":"t"},"context":{"a":"userToken","userToken":"t"}}"#;
        assert_eq!(
            redacted(twice),
            r#"{"context":{},"context":{"a":"userToken"}}"#
        );
        assert_eq!(redacted(r#"{"userToken""#), "null");
        assert_eq!(redacted(r#"["userToken"]"#), r#"["userToken"]"#);
    }

    #[test]
    fn a_token_is_taken_out_however_its_name_is_spelled_and_wherever_it_stands() {
        let context = Json::from_database(r#"{"user\u0054oken":"t","ip":"::1"}"#.to_owned());
        assert!(may_have_tokens(context.as_bytes()));
        assert_eq!(without_token(context).0.as_str(), r#"{"ip":"::1"}"#);
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VySWQiOiJ6b2UifQ.kR3-_x";
        for item in [
            r#"[{"context":{"userToken":"TOKEN"}}]"#,
            r#"{"context":[{"userToken":"TOKEN"}]}"#,
            r#"{"userToken":"Bearer TOKEN"}"#,
            r#"{"context":{"traits":{"userToken":"TOKEN"}}}"#,
            r#""{\"context\":{\"userToken\":\"TOKEN\"},}""#,
            r#""{\"context\":{\"user\\u0054oken\":\"TOKEN\"},}""#,
        ] {
            let text = item.replace("TOKEN", token);
            let kept = redacted(&text);
            assert_eq!(kept, item.replace("TOKEN", "[token]"));
        }
        let text = r#"{"userToken":"eyJh.b","a":"eyJude","b":"hey.a.b"}"#;
        assert_eq!(redacted(text), text);
    }

    #[test]
    fn tokens_of_a_body_are_found_where_they_are_read_and_only_so_many() {
        let found = |body: &str| {
            let said = said_in(body.as_bytes(), &TokenSecret::new("s"), Timestamp::MIN);
            said.into_keys().collect::<Vec<_>>()
        };
        let body = r#"{"a":"\"userToken\":\"no\"","context":{"userToken" : "t\u0031","b":{"userToken":7,"userToken":"t1"}},"userToken":"cu"#;
        assert_eq!(found(body), ["t1"]);
        let call = |number: usize| format!(r#"{{"userToken":"t{number}"}}"#);
        let many: Vec<String> = (0..=MOST_TOKENS).chain(0..9).map(call).collect();
        assert_eq!(found(&many.join(",")).len(), MOST_TOKENS);
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
