//! Changes of addresses: however many somebody has had, and however many want the same one at once.

use super::{call, of_type};
use crate::harness::Project;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn post(project: &Project, path: &str, body: &Value) -> (StatusCode, Value) {
    call(project, Method::POST, path, Some(body)).await
}

async fn make(project: &Project, who: &Value) {
    let (status, answer) = post(project, "users/update", who).await;
    assert_eq!(status, StatusCode::OK, "{who}: {answer}");
}

/// The address by which somebody is shown, found by their address.
async fn shown(project: &Project, email: &str) -> Value {
    let path = format!("users/getByEmail?email={email}");
    let (_, found) = call(project, Method::GET, &path, None).await;
    found["user"]["email"].clone()
}

fn change(is_by_id: bool, number: usize) -> Value {
    let new = format!("a{}@example.com", number + 1);
    match is_by_id {
        true => json!({"currentUserId": "ada", "newEmail": new}),
        false => json!({"currentEmail": format!("a{number}@example.com"), "newEmail": new}),
    }
}

#[tokio::test]
async fn somebody_is_found_by_their_tenth_address() {
    for (iterable, is_by_id) in [("hybrid", false), ("hybrid", true), ("email", false)] {
        let project = of_type(iterable).await;
        let ada = json!({"email": "a0@example.com", "userId": "ada"});
        make(&project, &ada).await;
        for number in 0..10 {
            let body = change(is_by_id, number);
            let (status, answer) = post(&project, "users/updateEmail", &body).await;
            assert_eq!(status, StatusCode::OK, "{iterable} {body}: {answer}");
            let email = format!("a{}@example.com", number + 1);
            assert_eq!(shown(&project, &email).await, email, "{iterable}");
        }
        assert_eq!(project.count("*", "profile").await, 1, "{iterable}");
    }
}

#[tokio::test]
async fn an_address_among_data_fields_is_the_persons_however_many_they_had() {
    let project = Project::fresh().await;
    for number in 0..10 {
        let email = format!("a{number}@example.com");
        let ada = json!({"userId": "ada", "dataFields": {"email": email}});
        make(&project, &ada).await;
        assert_eq!(shown(&project, &email).await, email);
    }
}

/// All want one address at once; each is told truly whether it is theirs.
async fn race(project: &Project, path: &str, bodies: Vec<Value>) {
    let answers = join_all(bodies.iter().map(|body| post(project, path, body))).await;
    let had = answers.iter().filter(|(status, _)| status.is_success());
    assert_eq!(had.count(), 1, "{answers:?}");
    for (_, answer) in answers.iter().filter(|(status, _)| !status.is_success()) {
        assert_eq!(answer["code"], "EmailAlreadyExists", "{answer}");
    }
    assert_eq!(project.count("*", "profile").await, bodies.len());
    let is_stated = "CASE WHEN t.traits ->> 'email' = 'race@example.com' THEN 1 END";
    assert_eq!(project.count(is_stated, "profile").await, 1);
}

#[tokio::test]
async fn of_many_who_want_one_address_at_once_one_gets_it() {
    for iterable in ["hybrid", "email"] {
        let project = of_type(iterable).await;
        let emails = (0..6).map(|number| format!("r{number}@example.com"));
        let mut bodies = Vec::new();
        for email in emails {
            make(&project, &json!({ "email": email })).await;
            bodies.push(json!({"currentEmail": email, "newEmail": "race@example.com"}));
        }
        race(&project, "users/updateEmail", bodies).await;
    }
    for path in ["users/updateEmail", "users/update"] {
        let project = Project::fresh().await;
        let mut bodies = Vec::new();
        for number in 0..6 {
            let id = format!("r{number}");
            make(&project, &json!({ "userId": id })).await;
            bodies.push(match path {
                "users/update" => {
                    json!({"userId": id, "dataFields": {"email": "race@example.com"}})
                }
                _ => json!({"currentUserId": id, "newEmail": "race@example.com"}),
            });
        }
        race(&project, path, bodies).await;
    }
}
