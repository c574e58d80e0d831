//! Tracking plans: the first value of a field fixes its type, for every road, on every node.

use crate::harness::{Project, ROSTER, Service, shared, store_at};
use crate::imports;
use crate::machine::metric;
use reqwest::StatusCode;
use roster::domain::tracking_plan::Category;
use roster::domain::{ProjectId, Rules, TypeRule};
use serde_json::{Value, json};
use tokio::process::Command;

/// A project with a plan, of which no node knows yet.
pub async fn planned(types: TypeRule) -> Project {
    let project = Project::fresh().await;
    let store = store_at(&shared().await.database_url);
    let rules = Rules {
        types,
        ..Rules::default()
    };
    let set = store.set_rules(ProjectId(project.id), &rules).await;
    set.expect("set");
    project
}

fn identify(id: &str, traits: Value) -> Value {
    json!({"type": "identify", "userId": "ada", "messageId": id, "traits": traits})
}

fn codes(result: &Value) -> Vec<(&str, &str)> {
    let warnings = result["warnings"].as_array().into_iter().flatten();
    warnings
        .map(|it| {
            let member = |name: &str| it[name].as_str().expect("a text");
            (member("code"), member("field"))
        })
        .collect()
}

#[tokio::test]
async fn what_does_not_fit_is_told_counted_and_listed_and_stored_where_it_is_only_warned_of() {
    let project = planned(TypeRule::Warn).await;
    let before = metric(&project.url, "roster_warnings_total").await;
    let results = project
        .results(&[
            identify("m1", json!({"plan": "pro", "since": "2024-01-02"})),
            identify("m2", json!({"plan": 7, "since": null})),
        ])
        .await;
    assert_eq!(codes(&results[0]), []);
    assert_eq!(codes(&results[1]), [("type_mismatch", "traits.plan")]);
    assert!(metric(&project.url, "roster_warnings_total").await > before);
    let ada = project.profile("user_id:ada").await;
    assert_eq!(ada["traits"]["plan"], 7);
    let listed = project.rejections().await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["warnings"], results[1]["warnings"]);
    assert_eq!(listed[0]["stored"], true);
}

#[tokio::test]
async fn what_does_not_fit_is_left_out_of_people_groups_and_events_where_the_plan_is_enforced() {
    let project = planned(TypeRule::Enforce).await;
    let group = |id: &str, size: Value| json!({"type": "group", "userId": "ada", "groupId": "acme", "messageId": id, "traits": {"size": size}});
    let track = |id: &str, sum: Value| json!({"type": "track", "userId": "ada", "event": "Paid", "messageId": id, "properties": {"sum": sum, "of": {"sum": sum}}});
    let results = project
        .results(&[
            identify("m1", json!({"plan": "pro", "address": {"zip": 1}})),
            group("g1", json!(3)),
            track("t1", json!(5)),
            identify(
                "m2",
                json!({"plan": 7, "address": {"zip": "1", "city": "Ulm"}}),
            ),
            group("g2", json!("many")),
            track("t2", json!("much")),
        ])
        .await;
    assert_eq!(
        codes(&results[3]),
        [
            ("type_mismatch", "traits.address.zip"),
            ("type_mismatch", "traits.plan")
        ]
    );
    assert_eq!(codes(&results[4]), [("type_mismatch", "traits.size")]);
    let wrong = [
        ("type_mismatch", "properties.of.sum"),
        ("type_mismatch", "properties.sum"),
    ];
    assert_eq!(codes(&results[5]), wrong);
    let ada = project.profile("user_id:ada").await;
    assert_eq!(
        ada["traits"],
        json!({"plan": "pro", "address": {"city": "Ulm"}})
    );
    assert_eq!(project.event("t2").await["properties"], json!({"of": {}}));
    let properties = &project.event("m2").await["properties"];
    assert_eq!(*properties, json!({"address": {"city": "Ulm"}}));
    let listed = project.rejections().await;
    let of_payment = listed.iter().find(|one| one["message_id"] == "t2");
    let left_out = &of_payment.expect("listed")["item"]["unfit"];
    assert_eq!(*left_out, json!({"sum": "much", "of.sum": "much"}));
}

