//! A person can be taken apart again: names, traits, timelines, groups; whatever happens meanwhile, and afterwards.

mod after;
mod kept_out;

use crate::harness::{Project, shared, sql};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// A call of some second of 2024, with an id of its own.
fn call(id: &str, second: u32, mut call: Value) -> Value {
    call["messageId"] = json!(id);
    call["timestamp"] = json!(format!("2024-01-01T00:00:{second:02}Z"));
    if call["type"].is_null() {
        call["type"] = json!("track");
        call["event"] = json!("Seen");
    }
    call
}

async fn send(project: &Project, calls: &[Value]) {
    let url = format!("{}/v1/batch", project.url);
    for call in calls {
        let request = project.client.post(&url).bearer_auth(&project.server_key);
        let reply = request.json(&json!({"batch": [call]})).send().await;
        assert_eq!(reply.expect("an answer").status(), StatusCode::OK);
    }
}

async fn ask(project: &Project, key: &str, path: &str, body: &Value) -> (StatusCode, Value) {
    let url = format!("{}/v1/profiles/{path}", project.url);
    let reply = project.client.post(url).bearer_auth(key).json(body).send();
    let reply = reply.await.expect("an answer");
    (reply.status(), reply.json().await.expect("JSON"))
}

async fn split(project: &Project, whom: &str, names: &[&str]) -> Value {
    let path = format!("{whom}/split");
    let body = json!({"identities": names});
    let (status, told) = ask(project, &project.server_key, &path, &body).await;
    assert!(status.is_success(), "{told}");
    told
}

async fn merge(project: &Project, into: &str, from: &str) {
    let path = format!("{into}/merge");
    let body = json!({"from": from});
    let (status, told) = ask(project, &project.server_key, &path, &body).await;
    assert!(status.is_success(), "{told}");
}

async fn timeline(project: &Project, whom: &str) -> Vec<String> {
    let events = project.timeline(whom).await;
    let id = |event: &Value| event["message_id"].as_str().expect("text").to_owned();
    events.iter().map(id).collect()
}

async fn names(project: &Project, whom: &str) -> Vec<String> {
    let profile = project.profile(whom).await;
    let names = profile["identities"].as_array().expect("a list").iter();
    let text = |name: &Value| name.as_str().expect("text").to_owned();
    names
        .map(|name| text(&name["kind"]) + ":" + &text(&name["value"]))
        .collect()
}

/// What each of two people said before a page made one of them.
fn two_lives() -> Vec<Value> {
    vec![
        call(
            "a1",
            1,
            json!({"type": "identify", "userId": "ada", "traits": {"plan": "free", "city": "Ulm"}}),
        ),
        call(
            "b1",
            2,
            json!({"type": "identify", "userId": "bob", "anonymousId": "b-phone", "traits": {"plan": "pro", "app": 3}}),
        ),
        call("a2", 3, json!({"userId": "ada"})),
        call("b2", 4, json!({"anonymousId": "b-phone"})),
    ]
}

const BOBS: [&str; 2] = ["user_id:bob", "anonymous_id:b-phone"];

#[tokio::test]
async fn strangers_whom_a_merge_made_one_are_two_again_with_all_that_each_had() {
    let project = Project::fresh().await;
    send(&project, &two_lives()).await;
    let (ada, bob) = (
        project.profile("user_id:ada").await,
        project.profile("user_id:bob").await,
    );
    merge(&project, "user_id:ada", "user_id:bob").await;
    let one = project.profile("user_id:ada").await;
    assert_eq!(
        one["traits"],
        json!({"plan": "pro", "city": "Ulm", "app": 3})
    );
    let later = [
        call("a3", 5, json!({"userId": "ada"})),
        call("b3", 6, json!({"userId": "bob"})),
        call(
            "b4",
            7,
            json!({"type": "identify", "anonymousId": "b-phone", "traits": {"age": 7}}),
        ),
    ];
    send(&project, &later).await;
    let told = split(&project, "user_id:ada", &BOBS).await;
    assert_eq!(
        told["traits"],
        json!({"moved": ["age", "app", "plan"], "restored": ["plan"], "stayed": []})
    );
    assert_eq!(told["events"], json!({"moved": 2, "pending": false}));
    let (ada_again, bob_again) = (
        project.profile("user_id:ada").await,
        project.profile("user_id:bob").await,
    );
    assert_eq!(ada_again["traits"], ada["traits"]);
    assert_eq!(
        bob_again["traits"],
        json!({"plan": "pro", "app": 3, "age": 7})
    );
    assert_eq!(
        bob_again["id"], bob["id"],
        "who was absorbed whole has the old id again"
    );
    assert_eq!(
        (&ada_again["id"], &told["profile_id"]),
        (&ada["id"], &bob["id"])
    );
    assert!(ada_again["version"].as_i64() > one["version"].as_i64());
    assert!(bob_again["version"].as_i64() > one["version"].as_i64());
    assert_eq!(timeline(&project, "user_id:ada").await, ["a3", "a2", "a1"]);
    assert_eq!(
        timeline(&project, "anonymous_id:b-phone").await,
        ["b4", "b3", "b2", "b1"]
    );
    assert_eq!(names(&project, "user_id:ada").await, ["user_id:ada"]);
    let old_id = format!("id:{}", bob["id"].as_str().expect("text"));
    assert_eq!(project.profile(&old_id).await["id"], bob["id"]);
    // From now on each goes on alone.
    send(
        &project,
        &[call(
            "b5",
            8,
            json!({"userId": "bob", "anonymousId": "b-phone"}),
        )],
    )
    .await;
    assert_eq!(timeline(&project, "user_id:bob").await[0], "b5");
    assert_eq!(timeline(&project, "user_id:ada").await.len(), 3);
}

