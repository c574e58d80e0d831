//! The laws hold across all roads: a person of whom the tracking API, Iterable's API, a topic and a file tell ends the same in any order,
//! and who is erased or forgotten by one road stays so for all of them.

use super::{Road, upsert};
use crate::harness::Project;
use crate::imports;
use crate::kafka::{Sent, shared_broker};
use crate::tracking_plan::planned;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use roster::domain::TypeRule;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// All of them, as often as there are orders.
const ROADS: [Way; 4] = [Way::Tracking, Way::Iterable, Way::Topic, Way::File];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Tracking,
    Iterable,
    Topic,
    File,
}

fn orders() -> Vec<[Way; 4]> {
    let mut orders = Vec::new();
    for code in 0..256 {
        let order = [code % 4, code / 4 % 4, code / 16 % 4, code / 64].map(|at: usize| ROADS[at]);
        if ROADS.iter().all(|way| order.contains(way)) {
            orders.push(order);
        }
    }
    orders
}

/// What each road says of a person. Times are given, or what is said is said by nobody else, so that no order matters.
fn tracked(person: &str) -> Value {
    json!({"batch": [
        {"type": "identify", "userId": person, "messageId": format!("t1-{person}"), "timestamp": "2024-01-01T00:00:00Z",
            "traits": {"email": format!("{person}@example.com"), "plan": "free", "visits": 7}},
        {"type": "track", "userId": person, "anonymousId": format!("a-{person}"), "event": "Seen",
            "messageId": format!("t2-{person}"), "timestamp": "2024-01-02T00:00:00Z"},
    ]})
}