/// Erases bob for good, and ada up to now.
async fn erase_two(project: &Project) {
    for reference in ["user_id:bob?forget=true", "user_id:ada"] {
        assert_eq!(project.erase(reference).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_is_not_stored_fixes_no_type() {
    let project = planned(TypeRule::Enforce).await;
    let track = |id: &str, user: &str, event: &str, field: Value| {
        json!({"type": "track", "userId": user, "event": event, "messageId": id,
            "timestamp": "2026-01-02T03:04:05Z", "properties": {"field": field}})
    };
    let about = |id: &str, user: &str, traits: Value| json!({"type": "identify", "userId": user, "messageId": id, "traits": traits});
    let known = ["ada", "bob", "carl"].map(|user| track(user, user, "Known", json!(1)));
    project.results(&known).await;
    erase_two(&project).await;
    let vain = [
        track("1", "bob", "Forgotten", json!(1)),
        about("2", "bob", json!({"shoe": 44})),
        track("3", "ada", "Erased", json!(1)),
        track("carl", "carl", "Copied", json!(1)),
        track("4", "carl", "Once", json!(1)),
        track("4", "carl", "Twice", json!(1)),
    ];
    let told = project.results(&vain).await;
    let became =
        |one: &Value| [&one["status"], &one["code"]].map(|it| it.as_str().map(str::to_owned));
    let expected = [
        ("rejected", Some("forgotten")),
        ("rejected", Some("forgotten")),
        ("rejected", Some("erased")),
        ("duplicate", None),
        ("stored", None),
        ("duplicate", None),
    ];
    let expected =
        expected.map(|(status, code)| [Some(status), code].map(|it| it.map(str::to_owned)));
    assert_eq!(told.iter().map(became).collect::<Vec<_>>(), expected);
    let events = ["Forgotten", "Erased", "Copied", "Twice"];
    let calls = events
        .iter()
        .map(|event| track(event, "dora", event, json!("text")));
    let calls = calls.chain([about("d", "dora", json!({"shoe": "size 44"}))]);
    let told = project.results(&calls.collect::<Vec<_>>()).await;
    assert!(told.iter().all(|one| codes(one).is_empty()), "{told:?}");
    for event in events {
        let stored = project.event(event).await;
        assert_eq!(stored["properties"], json!({"field": "text"}));
    }
    let traits = &project.profile("user_id:dora").await["traits"];
    assert_eq!(traits["shoe"], "size 44");
}

#[tokio::test]
async fn files_are_held_against_the_plan_and_their_mended_records_counted() {
    let project = planned(TypeRule::Enforce).await;
    project
        .send("/v1/identify", &identify("m1", json!({"plan": "pro"})))
        .await;
    let line = |number: usize, plan: Value| {
        json!({"type": "identify", "userId": format!("user-{number}"), "messageId": format!("f{number}"),
            "traits": {"plan": plan, "row": number}, "timestamp": "2024-01-01T00:00:00Z"})
    };
    let lines = [
        line(1, json!("free")),
        line(2, json!(2)),
        line(3, json!(null)),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let job = imports::take(&project, "name=people.jsonl", text).await;
    assert_eq!(
        (&job["stored"], &job["warned"]),
        (&json!(3), &json!(1)),
        "{job}"
    );
    let second = project.profile("user_id:user-2").await;
    assert_eq!(second["traits"], json!({"row": 2}));
}

#[tokio::test]
async fn of_two_nodes_that_fix_a_type_at_once_one_wins_for_both() {
    let left = planned(TypeRule::Enforce).await;
    let second = Service::start(&shared().await.database_url, &[]).await;
    let right = left.through(&second.url);
    for round in 0..20 {
        let field = format!("f{round}");
        let call = |side: &str, value: Value| {
            json!({"batch": [{"type": "identify", "userId": side, "messageId": format!("{side}-{round}"),
                "traits": {field.as_str(): value}}]})
        };
        let (text, number) = (call("left", json!("x")), call("right", json!(7)));
        tokio::join!(
            left.send("/v1/batch", &text),
            right.send("/v1/batch", &number)
        );
        let of_left = left.profile("user_id:left").await["traits"][&field].clone();
        let of_right = left.profile("user_id:right").await["traits"][&field].clone();
        let winners = [of_left == "x", of_right == 7];
        assert_eq!(winners.iter().filter(|won| **won).count(), 1, "{field}");
        assert!(
            of_left.is_null() || of_right.is_null(),
            "{of_left} {of_right}"
        );
        // Both nodes know who won.
        let late = json!({"type": "identify", "userId": "late", "traits": {field.as_str(): "y"}});
        for node in [&left, &right] {
            let results = node.results(std::slice::from_ref(&late)).await;
            assert_eq!(codes(&results[0]).is_empty(), winners[0], "{results:?}");
        }
    }
}

async fn roster(arguments: &[&str]) -> String {
    let ran = Command::new(ROSTER)
        .args(arguments)
        .args(["--database-url", &shared().await.database_url])
        .output();
    let output = ran.await.expect("it ran");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn the_command_line_sets_shows_and_mends_a_plan() {
    let project = Project::fresh().await;
    let name = project.name.as_str();
    roster(&["project", "rules", name, "--types", "enforce"]).await;
    let identify = |id: &str, plan: Value| identify(id, json!({"plan": plan}));
    let results = project.results(&[identify("m1", json!(7))]).await;
    assert_eq!(codes(&results[0]), []);
    let shown = roster(&["project", "fields", name]).await;
    assert!(shown.contains("plan") && shown.contains("long"), "{shown}");
    roster(&["project", "fields", name, "--forget", "plan"]).await;
    // The node that knew it asks again within a minute; another does at once.
    let fresh = Service::start(&shared().await.database_url, &[]).await;
    let node = project.through(&fresh.url);
    let results = node.results(&[identify("m2", json!("pro"))]).await;
    assert_eq!(codes(&results[0]), [], "{results:?}");
    let store = store_at(&shared().await.database_url);
    let known = store
        .load_field_types(ProjectId(project.id), &[Category::User])
        .await
        .expect("read");
    assert_eq!(known.len(), 1, "{known:?}");
    assert_eq!(known[0].its_type.as_str(), "string");
}

/// A plan that is new to a node with many requests at once is read once.
#[tokio::test]
async fn a_project_of_many_event_names_has_a_bounded_plan_of_each() {
    let limit = [("ROSTER__LIMITS__EVENT_FIELDS", "3")];
    let service = Service::start(&shared().await.database_url, &limit).await;
    let project = planned(TypeRule::Enforce).await.through(&service.url);
    let event = |name: usize| {
        json!({"type": "track", "userId": "ada", "event": format!("E{name}"), "messageId": format!("m{name}"),
            "properties": {"a": 1, "b": 1, "c": 1, "d": 1}})
    };
    let events: Vec<Value> = (0..300).map(event).collect();
    for result in project.results(&events).await {
        assert_eq!(codes(&result), [("too_many_fields", "properties.d")]);
    }
    let properties = &project.event("m299").await["properties"];
    assert_eq!(*properties, json!({"a": 1, "b": 1, "c": 1}));
    let url = format!("{}/api/events/track", project.url);
    let call = json!({"userId": "ada", "eventName": "E0", "dataFields": {"z": 1}});
    let request = project
        .client
        .post(url)
        .header("Api-Key", &project.server_key);
    let reply = request.json(&call).send().await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    let answer: Value = reply.json().await.expect("JSON");
    assert_eq!(answer["code"], "UniqueFieldsLimitExceeded", "{answer}");
    let expected = json!({"limit": 3, "requestedTotal": 4, "newFields": ["z"]});
    assert_eq!(answer["params"], expected);
    assert!(!project.rejections().await.is_empty());
}