#[tokio::test]
async fn strangers_whom_a_page_aliased_are_two_again() {
    let project = Project::fresh().await;
    send(&project, &two_lives()).await;
    let before = project.profile("user_id:ada").await;
    send(
        &project,
        &[call(
            "x",
            5,
            json!({"type": "alias", "userId": "ada", "previousId": "bob"}),
        )],
    )
    .await;
    assert_eq!(timeline(&project, "user_id:bob").await.len(), 5);
    // The alias gave ada an anonymous id `bob` too, which is hers until somebody says otherwise.
    let told = split(
        &project,
        "user_id:ada",
        &[BOBS[0], BOBS[1], "anonymous_id:bob"],
    )
    .await;
    assert_eq!(told["traits"]["restored"], json!(["plan"]));
    assert_eq!(
        project.profile("user_id:ada").await["traits"],
        before["traits"]
    );
    assert_eq!(timeline(&project, "user_id:ada").await, ["x", "a2", "a1"]);
    assert_eq!(timeline(&project, "user_id:bob").await, ["b2", "b1"]);
    // A resend joins nobody: the event is there. A new call of the same kind would.
    send(
        &project,
        &[call(
            "x",
            5,
            json!({"type": "alias", "userId": "ada", "previousId": "bob"}),
        )],
    )
    .await;
    assert_eq!(timeline(&project, "user_id:bob").await, ["b2", "b1"]);
}

#[tokio::test]
async fn a_name_that_was_only_ever_added_goes_with_the_events_that_came_by_it() {
    let project = Project::fresh().await;
    let calls = [
        call(
            "a1",
            1,
            json!({"type": "identify", "userId": "ada", "anonymousId": "kiosk", "traits": {"plan": "free"}}),
        ),
        call(
            "k1",
            2,
            json!({"type": "identify", "anonymousId": "kiosk", "traits": {"plan": "none", "lobby": true}}),
        ),
        call("k2", 3, json!({"anonymousId": "kiosk"})),
        call("a2", 4, json!({"userId": "ada", "anonymousId": "kiosk"})),
        call(
            "g1",
            5,
            json!({"type": "group", "anonymousId": "kiosk", "groupId": "hotel"}),
        ),
        call(
            "g2",
            6,
            json!({"type": "group", "userId": "ada", "groupId": "choir"}),
        ),
    ];
    send(&project, &calls).await;
    let told = split(&project, "user_id:ada", &["anonymous_id:kiosk"]).await;
    assert_eq!(told["events"]["moved"], 3);
    let (ada, kiosk) = (
        project.profile("user_id:ada").await,
        project.profile("anonymous_id:kiosk").await,
    );
    assert_eq!(ada["traits"], json!({"plan": "free"}));
    assert_eq!(kiosk["traits"], json!({"plan": "none", "lobby": true}));
    assert_eq!(
        (&ada["groups"], &kiosk["groups"]),
        (&json!(["choir"]), &json!(["hotel"]))
    );
    assert_eq!(timeline(&project, "user_id:ada").await, ["g2", "a2", "a1"]);
    assert_eq!(
        timeline(&project, "anonymous_id:kiosk").await,
        ["g1", "k2", "k1"]
    );
    // Again, by either of the two: nothing happens, and the same is told.
    for whom in ["user_id:ada", "anonymous_id:kiosk"] {
        let again = split(&project, whom, &["anonymous_id:kiosk"]).await;
        assert_eq!(
            (&again["profile_id"], &again["events"]),
            (&kiosk["id"], &told["events"]),
            "{whom}"
        );
    }
    assert_eq!(project.profile("user_id:ada").await, ada);
    // What this node remembers of the link sends an event of both to the user, as before.
    send(
        &project,
        &[call(
            "a3",
            7,
            json!({"userId": "ada", "anonymousId": "other"}),
        )],
    )
    .await;
    assert_eq!(timeline(&project, "user_id:ada").await[0], "a3");
}

