//! Signed users in the tracking API: by a key with a secret a name of a person counts as far as a token says it, and nothing is lost for
//! the lack of one.

use crate::harness::{Project, ROSTER, Service, fetch, shared};
use crate::iterable::signed::{App, SECRET, token};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

fn adas() -> String {
    token(json!({"userId": "ada"}), SECRET, (10, 600))
}

/// Where a call carries its token.
#[derive(Clone, Copy)]
enum Place {
    Header,
    Bearer,
    Nowhere,
}

/// Sends a batch by the app's key, and gives back the result of each call.
async fn results(app: &App, place: Place, token: &str, calls: &[Value]) -> Vec<Value> {
    let url = format!("{}/v1/batch?results=true", app.project.url);
    let request = app.project.client.post(url);
    let request = match place {
        Place::Header => request
            .basic_auth(&app.key, Some(""))
            .header("X-User-Token", token),
        Place::Bearer => request.header("X-Write-Key", &app.key).bearer_auth(token),
        Place::Nowhere => request.basic_auth(&app.key, Some("")),
    };
    let reply = request.json(&json!({"batch": calls})).send();
    let reply = reply.await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK);
    let mut answer: Value = reply.json().await.expect("JSON");
    serde_json::from_value(answer["results"].take()).expect("a list")
}

fn warned(result: &Value) -> Vec<(&str, &str)> {
    let warnings = result["warnings"].as_array();
    warnings
        .into_iter()
        .flatten()
        .map(|warning| {
            let of = |name: &str| warning[name].as_str().unwrap_or_default();
            (of("code"), of("field"))
        })
        .collect()
}

fn track(id: &str, who: Value) -> Value {
    let mut call = json!({"type": "track", "event": "Seen", "messageId": id});
    for (name, value) in who.as_object().expect("an object") {
        call[name] = value.clone();
    }
    call
}

#[tokio::test]
async fn who_is_signed_is_who_is_spoken_of_wherever_the_token_stands() {
    let (app, ada) = (App::fresh().await, adas());
    let identify = json!({"type": "identify", "userId": "ada", "anonymousId": "a1", "messageId": "i1", "traits": {"plan": "pro"}});
    let told = results(&app, Place::Header, &ada, &[identify]).await;
    assert_eq!(
        (&told[0]["status"], warned(&told[0])),
        (&json!("stored"), vec![])
    );
    let told = results(
        &app,
        Place::Bearer,
        &ada,
        &[track("t1", json!({"userId": "ada"}))],
    )
    .await;
    assert_eq!(
        (&told[0]["status"], warned(&told[0])),
        (&json!("stored"), vec![])
    );
    // What a phone queued is of several people, each with a token of their own.
    let bob = token(
        json!({"userId": "bob", "email": "bob@example.com"}),
        SECRET,
        (10, 600),
    );
    let of = |id: &str, user: &str, token: &str| {
        track(
            id,
            json!({"userId": user, "context": {"userToken": token, "ip": "::1"}}),
        )
    };
    let calls = [
        of("t2", "ada", &ada),
        of("t3", "bob", &bob),
        of("t4", "bob", &ada),
    ];
    let told = results(&app, Place::Nowhere, "", &calls).await;
    assert_eq!(
        (&told[0]["status"], &told[1]["status"]),
        (&json!("stored"), &json!("stored"))
    );
    assert_eq!(told[2]["code"], "unsigned_user");
    let names = |timeline: &[Value]| -> Vec<String> {
        let ids = timeline
            .iter()
            .filter_map(|event| event["message_id"].as_str());
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        ids.sort();
        ids
    };
    assert_eq!(
        names(&app.project.timeline("user_id:ada").await),
        ["i1", "t1", "t2"]
    );
    assert_eq!(names(&app.project.timeline("user_id:bob").await), ["t3"]);
    // A token is no data.
    assert_eq!(
        app.project.event("t2").await["context"],
        json!({"ip": "::1"})
    );
    assert_eq!(
        app.project.profile("anonymous_id:a1").await["traits"],
        json!({"plan": "pro"})
    );
    let listed = app.project.rejections().await;
    assert_eq!(
        listed[0]["item"]["context"],
        json!({"ip": "::1"}),
        "{listed:?}"
    );
}

