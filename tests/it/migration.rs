//! Leaving a legacy store: the steps, by hand and by HTTP, and that of two operators one wins.

mod application;
mod demo;

use crate::harness::{
    Project, ROSTER, Service, fresh_database, public_dir, shared, sql, wait_until,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::Duration;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);

pub const MAPPING: &str = "preset = \"elasticsearch\"\n\n[time]\nat = \"/updated_at\"\n\n[traits]\ndrop = [\"updated_at\", \"secret\"]\n";

/// The same, of which nobody knows what a document's id is.
const NAMELESS: &str = "preset = \"elasticsearch\"\n\n[identities]\nuser_id = \"/user\"\n";

/// A name that nobody else mirrors to.
fn own_name() -> String {
    format!("people-{}", Uuid::new_v4().simple())
}

/// Asks for a step by HTTP.
pub async fn ask(project: &Project, verb: &str, body: Value) -> (StatusCode, Value) {
    let url = format!("{}/v1/migration/{verb}", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let reply = request.json(&body).send().await.expect("an answer");
    (reply.status(), reply.json().await.expect("JSON"))
}

/// Takes a step that has to be taken.
pub async fn step(project: &Project, verb: &str, body: Value) -> Value {
    let (status, answer) = ask(project, verb, body).await;
    assert_eq!(status, StatusCode::OK, "{verb}: {answer}");
    answer
}

fn plan(index: &str) -> Value {
    json!({"mapping": MAPPING, "index": index, "source": "people", "operator": "ada"})
}

/// `roster migration …` on a database.
fn command(database_url: &str, words: &[&str]) -> Output {
    let mut command = Command::new(ROSTER);
    command.args(["--database-url", database_url, "migration"]);
    command.args(words).output().expect("runs")
}

fn said(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_plan_that_can_not_be_used_is_refused_with_the_reason() {
    let project = Project::fresh().await;
    let (status, answer) = project.get("/v1/migration").await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("no_migration"))
    );
    let (status, answer) = ask(&project, "start", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
    for (body, told) in [
        (
            json!({"mapping": "[nonsense]", "index": "people"}),
            "nonsense",
        ),
        (
            json!({"mapping": "preset = \"tracking\"\n", "index": "people"}),
            "no documents",
        ),
        (json!({"mapping": MAPPING}), "index"),
        (json!({"mapping": "a\0b", "index": "people"}), "NUL"),
        (
            json!({"mapping": MAPPING, "index": "people", "document_kind": "email"}),
            "_id is its user_id",
        ),
        (
            json!({"mapping": NAMELESS, "index": "people", "document_kind": "usr_id"}),
            "usr_id is no kind",
        ),
    ] {
        let (status, answer) = ask(&project, "plan", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert!(
            answer["detail"].as_str().expect("a text").contains(told),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_plan_without_an_index_leaves_reads_with_roster() {
    let project = Project::fresh().await;
    let call = json!({"type": "identify", "userId": "ada", "traits": {"plan": "pro"}});
    project.results(&[call]).await;
    let indexed = json!({"mapping": MAPPING, "index": own_name()});
    step(&project, "plan", indexed).await;
    step(&project, "start", json!({})).await;
    step(&project, "rollback", json!({})).await;
    let reads = async |source: &str| {
        let url = format!("{}/v1/migration/reads", project.url);
        let request = project.client.put(url).bearer_auth(&project.server_key);
        let request = request.json(&json!({"source": source}));
        request.send().await.expect("an answer").status()
    };
    let file = public_dir("indexless").join("people.toml");
    std::fs::write(&file, MAPPING).expect("written");
    let file = file.to_str().expect("text");
    let topic = own_name();
    let words = ["plan", &project.name, "--mapping", file, "--topic", &topic];
    said(&command(&shared().await.database_url, &words));
    let planned = project.read("/v1/migration").await;
    assert_eq!(planned["reads"]["source"], "roster", "{planned}");
    for source in ["legacy", "compare"] {
        assert_eq!(reads(source).await, StatusCode::CONFLICT, "{source}");
    }
    step(&project, "start", json!({})).await;
    let forced = json!({"force": true, "reason": "a drill"});
    for state in ["backfill", "verify", "compare"] {
        let now = step(&project, "advance", forced.clone()).await;
        assert_eq!(now["state"], state);
    }
    let status = project.read("/v1/migration").await;
    let gates = status["gates"].as_array().expect("a list");
    let gate = gates.iter().find(|gate| gate["name"] == "mismatches");
    assert_eq!(gate.expect("one")["holds"], true, "{status}");
    let back = step(&project, "rollback", json!({})).await;
    assert_eq!(back["reads"]["source"], "roster", "{back}");
    wait_until("the node has heard of it", PATIENCE, async || {
        let (status, ada) = project.get("/v1/profiles/user_id:ada").await;
        status == StatusCode::OK && ada["traits"]["plan"] == "pro"
    })
    .await;

    let (mut told, mut cursor) = (0, None);
    loop {
        let after = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let page = project
            .read(&format!("/v1/migration/history?limit=2{after}"))
            .await;
        told += page["steps"].as_array().expect("a list").len();
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(told, 9, "every step, in pages of two");
    let long = json!({"reason": "x".repeat(1_025)});
    assert_eq!(ask(&project, "plan", long).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_red_gate_refuses_with_its_figure_and_every_step_is_kept() {
    let project = Project::fresh().await;
    let planned = step(&project, "plan", plan(&own_name())).await;
    assert_eq!(
        (planned["state"].as_str(), planned["document_kind"].as_str()),
        (Some("plan"), Some("user_id"))
    );
    assert_eq!(step(&project, "start", json!({})).await["mirrors"], true);

    let (status, answer) = ask(&project, "advance", json!({})).await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::CONFLICT, Some("step_refused"))
    );
    let detail = answer["detail"].as_str().expect("a text");
    assert!(
        detail.contains("mirror_walk: wanted everybody was marked once, seen not yet"),
        "{detail}"
    );
    let (status, answer) = ask(&project, "advance", json!({"force": true})).await;
    assert_eq!(status, StatusCode::CONFLICT, "a reason is needed: {answer}");
    step(
        &project,
        "advance",
        json!({"force": true, "reason": "a drill", "operator": "bob"}),
    )
    .await;
    let (status, answer) = ask(&project, "start", json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert!(
        answer["detail"]
            .as_str()
            .expect("a text")
            .contains("advance, rollback"),
        "{answer}"
    );
    let back = step(&project, "rollback", json!({"reason": "wrong prices"})).await;
    assert_eq!(
        (back["state"].as_str(), back["mirrors"].as_bool()),
        (Some("rolled_back"), Some(true))
    );

    let history = project.read("/v1/migration/history").await;
    let steps = history["steps"].as_array().expect("a list");
    let told: Vec<_> = steps
        .iter()
        .map(|step| {
            (
                step["verb"].as_str().unwrap(),
                step["operator"].as_str().unwrap(),
                step["forced"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("plan", "ada", false),
            ("start", "a server key", false),
            ("advance", "bob", true),
            ("rollback", "a server key", false)
        ]
    );
    let red = steps[2]["gates"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|gate| gate["holds"] == false);
    assert!(red.count() > 0, "what was passed is kept: {history}");
    let write_key = project
        .client
        .get(format!("{}/v1/migration", project.url))
        .bearer_auth(&project.write_key);
    assert_eq!(
        write_key.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn of_operators_at_once_one_takes_the_step_and_the_others_hear_where_it_is() {
    let project = Project::fresh().await;
    step(&project, "plan", plan(&own_name())).await;
    let asked = (0..8).map(|_| ask(&project, "start", json!({})));
    let answers = futures_util::future::join_all(asked).await;
    let won = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::OK);
    assert_eq!(won.count(), 1, "{answers:?}");
    for (status, answer) in &answers {
        let is_told = answer["detail"]
            .as_str()
            .is_some_and(|text| text.contains("mirror"));
        assert!(
            *status == StatusCode::OK || (*status == StatusCode::CONFLICT && is_told),
            "{answer}"
        );
    }
    let history = project.read("/v1/migration/history").await;
    assert_eq!(history["steps"].as_array().expect("a list").len(), 2);
}

#[tokio::test]
async fn the_command_line_takes_the_same_steps() {
    let project = Project::fresh().await;
    let url = &shared().await.database_url;
    let folder = public_dir("migration");
    std::fs::create_dir_all(&folder).expect("made");
    let file = folder.join("people.toml");
    std::fs::write(&file, MAPPING).expect("written");
    let name = project.name.as_str();
    let mapping = file.to_str().expect("text");
    let planned = command(
        url,
        &[
            "plan",
            name,
            "--mapping",
            mapping,
            "--index",
            &own_name(),
            "--operator",
            "ada",
        ],
    );
    assert_eq!(said(&planned), "the migration is at plan\n");
    assert_eq!(
        said(&command(url, &["start", name])),
        "the migration is at mirror\n"
    );
    let refused = command(url, &["advance", name]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && told.contains("mirror_walk"),
        "{told}"
    );
    said(&command(url, &["advance", name, "--force", "a drill"]));
    let status: Value =
        serde_json::from_str(&said(&command(url, &["status", name]))).expect("JSON");
    assert_eq!(status["state"], "backfill");
    said(&command(
        url,
        &["rollback", name, "--reason", "wrong prices"],
    ));
    let history = said(&command(url, &["history", name]));
    let reasons = history
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["reason"].clone());
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        ["", "", "a drill", "wrong prices"]
    );
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test]
async fn where_nobody_relays_it_is_told() {
    let first = Project::fresh().await;
    step(&first, "plan", plan(&own_name())).await;
    step(&first, "start", json!({})).await;
    let status = first.read("/v1/migration").await;
    let reason = status["mirror"]["reason"].as_str().expect("a text");
    assert!(reason.contains("legacy.url"), "{status}");
    let address = crate::verify::begin(&first, "forward").await;
    let told = first.read(&address).await;
    let reason = told["reason"].as_str().expect("a text");
    assert!(reason.contains("legacy.url"), "{told}");
}

#[tokio::test]
async fn a_node_that_does_not_mark_holds_the_start_up() {
    let database = fresh_database().await;
    let service = Service::start(&database, &[]).await;
    let project = Project::on(&service.url, &database).await;
    step(&project, "plan", plan(&own_name())).await;
    // As a node of an older version beats: it does not know the column.
    let old =
        "INSERT INTO heartbeat (slot, node, beaten_at) VALUES (999, gen_random_uuid(), now())";
    sql(&database, old).await;
    let (status, answer) = ask(&project, "start", json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        answer["detail"]
            .as_str()
            .expect("a text")
            .contains("1 nodes of an older version"),
        "{answer}"
    );
    sql(
        &database,
        "UPDATE heartbeat SET beaten_at = now() - INTERVAL '1 minute' WHERE slot = 999",
    )
    .await;
    step(&project, "start", json!({})).await;
}
