//! Reads that are compared: what is planted is counted and named, and motion is not.

use super::{PATIENCE, Pair, read, read_from, until_source};
use crate::harness::{sql, wait_until};
use crate::machine::metric;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const PEOPLE: usize = 20;
/// A read that differs is looked at three times within six seconds.
const MOVES: Duration = Duration::from_secs(10);

/// Twenty people of whom both sides know all, compared.
async fn compared() -> Pair {
    let pair = Pair::start().await;
    let (scene, project) = (&pair.scene, &pair.scene.project);
    scene.start().await;
    pair.force(3).await;
    for number in 0..PEOPLE {
        scene
            .identify(
                project,
                &format!("p-{number}"),
                json!({"n": number, "email": format!("p-{number}@example.com")}),
            )
            .await;
    }
    scene.at_rest().await;
    read_from(project, "compare", 0).await;
    for node in pair.nodes() {
        until_source(node, "user_id:p-0", &json!("legacy")).await;
    }
    pair
}

async fn seen(pair: &Pair) -> Value {
    pair.scene.project.read("/v1/migration").await["compare"].take()
}

async fn gate(pair: &Pair) -> Value {
    let status = pair.scene.project.read("/v1/migration").await;
    let gates = status["gates"].as_array().expect("a list").clone();
    let own = gates.into_iter().find(|gate| gate["name"] == "mismatches");
    own.expect("it stands there")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_is_counted_and_named_and_the_gate_goes_by_all_nodes() {
    let pair = compared().await;
    let (scene, project) = (&pair.scene, &pair.scene.project);
    pair.put(
        "p-3",
        json!({"n": 3.0, "email": "p-3@example.com", "city": {"zip": 1}}),
    )
    .await;
    pair.put("only-there", json!({"n": 1})).await;
    scene.store.delete(&scene.index, &["p-4".to_owned()]).await;
    for node in pair.nodes() {
        let planted = node.profile("user_id:p-3").await;
        assert_eq!(
            planted["traits"]["city"],
            json!({"zip": 1}),
            "the legacy store answers"
        );
        assert_eq!(read(node, "user_id:only-there").await.0, StatusCode::OK);
        assert_eq!(read(node, "user_id:p-4").await.0, StatusCode::NOT_FOUND);
        node.profile("user_id:p-5").await;
    }
    wait_until("all are counted", PATIENCE, async || {
        seen(&pair).await["mismatches"] == 6
    })
    .await;
    let all = seen(&pair).await;
    let fields = all["fields"].as_object().expect("by field");
    assert_eq!(
        fields.keys().collect::<Vec<_>>(),
        ["(person)", "city"],
        "{all}"
    );
    assert_eq!(fields["city"]["mismatches"], 2, "by both nodes");
    let told = ["path", "ours", "theirs"].map(|name| fields["city"][name].clone());
    assert_eq!(told, ["city", "nothing", "an object of 1"].map(Value::from));
    assert_eq!(
        fields["city"]["profile_id"],
        project.profile("user_id:p-3").await["id"]
    );
    let red = gate(&pair).await;
    let reads = seen(&pair).await["reads"].as_i64().expect("a count");
    assert_eq!(red["holds"], false);
    assert!(
        red["seen"].as_str().expect("a text").starts_with("6 of "),
        "{red} {reads}"
    );

    // The same setting once more begins to count anew, and another share goes on.
    read_from(project, "compare", 0).await;
    assert_eq!(seen(&pair).await, Value::Null);
    let of_others = "INSERT INTO read_comparison (project_id, since, node, reads, mismatches)
        SELECT project_id, (reads->>'since')::INT8, gen_random_uuid(), 5000, 0 FROM migration, generate_series(1, 2)";
    sql(&scene.database, of_others).await;
    read_from(project, "compare", 10).await;
    assert_eq!(gate(&pair).await["holds"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_change_all_the_time_are_no_mismatch() {
    let pair = compared().await;
    let ended = AtomicBool::new(false);
    let live = async |project: &crate::harness::Project, side: usize| {
        for round in 0.. {
            for number in 0..3 {
                let traits = json!({"round": round, format!("t-{side}"): round});
                pair.scene
                    .identify(project, &format!("p-{number}"), traits)
                    .await;
                project
                    .profile(&format!("user_id:p-{}", (number + round) % PEOPLE))
                    .await;
                project
                    .profile(&format!("email:p-{number}@example.com"))
                    .await;
            }
            if ended.load(Relaxed) {
                break;
            }
        }
    };
    let [here, there] = pair.nodes();
    let end = async {
        tokio::time::sleep(MOVES).await;
        ended.store(true, Relaxed);
    };
    tokio::join!(live(here, 0), live(there, 1), end);
    let counted = async || {
        let mut all = 0.0;
        for node in pair.nodes() {
            all += metric(&node.url, "roster_profile_reads_compared_total").await;
            all += metric(&node.url, "roster_profile_reads_not_compared_total").await;
        }
        all
    };
    let mut asked = 0.0;
    for node in pair.nodes() {
        asked += metric(&node.url, "roster_profile_reads_total").await;
    }
    // Before the first were read from the legacy store some were read from Roster.
    wait_until("all are compared", PATIENCE, async || {
        counted().await >= asked - 50.0
    })
    .await;
    let all = seen(&pair).await;
    assert_eq!(
        (&all["mismatches"], &all["fields"]),
        (&json!(0), &json!({})),
        "{all}"
    );
    assert!(all["reads"].as_i64().expect("a count") > 100, "{all}");
}
