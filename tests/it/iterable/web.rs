//! Iterable's Web SDK as it is published, in a real browser, on a page of another origin: it does nothing without tokens.
//!
//! CORS and its preflights are tested by this working at all.

use super::ROOT;
use super::signed::{App, SECRET};
use crate::harness::{ROSTER, shared, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::process::Command;

/// What the browser did on a visit, and the app that it did it to.
struct Visit {
    app: App,
    /// What each call of the SDK answered.
    outcomes: Value,
    requests: Vec<Value>,
    tokens: Vec<Value>,
}

impl Visit {
    /// Plays a visit of `tests/sdk/iterable-web/visits.js`.
    async fn play(visit: &str, app: App) -> Self {
        let mut node = Command::new("node");
        node.arg(format!("{ROOT}/tests/sdk/iterable-web/drive.mjs"));
        node.args([visit, "--modules"]);
        node.arg(format!("{ROOT}/.dev/sdk/iterable-web"));
        node.args(["--host", &app.project.url, "--key", &app.key]);
        node.args(["--secret", SECRET]);
        let done = node.kill_on_drop(true).output().await.expect("node runs");
        let log = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{visit}: {log}");
        let mut answer: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        let list = |value: Value| serde_json::from_value(value).expect("a list");
        let visit = Self {
            app,
            requests: list(answer["requests"].take()),
            tokens: list(answer["tokens"].take()),
            outcomes: answer["outcomes"].take(),
        };
        let strays = visit.requests.iter();
        let strays: Vec<&Value> = strays.filter(|it| it["isElsewhere"] == true).collect();
        assert!(strays.is_empty(), "the page asked a stranger: {strays:?}");
        visit
    }

    /// The calls that failed.
    fn failed(&self) -> BTreeSet<&str> {
        let outcomes = self.outcomes.as_object().expect("an object").iter();
        let failed = outcomes.filter(|(_, outcome)| outcome["failed"].is_string());
        failed.map(|(name, _)| name.as_str()).collect()
    }

    /// How often a path was asked for, by the statuses of its answers.
    fn statuses(&self, path: &str) -> Vec<u64> {
        let own = self.requests.iter().filter(|it| it["path"] == path);
        own.filter_map(|request| request["status"].as_u64())
            .collect()
    }

    /// Waits until somebody has just these events, by name.
    async fn has_events(&self, reference: &str, names: &[&str]) {
        let mut wanted = names.to_vec();
        wanted.sort_unstable();
        let there = async || self.names_of(reference).await == wanted;
        let what = format!("{reference} has {wanted:?}");
        wait_until(&what, Duration::from_secs(20), there).await;
    }

    async fn names_of(&self, reference: &str) -> Vec<String> {
        let timeline = self.app.project.timeline(reference).await;
        let names = timeline.iter().filter_map(|event| event["name"].as_str());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        names
    }
}

/// A browser is heavy: one visit after the other.
#[tokio::test]
async fn the_web_sdk_works_in_a_browser() {
    everything_about_a_known_user().await;
    an_old_token_is_fetched_anew_once().await;
    nobody_speaks_for_another().await;
    who_was_unknown_becomes_the_one_who_logs_in().await;
    what_waited_for_a_login_is_told_then().await;
}

async fn everything_about_a_known_user() {
    let visit = Visit::play("signed", App::fresh().await).await;
    // The SDK gives up its own request where a click goes out by a beacon, and takes no call of nobody.
    assert_eq!(
        visit.failed(),
        BTreeSet::from(["beacon", "loggedOut"]),
        "{}",
        visit.outcomes
    );
    let statuses: BTreeSet<u64> = visit
        .requests
        .iter()
        .filter_map(|request| request["status"].as_u64())
        .collect();
    assert_eq!(statuses, BTreeSet::from([200]));
    assert_eq!(visit.outcomes["track"]["data"]["params"]["id"], "e1");
    assert_eq!(
        visit.outcomes["inApp"]["data"],
        json!({"inAppMessages": []})
    );
    let project = &visit.app.project;
    let ada = project.profile("email:ada@new.example.com").await;
    let traits = &ada["traits"];
    assert_eq!(traits["plan"], "pro");
    assert_eq!(traits["address"], json!({"city": "Ulm", "zip": "89073"}));
    assert_eq!(traits["emailListIds"], json!([1]));
    assert_eq!(traits["shoppingCartItems"], json!([]));
    let events = [
        "Seen",
        "Moved",
        "updateCart",
        "purchase",
        "inAppOpen",
        "inAppClick",
        "inAppClick",
        "inAppClose",
        "inAppDelivery",
        "inAppDelete",
        "embeddedReceived",
        "embeddedClick",
        "embeddedSession",
    ];
    visit.has_events("email:ada@example.com", &events).await;
    let seen = project.event("e1").await;
    assert_eq!(seen["occurred_at"], "2024-01-02T03:04:05.000Z");
    assert_eq!(seen["properties"], json!({"a": 1}));
    let purchase = project.event("p1").await;
    assert_eq!(purchase["properties"]["total"], 19);
    assert_eq!(purchase["context"]["iterable"]["campaignId"], 7);
    visit
        .has_events("user_id:bob", &["Seen", "updateCart"])
        .await;
    assert_eq!(project.rejections().await, [json!(null); 0]);
}

async fn an_old_token_is_fetched_anew_once() {
    let visit = Visit::play("expired", App::fresh().await).await;
    assert_eq!(visit.failed(), BTreeSet::new(), "{}", visit.outcomes);
    assert_eq!(visit.statuses("/api/users/update"), [401, 200]);
    let sorts: Vec<&Value> = visit.tokens.iter().map(|token| &token["sort"]).collect();
    assert_eq!(sorts, ["expired", "good"]);
    visit.has_events("email:ada@example.com", &["Seen"]).await;
}

async fn nobody_speaks_for_another() {
    let visit = Visit::play("stranger", App::fresh().await).await;
    assert_eq!(visit.failed(), BTreeSet::from(["setEmail", "track"]));
    assert_eq!(
        visit.outcomes["track"]["code"],
        "JwtUserIdentifiersMismatched"
    );
    assert!(
        visit
            .requests
            .iter()
            .all(|request| request["status"] == 401)
    );
    let project = &visit.app.project;
    assert_eq!(
        project.count("*", "profile").await + project.count("*", "event").await,
        0
    );
}

/// When somebody is made a user: once they are ready.
const CRITERIA: &str = r#"{"criteriaSets": [{"criteriaId": "7", "name": "ready", "createdAt": 1, "updatedAt": 1,
    "searchQuery": {"combinator": "And", "searchQueries": [{"combinator": "And", "searchQueries": [{"dataType": "customEvent",
    "searchCombo": {"combinator": "And", "searchQueries": [{"dataType": "customEvent", "field": "eventName",
    "comparatorType": "Equals", "value": "Ready", "fieldType": "string"}]}}]}]}}]}"#;

