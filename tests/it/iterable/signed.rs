//! Keys whose calls need a token: who signs is who is spoken of.

use crate::harness::{Project, ROSTER, answer_to, shared, store_at};
use crate::own_kinds;
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::Method;
use roster::domain::{KeyHash, ProjectId};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::process::Command;

pub const SECRET: &str = "a secret of a test";

/// An app with a key that needs tokens.
pub struct App {
    pub project: Project,
    pub key: String,
}

impl App {
    pub async fn fresh() -> Self {
        Self::of(Project::fresh().await).await
    }

    /// An app of a project in the shared database.
    pub async fn of(project: Project) -> Self {
        let key = format!("signed-{}", project.name);
        let store = store_at(&shared().await.database_url);
        let made = store.create_signed_key(KeyHash::of(&key), ProjectId(project.id), SECRET);
        made.await.expect("made");
        Self { project, key }
    }

    /// Calls with a token, or without; tells the status and the code.
    pub async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> (u16, String, String) {
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

    pub async fn code(&self, path: &str, token: &str, body: &Value) -> String {
        self.post(path, Some(token), body).await.1
    }
}

/// A token for somebody, from so many seconds ago to so many from now.
pub fn token(mut claims: Value, secret: &str, (before, after): (i64, i64)) -> String {
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
async fn what_is_shown_to_a_user_needs_their_token() {
    let app = App::fresh().await;
    let expired = token(json!({"email": "ada@example.com"}), SECRET, (600, -120));
    let code = async |path: &str, token: Option<&str>| {
        let url = format!("{}/api/{path}", app.project.url);
        let mut request = app.project.client.get(url).header("Api-Key", &app.key);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let (_, answer) = answer_to(request).await;
        answer["code"].as_str().unwrap_or("shown").to_owned()
    };
    for path in [
        "inApp/getMessages",
        "inApp/web/getMessages",
        "embedded-messaging/messages",
    ] {
        let (own, others) = (
            format!("{path}?email=Ada%40example.com"),
            format!("{path}?userId=u1"),
        );
        assert_eq!(code(&own, Some(&adas())).await, "shown");
        assert_eq!(code(path, Some(&adas())).await, "shown");
        assert_eq!(code(&own, Some(&expired)).await, "InvalidJwtPayload");
        assert_eq!(code(&own, None).await, "BadAuthorizationHeader");
        assert_eq!(
            code(&others, Some(&adas())).await,
            "JwtUserIdentifiersMismatched"
        );
    }
    assert_eq!(code("mobile/getRemoteConfiguration", None).await, "shown");
}

#[tokio::test]
async fn a_token_stands_for_the_address_that_changes_and_for_no_other_user_id() {
    let (app, ada) = (App::fresh().await, adas());
    assert_eq!(app.code("users/update", &ada, &json!({})).await, "Success");
    let both = json!({"currentEmail": "ada@example.com", "currentUserId": "u1", "newEmail": "new@example.com"});
    assert_eq!(
        app.code("users/updateEmail", &ada, &both).await,
        "JwtUserIdentifiersMismatched"
    );
    let moved = json!({"newEmail": "new@example.com"});
    assert_eq!(app.code("users/updateEmail", &ada, &moved).await, "Success");
    let profile = app.project.profile("email:ada@example.com").await;
    assert_eq!(profile["traits"]["email"], "new@example.com");
    let user = token(json!({"userId": "u1"}), SECRET, (10, 600));
    let renamed = json!({"userId": "u1", "dataFields": {"userId": "u2"}});
    assert_eq!(
        app.code("users/update", &user, &renamed).await,
        "JwtUserIdentifiersMismatched"
    );
}

#[tokio::test]
async fn what_sdks_call_without_a_token_lets_nobody_speak_for_another() {
    let app = App::fresh().await;
    let (status, ..) = app
        .post("users/disableDevice", None, &json!({"token": "t"}))
        .await;
    assert_eq!(status, 200);
    let session = |user: Value| json!({"user": user, "createdAt": 1_704_164_645});
    let id = drawn();
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
}

/// Of the project's own kinds of name no token says any, so that a trait which is called as one is a trait.
#[tokio::test]
async fn what_nobody_signed_is_a_trait_and_no_name() {
    let project = own_kinds::project_with(&["--kind", "crm_id"]).await;
    let known = json!({"type": "identify", "anonymousId": "visitor", "messageId": "m1", "traits": {"crm_id": "C-77", "secret": "s3"}});
    project.send("/v1/batch", &json!({"batch": [known]})).await;
    let app = App::of(project).await;
    let mallory = token(json!({"userId": "mallory"}), SECRET, (10, 600));
    let claim = json!({"userId": "mallory", "dataFields": {"crm_id": "C-77"}});
    assert_eq!(app.code("users/update", &mallory, &claim).await, "Success");
    let id = drawn();
    let session = json!({"user": {"userId": id, "dataFields": {"crm_id": "C-77", "plan": "hacked"}}, "createdAt": 1_704_164_645});
    let path = "unknownuser/events/session";
    assert_eq!(app.post(path, None, &session).await.0, 200);
    let known = app.project.profile("crm_id:C-77").await;
    assert_eq!(known["traits"], json!({"crm_id": "C-77", "secret": "s3"}));
    for (name, traits) in [
        ("mallory".to_owned(), json!({"crm_id": "C-77"})),
        (id, json!({"crm_id": "C-77", "plan": "hacked"})),
    ] {
        let profile = app.project.profile(&format!("user_id:{name}")).await;
        assert_eq!(profile["traits"], traits);
        assert_ne!(profile["id"], known["id"]);
    }
}

#[tokio::test]
async fn an_app_merges_whom_nobody_knew_into_the_one_who_logged_in_and_nobody_else() {
    let app = App::fresh().await;
    let (id, other) = (drawn(), drawn());
    let session = |id: &str| json!({"user": {"userId": id, "dataFields": {"likes": "shoes"}}, "createdAt": 1_704_164_645});
    let path = "unknownuser/events/session";
    assert_eq!(app.post(path, None, &session(&id)).await.0, 200);
    // A user with such an id, who was there before: no session makes them unknown.
    let real = token(json!({"userId": other}), SECRET, (10, 600));
    assert_eq!(app.code("users/update", &real, &json!({})).await, "Success");
    assert_eq!(
        app.post(path, None, &session(&other)).await.1,
        "JwtUserIdentifiersMismatched"
    );
    let ada = adas();
    assert_eq!(app.code("users/update", &ada, &json!({})).await, "Success");
    let merge = |source: &str, destination: &str| json!({"sourceUserId": source, "sourceEmail": null, "destinationUserId": null, "destinationEmail": destination});
    let told = async |token: Option<&str>, body: &Value| {
        let (status, code, _) = app.post("users/merge", token, body).await;
        (status, code)
    };
    let refused = |status: u16, code: &str| (status, code.to_owned());
    let into_ada = merge(&id, "ada@example.com");
    assert_eq!(
        told(None, &into_ada).await,
        refused(401, "BadAuthorizationHeader")
    );
    let bob = token(json!({"email": "bob@example.com"}), SECRET, (10, 600));
    assert_eq!(
        told(Some(&bob), &into_ada).await,
        refused(401, "JwtUserIdentifiersMismatched")
    );
    let known = merge(&other, "ada@example.com");
    assert_eq!(told(Some(&ada), &known).await, refused(403, "Forbidden"));
    assert_eq!(told(Some(&ada), &into_ada).await, refused(200, "Success"));
    let profile = app.project.profile("email:ada@example.com").await;
    assert_eq!(profile["traits"]["likes"], "shoes");
    assert_eq!(
        app.project.profile(&format!("user_id:{id}")).await["id"],
        profile["id"]
    );
    assert_ne!(
        app.project.profile(&format!("user_id:{other}")).await["id"],
        profile["id"]
    );
    // Once more, as an SDK does that heard no answer.
    assert_eq!(told(Some(&ada), &into_ada).await, refused(200, "Success"));
}

fn drawn() -> String {
    uuid::Uuid::new_v4().to_string()
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
