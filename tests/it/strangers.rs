//! No strangers become one person: what a write key can't join, and what is no name of anybody.

use crate::harness::{Project, ROSTER, shared, store_at};
use roster::domain::{EmailRule, ProjectId, Rules};
use serde_json::{Value, json};
use std::process::Command;

/// A project with rules of its own. Nodes remember them with its keys, so they are set before the first call.
pub async fn project_with(rules: Rules) -> Project {
    let project = Project::fresh().await;
    let store = store_at(&shared().await.database_url);
    let set = store.set_rules(ProjectId(project.id), &rules).await;
    set.expect("written");
    project
}

/// A project whose write keys join two known people, as those of all projects once did.
pub async fn trusting() -> Project {
    project_with(Rules {
        write_keys_join: true,
        ..Rules::default()
    })
    .await
}

async fn send(project: &Project, key: &str, calls: Value) {
    let url = format!("{}/v1/batch", project.url);
    let request = project.client.post(url).bearer_auth(key);
    let reply = request.json(&json!({"batch": calls})).send().await.unwrap();
    assert!(reply.status().is_success());
}

/// Whose the references are: equal numbers for equal people, -1 for nobody.
async fn people(project: &Project, references: &[&str]) -> Vec<i32> {
    let (mut ids, mut found) = (Vec::new(), Vec::new());
    for reference in references {
        let (_, profile) = project.get(&format!("/v1/profiles/{reference}")).await;
        let place = profile["id"].as_str().map(|id| {
            let known = ids.iter().position(|known| known == id);
            known.unwrap_or_else(|| {
                ids.push(id.to_owned());
                ids.len() - 1
            })
        });
        found.push(place.map_or(-1, |place| place as i32));
    }
    found
}

async fn conflicts(project: &Project) -> Vec<String> {
    let listed = project.read("/v1/conflicts").await;
    let listed = listed["conflicts"].as_array().unwrap().iter();
    let name = |field: &Value| field.as_str().unwrap().to_owned();
    let mut named: Vec<String> = listed
        .map(|conflict| name(&conflict["kind"]) + ":" + &name(&conflict["value"]))
        .collect();
    named.sort();
    named
}

fn known_people() -> Value {
    json!([
        {"type": "identify", "userId": "ada", "traits": {"plan": "pro"}},
        {"type": "identify", "userId": "bob", "anonymousId": "b-phone", "traits": {"plan": "free"}},
    ])
}

#[tokio::test]
async fn a_write_key_never_joins_two_known_people() {
    let project = Project::fresh().await;
    send(&project, &project.write_key, known_people()).await;
    for (id, previous) in [("a-1", "bob"), ("a-2", "b-phone")] {
        let alias =
            json!([{"type": "alias", "messageId": id, "userId": "ada", "previousId": previous}]);
        send(&project, &project.write_key, alias).await;
        assert_eq!(project.event(id).await["name"], previous, "it is stored");
    }
    let names = ["user_id:ada", "user_id:bob", "anonymous_id:b-phone"];
    assert_eq!(people(&project, &names).await, [0, 1, 1]);
    let listed = ["anonymous_id:b-phone", "user_id:bob"];
    assert_eq!(conflicts(&project).await, listed);
    assert_eq!(
        project.profile("user_id:ada").await["traits"]["plan"],
        "pro"
    );
}

#[tokio::test]
async fn a_write_key_attaches_what_has_no_user_id_yet() {
    let project = Project::fresh().await;
    let calls = json!([
        {"type": "track", "event": "Seen", "anonymousId": "visitor"},
        {"type": "alias", "userId": "ada", "previousId": "visitor"},
    ]);
    send(&project, &project.write_key, calls).await;
    let names = ["user_id:ada", "anonymous_id:visitor", "user_id:visitor"];
    assert_eq!(people(&project, &names).await, [0, 0, -1]);
}