/// An app of a project with criteria.
async fn app_with_criteria() -> App {
    let app = App::fresh().await;
    let file = std::env::temp_dir().join(format!("criteria-{}.json", app.project.name));
    std::fs::write(&file, CRITERIA).expect("written");
    let mut roster = Command::new(ROSTER);
    roster
        .args(["project", "criteria", &app.project.name])
        .arg(&file);
    roster.args(["--database-url", &shared().await.database_url]);
    let set = roster.output().await.expect("it ran");
    std::fs::remove_file(&file).expect("there");
    assert!(
        set.status.success(),
        "{}",
        String::from_utf8_lossy(&set.stderr)
    );
    app
}

async fn who_was_unknown_becomes_the_one_who_logs_in() {
    let visit = Visit::play("unknown", app_with_criteria().await).await;
    // What is kept in the browser is told by a refusal.
    let kept = BTreeSet::from(["browse", "fields", "cart", "ready"]);
    assert_eq!(visit.failed(), kept, "{}", visit.outcomes);
    let ok =
        |path: &str, times: usize| assert_eq!(visit.statuses(path), vec![200; times], "{path}");
    ok("/api/unknownuser/events/session", 1);
    ok("/api/unknownuser/consent", 1);
    ok("/api/users/merge", 1);
    let id = visit.outcomes["created"].as_str().expect("a user was made");
    let events = [
        "unknownSession",
        "Browsed",
        "updateCart",
        "Ready",
        "Still Here",
        "Known",
    ];
    visit.has_events("email:ada@example.com", &events).await;
    let project = &visit.app.project;
    let ada = project.profile("email:ada@example.com").await;
    assert_eq!(ada["traits"]["likes"], "shoes");
    assert_eq!(
        project.profile(&format!("user_id:{id}")).await["id"],
        ada["id"]
    );
    let session = project.timeline("email:ada@example.com").await;
    let session = session
        .iter()
        .find(|event| event["name"] == "unknownSession");
    let context = &session.expect("there")["properties"]["unknownSessionContext"];
    assert_eq!(context["matchedCriteriaId"], 7);
    assert_eq!(project.rejections().await, [json!(null); 0]);
}

async fn what_waited_for_a_login_is_told_then() {
    let visit = Visit::play("visitor", App::fresh().await).await;
    assert_eq!(
        visit.failed(),
        BTreeSet::from(["browse"]),
        "{}",
        visit.outcomes
    );
    assert_eq!(visit.statuses("/api/unknownuser/list"), [200]);
    assert_eq!(visit.statuses("/api/unknownuser/events/session"), [0; 0]);
    visit.has_events("user_id:ada", &["Browsed", "Known"]).await;
}
