//! Whom a project has forgotten: told by hashes where it has them kept, else by none.

use super::call;
use crate::harness::{Project, shared, store_at};
use reqwest::{Method, StatusCode};
use roster::domain::{ProjectId, Rules};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

async fn get(project: &Project, path: &str) -> Value {
    let (status, answer) = call(project, Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn forget(project: &Project, email: &str, user_id: &str) {
    let known = json!({"email": email, "userId": user_id});
    let (status, _) = call(project, Method::POST, "users/update", Some(&known)).await;
    assert_eq!(status, StatusCode::OK);
    let whom = json!({"email": email});
    let (status, _) = call(project, Method::POST, "users/forget", Some(&whom)).await;
    assert_eq!(status, StatusCode::OK);
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn hashes_are_shown_of_whom_was_forgotten_since_the_project_said_so() {
    let project = Project::fresh().await;
    forget(&project, "early@example.com", "u0").await;
    let none = [json!({"hashedEmails": []}), json!({"hashedUserIds": []})];
    let shown = async || {
        [
            get(&project, "users/forgotten").await,
            get(&project, "users/forgottenUserIds").await,
        ]
    };
    assert_eq!(shown().await, none);
    let store = store_at(&shared().await.database_url);
    let rules = Rules {
        shows_forgotten: true,
        ..Rules::default()
    };
    store
        .set_rules(ProjectId(project.id), &rules)
        .await
        .expect("set");
    forget(&project, "Ada@example.com", "U1").await;
    let delete = call(&project, Method::DELETE, "users/nobody@example.com", None).await;
    assert_eq!(delete.0, StatusCode::OK);
    let expected = [
        json!({"hashedEmails": [hash("ada@example.com")]}),
        json!({"hashedUserIds": [hash("u1")]}),
    ];
    assert_eq!(shown().await, expected);
    let whom = json!({"userId": "U1"});
    let (status, _) = call(&project, Method::POST, "users/unforget", Some(&whom)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(shown().await, none);
}