#[tokio::test]
async fn two_sign_ups_on_one_device_that_each_call_alias_stay_two_people() {
    let calls = [
        json!({"type": "track", "event": "Seen", "anonymousId": "tablet"}),
        json!({"type": "alias", "userId": "ada", "previousId": "tablet"}),
        json!({"type": "alias", "userId": "bob", "previousId": "tablet"}),
        json!({"type": "alias", "userId": "ada", "previousId": "bob"}),
    ];
    for turn in 0..calls.len() {
        let project = Project::fresh().await;
        let mut order = calls.to_vec();
        order.rotate_left(turn);
        for call in order {
            send(&project, &project.write_key, json!([call])).await;
        }
        let found = people(&project, &["user_id:ada", "user_id:bob"]).await;
        assert_eq!(found, [0, 1], "turn {turn}");
    }
}

#[tokio::test]
async fn a_server_key_joins_known_people_and_a_rule_lets_write_keys_do_so() {
    let alias = || json!([{"type": "alias", "userId": "ada", "previousId": "bob"}]);
    let names = ["user_id:ada", "user_id:bob"];
    let project = Project::fresh().await;
    send(&project, &project.write_key, known_people()).await;
    send(&project, &project.server_key, alias()).await;
    assert_eq!(people(&project, &names).await, [0, 0]);
    let trusting = Project::fresh().await;
    let mut command = Command::new(ROSTER);
    command.args(["project", "rules", &trusting.name, "--write-keys-join"]);
    command.args(["--database-url", &shared().await.database_url]);
    assert!(command.output().unwrap().status.success());
    send(&trusting, &trusting.write_key, known_people()).await;
    send(&trusting, &trusting.write_key, alias()).await;
    assert_eq!(people(&trusting, &names).await, [0, 0]);
}

/// Whoever has the public key can take another's user id for an anonymous id of their own. A rename by a server must not join the two.
#[tokio::test]
async fn who_took_a_user_id_as_an_anonymous_id_is_joined_by_no_alias() {
    let bob = json!([{"type": "identify", "userId": "bob", "traits": {"plan": "pro"}}]);
    let mallory = json!([{"type": "identify", "userId": "mallory", "anonymousId": "bob"}]);
    let alias = json!([{"type": "alias", "userId": "bob-new", "previousId": "bob"}]);
    for turn in 0..3 {
        let project = Project::fresh().await;
        let mut calls = [
            (&project.server_key, &bob),
            (&project.write_key, &mallory),
            (&project.server_key, &alias),
        ];
        calls.rotate_left(turn);
        for (key, call) in calls {
            send(&project, key, call.clone()).await;
        }
        let names = ["user_id:bob", "user_id:bob-new", "user_id:mallory"];
        assert_eq!(people(&project, &names).await, [0, 0, 1], "turn {turn}");
        assert_eq!(conflicts(&project).await, ["anonymous_id:bob"]);
    }
}

#[tokio::test]
async fn the_erased_do_not_come_back_by_a_clock_and_newer_data_comes_in() {
    let project = Project::fresh().await;
    send(&project, &project.write_key, known_people()).await;
    assert!(project.erase("user_id:ada").await.0.is_success());
    let at = |minutes: i64| {
        let span = jiff::SignedDuration::from_mins(minutes);
        (jiff::Timestamp::now() + span).to_string()
    };
    let call = |id: &str, timestamp: Option<i64>, sent: i64| {
        let mut call = json!({"type": "identify", "messageId": id, "userId": "ada", "traits": {"plan": id}, "sentAt": at(sent)});
        if let Some(minutes) = timestamp {
            call["timestamp"] = json!(at(minutes));
        }
        call
    };
    let results = project
        .results(&[
            call("an-hour-old", Some(-60), -60),
            call("held-without-a-time", None, -60),
            call("a-clock-that-is-behind", Some(-1_440), -1_430),
            call("a-clock-that-is-ahead", Some(50), 60),
        ])
        .await;
    assert!(
        results.iter().all(|result| result["code"] == "erased"),
        "{results:#?}"
    );
    assert_eq!(people(&project, &["user_id:ada"]).await, [-1]);
    let newer = project.results(&[call("newer", Some(0), 0)]).await;
    assert_eq!(newer[0]["status"], "stored", "{newer:#?}");
    assert_eq!(
        project.profile("user_id:ada").await["traits"],
        json!({"plan": "newer"})
    );
}