#[tokio::test]
async fn what_nobody_signed_is_kept_and_is_nobodys_word() {
    let app = App::fresh().await;
    let known =
        json!({"type": "identify", "userId": "ada", "messageId": "i0", "traits": {"plan": "pro"}});
    results(&app, Place::Header, &adas(), &[known]).await;
    let old = token(json!({"userId": "ada"}), SECRET, (600, -120));
    let bobs = token(json!({"userId": "bob"}), SECRET, (10, 600));
    let forged = token(json!({"userId": "ada"}), "another secret", (10, 600));
    let said = [
        (Place::Nowhere, String::new(), "no token"),
        (Place::Header, old, "expired"),
        (Place::Header, bobs, "another user's"),
        (Place::Bearer, forged, "JWT is invalid"),
    ];
    for (number, (place, token, reason)) in said.iter().enumerate() {
        let device = format!("d{number}");
        let identify = json!({"type": "identify", "userId": "ada", "anonymousId": device, "messageId": format!("i-{device}"),
            "traits": {"plan": "stolen", "email": "ada@example.com"}});
        let alone = track(&format!("t-{device}"), json!({"userId": "ada"}));
        let told = results(&app, *place, token, &[identify, alone]).await;
        assert_eq!(told[0]["status"], "stored", "{told:?}");
        assert_eq!(warned(&told[0]), [("unsigned_user", "userId")]);
        let message = told[0]["warnings"][0]["message"].as_str().expect("text");
        assert!(message.contains(reason), "{message}");
        assert_eq!(
            (&told[1]["status"], &told[1]["code"]),
            (&json!("rejected"), &json!("unsigned_user"))
        );
        // The event has what was said; nobody's profile has.
        let event = app.project.event(&format!("i-{device}")).await;
        assert_eq!(event["properties"]["plan"], "stolen");
        let stranger = app.project.profile(&format!("anonymous_id:{device}")).await;
        assert_eq!(stranger["traits"], json!({}));
        assert_eq!(
            app.project
                .timeline(&format!("anonymous_id:{device}"))
                .await
                .len(),
            1
        );
    }
    assert_eq!(
        app.project.profile("user_id:ada").await["traits"],
        json!({"plan": "pro"})
    );
    assert_eq!(app.project.timeline("user_id:ada").await.len(), 1);
    assert_eq!(
        app.project
            .get("/v1/profiles/email:ada@example.com")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn names_that_a_token_does_not_say_join_nobody() {
    let app = App::fresh().await;
    let update = json!({"type": "identify", "userId": "ada", "messageId": "1", "traits": {"email": "victim@example.com"}});
    let told = results(&app, Place::Header, &adas(), &[update]).await;
    assert_eq!(
        (&told[0]["status"], warned(&told[0])),
        (&json!("stored"), vec![])
    );
    assert_eq!(
        app.project.profile("user_id:ada").await["traits"]["email"],
        "victim@example.com"
    );
    assert_eq!(
        app.project
            .get("/v1/profiles/email:victim@example.com")
            .await
            .0,
        404
    );
    let both = token(
        json!({"userId": "ada", "email": "ada@example.com"}),
        SECRET,
        (10, 600),
    );
    let own = json!({"type": "identify", "userId": "ada", "messageId": "2", "traits": {"email": "Ada@example.com"}});
    results(&app, Place::Header, &both, &[own]).await;
    let ada = app.project.profile("user_id:ada").await;
    assert_eq!(
        app.project.profile("email:ada@example.com").await["id"],
        ada["id"]
    );
    // A form without a user: the address is a trait of the visitor.
    let form = json!({"type": "identify", "anonymousId": "a9", "messageId": "3", "traits": {"email": "ada@example.com"}});
    let told = results(&app, Place::Nowhere, "", &[form]).await;
    assert_eq!(told[0]["status"], "stored");
    assert_ne!(
        app.project.profile("anonymous_id:a9").await["id"],
        ada["id"]
    );
    let nobody =
        json!({"type": "identify", "messageId": "4", "traits": {"email": "ada@example.com"}});
    let told = results(&app, Place::Nowhere, "", &[nobody]).await;
    assert_eq!(told[0]["code"], "unsigned_user");
    // An alias is the signer's, or nobody's.
    let alias = |id: &str, user: &str| json!({"type": "alias", "userId": user, "previousId": "a9", "messageId": id});
    let told = results(
        &app,
        Place::Header,
        &adas(),
        &[alias("5", "ada"), alias("6", "bob")],
    )
    .await;
    assert_eq!(
        (&told[0]["status"], warned(&told[0])),
        (&json!("stored"), vec![])
    );
    assert_eq!(
        app.project.profile("anonymous_id:a9").await["id"],
        ada["id"]
    );
    assert_eq!(warned(&told[1])[0], ("unsigned_user", "userId"));
    assert_eq!(app.project.get("/v1/profiles/user_id:bob").await.0, 404);
}

#[tokio::test]
async fn a_call_of_its_own_is_told_that_nobody_signed_it() {
    let app = App::fresh().await;
    let url = format!("{}/v1/track", app.project.url);
    let event = track("m1", json!({"userId": "ada"}));
    let mut in_body = event.clone();
    in_body["writeKey"] = json!(app.key);
    let by_header = app.project.client.post(&url).basic_auth(&app.key, Some(""));
    for request in [
        by_header.json(&event),
        app.project.client.post(&url).json(&in_body),
    ] {
        let reply = request.send().await.expect("an answer");
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
        let answer: Value = reply.json().await.expect("JSON");
        assert_eq!(answer["code"], "unsigned_user");
    }
    // With a token beside the key in the body.
    let request = app.project.client.post(&url).bearer_auth(adas());
    let reply = request.json(&in_body).send().await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(app.project.timeline("user_id:ada").await.len(), 1);
    let pixel = format!(
        "{}/pixel/v1/track?writeKey={}&event=Opened&userId=ada&context.userToken=",
        app.project.url, app.key
    );
    for token in ["", &adas()] {
        assert_eq!(
            fetch(format!("{pixel}{token}"))
                .await
                .expect("an image")
                .status(),
            StatusCode::OK
        );
    }
    assert_eq!(app.project.timeline("user_id:ada").await.len(), 2);
}

#[tokio::test]
async fn a_project_can_ask_all_of_its_apps_for_tokens() {
    let (project, url) = (Project::fresh().await, &shared().await.database_url);
    let set = Command::new(ROSTER)
        .args([
            "project",
            "rules",
            &project.name,
            "--signed-users",
            "--database-url",
            url,
        ])
        .output();
    let set = set.await.expect("it ran");
    assert!(
        set.status.success(),
        "{}",
        String::from_utf8_lossy(&set.stderr)
    );
    let calls = [
        track("m1", json!({"userId": "ada", "anonymousId": "a1"})),
        track("m2", json!({"anonymousId": "a1"})),
    ];
    let told = project.results(&calls).await;
    assert_eq!(warned(&told[0]), [("unsigned_user", "userId")]);
    assert_eq!(project.timeline("anonymous_id:a1").await.len(), 2);
    let update = json!({"userId": "ada", "dataFields": {"a": 1}});
    let by = async |key: &str| {
        let request = project
            .client
            .post(format!("{}/api/users/update", project.url));
        let reply = request.header("Api-Key", key).json(&update).send();
        let reply = reply.await.expect("an answer");
        let status = reply.status();
        (
            status,
            reply.json::<Value>().await.expect("JSON")["code"].clone(),
        )
    };
    assert_eq!(
        by(&project.write_key).await,
        (StatusCode::UNAUTHORIZED, json!("BadApiKey"))
    );
    assert_eq!(
        by(&project.server_key).await,
        (StatusCode::OK, json!("Success"))
    );
    let server = project.client.post(format!("{}/v1/track", project.url));
    let server = server.basic_auth(&project.server_key, Some(""));
    let server = server.json(&track("m3", json!({"userId": "ada"})));
    assert_eq!(
        server.send().await.expect("an answer").status(),
        StatusCode::OK
    );
    assert_eq!(project.timeline("user_id:ada").await.len(), 1);
}

/// Requests of the flood below.
const FLOOD: usize = 1_000;

/// How many look-ups of keys a service has done.
async fn lookups(url: &str) -> f64 {
    let text = fetch(format!("{url}/metrics")).await.expect("an answer");
    let text = text.text().await.expect("text");
    let line = text
        .lines()
        .find(|line| line.starts_with("roster_key_lookups_total"));
    let number = line.and_then(|line| line.rsplit_once(' '));
    number.map_or(0.0, |(_, number)| number.parse().expect("a number"))
}

/// One token of each sort, no two alike, with the secret of a test or without.
fn any_token(number: usize) -> String {
    let claims = json!({"userId": format!("u{number}")});
    match number % 4 {
        0 => token(claims, SECRET, (10, 600)),
        1 => token(claims, SECRET, (600, -120)),
        2 => token(claims, "another secret", (10, 600)),
        _ => format!("eyJhbGciOiJIUzI1NiJ9.eyJ{number}.nothing"),
    }
}

#[tokio::test]
async fn tokens_cost_no_statement_each_and_stand_in_no_log() {
    let database = &shared().await.database_url;
    let log = std::env::temp_dir().join(format!("signed-{}.log", uuid::Uuid::new_v4()));
    let script = format!("exec 2> >(tee {} >&2); exec {ROSTER} \"$@\"", log.display());
    let environment = [
        ("ROSTER__DATABASE__URL", database.as_str()),
        ("ROSTER__LOG__LEVEL", "trace"),
        ("ROSTER__LOG__LINES_PER_MINUTE", "100000"),
    ];
    let service = Service::start_by("bash", &["-c", &script, "roster"], &environment).await;
    let app = App::of(Project::on(&service.url, database).await).await;
    let tokens: Vec<String> = (0..FLOOD).map(any_token).collect();
    app.code("users/update", &tokens[0], &json!({"userId": "u0"}))
        .await;
    let before = lookups(&service.url).await;
    for (number, token) in tokens.iter().enumerate() {
        let user = format!("u{number}");
        match number % 2 {
            0 => {
                let code = app
                    .code("users/update", token, &json!({"userId": user}))
                    .await;
                assert_eq!(code == "Success", number % 4 == 0, "{number}: {code}");
            }
            _ => {
                let call = track(
                    &format!("m{number}"),
                    json!({"userId": user, "context": {"userToken": token}}),
                );
                let told = results(&app, Place::Bearer, token, &[call]).await;
                assert_eq!(told[0]["code"], "unsigned_user");
            }
        }
    }
    let asked = lookups(&service.url).await - before;
    // A key in use is asked for again every few seconds.
    assert!(
        asked < FLOOD as f64 / 10.0,
        "{asked} look-ups for {FLOOD} requests"
    );
    drop(service);
    let written = std::fs::read_to_string(&log).expect("a log");
    std::fs::remove_file(&log).expect("there");
    assert!(written.contains("serving address="), "the log is empty");
    let leaks = |secret: &str| written.contains(secret);
    let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    assert!(!leaks(SECRET) && !leaks(&app.key));
    let told: Vec<&String> = tokens
        .iter()
        .filter(|token| signature(token) != "nothing" && leaks(&signature(token)))
        .collect();
    assert!(told.is_empty(), "{} tokens are in the log", told.len());
}
