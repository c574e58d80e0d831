//! Published clients of Iterable's API, unmodified: each call that they offer for what is there, and what is stored of it.

use super::ROOT;
use crate::harness::Project;
use serde_json::{Value, json};
use tokio::process::Command;

/// What a driver's calls answered.
async fn answers(command: &mut Command, project: &Project) -> Value {
    command.args(["--host", &project.url, "--key", &project.server_key]);
    let done = command.kill_on_drop(true).output().await;
    let done = done.expect("`scripts/setup test` installs the clients");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let lines = String::from_utf8(done.stdout).expect("text");
    let last = lines.lines().last().expect("a line");
    serde_json::from_str(last).expect("JSON")
}

fn node(sdk: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(format!("{ROOT}/tests/sdk/iterable/drive.mjs"));
    node.args(["--sdk", sdk]);
    node.args(["--modules", &format!("{ROOT}/.dev/sdk/iterable")]);
    node
}

/// The calls that failed, but those that had to.
fn failures(answers: &Value, expected: &[&str]) -> Vec<String> {
    let all = answers.as_object().expect("an object").iter();
    let failed = all.filter(|(_, answer)| !answer["failed"].is_null());
    let wrong = failed.filter(|(name, _)| !expected.contains(&name.as_str()));
    wrong
        .map(|(name, answer)| format!("{name}: {answer}"))
        .collect()
}

/// What all three clients say about Ada.
async fn ada_is_whole(project: &Project) {
    let ada = project.profile("user_id:ada").await;
    let traits = &ada["traits"];
    assert_eq!(traits["plan"], "pro");
    assert_eq!(traits["address"], json!({"city": "Ulm", "zip": "89073"}));
    let timeline = project.timeline("email:ada+1@example.com").await;
    let seen: Vec<&Value> = timeline.iter().map(|event| &event["name"]).collect();
    assert_eq!(seen, ["Opened", "Seen"]);
    assert_eq!(timeline[1]["occurred_at"], "2024-01-02T03:04:05.000Z");
    assert_eq!(timeline[1]["properties"], json!({"a": 1}));
}

/// Of the other user of the two clients with carts and devices.
async fn c_has_all(project: &Project, events: &[&str]) {
    let c = project.profile("user_id:c").await;
    assert_eq!(c["traits"]["devices"]["t1"]["endpointEnabled"], false);
    assert_eq!(c["traits"]["shoppingCartItems"], json!([]));
    let timeline = project.timeline("user_id:c").await;
    let mut seen: Vec<&str> = timeline
        .iter()
        .filter_map(|event| event["name"].as_str())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, events);
}

#[tokio::test]
async fn the_official_client_takes_each_answer_by_its_own_schemas() {
    let project = Project::fresh().await;
    let answers = answers(&mut node("@iterable/api"), &project).await;
    assert_eq!(failures(&answers, &["nobodyById"]), Vec::<String>::new());
    assert_eq!(answers["nobodyById"]["status"], 400, "{answers}");
    assert_eq!(answers["nobody"], json!({}));
    assert_eq!(answers["byEmail"]["user"]["userId"], "ada");
    assert_eq!(answers["bulk"]["successCount"], 2);
    assert_eq!(answers["trackBulk"]["successCount"], 2);
    assert_eq!(answers["track"]["params"]["id"], "e1");
    assert_eq!(
        answers["events"]["events"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(answers["eventsById"]["events"][0]["_id"], "e3");
    assert_eq!(answers["fields"]["fields"]["plan"], "string");
    ada_is_whole(&project).await;
    let ada = project.profile("user_id:ada").await;
    assert_eq!(ada["traits"]["emailListIds"], json!([1]));
    assert_eq!(ada["traits"]["unsubscribedChannelIds"], json!([2, 5, 7]));
    assert_eq!(ada["traits"]["subscribedMessageTypeIds"], json!([6]));
    assert_eq!(answers["lists"]["lists"][0]["name"], "news");
    let told = json!({"users": [{"email": "ada+1@example.com"}]});
    assert_eq!(answers["listUsers"], told);
    assert_eq!(answers["listPreview"], json!({"users": ["ada"]}));
    assert_eq!(answers["listSize"], json!({"size": 1}));
    let bea = project.profile("email:bea@example.com").await;
    assert_eq!(bea["id"], project.profile("user_id:c").await["id"]);
    assert_eq!(project.get("/v1/profiles/user_id:new").await.0, 404);
}

#[tokio::test]
async fn the_community_client_for_node_works_once_its_address_leads_here() {
    let project = Project::fresh().await;
    let answers = answers(&mut node("node-iterable-api"), &project).await;
    assert_eq!(failures(&answers, &[]), Vec::<String>::new());
    assert_eq!(
        answers["bulk"]["failedUpdates"]["invalidEmails"],
        json!(["bad@"])
    );
    assert_eq!(answers["byEmail"]["user"]["dataFields"]["plan"], "pro");
    assert_eq!(answers["inApp"], json!({"inAppMessages": []}));
    assert_eq!(answers["listUsers"], "ada+1@example.com\n");
    ada_is_whole(&project).await;
    let events = [
        "inAppClick",
        "inAppOpen",
        "purchase",
        "pushOpen",
        "updateCart",
        "webPushClick",
    ];
    c_has_all(&project, &events).await;
}

#[tokio::test]
async fn the_client_for_python_works() {
    let project = Project::fresh().await;
    let mut python = Command::new(format!("{ROOT}/.dev/sdk/python/bin/python"));
    python.arg(format!("{ROOT}/tests/sdk/iterable/drive.py"));
    let answers = answers(&mut python, &project).await;
    assert_eq!(
        failures(&answers, &["nobodyById", "updateEmail"]),
        Vec::<String>::new()
    );
    assert_eq!(answers["updateEmail"]["failed"], "InvalidParameters");
    assert_eq!(answers["bulk"]["data"]["failCount"], 1);
    assert_eq!(answers["listSize"]["data"], 1);
    assert_eq!(answers["nobody"]["data"], json!({}));
    assert_eq!(answers["byUserId"]["data"]["user"]["userId"], "c");
    ada_is_whole(&project).await;
    let events = [
        "inAppClick",
        "inAppDelete",
        "inAppOpen",
        "purchase",
        "pushOpen",
        "updateCart",
        "webPushClick",
    ];
    c_has_all(&project, &events).await;
}

#[tokio::test]
async fn the_wrapper_for_python_works_though_it_sends_a_body_with_everything() {
    let project = Project::fresh().await;
    let mut python = Command::new(format!("{ROOT}/.dev/sdk/iterable-python/bin/python"));
    python.arg(format!("{ROOT}/tests/sdk/iterable-python/drive.py"));
    let answers = answers(&mut python, &project).await;
    assert_eq!(failures(&answers, &[]), Vec::<String>::new());
    let all = answers.as_object().expect("an object").iter();
    let refused = all.filter(|(_, answer)| answer["status"] != 200);
    let refused: Vec<&str> = refused.map(|(name, _)| name.as_str()).collect();
    assert_eq!(refused, ["updateEmail"], "{answers}");
    assert_eq!(answers["nobody"]["data"], json!({}));
    assert_eq!(answers["bulk"]["data"]["failCount"], 1);
    assert_eq!(answers["byUserIdInPath"], answers["byUserId"]);
    ada_is_whole(&project).await;
    let events = [
        "inAppClick",
        "inAppDelete",
        "inAppOpen",
        "purchase",
        "pushOpen",
        "updateCart",
        "webPushClick",
    ];
    c_has_all(&project, &events).await;
}