#[tokio::test]
async fn a_group_is_followed_however_its_id_was_sent() {
    let project = Project::fresh().await;
    let both = json!({"type": "identify", "userId": "ada", "anonymousId": "kiosk"});
    let group = |id: &str| json!({"type": "group", "anonymousId": "kiosk", "groupId": id});
    let mut calls = vec![
        call("a1", 1, both),
        call("g1", 2, group(" acme ")),
        call("g2", 3, group("\"acme\"")),
        call("g3", 4, group("choir\t")),
    ];
    calls.push(call(
        "g4",
        5,
        json!({"type": "group", "userId": "ada", "groupId": "choir"}),
    ));
    send(&project, &calls).await;
    split(&project, "user_id:ada", &["anonymous_id:kiosk"]).await;
    let groups = async |whom: &str| project.profile(whom).await["groups"].clone();
    assert_eq!(groups("user_id:ada").await, json!(["choir"]));
    assert_eq!(groups("anonymous_id:kiosk").await, json!(["acme", "choir"]));
}

#[tokio::test]
async fn three_who_were_one_are_taken_apart_in_one_or_two_steps() {
    for steps in [1, 2] {
        let project = Project::fresh().await;
        let mut calls = two_lives();
        calls.push(call(
            "c1",
            5,
            json!({"type": "identify", "userId": "cyd", "traits": {"plan": "gold", "boat": 1}}),
        ));
        send(&project, &calls).await;
        let mut before = Vec::new();
        for whom in ["user_id:ada", "user_id:bob", "user_id:cyd"] {
            before.push(project.profile(whom).await);
        }
        merge(&project, "user_id:bob", "user_id:cyd").await;
        merge(&project, "user_id:ada", "user_id:bob").await;
        send(&project, &[call("c2", 6, json!({"userId": "cyd"}))]).await;
        if steps == 1 {
            split(&project, "user_id:ada", &[BOBS[0], BOBS[1], "user_id:cyd"]).await;
            assert_eq!(
                timeline(&project, "user_id:bob").await,
                ["c2", "c1", "b2", "b1"]
            );
            split(&project, "user_id:bob", &["user_id:cyd"]).await;
        } else {
            split(&project, "user_id:ada", &["user_id:cyd"]).await;
            split(&project, "user_id:ada", &BOBS).await;
        }
        for (whom, before) in ["user_id:ada", "user_id:bob", "user_id:cyd"]
            .iter()
            .zip(before)
        {
            let after = project.profile(whom).await;
            assert_eq!(
                (&after["traits"], &after["id"]),
                (&before["traits"], &before["id"]),
                "{whom}, {steps}"
            );
        }
        assert_eq!(timeline(&project, "user_id:ada").await, ["a2", "a1"]);
        assert_eq!(timeline(&project, "user_id:bob").await, ["b2", "b1"]);
        assert_eq!(timeline(&project, "user_id:cyd").await, ["c2", "c1"]);
    }
}

#[tokio::test]
async fn names_that_are_not_theirs_and_keys_that_may_not_change_nothing() {
    let project = Project::fresh().await;
    send(&project, &two_lives()).await;
    let cases = [
        (json!(["user_id:ada", "user_id:bob"]), "user_id:ada, which"),
        (json!(["user_id:nobody"]), "user_id:nobody, which"),
        (json!([BOBS[0], BOBS[1]]), "one must stay"),
        (json!([]), "names nobody"),
        (json!(["bob"]), "neither"),
        (
            json!(["id:00000000-0000-4000-8000-000000000000"]),
            "not an id",
        ),
        (json!(vec![BOBS[1]; 1_001]), "more than the 1000 names"),
    ];
    for (names, expected) in cases {
        let body = json!({"identities": names});
        let asked = ask(&project, &project.server_key, "user_id:bob/split", &body).await;
        assert_eq!(asked.0, StatusCode::BAD_REQUEST, "{names}");
        let detail = asked.1["detail"].as_str().expect("text");
        assert!(detail.contains(expected), "{names}: {detail}");
    }
    let body = json!({"identities": [BOBS[1]]});
    let by = |key: String, whom: &'static str| {
        let (project, body) = (&project, &body);
        async move { ask(project, &key, &format!("{whom}/split"), body).await.0 }
    };
    assert_eq!(
        by(project.write_key.clone(), "user_id:bob").await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        by("unknown".to_owned(), "user_id:bob").await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        by(project.server_key.clone(), "user_id:nobody").await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(names(&project, "user_id:bob").await, [BOBS[1], BOBS[0]]);
}

#[tokio::test]
async fn what_nobody_is_known_to_have_said_stays_and_is_told() {
    let project = Project::fresh().await;
    send(&project, &two_lives()).await;
    merge(&project, "user_id:ada", "user_id:bob").await;
    let database = &shared().await.database_url;
    let id = project.id;
    // As if it had come without an event, out of a legacy store.
    sql(database, &format!("UPDATE profile SET traits = traits || '{{\"vip\": true}}' WHERE project_id = {id} AND merged_into IS NULL")).await;
    let told = split(&project, "user_id:ada", &BOBS).await;
    assert_eq!(told["traits"]["stayed"], json!(["vip"]));
    assert_eq!(project.profile("user_id:ada").await["traits"]["vip"], true);
}
