//! A hub is not a person: a kiosk, a shared mailbox and a constant in an app stop making one person of many.

use crate::harness::{Project, wait_until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

async fn send(project: &Project, calls: &[Value]) {
    for part in calls.chunks(20) {
        for result in project.results(part).await {
            assert_eq!(result["status"], "stored", "{result}");
        }
    }
}

fn identify(who: Value, email: Option<String>) -> Value {
    let mut call = json!({"type": "identify", "traits": {}});
    if let Some(email) = email {
        call["traits"]["email"] = json!(email);
    }
    let call_members = call.as_object_mut().expect("an object");
    call_members.extend(who.as_object().expect("an object").clone());
    call
}

async fn id(project: &Project, reference: &str) -> String {
    let profile = project.profile(reference).await;
    profile["id"].as_str().expect("text").to_owned()
}

/// The names that are listed as hubs.
async fn hubs(project: &Project) -> BTreeSet<String> {
    let listed = project.read("/v1/conflicts?limit=1000").await;
    let listed = listed["conflicts"].as_array().expect("a list").iter();
    let hubs = listed.filter(|conflict| conflict["reason"] == "hub");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    hubs.map(|one| text(&one["kind"]) + ":" + &text(&one["value"]))
        .collect()
}

#[tokio::test]
async fn a_kiosk_where_fifty_order_a_newsletter_is_not_fifty_people() {
    let project = Project::fresh().await;
    let kiosk = |number: usize| {
        let email = format!("reader-{number}@example.com");
        identify(json!({"anonymousId": "kiosk"}), Some(email))
    };
    let calls: Vec<Value> = (0..50).map(kiosk).collect();
    for call in &calls {
        send(&project, std::slice::from_ref(call)).await;
    }
    let mut people = BTreeSet::new();
    let mut events = 0;
    for number in 0..50 {
        let reference = format!("email:reader-{number}@example.com");
        if people.insert(id(&project, &reference).await) {
            events += project.timeline(&reference).await.len();
        }
    }
    assert_eq!(
        (people.len(), events),
        (46, 50),
        "five share the kiosk, each other is a person"
    );
    let shared = project.profile("anonymous_id:kiosk").await;
    assert_eq!(shared["identities"].as_array().map(Vec::len), Some(6));
    assert_eq!(
        hubs(&project).await,
        BTreeSet::from(["anonymous_id:kiosk".to_owned()])
    );
}

#[tokio::test]
async fn a_mailbox_that_three_hundred_browsers_read_takes_in_fifty_of_them() {
    let project = Project::fresh().await;
    let browser = |number: usize| json!({"anonymousId": format!("browser-{number}")});
    let seen = |number: usize| {
        let mut call = browser(number);
        (call["type"], call["event"]) = (json!("track"), json!("Seen"));
        call
    };
    send(&project, &(0..300).map(seen).collect::<Vec<_>>()).await;
    let read = |number: usize| identify(browser(number), Some("office@example.com".to_owned()));
    send(&project, &(0..300).map(read).collect::<Vec<_>>()).await;
    let office = project.profile("email:office@example.com").await;
    let names = office["identities"].as_array().expect("a list").len();
    assert_eq!(
        names, 52,
        "the email, its first browser, and as many more as limits.profile_absorbed"
    );
    assert_eq!(
        hubs(&project).await.len(),
        249,
        "each browser that stayed for itself is listed"
    );
    assert_eq!(project.count("*", "event").await, 600);
    // Who logs in there is a person all the same, and so is a browser that nobody had seen.
    let user = json!({"userId": "ada", "anonymousId": "browser-299"});
    send(&project, &[identify(user, None)]).await;
    assert_eq!(
        id(&project, "user_id:ada").await,
        id(&project, "anonymous_id:browser-299").await
    );
}

#[tokio::test]
async fn a_constant_in_an_app_joins_no_users_whoever_says_it() {
    let project = Project::fresh().await;
    let users: Vec<Value> = (0..30)
        .map(|number| {
            identify(
                json!({"userId": format!("user-{number}"), "anonymousId": "app"}),
                None,
            )
        })
        .collect();
    let url = format!("{}/v1/batch", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let reply = request.json(&json!({"batch": users})).send().await;
    assert_eq!(reply.expect("an answer").status(), StatusCode::OK);
    let mut people = BTreeSet::new();
    for number in 0..30 {
        people.insert(id(&project, &format!("user_id:user-{number}")).await);
    }
    assert_eq!(people.len(), 30);
}

#[tokio::test]
async fn somebody_who_asks_for_it_may_give_a_person_more_emails() {
    let project = Project::fresh().await;
    for number in 0..8 {
        let email = Some(format!("e{number}@example.com"));
        send(
            &project,
            &[identify(
                json!({"userId": format!("u{}", number / 4)}),
                email,
            )],
        )
        .await;
    }
    let url = format!("{}/v1/profiles/user_id:u0/merge", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let reply = request.json(&json!({"from": "user_id:u1"})).send().await;
    assert_eq!(reply.expect("an answer").status(), StatusCode::OK);
    let ninth = Some("ninth@example.com".to_owned());
    send(
        &project,
        &[identify(
            json!({"userId": "u0", "anonymousId": "phone"}),
            ninth,
        )],
    )
    .await;
    let ada = project.profile("user_id:u0").await;
    let names = ada["identities"].as_array().expect("a list").len();
    assert_eq!(
        names, 11,
        "two users, eight emails and the phone, but no ninth email by itself"
    );
    assert_eq!(
        ada["traits"]["email"], "ninth@example.com",
        "it is a trait all the same"
    );
    assert!(hubs(&project).await.contains("email:ninth@example.com"));
}

async fn block(project: &Project, key: &str, method: Method, name: &str) -> (StatusCode, Value) {
    let url = format!("{}/v1/identities/{name}/block", project.url);
    let request = project.client.request(method, url).bearer_auth(key);
    let reply = request.send().await.expect("an answer");
    (reply.status(), reply.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_blocked_name_is_nobodys_until_it_is_unblocked() {
    let project = Project::fresh().await;
    let call = |id: String| json!({"type": "track", "event": "Seen", "messageId": id, "userId": "ada", "anonymousId": "kiosk"});
    send(&project, &[call("first".to_owned())]).await;
    let kiosk = "anonymous_id:kiosk";
    let by_write_key = block(&project, &project.write_key, Method::POST, kiosk).await;
    assert_eq!(by_write_key.0, StatusCode::FORBIDDEN);
    for _ in 0..2 {
        let told = block(&project, &project.server_key, Method::POST, kiosk).await;
        assert_eq!(
            told,
            (
                StatusCode::OK,
                json!({"kind": "anonymous_id", "value": "kiosk", "blocked": true})
            )
        );
    }
    let warned = async |what: &str| {
        let id = format!("{what}-{}", uuid::Uuid::new_v4());
        let results = project.results(&[call(id)]).await;
        assert_eq!(results[0]["status"], "stored");
        results[0]["warnings"][0]["code"] == "blocked_id"
    };
    let patience = Duration::from_secs(20);
    wait_until("every node knows", patience, async || {
        warned("blocked").await
    })
    .await;
    let alone = json!({"type": "track", "event": "Seen", "anonymousId": "kiosk"});
    let results = project.results(std::slice::from_ref(&alone)).await;
    assert_eq!(results[0]["code"], "missing_identity", "it names nobody");
    assert_eq!(
        project.event("first").await["profile_id"],
        json!(id(&project, kiosk).await),
        "what it did stays"
    );
    let told = block(&project, &project.server_key, Method::DELETE, kiosk).await;
    assert_eq!(
        (told.0, &told.1["blocked"]),
        (StatusCode::OK, &json!(false))
    );
    wait_until("every node knows again", patience, async || {
        !warned("free").await
    })
    .await;
    let (status, _) = block(&project, &project.server_key, Method::POST, "kiosk").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