fn called(person: &str) -> [(&'static str, Value); 2] {
    let email = format!("{person}@example.com");
    [
        (
            "users/update",
            json!({"email": email, "userId": person, "dataFields": {"city": "Ulm"}}),
        ),
        (
            "events/track",
            json!({"userId": person, "eventName": "Opened", "id": format!("i1-{person}"), "createdAt": 1_704_164_700}),
        ),
    ]
}

/// Its plan is older, and its visits are no number: the project's plan of fields leaves them out.
fn legacy(person: &str) -> Sent {
    let traits = json!({"plan": "old", "since": "2019-05-06", "visits": "many"});
    upsert(person, "2023-01-01T00:00:00Z", traits)
}

fn filed(person: &str) -> String {
    let lines = [
        json!({"type": "identify", "userId": person, "messageId": format!("f1-{person}"), "timestamp": "2024-02-01T00:00:00Z",
            "traits": {"plan": "pro", "shop": "north"}}),
        json!({"type": "track", "anonymousId": format!("a-{person}"), "userId": person, "event": "Bought",
            "messageId": format!("f2-{person}"), "timestamp": "2024-02-02T00:00:00Z", "properties": {"sum": 5}}),
    ];
    lines.iter().map(|line| format!("{line}\n")).collect()
}

async fn iterable(project: &Project, path: &str, body: &Value) -> (StatusCode, Value) {
    let url = format!("{}/api/{path}", project.url);
    let request = project.client.request(Method::POST, url);
    let request = request.header("Api-Key", &project.server_key).json(body);
    let reply = request.send().await.expect("an answer");
    (reply.status(), reply.json().await.expect("JSON"))
}

/// Lets a road tell of people.
async fn tell(road: &Road<'_>, way: Way, people: &[String]) {
    let project = &road.project;
    match way {
        _ if people.is_empty() => {}
        Way::Tracking => {
            let calls = people.iter().map(|person| tracked(person));
            join_all(calls.map(|call| async move { project.send("/v1/batch", &call).await })).await;
        }
        Way::Iterable => {
            for (path, body) in people.iter().flat_map(|person| called(person)) {
                let (status, answer) = iterable(project, path, &body).await;
                assert_eq!(status, StatusCode::OK, "{path}: {answer}");
            }
        }
        Way::Topic => {
            let records: Vec<Sent> = people.iter().map(|person| legacy(person)).collect();
            road.send(&records).await;
            road.arrived().await;
        }
        Way::File => {
            let text: String = people.iter().map(|person| filed(person)).collect();
            let name = format!("name={}.jsonl", uuid::Uuid::new_v4());
            imports::take(project, &name, text).await;
        }
    }
}

/// All that can be read of a person, without what is the person's own.
async fn read(project: &Project, person: &str) -> String {
    let reference = format!("user_id:{person}");
    let profile = project.profile(&reference).await;
    let names = profile["identities"].as_array().expect("a list").iter();
    let names: BTreeSet<String> = names
        .map(|name| format!("{}:{}", name["kind"], name["value"]))
        .collect();
    let events = project.timeline(&reference).await;
    let events = events.iter().map(|event| {
        json!([
            event["message_id"],
            event["occurred_at"],
            event["properties"]
        ])
    });
    let events: Vec<Value> = events.collect();
    let seen = json!([profile["traits"], names, events]).to_string();
    seen.replace(person, "somebody")
}

async fn road() -> Road<'static> {
    let project = planned(TypeRule::Enforce).await;
    let first = json!({"userId": "first", "traits": {"visits": 1, "since": "2020-01-01"}});
    project.send("/v1/identify", &first).await;
    let settings = super::Settings {
        properties: "\"session.timeout.ms\" = \"6000\"",
        ..super::Settings::default()
    };
    let database_url = crate::harness::shared().await.database_url.clone();
    Road::of(shared_broker().await, 1, settings, project, database_url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_all_roads_ends_the_same_in_any_order_and_at_once() {
    let road = road().await;
    let _node = road.node(&[]).await;
    let orders = orders();
    assert_eq!(orders.len(), 24);
    let people: Vec<String> = (10..10 + orders.len())
        .map(|own| format!("p{own}q"))
        .collect();
    for turn in 0..ROADS.len() {
        for way in ROADS {
            let told = people.iter().zip(&orders);
            let told = told.filter(|(_, order)| order[turn] == way);
            let told: Vec<String> = told.map(|(person, _)| person.clone()).collect();
            tell(&road, way, &told).await;
        }
    }
    let at_once: Vec<String> = (50..54).map(|own| format!("p{own}q")).collect();
    join_all(ROADS.map(|way| tell(&road, way, &at_once))).await;

    let everybody = people.iter().chain(&at_once);
    let project = &road.project;
    let mut seen = Vec::new();
    for person in everybody {
        seen.push(read(project, person).await);
    }
    let different: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(different.len(), 1, "{different:#?}");
    let seen: Value = serde_json::from_str(&seen[0]).expect("JSON");
    assert_eq!(
        seen[0],
        json!({"email": "somebody@example.com", "plan": "pro", "visits": 7, "city": "Ulm", "since": "2019-05-06", "shop": "north"})
    );
    assert_eq!(seen[2].as_array().map(Vec::len), Some(5), "{seen}");
    gone_by_either_road_stays_gone_for_all(&road).await;
}

/// `p10q` is forgotten by Iterable's API, `p11q` by the native one, `p12q` is erased there.
async fn gone_by_either_road_stays_gone_for_all(road: &Road<'_>) {
    let project = &road.project;
    let forget = json!({"email": "p10q@example.com"});
    let (status, answer) = iterable(project, "users/forget", &forget).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    for path in ["user_id:p11q?forget=true", "user_id:p12q"] {
        let (status, _) = project.erase(path).await;
        assert!(status.is_success(), "{path}: {status}");
    }
    let gone: Vec<String> = (10..13).map(|own| format!("p{own}q")).collect();
    tell(road, Way::Topic, &gone).await;
    for (number, person) in gone.iter().enumerate() {
        let is_forgotten = number < 2;
        let code = if is_forgotten { "forgotten" } else { "erased" };
        let again = tracked(person).to_string().replace("-p", "-again-p");
        let again: Value = serde_json::from_str(&again).expect("JSON");
        let again = again["batch"].as_array().expect("a list");
        for result in project.results(again).await {
            assert_eq!(result["code"], code, "{person}: {result}");
        }
        called_again(project, person, is_forgotten).await;
        let name = format!("name={person}-again.jsonl");
        let text = filed(person).replace("-p", "-again-p");
        let job = imports::take(project, &name, text).await;
        assert_eq!(imports::counts(&job), [0, 0, 0, 2], "{job}");
        let (status, _) = project.get(&format!("/v1/profiles/user_id:{person}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{person}");
    }
}

/// Of who is forgotten everything is refused; an event from before an erasure is answered, and not kept.
async fn called_again(project: &Project, person: &str, is_forgotten: bool) {
    let [(_, update), (_, mut event)] = called(person);
    event["id"] = json!(format!("again-{person}"));
    let calls = [("events/track", event), ("users/update", update)];
    let forgotten = (StatusCode::CONFLICT, "ForgottenUserError");
    for (path, body) in calls.iter().take(if is_forgotten { 2 } else { 1 }) {
        let (status, answer) = iterable(project, path, body).await;
        let code = answer["code"].as_str().unwrap_or_default();
        let expected = if is_forgotten {
            forgotten
        } else {
            (StatusCode::OK, "Success")
        };
        assert_eq!((status, code), expected, "{path}: {answer}");
    }
}
