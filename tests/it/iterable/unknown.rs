//! Unknown users: however much they did before they logged in, and who they are after it.

use super::{call, call_by};
use crate::harness::{Project, shared, sql};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A user whom a phone made, by their id.
async fn unknown(project: &Project) -> String {
    let id = uuid::Uuid::new_v4().to_string();
    session(project, &id, 0).await;
    id
}

async fn session(project: &Project, id: &str, bytes: usize) {
    let body = json!({"user": {"userId": id}, "deviceInfo": {"more": "x".repeat(bytes)}});
    app(project, "unknownuser/events/session", &body).await;
}

/// A call of an app.
async fn app(project: &Project, path: &str, body: &Value) {
    let by = (&project.write_key, (Method::POST, path));
    let (status, answer) = call_by(project, by.0, by.1, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{path} {body}: {answer}");
}

/// All that there is happened an hour earlier.
async fn an_hour_later(project: &Project) {
    let changes = [
        ("profile", "created_at = created_at - INTERVAL '1 hour'"),
        (
            "event",
            "received_at = received_at - INTERVAL '1 hour', occurred_at = occurred_at - INTERVAL '1 hour'",
        ),
    ];
    for (table, change) in changes {
        let text = format!(
            "UPDATE {table} SET {change} WHERE project_id = {}",
            project.id
        );
        sql(&shared().await.database_url, &text).await;
    }
}

#[tokio::test]
async fn an_unknown_user_is_merged_however_many_sessions_came_later() {
    let project = Project::fresh().await;
    for (count, bytes) in [(201, 0), (4, 60_000)] {
        let id = unknown(&project).await;
        an_hour_later(&project).await;
        for _ in 0..count {
            session(&project, &id, bytes).await;
        }
        let email = format!("ada{count}@example.com");
        let merge = json!({"sourceUserId": id, "destinationEmail": email});
        app(&project, "users/merge", &merge).await;
    }
}

#[tokio::test]
async fn who_logged_in_by_an_address_gets_their_first_user_id_by_any_call() {
    for (path, more) in [
        ("users/update", json!({"dataFields": {"plan": "pro"}})),
        ("events/track", json!({"eventName": "Seen"})),
    ] {
        let project = Project::fresh().await;
        let email = "ada@example.com";
        app(&project, "users/update", &json!({ "email": email })).await;
        let id = unknown(&project).await;
        let merge = json!({"sourceUserId": id, "destinationEmail": email});
        app(&project, "users/merge", &merge).await;
        let mut both = more;
        (both["email"], both["userId"]) = (json!(email), json!("ada"));
        app(&project, path, &both).await;
        let (_, found) = call(&project, Method::GET, "users/ada@example.com", None).await;
        assert_eq!(found["user"]["userId"], "ada", "{path}: {found}");
        let ada = project.profile("user_id:ada").await;
        for name in [format!("user_id:{id}"), format!("email:{email}")] {
            assert_eq!(project.profile(&name).await["id"], ada["id"], "{name}");
        }
        // By an app's word no two are joined who have user ids.
        let cy = unknown(&project).await;
        let merge = json!({"sourceUserId": cy, "destinationEmail": "cy@example.com"});
        app(&project, "users/merge", &merge).await;
        let both = json!({"email": "cy@example.com", "userId": "ada"});
        let by = (Method::POST, "users/update");
        let (status, told) = call_by(&project, &project.write_key, by, Some(&both)).await;
        assert_eq!(status, StatusCode::CONFLICT, "{told}");
        let (status, told) = call(&project, Method::POST, "users/update", Some(&both)).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        let ada = project.profile("user_id:ada").await;
        assert_eq!(
            project.profile("email:cy@example.com").await["id"],
            ada["id"]
        );
        // Now they have one, and another is another's.
        let other = json!({"email": email, "userId": "bob"});
        let told = call(&project, Method::POST, "users/update", Some(&other)).await;
        assert_eq!(told.1["code"], "EmailAlreadyExists", "{path}");
    }
}

#[tokio::test]
async fn who_has_an_id_that_nobody_drew_for_them_keeps_it() {
    let project = Project::fresh().await;
    let id = uuid::Uuid::new_v4().to_string();
    let known = json!({"email": "ada@example.com", "userId": id});
    app(&project, "users/update", &known).await;
    let other = json!({"email": "ada@example.com", "userId": "bob"});
    let (status, answer) = call(&project, Method::POST, "users/update", Some(&other)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
}

/// Real user ids are UUIDs too, and a login follows its session within seconds: only the id that the session named was drawn.
#[tokio::test]
async fn who_logged_in_at_once_by_a_user_id_that_looks_drawn_keeps_it() {
    let project = Project::fresh().await;
    let known = json!({"userId": "bob", "email": "bob@example.com"});
    app(&project, "users/update", &known).await;
    for is_first in [false, true] {
        let (real, email) = (
            uuid::Uuid::new_v4().to_string(),
            format!("{is_first}@example.com"),
        );
        let own = json!({"userId": real, "email": email});
        if is_first {
            app(&project, "users/update", &own).await;
        }
        let id = unknown(&project).await;
        let merge = json!({"sourceUserId": id, "destinationUserId": real});
        app(&project, "users/merge", &merge).await;
        app(&project, "users/update", &own).await;
        for (key, other) in [(&project.write_key, "new"), (&project.server_key, "bob")] {
            let both = json!({"email": email, "userId": other});
            let by = (Method::POST, "users/update");
            let (status, told) = call_by(&project, key, by, Some(&both)).await;
            assert_eq!(status, StatusCode::CONFLICT, "{is_first} {other}: {told}");
        }
        let (_, found) = call(&project, Method::GET, &format!("users/{email}"), None).await;
        assert_eq!(found["user"]["userId"], json!(real), "{found}");
    }
}