#[tokio::test]
async fn placeholders_name_nobody_on_any_road() {
    let project = Project::fresh().await;
    let results = project
        .results(&[
            json!({"type": "identify", "messageId": "m-1", "userId": "ada", "anonymousId": "undefined", "traits": {"plan": "pro"}}),
            json!({"type": "identify", "messageId": "m-2", "userId": "bob", "anonymousId": "Undefined", "traits": {"email": "null"}}),
            json!({"type": "track", "event": "Seen", "messageId": "m-3", "anonymousId": "00000000-0000-0000-0000-000000000000"}),
            json!({"type": "track", "event": "Seen", "messageId": "null", "userId": " \"ada\" "}),
            json!({"type": "track", "event": "Seen", "messageId": "null", "userId": "ada"}),
        ])
        .await;
    let told: Vec<&str> = results
        .iter()
        .map(|result| {
            result["code"]
                .as_str()
                .or(result["status"].as_str())
                .unwrap()
        })
        .collect();
    assert_eq!(
        told,
        ["stored", "stored", "missing_identity", "stored", "stored"]
    );
    assert_eq!(results[0]["warnings"][0]["code"], "placeholder_id");
    assert_eq!(results[0]["warnings"][0]["field"], "anonymousId");
    assert_eq!(results[3]["warnings"][0]["code"], "placeholder_message_id");
    let names = ["user_id:ada", "user_id:bob", "anonymous_id:undefined"];
    assert_eq!(people(&project, &names).await, [0, 1, -1]);
    assert_eq!(project.timeline("user_id:ada").await.len(), 3);
    let pixel = format!(
        "{}/pixel/v1/track?writeKey={}&userId=null&event=x",
        project.url, project.write_key
    );
    assert!(
        project
            .client
            .get(pixel)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    assert_eq!(project.rejections().await[0]["code"], "missing_identity");
}

#[tokio::test]
async fn a_project_adds_placeholders_and_takes_some_away() {
    let project = project_with(Rules {
        placeholders: vec!["Web-User".to_owned()],
        no_placeholders: vec!["guest".to_owned()],
        ..Rules::default()
    })
    .await;
    let calls = json!([
        {"type": "identify", "userId": "ada", "anonymousId": "web-user"},
        {"type": "identify", "userId": "guest", "anonymousId": "lobby"},
    ]);
    send(&project, &project.write_key, calls).await;
    let names = [
        "user_id:ada",
        "anonymous_id:web-user",
        "user_id:guest",
        "anonymous_id:lobby",
    ];
    assert_eq!(people(&project, &names).await, [0, -1, 1, 1]);
}

#[tokio::test]
async fn a_key_of_our_json_library_is_a_key_like_any_other_whatever_the_order() {
    let at = "2024-01-01T00:00:00Z";
    let values = [
        r#"{"x":1}"#,
        r#"{"x":{"$serde_json::private::Number":"1"}}"#,
        r#"{"x":{"\u0024serde_json::private::RawValue":"1"}}"#,
    ];
    let mut found = Vec::new();
    for turn in 0..values.len() {
        let project = Project::fresh().await;
        for place in 0..values.len() {
            let traits = values[(turn + place) % values.len()];
            let call = format!(r#"{{"userId":"ada","timestamp":"{at}","traits":{traits}}}"#);
            let request = project.client.post(format!("{}/v1/identify", project.url));
            let request = request.basic_auth(&project.write_key, Some(""));
            assert!(
                request
                    .body(call)
                    .send()
                    .await
                    .unwrap()
                    .status()
                    .is_success()
            );
        }
        found.push(project.profile("user_id:ada").await["traits"].clone());
    }
    assert_eq!(
        found,
        vec![json!({"x": {"\u{fffd}serde_json::private::RawValue": "1"}}); 3]
    );
}

#[tokio::test]
async fn an_email_from_a_write_key_does_what_the_project_says() {
    let names = ["user_id:ada", "anonymous_id:phone", "email:ada@example.com"];
    let cases = [
        (EmailRule::Selects, [0, 0, 0], "changed"),
        (EmailRule::Attaches, [0, 1, 0], "pro"),
        (EmailRule::Nothing, [0, 1, -1], "pro"),
    ];
    for (email, expected, plan) in cases {
        let rules = Rules {
            email,
            ..Rules::default()
        };
        let calls = [
            json!({"type": "identify", "userId": "ada", "timestamp": "2024-01-01T00:00:01Z", "traits": {"email": "ada@example.com", "plan": "pro"}}),
            json!({"type": "identify", "anonymousId": "phone", "timestamp": "2024-01-01T00:00:02Z", "traits": {"email": "Ada@example.com", "plan": "changed"}}),
        ];
        for order in [[0, 1], [1, 0]] {
            let project = project_with(rules.clone()).await;
            for place in order {
                send(&project, &project.write_key, json!([calls[place]])).await;
            }
            assert_eq!(
                people(&project, &names).await,
                expected,
                "{email:?} {order:?}"
            );
            let ada = project.profile("user_id:ada").await;
            assert_eq!(ada["traits"]["plan"], plan, "{email:?} {order:?}");
        }
    }
}

/// Where an email is no name of a call it says whose it is all the same.
#[tokio::test]
async fn a_forgotten_email_is_no_trait_where_it_is_no_name() {
    let under = |email, signed_users| Rules {
        email,
        signed_users,
        ..Rules::default()
    };
    let rules = [
        under(EmailRule::Nothing, false),
        under(EmailRule::Attaches, false),
        under(EmailRule::Selects, true),
    ];
    for rules in rules {
        let project = project_with(rules.clone()).await;
        let email = "ada@example.com";
        let ada = json!([{"type": "identify", "userId": "ada", "traits": {"email": email}}]);
        send(&project, &project.server_key, ada).await;
        let erased = project.erase("user_id:ada?forget=true").await;
        assert!(erased.0.is_success());
        let who = match rules.email {
            EmailRule::Nothing => ("userId", "user_id:v"),
            _ => ("anonymousId", "anonymous_id:v"),
        };
        for (plan, email) in [(1, email), (2, "bob@example.com"), (3, email)] {
            let call =
                json!([{"type": "identify", who.0: "v", "traits": {"email": email, "plan": plan}}]);
            send(&project, &project.write_key, call).await;
            let expected = match plan {
                1 => json!({"plan": 1}),
                _ => json!({"plan": plan, "email": "bob@example.com"}),
            };
            let traits = &project.profile(who.1).await["traits"];
            assert_eq!(traits, &expected, "{rules:?}");
        }
    }
}

#[tokio::test]
async fn a_forgotten_email_under_a_fresh_user_id_is_no_trait() {
    let project = Project::fresh().await;
    let email = json!({"email": "ada@example.com"});
    let ada = json!([{"type": "identify", "userId": "ada", "traits": email}]);
    send(&project, &project.write_key, ada).await;
    assert!(
        project
            .erase("user_id:ada?forget=true")
            .await
            .0
            .is_success()
    );
    let fresh = json!([{"type": "track", "event": "Seen", "userId": "fresh"},
        {"type": "identify", "userId": "fresh", "traits": {"email": "ada@example.com", "plan": "pro"}}]);
    send(&project, &project.write_key, json!([fresh[0]])).await;
    send(&project, &project.write_key, json!([fresh[1]])).await;
    assert_eq!(
        project.profile("user_id:fresh").await["traits"],
        json!({"plan": "pro"})
    );
    assert_eq!(people(&project, &["email:ada@example.com"]).await, [-1]);
}
