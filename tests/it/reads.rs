//! Profiles by source: read from a real legacy store, from Roster, or compared, on two nodes, while things change and fail.

mod compare;
mod erased;
mod faults;
mod newer;
mod operators;
mod share;
mod unreadable;

use crate::harness::{Project, Service, answer_to, sql, wait_until};
use crate::migration::{ask, step};
use crate::mirror::Scene;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Sets where profiles are read from.
async fn ask_reads(project: &Project, body: Value) -> (StatusCode, Value) {
    let url = format!("{}/v1/migration/reads", project.url);
    let request = project.client.put(url).bearer_auth(&project.server_key);
    let reply = request.json(&body).send().await.expect("an answer");
    (reply.status(), reply.json().await.expect("JSON"))
}

pub async fn read_from(project: &Project, source: &str, share: u8) {
    let (status, answer) = ask_reads(project, json!({"source": source, "share": share})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["reads"], json!({"source": source, "share": share}));
}

/// The status, and the profile or the problem.
async fn read(project: &Project, reference: &str) -> (StatusCode, Value) {
    project.get(&format!("/v1/profiles/{reference}")).await
}

/// Waits until a node reads somebody from a source.
pub async fn until_source(project: &Project, reference: &str, source: &Value) {
    let what = format!("{reference} is read from {source}");
    wait_until(&what, PATIENCE, async || {
        read(project, reference).await.1["source"] == *source
    })
    .await;
}

/// As if another node relayed, and stood still.
pub async fn stop_relay(scene: &Scene) {
    let taken = "INSERT INTO worker (name, owner, token, expires_at, due_at, progress)
        VALUES ('mirror', gen_random_uuid(), 1000, now() + INTERVAL '1 hour', now(), '')
        ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, token = worker.token + 1000, expires_at = excluded.expires_at";
    sql(&scene.database, taken).await;
}

async fn start_relay(scene: &Scene) {
    let freed = "UPDATE worker SET expires_at = now(), due_at = now() WHERE name = 'mirror'";
    sql(&scene.database, freed).await;
}

/// Two nodes with the same way to the store.
struct Pair {
    scene: Scene,
    there: Project,
    second: Service,
}

impl Pair {
    async fn start() -> Self {
        let scene = Scene::fresh().await;
        let second = Scene::node(&scene.database, &scene.store.url, &[]).await;
        let there = scene.project.through(&second.url);
        Self {
            scene,
            there,
            second,
        }
    }

    fn nodes(&self) -> [&Project; 2] {
        [&self.scene.project, &self.there]
    }

    async fn put(&self, id: &str, document: Value) {
        let documents = [(id.to_owned(), document.to_string())];
        self.scene.store.put(&self.scene.index, &documents).await;
    }

