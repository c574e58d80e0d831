//! The service as a database user who may do no more than docs/OPERATIONS.md grants.

use crate::harness::{Project, Service, fresh_database, sql, store_at};
use crate::machine::{until_ready_is, why_not_ready};
use reqwest::StatusCode;
use roster::store::needed_rights;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// The statements of the page, for a role of this run alone: roles are the whole server's.
fn grants(role: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md");
    let text = std::fs::read_to_string(page).unwrap();
    let block = text
        .split("```sql\n")
        .find(|block| block.starts_with("CREATE ROLE"));
    let statements = block.unwrap().split("```").next().unwrap();
    statements.replace("roster_app", role)
}

/// The address of a database for one of its roles.
fn url_of(database: &str, role: &str) -> String {
    let mut own = url::Url::parse(database).unwrap();
    let pairs: Vec<(String, String)> = own
        .query_pairs()
        .map(|(name, value)| {
            let value = if name == "user" {
                role.to_owned()
            } else {
                value.into_owned()
            };
            (name.into_owned(), value)
        })
        .collect();
    own.query_pairs_mut().clear().extend_pairs(pairs);
    if !own.username().is_empty() {
        own.set_username(role).unwrap();
    }
    own.into()
}

/// A migrated database, and a role with what the page grants.
async fn granted() -> (String, String) {
    let database = fresh_database().await;
    store_at(&database).migrate().await.unwrap();
    let role = format!("app_{}", Uuid::new_v4().simple());
    sql(&database, &grants(&role)).await;
    (database, role)
}

#[test]
fn the_page_grants_what_the_statements_need_and_no_more() {
    let mut page = BTreeSet::new();
    for line in grants("r").lines() {
        let Some(rest) = line.strip_prefix("GRANT ") else {
            continue;
        };
        let (rights, rest) = rest.split_once(" ON ").unwrap();
        let (tables, _) = rest.split_once(" TO ").unwrap();
        for table in tables.split(", ") {
            page.extend(
                rights
                    .split(", ")
                    .map(|right| (table.to_owned(), right.to_owned())),
            );
        }
    }
    let needed = needed_rights();
    let needed: BTreeSet<(String, String)> = needed
        .iter()
        .map(|(table, right)| ((*table).to_owned(), (*right).to_owned()))
        .collect();
    assert_eq!(page, needed);
}

#[tokio::test]
async fn without_any_one_right_the_start_says_which() {
    let (database, role) = granted().await;
    let store = store_at(&url_of(&database, &role));
    store.check_rights().await.unwrap();
    for (table, right) in needed_rights() {
        sql(&database, &format!("REVOKE {right} ON {table} FROM {role}")).await;
        let said = store.check_rights().await.unwrap_err().to_string();
        assert_eq!(said, format!("it may not {right} on {table}"));
        sql(&database, &format!("GRANT {right} ON {table} TO {role}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_loses_a_right_is_not_ready_until_it_is_back() {
    let (database, role) = granted().await;
    let own = url_of(&database, &role);
    let service = Service::start(own.as_str(), &[("ROSTER__DATABASE__MIGRATE", "false")]).await;
    let patience = Duration::from_secs(60);
    until_ready_is(&service.url, true, patience).await;
    for (right, table) in [("INSERT", "event"), ("UPDATE", "profile")] {
        sql(&database, &format!("REVOKE {right} ON {table} FROM {role}")).await;
        until_ready_is(&service.url, false, patience).await;
        let said = why_not_ready(&service.url).await;
        assert!(
            said.contains(&format!("it may not {right} on {table}")),
            "{said}"
        );
        sql(&database, &format!("GRANT {right} ON {table} TO {role}")).await;
        until_ready_is(&service.url, true, patience).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_page_grants_is_enough_for_everything() {
    let (database, role) = granted().await;
    let own = url_of(&database, &role);
    let service = Service::start(own.as_str(), &[("ROSTER__DATABASE__MIGRATE", "false")]).await;
    let project = Project::on(&service.url, &database).await;
    let calls = [
        json!({"type": "identify", "userId": "ada", "messageId": "1", "traits": {"email": "family@example.com"}}),
        json!({"type": "identify", "anonymousId": "phone", "messageId": "2", "traits": {"app": 1}}),
        json!({"type": "identify", "userId": "ada", "anonymousId": "phone", "messageId": "3"}),
        json!({"type": "identify", "userId": "bob", "messageId": "4", "traits": {"email": "family@example.com"}}),
        json!({"type": "group", "userId": "bob", "groupId": "acme", "messageId": "5"}),
        json!({"type": "dance", "userId": "bob", "messageId": "6"}),
    ];
    for call in &calls {
        project.results(std::slice::from_ref(call)).await;
    }
    assert_eq!(project.timeline("user_id:ada").await.len(), 3);
    assert_eq!(
        project.read("/v1/conflicts").await["conflicts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(project.rejections().await.len(), 1);
    let (status, _) = project.erase("user_id:bob?forget=true").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        project.results(&calls[4..5]).await[0]["status"],
        "duplicate"
    );
}
