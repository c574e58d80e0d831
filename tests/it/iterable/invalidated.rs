//! Tokens that were invalidated: refused by all nodes within seconds, and without a statement for each call.

use super::call;
use super::signed::{App, SECRET, token};
use crate::harness::{Service, answer_to, shared, wait_until};
use crate::statements::counts;
use futures_util::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn millis_ago(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    now.as_millis() as i64 - seconds * 1_000
}

async fn invalidate(app: &App, body: Value) {
    let (status, answer) = call(
        &app.project,
        Method::POST,
        "auth/jwts/invalidate",
        Some(&body),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// What a call by a token is told.
async fn told(app: &App, token: &str) -> (u16, String, String) {
    app.post("users/update", Some(token), &json!({})).await
}

fn invalidated() -> (u16, String, String) {
    let message = "jwt token has been invalidated";
    (401, "InvalidJwtPayload".to_owned(), message.to_owned())
}

fn by_email(age: i64) -> String {
    token(json!({"email": "ada@example.com"}), SECRET, (age, 600))
}

#[tokio::test]
async fn an_older_token_of_the_person_counts_no_more_by_any_of_her_names() {
    let app = App::fresh().await;
    let by_user_id = |age| token(json!({"userId": "u1"}), SECRET, (age, 600));
    let of_another = token(json!({"email": "b@example.com"}), SECRET, (300, 600));
    let known = json!({"email": "ada@example.com", "userId": "u1"});
    call(&app.project, Method::POST, "users/update", Some(&known)).await;
    assert_eq!(told(&app, &by_email(300)).await.0, 200);
    invalidate(
        &app,
        json!({"email": "Ada@example.com", "userId": null, "issuedBefore": millis_ago(100)}),
    )
    .await;
    for old in [by_email(300), by_user_id(300), by_email(101)] {
        assert_eq!(told(&app, &old).await, invalidated());
    }
    for good in [by_email(90), by_user_id(90), of_another.clone()] {
        assert_eq!(told(&app, &good).await.0, 200);
    }
    // An earlier time takes nothing back.
    invalidate(
        &app,
        json!({"userId": "u1", "issuedBefore": millis_ago(1_000)}),
    )
    .await;
    assert_eq!(told(&app, &by_email(300)).await, invalidated());
    // Of a time to come only the present counts.
    invalidate(
        &app,
        json!({"email": "b@example.com", "issuedBefore": millis_ago(-86_400)}),
    )
    .await;
    assert_eq!(told(&app, &of_another).await, invalidated());
    let next = token(json!({"email": "b@example.com"}), SECRET, (-5, 600));
    assert_eq!(told(&app, &next).await.0, 200);
    for wrong in [
        json!({"email": "a@example.com"}),
        json!({"issuedBefore": 1}),
        json!({"userId": "u1", "issuedBefore": "x"}),
    ] {
        let (status, answer) = call(
            &app.project,
            Method::POST,
            "auth/jwts/invalidate",
            Some(&wrong),
        )
        .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {answer}");
    }
}

#[tokio::test]
async fn other_nodes_know_within_seconds_and_a_thousand_calls_cost_no_statements() {
    let app = App::fresh().await;
    let other = Service::start(&shared().await.database_url, &[]).await;
    let elsewhere = App {
        project: app.project.through(&other.url),
        key: app.key.clone(),
    };
    // People whom nothing was said of, the first of whom are asked for until the node has read what there is.
    wait_until(
        "the node has read all",
        Duration::from_secs(30),
        async || {
            let before = lookups(&other.url).await;
            let fresh = json!({"userId": uuid::Uuid::new_v4().to_string()});
            told(&elsewhere, &token(fresh, SECRET, (300, 600))).await;
            lookups(&other.url).await == before
        },
    )
    .await;
    invalidate(
        &app,
        json!({"email": "ada@example.com", "issuedBefore": millis_ago(100)}),
    )
    .await;
    wait_until(
        "the other node knows",
        Duration::from_secs(30),
        async || told(&elsewhere, &by_email(300)).await == invalidated(),
    )
    .await;
    let before = lookups(&other.url).await;
    let calls = (0..1_000).map(async |number| {
        let whom = match number % 2 {
            0 => json!({"email": "ada@example.com"}),
            _ => json!({"userId": format!("u{number}")}),
        };
        let expected = if number % 2 == 0 { 401 } else { 200 };
        let status = told(&elsewhere, &token(whom, SECRET, (300, 600))).await.0;
        assert_eq!(status, expected, "{number}");
    });
    stream::iter(calls)
        .buffer_unordered(20)
        .collect::<Vec<()>>()
        .await;
    let cost = lookups(&other.url).await - before;
    assert!(cost < 20, "{cost} look-ups for 1,000 calls");
}

/// How often a node has asked what holds of a name.
async fn lookups(url: &str) -> u64 {
    counts(url)
        .await
        .get("find_invalidation")
        .copied()
        .unwrap_or(0)
}

#[tokio::test]
async fn it_signs_nothing_by_any_other_road() {
    let app = App::fresh().await;
    let by_user_id = |age| token(json!({"userId": "u1"}), SECRET, (age, 600));
    let (old, good) = (by_user_id(300), by_user_id(90));
    invalidate(
        &app,
        json!({"userId": "u1", "issuedBefore": millis_ago(100)}),
    )
    .await;
    let batch = async |of_request: &str, of_call: &str| {
        let track = json!({"type": "track", "event": "Seen", "anonymousId": "a1", "userId": "u1",
            "context": {"userToken": Some(of_call).filter(|token| !token.is_empty())}});
        let request = app
            .project
            .client
            .post(format!("{}/v1/batch?results=true", app.project.url));
        let request = request
            .basic_auth(&app.key, Some(""))
            .header("X-User-Token", of_request)
            .json(&json!({"batch": [track]}));
        let (_, answer) = answer_to(request).await;
        answer["results"][0]["warnings"].clone()
    };
    for (of_request, of_call) in [(&*old, ""), ("", &*old)] {
        let warnings = batch(of_request, of_call).await;
        let message = warnings[0]["message"].as_str().unwrap_or_default();
        assert_eq!(warnings[0]["code"], "unsigned_user", "{warnings}");
        assert!(
            message.contains("JWT token has been invalidated"),
            "{message}"
        );
    }
    for (of_request, of_call) in [(&*good, ""), ("", &*good), (&*old, &*good)] {
        let warnings = batch(of_request, of_call).await;
        assert_eq!(warnings, json!(null), "{of_request} {of_call}");
    }
    // A merge needs no token by its path, but says who logged in.
    let drawn = uuid::Uuid::new_v4().to_string();
    let session = json!({"user": {"userId": drawn}, "createdAt": 1_704_164_645});
    let begun = app.post("unknownuser/events/session", None, &session).await;
    assert_eq!(begun.0, 200);
    let merge = json!({"sourceUserId": drawn, "destinationUserId": "u1"});
    assert_eq!(
        app.post("users/merge", Some(&old), &merge).await,
        invalidated()
    );
    assert_eq!(app.post("users/merge", Some(&good), &merge).await.0, 200);
}

#[tokio::test]
async fn an_invalidation_keeps_no_name() {
    let app = App::fresh().await;
    invalidate(
        &app,
        json!({"userId": "somebody-rare", "issuedBefore": millis_ago(1)}),
    )
    .await;
    let url = &shared().await.database_url;
    let rows = format!(
        "SELECT count(*)::TEXT FROM token_invalidation AS t WHERE project_id = {} AND encode(t.name_hash, 'escape') LIKE '%somebody-rare%'",
        app.project.id
    );
    assert_eq!(crate::harness::sql(url, &rows).await, ["0"]);
    assert_eq!(app.project.count("*", "token_invalidation").await, 1);
}
