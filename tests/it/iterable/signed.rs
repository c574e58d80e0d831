//! Keys whose calls need a token: who signs is who is spoken of.

use crate::harness::{Project, ROSTER, shared, store_at};
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::{Method, StatusCode};
use roster::domain::{KeyHash, ProjectId};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::process::Command;

const SECRET: &str = "a secret of a test";

/// An app with a key that needs tokens.
struct App {
    project: Project,
    key: String,
}

impl App {
    async fn fresh() -> Self {
        let project = Project::fresh().await;
        let key = format!("signed-{}", project.name);
        let store = store_at(&shared().await.database_url);
        let made = store.create_signed_key(KeyHash::of(&key), ProjectId(project.id), SECRET);
        made.await.expect("made");
        Self { project, key }
    }

    /// Calls with a token, or without; tells the status and the code.
    async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> (u16, String, String) {
        let url = format!("{}/api/{path}", self.project.url);
        let mut request = self.project.client.request(Method::POST, url);
        request = request.header("Api-Key", &self.key).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let reply = request.send().await.expect("an answer");
        let status = reply.status().as_u16();
        let answer: Value = reply.json().await.expect("JSON");
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        (status, text("code"), text("msg").to_lowercase())
    }

    async fn code(&self, path: &str, token: &str, body: &Value) -> String {
        self.post(path, Some(token), body).await.1
    }
}

/// A token for somebody, from so many seconds ago to so many from now.
fn token(mut claims: Value, secret: &str, (before, after): (i64, i64)) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    let now = now.as_secs() as i64;
    claims["iat"] = json!(now - before);
    claims["exp"] = json!(now + after);
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::default(), &claims, &key).expect("encoded")
}

fn adas() -> String {
    token(json!({"email": "Ada@example.com"}), SECRET, (10, 600))
}

#[tokio::test]
async fn who_signs_is_who_is_spoken_of() {
    let (app, ada) = (App::fresh().await, adas());
    for body in [
        json!({"dataFields": {"plan": "pro"}}),
        json!({"email": "ADA@example.com", "dataFields": {"city": "Ulm"}}),
    ] {
        assert_eq!(app.code("users/update", &ada, &body).await, "Success");
    }
    let open = json!({"messageId": "m1"});
    assert_eq!(
        app.code("events/trackInAppOpen", &ada, &open).await,
        "Success"
    );
    let profile = app.project.profile("email:ada@example.com").await;
    assert_eq!(profile["traits"], json!({"plan": "pro", "city": "Ulm"}));
    assert_eq!(app.project.timeline("email:ada@example.com").await.len(), 1);
    for (path, body) in [
        ("users/update", json!({"email": "b@example.com"})),
        ("users/update", json!({"userId": "u1"})),
        (
            "users/update",
            json!({"email": "ada@example.com", "userId": "u1"}),
        ),
        ("users/update", json!({"dataFields": {"userId": "u1"}})),
        (
            "users/update",
            json!({"dataFields": {"email": "b@example.com"}}),
        ),
        (
            "users/updateEmail",
            json!({"currentEmail": "b@example.com", "newEmail": "c@example.com"}),
        ),
        (
            "users/updateEmail",
            json!({"currentUserId": "u1", "newEmail": "c@example.com"}),
        ),
        ("events/track", json!({"userId": "u1", "eventName": "x"})),
        (
            "commerce/updateCart",
            json!({"user": {"userId": "u1"}, "items": []}),
        ),
        (
            "users/registerDeviceToken",
            json!({"userId": "u1", "device": {"token": "t", "platform": "GCM", "applicationName": "a"}}),
        ),
    ] {
        let code = app.code(path, &ada, &body).await;
        assert_eq!(code, "JwtUserIdentifiersMismatched", "{path} {body}");
    }
    assert_eq!(app.project.get("/v1/profiles/user_id:u1").await.0, 404);
    let moved = json!({"currentEmail": "ada@example.com", "newEmail": "new@example.com"});
    assert_eq!(app.code("users/updateEmail", &ada, &moved).await, "Success");
}

