//! Tokens in the heads of requests: what clients, proxies and attackers make of `Authorization`, and what SDKs are told.

use super::signed::{App, SECRET, token};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// What an update says that SDKs look at: the status, the code and the message.
async fn told(app: &App, headers: &[&[u8]]) -> (u16, String, String) {
    let url = format!("{}/api/users/update", app.project.url);
    let mut request = app.project.client.post(url).header("Api-Key", &app.key);
    for header in headers {
        let value = HeaderValue::from_bytes(header).expect("a value");
        request = request.header("Authorization", value);
    }
    let request = request.json(&json!({"dataFields": {"a": 1}}));
    let reply = request.send().await.expect("an answer");
    let status = reply.status().as_u16();
    let text = reply.text().await.expect("text");
    let answer: Value = serde_json::from_str(&text).expect("every answer is JSON");
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("msg"))
}

fn adas() -> String {
    token(json!({"email": "ada@example.com"}), SECRET, (10, 600))
}

#[tokio::test]
async fn whatever_stands_in_the_head_is_answered_so_that_sdks_understand_it() {
    let (app, ada) = (App::fresh().await, adas());
    for good in [
        format!("Bearer {ada}"),
        format!("bearer {ada}"),
        format!("BEARER   {ada}  "),
    ] {
        let (status, code, _) = told(&app, &[good.as_bytes()]).await;
        assert_eq!((status, code.as_str()), (200, "Success"), "{good}");
    }
    let missing = (
        401,
        "BadAuthorizationHeader".to_owned(),
        "JWT Authorization header is not set".to_owned(),
    );
    for bad in [
        b"".as_slice(),
        b"Bearer",
        b"Basic YWRhOg==",
        b"Token abc",
        b"Bearer \xff\xfe.\xff.\xff",
        ada.as_bytes(),
    ] {
        assert_eq!(told(&app, &[bad]).await, missing, "{bad:?}");
    }
    assert_eq!(told(&app, &[]).await, missing);
    let format = "JWT format is invalid";
    for bad in [
        "undefined".to_owned(),
        "null".to_owned(),
        "..".to_owned(),
        ada.replacen('.', "..", 1),
        format!("{ada}="),
        format!("{ada} {ada}"),
        format!("{ada},Bearer {ada}"),
        "x".repeat(8_193),
        format!("{ada}{}", "x".repeat(20_000)),
    ] {
        let answer = told(&app, &[format!("Bearer {bad}").as_bytes()]).await;
        let code = (answer.0, answer.1.as_str());
        assert_eq!(code, (401, "InvalidJwtPayload"), "{bad}: {answer:?}");
        let is_known = [format, "JWT is invalid"].contains(&answer.2.as_str());
        assert!(is_known, "{bad}: {answer:?}");
    }
}

fn by_hand(header: &str, claims: &Value) -> String {
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encoded(header), encoded(&claims.to_string()));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("{message}.{}", signature.expect("signed"))
}

#[tokio::test]
async fn what_is_not_yet_or_not_so_signed_is_told_and_does_nothing() {
    let app = App::fresh().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    let claims = |more: Value| {
        let mut claims = json!({"email": "ada@example.com", "iat": now - 10, "exp": now + 600});
        claims
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        claims
    };
    let plain = claims(json!({}));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let longer = encode(&Header::new(Algorithm::HS512), &plain, &key).expect("encoded");
    let unsigned = by_hand(r#"{"alg":"none"}"#, &plain);
    let unsigned = format!("{}.", unsigned.rsplit_once('.').expect("three parts").0);
    let head = r#"{"alg":"HS256","typ":"JWT"}"#;
    for (token, message) in [
        (longer, "JWT is invalid"),
        (by_hand(r#"{"alg":"none"}"#, &plain), "JWT is invalid"),
        (by_hand(r#"{"alg":"hs256"}"#, &plain), "JWT is invalid"),
        (by_hand(r#"{"alg":"RS256"}"#, &plain), "JWT is invalid"),
        (unsigned, "JWT format is invalid"),
        (
            by_hand(head, &claims(json!({"nbf": now + 300}))),
            "invalid payload",
        ),
        (
            by_hand(head, &claims(json!({"iat": now + 300}))),
            "invalid payload",
        ),
        (
            by_hand(head, &claims(json!({"exp": "soon"}))),
            "invalid payload",
        ),
        (
            by_hand(head, &claims(json!({"exp": now - 61, "iat": now - 90}))),
            "JWT token is expired",
        ),
        (
            by_hand(head, &claims(json!({"exp": now + 367 * 86_400}))),
            "exp must be less than 1 year from iat",
        ),
        (
            by_hand(head, &claims(json!({"email": null}))),
            "JWT payload requires a value for userId or email",
        ),
    ] {
        let answer = told(&app, &[format!("Bearer {token}").as_bytes()]).await;
        let expected = (401, "InvalidJwtPayload".to_owned(), message.to_owned());
        assert_eq!(answer, expected, "{token}");
    }
    assert_eq!(app.project.count("*", "profile").await, 0);
    let taken = by_hand(head, &claims(json!({"iat": now + 5, "nbf": now + 5})));
    let answer = told(&app, &[format!("Bearer {taken}").as_bytes()]).await;
    assert_eq!(answer.1, "Success", "clocks differ by seconds");
}

#[tokio::test]
async fn a_token_of_two_names_speaks_for_both_and_for_no_third() {
    let app = App::fresh().await;
    let both = json!({"email": "Ada@example.com", "userId": "ada"});
    let ada = token(both, SECRET, (10, 600));
    for body in [
        json!({"dataFields": {"a": 1}}),
        json!({"email": "ADA@Example.com", "dataFields": {"b": 1}}),
        json!({"userId": "ada", "dataFields": {"c": 1}}),
        json!({"email": "ada@example.com", "userId": "ada", "dataFields": {"userId": "ada", "email": "ada@example.com"}}),
    ] {
        assert_eq!(
            app.code("users/update", &ada, &body).await,
            "Success",
            "{body}"
        );
    }
    for body in [
        json!({"email": "ada@example.com", "userId": "bob"}),
        json!({"email": "bob@example.com", "userId": "ada"}),
        json!({"email": "bob@example.com"}),
        json!({"userId": "ADA"}),
        json!({"userId": "ada", "dataFields": {"userId": "bob"}}),
        json!({"userId": "ada", "dataFields": {"email": "bob@example.com"}}),
    ] {
        let code = app.code("users/update", &ada, &body).await;
        assert_eq!(code, "JwtUserIdentifiersMismatched", "{body}");
    }
    // Who signed with one name may not add the other, which nobody signed.
    let one = token(json!({"userId": "ada"}), SECRET, (10, 600));
    let added = json!({"userId": "ada", "email": "ada@example.com", "eventName": "x"});
    let code = app.code("events/track", &one, &added).await;
    assert_eq!(code, "JwtUserIdentifiersMismatched");
    let profile = app.project.profile("user_id:ada").await;
    assert_eq!(
        profile["traits"],
        json!({"a": 1, "b": 1, "c": 1, "email": "ada@example.com"})
    );
    assert_eq!(app.project.count("*", "profile").await, 1);
}