    /// The migration takes steps whatever its gates say.
    async fn force(&self, times: usize) {
        for _ in 0..times {
            let force = json!({"force": true, "reason": "a drill"});
            step(&self.scene.project, "advance", force).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_changes_no_reads_and_each_source_answers_as_itself() {
    let pair = Pair::start().await;
    let (scene, project) = (&pair.scene, &pair.scene.project);
    let old =
        json!({"plan": "old", "city": "Ulm", "secret": "s", "updated_at": "2020-01-01T00:00:00Z"});
    pair.put("ada", old.clone()).await;
    pair.put("eve", old).await;
    scene.identify(project, "ada", json!({"plan": "pro"})).await;
    let before = project.profile("user_id:ada").await;
    assert_eq!(
        (&before["traits"], &before["source"]),
        (&json!({"plan": "pro"}), &Value::Null)
    );
    assert_eq!(read(project, "user_id:eve").await.0, StatusCode::NOT_FOUND);

    read_from(project, "legacy", 0).await;
    for node in pair.nodes() {
        until_source(node, "user_id:ada", &json!("legacy")).await;
        let ada = node.profile("user_id:ada").await;
        assert_eq!(ada["traits"], json!({"plan": "pro", "city": "Ulm"}));
        assert_eq!(
            (&ada["id"], &ada["version"]),
            (&before["id"], &before["version"])
        );
        let eve = node.profile("user_id:eve").await;
        assert_eq!(eve["traits"], json!({"plan": "old", "city": "Ulm"}));
        assert_eq!(
            eve["identities"],
            json!([{"kind": "user_id", "value": "eve", "first_seen": null}])
        );
        assert_eq!(
            (&eve["id"], &eve["updated_at"]),
            (&Value::Null, &json!("2020-01-01T00:00:00.000Z"))
        );
        assert_eq!(read(node, "user_id:nobody").await.0, StatusCode::NOT_FOUND);
        let references = json!({"references": ["user_id:eve", "user_id:nobody", "user_id:ada", "email:e@example.com"]});
        let url = format!("{}/v1/profiles/lookup", node.url);
        let asked = node
            .client
            .post(url)
            .bearer_auth(&node.server_key)
            .json(&references);
        let (_, all) = answer_to(asked).await;
        assert_eq!(all["profiles"], json!([eve, null, ada, null]));
    }
    read_from(project, "roster", 0).await;
    until_source(project, "user_id:ada", &json!("roster")).await;
    assert_eq!(read(project, "user_id:eve").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_allows_what_it_can_answer_and_every_change_is_kept() {
    let pair = Pair::start().await;
    let project = &pair.scene.project;
    pair.scene.start().await;
    for (body, told) in [
        (
            json!({"source": "roster"}),
            "at mirror profiles can be read from: legacy, compare",
        ),
        (
            json!({"source": "legacy", "share": 10}),
            "a share goes with compare and cut_over",
        ),
    ] {
        let (status, answer) = ask_reads(project, body).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::CONFLICT, &json!("step_refused"))
        );
        assert!(
            answer["detail"].as_str().expect("a text").contains(told),
            "{answer}"
        );
    }
    for body in [
        json!({"source": "elsewhere"}),
        json!({"source": "legacy", "share": 300}),
    ] {
        assert_eq!(ask_reads(project, body).await.0, StatusCode::BAD_REQUEST);
    }
    let asked = json!({"source": "compare", "operator": "ada", "reason": "a look"});
    let (status, answer) = ask_reads(project, asked).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["state"], "mirror");
    let history = project.read("/v1/migration/history").await;
    let last = history["steps"]
        .as_array()
        .expect("a list")
        .last()
        .expect("one");
    let told = ["verb", "from", "to", "operator", "reason"].map(|name| last[name].clone());
    assert_eq!(
        told,
        ["reads", "mirror", "mirror", "ada", "a look"].map(Value::from)
    );
    let gate = json!([{"name": "reads", "wanted": "compare", "seen": "as before", "holds": true}]);
    assert_eq!(last["gates"], gate);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_sees_every_write_on_every_node_while_the_relay_stands_still() {
    let pair = Pair::start().await;
    let scene = &pair.scene;
    pair.put("ada", json!({"plan": "old", "city": "Ulm", "gone": 1}))
        .await;
    pair.put("bob", json!({"plan": "old"})).await;
    scene.start().await;
    scene.at_rest().await;
    read_from(&scene.project, "legacy", 0).await;
    for node in pair.nodes() {
        until_source(node, "user_id:ada", &json!("legacy")).await;
    }
    stop_relay(scene).await;
    for round in 0..10 {
        let [writer, reader] = [pair.nodes()[round % 2], pair.nodes()[(round + 1) % 2]];
        // Late news of something older than the document counts too.
        let call = json!({"type": "identify", "userId": "ada", "traits": {format!("t-{round}"): round, "gone": null},
            "timestamp": format!("2019-01-01T00:00:{round:02}Z")});
        assert_eq!(writer.results(&[call]).await[0]["status"], "stored");
        let ada = reader.profile("user_id:ada").await;
        assert_eq!(ada["traits"][format!("t-{round}")], round, "{ada}");
        assert_eq!(
            (&ada["traits"]["city"], &ada["traits"]["gone"]),
            (&json!("Ulm"), &Value::Null)
        );
    }
    assert_eq!(
        scene.document("ada").await.expect("one")["plan"],
        "old",
        "nothing was relayed"
    );
    scene
        .identify(&pair.there, "new", json!({"plan": "pro"}))
        .await;
    assert_eq!(
        scene.project.profile("user_id:new").await["traits"]["plan"],
        "pro"
    );
    scene
        .identify(&scene.project, "bob", json!({"plan": "pro"}))
        .await;
    scene.erase("bob").await;
    assert_eq!(
        read(&pair.there, "user_id:bob").await.0,
        StatusCode::NOT_FOUND,
        "erased"
    );
    scene
        .identify(&pair.there, "bob", json!({"back": true}))
        .await;
    assert_eq!(
        scene.project.profile("user_id:bob").await["traits"],
        json!({"back": true})
    );

    start_relay(scene).await;
    scene.at_rest().await;
    let ada = pair.there.profile("user_id:ada").await;
    assert_eq!(
        (&ada["traits"]["t-9"], &ada["source"]),
        (&json!(9), &json!("legacy"))
    );
    // By now the document is all there is: what somebody else writes there shows.
    pair.put("ada", json!({"plan": "foreign"})).await;
    assert_eq!(
        scene.project.profile("user_id:ada").await["traits"],
        json!({"plan": "foreign"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_was_erased_before_anything_is_mirrored_is_nobody() {
    let pair = Pair::start().await;
    let scene = &pair.scene;
    pair.put(
        "ada",
        json!({"plan": "old", "updated_at": "2020-01-01T00:00:00Z"}),
    )
    .await;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    read_from(&scene.project, "legacy", 0).await;
    until_source(&pair.there, "user_id:ada", &json!("legacy")).await;
    scene.erase("ada").await;
    assert_eq!(
        read(&pair.there, "user_id:ada").await.0,
        StatusCode::NOT_FOUND
    );
    scene
        .identify(&scene.project, "ada", json!({"new": 1}))
        .await;
    assert_eq!(
        pair.there.profile("user_id:ada").await["traits"],
        json!({"new": 1}),
        "nothing of before"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_under_load_drops_no_request_and_reaches_every_node() {
    let pair = Pair::start().await;
    let scene = &pair.scene;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    scene.start().await;
    pair.force(4).await;
    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = async |node: &Project| {
        while !ended.load(Relaxed) {
            let (status, ada) = read(node, "user_id:ada").await;
            assert_eq!(
                (status, &ada["traits"]["plan"]),
                (StatusCode::OK, &json!("pro")),
                "{ada}"
            );
            answered.fetch_add(1, Relaxed);
        }
    };
    let switches = async {
        for (source, share) in [
            ("legacy", 0),
            ("compare", 0),
            ("compare", 100),
            ("roster", 0),
            ("legacy", 0),
        ] {
            read_from(&scene.project, source, share).await;
            let answers = if source == "roster" || share == 100 {
                "roster"
            } else {
                "legacy"
            };
            for node in pair.nodes() {
                until_source(node, "user_id:ada", &json!(answers)).await;
            }
        }
        step(&scene.project, "rollback", json!({})).await;
        ended.store(true, Relaxed);
    };
    let [here, there] = pair.nodes();
    tokio::join!(load(here), load(there), load(here), load(there), switches);
    assert!(answered.load(Relaxed) > 50, "{answered:?}");
    drop(pair.second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_takes_reads_back_at_once_from_every_state() {
    let pair = Pair::start().await;
    let scene = &pair.scene;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    // Nobody has said anything about reads: a plan that is dropped changes none.
    step(&scene.project, "rollback", json!({})).await;
    let unmoved = scene.project.read("/v1/migration").await;
    assert_eq!(unmoved["reads"], json!({"source": "roster", "share": 0}));
    for steps in 0..7 {
        scene.start().await;
        for _ in 0..steps {
            pair.force(1).await;
        }
        let state = scene.project.read("/v1/migration").await;
        let is_cut =
            ["cut_over", "soak", "done"].contains(&state["state"].as_str().expect("a name"));
        if is_cut {
            assert_eq!(state["reads"]["source"], "roster", "{state}");
        } else if state["state"] == "compare" {
            read_from(&scene.project, "compare", 50).await;
        }
        let back = json!({"reason": "a drill", "force": state["state"] == "done"});
        let back = step(&scene.project, "rollback", back).await;
        let expected = (
            &json!("rolled_back"),
            &json!({"source": "legacy", "share": 0}),
        );
        assert_eq!((&back["state"], &back["reads"]), expected);
        for node in pair.nodes() {
            until_source(node, "user_id:ada", &json!("legacy")).await;
            assert_eq!(node.profile("user_id:ada").await["traits"]["plan"], "pro");
        }
        let (status, answer) = ask(&scene.project, "rollback", json!({})).await;
        assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    }
}