#[tokio::test]
async fn what_is_no_token_is_told_so_that_sdks_fetch_another() {
    let app = App::fresh().await;
    let update = json!({"dataFields": {"a": 1}});
    let ada = || json!({"email": "ada@example.com"});
    let (status, code, message) = app.post("users/update", None, &update).await;
    assert_eq!((status, code.as_str()), (401, "BadAuthorizationHeader"));
    assert_eq!(message, "jwt authorization header is not set");
    for (token, message) in [
        (token(ada(), SECRET, (600, -120)), "jwt token is expired"),
        (
            token(ada(), SECRET, (0, 400 * 86_400)),
            "exp must be less than 1 year from iat",
        ),
        (token(ada(), "another secret", (10, 600)), "jwt is invalid"),
        (
            token(json!({}), SECRET, (10, 600)),
            "jwt payload requires a value for userid or email",
        ),
        ("no token".to_owned(), "jwt format is invalid"),
    ] {
        let told = app.post("users/update", Some(&token), &update).await;
        assert_eq!(
            told,
            (401, "InvalidJwtPayload".to_owned(), message.to_owned())
        );
    }
}

#[tokio::test]
async fn what_sdks_call_without_a_token_lets_nobody_speak_for_another() {
    let app = App::fresh().await;
    let (status, ..) = app
        .post("users/disableDevice", None, &json!({"token": "t"}))
        .await;
    assert_eq!(status, 200);
    let session = |user: Value| json!({"user": user, "createdAt": 1_704_164_645});
    let id = uuid::Uuid::new_v4().to_string();
    let own = session(json!({"userId": id, "dataFields": {"a": 1}}));
    assert_eq!(
        app.post("unknownuser/events/session", None, &own).await.0,
        200
    );
    for user in [
        json!({"userId": "u1"}),
        json!({"email": "ada@example.com"}),
        json!({"userId": id, "dataFields": {"email": "ada@example.com"}}),
    ] {
        let told = app
            .post("unknownuser/events/session", None, &session(user.clone()))
            .await;
        assert_eq!(told.1, "JwtUserIdentifiersMismatched", "{user}");
    }
    let merge = json!({"sourceUserId": id, "destinationUserId": "u1"});
    assert_eq!(app.post("users/merge", None, &merge).await.0, 403);
}

#[tokio::test]
async fn a_key_that_needs_tokens_is_none_to_the_tracking_api() {
    let app = App::fresh().await;
    let url = format!("{}/v1/track", app.project.url);
    let event = json!({"userId": "u1", "event": "x", "messageId": "m1"});
    let by_header = app.project.client.post(&url).basic_auth(&app.key, Some(""));
    let mut in_body = event.clone();
    in_body["writeKey"] = json!(app.key);
    let in_body = app.project.client.post(&url).json(&in_body);
    for request in [by_header.json(&event), in_body] {
        let reply = request.send().await.expect("an answer");
        assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(app.project.count("*", "event").await, 0);
}

#[tokio::test]
async fn the_command_line_makes_such_a_key_with_its_secret() {
    let project = Project::fresh().await;
    let create = async |kind: &str| {
        let arguments = ["key", "create", "--jwt", "--kind", kind, "--project"];
        let mut roster = Command::new(ROSTER);
        roster.args(arguments).arg(&project.name);
        let url = &shared().await.database_url;
        roster
            .args(["--database-url", url])
            .output()
            .await
            .expect("it ran")
    };
    let made = create("write").await;
    let shown = String::from_utf8(made.stdout).expect("text");
    let (key, secret) = shown.trim().split_once('\n').expect("two lines");
    let app = App {
        project: project.through(&project.url),
        key: key.to_owned(),
    };
    let signed = token(json!({"userId": "u1"}), secret, (10, 600));
    assert_eq!(
        app.code("users/update", &signed, &json!({})).await,
        "Success"
    );
    assert!(!create("server").await.status.success());
}
