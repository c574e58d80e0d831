//! What happens to two people during a split and after it.

use super::{BOBS, ask, call, merge, send, split, timeline, two_lives};
use crate::harness::{Project, Service, fresh_database, shared, sql, wait_until};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the sweeps of a project of the shared service are over.
pub async fn finished(project: &Project) {
    let open = format!(
        "SELECT count(*) FROM split WHERE project_id = {} AND finished_at IS NULL",
        project.id
    );
    wait_until("the splits are finished", PATIENCE, async || {
        sql(&shared().await.database_url, &open).await == ["0"]
    })
    .await;
}

#[tokio::test]
async fn erasing_one_of_two_after_a_split_leaves_the_other_and_a_replay_changes_nothing() {
    let project = Project::fresh().await;
    let lives = two_lives();
    send(&project, &lives).await;
    merge(&project, "user_id:ada", "user_id:bob").await;
    let after = [
        call("b3", 5, json!({"userId": "bob"})),
        call("a3", 6, json!({"userId": "ada"})),
    ];
    send(&project, &after).await;
    split(&project, "user_id:ada", &BOBS).await;
    let bob = project.profile("user_id:bob").await;
    let (_, receipt) = project.erase("user_id:ada").await;
    assert_eq!(receipt["events"], 3, "{receipt}");
    let (status, _) = project.get("/v1/profiles/user_id:ada").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(project.profile("user_id:bob").await, bob);
    let results = project.results(&[&lives[..], &after[..]].concat()).await;
    let told: Vec<&str> = results
        .iter()
        .map(|result| result["status"].as_str().expect("text"))
        .collect();
    assert_eq!(told, ["duplicate"; 6]);
    assert_eq!(project.profile("user_id:bob").await, bob);
    assert_eq!(timeline(&project, "user_id:bob").await, ["b3", "b2", "b1"]);
    let id = project.id;
    let counts = [
        format!("SELECT count(*) FROM merge_record WHERE project_id = {id}"),
        format!(
            "SELECT count(*) FROM event WHERE project_id = {id} AND type = 'erased' AND via IS NOT NULL"
        ),
    ];
    for count in counts {
        assert_eq!(
            sql(&shared().await.database_url, &count).await,
            ["0"],
            "{count}"
        );
    }
}

/// A page takes longer than half of a request's time, so that the rest is left: to the worker, which tells nobody.
#[tokio::test]
async fn a_split_of_a_long_life_is_accepted_and_goes_on_by_itself() {
    let database = &shared().await.database_url;
    let settings = [
        ("FAILPOINTS", "page-of-a-split=1*sleep(1500)"),
        ("ROSTER__SERVER__REQUEST_TIMEOUT_MS", "2500"),
        ("ROSTER__INGEST__WRITE_DEADLINE_MS", "2500"),
        ("ROSTER__DATABASE__STATEMENT_TIMEOUT_MS", "1500"),
    ];
    let service = Service::start(database, &settings).await;
    let project = Project::on(&service.url, database).await;
    send(&project, &two_lives()).await;
    send(&project, &[call("c1", 5, json!({"userId": "cyd"}))]).await;
    for other in ["user_id:bob", "user_id:cyd"] {
        merge(&project, "user_id:ada", other).await;
    }
    send(&project, &[call("b3", 6, json!({"userId": "bob"}))]).await;
    // What stays of the person are two timelines: one page of each is looked through.
    let body = json!({"identities": BOBS});
    let (status, told) = ask(&project, &project.server_key, "user_id:ada/split", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{told}");
    assert_eq!(told["events"]["pending"], true, "{told}");
    assert_eq!(told["traits"]["moved"], json!(["app", "plan"]), "{told}");
    wait_until("the worker moves the rest", PATIENCE, async || {
        timeline(&project, "user_id:bob").await == ["b3", "b2", "b1"]
    })
    .await;
    assert_eq!(timeline(&project, "user_id:ada").await, ["c1", "a2", "a1"]);
    let open = format!(
        "SELECT count(*) FROM split WHERE project_id = {} AND finished_at IS NULL",
        project.id
    );
    wait_until("the split is finished", PATIENCE, async || {
        sql(database, &open).await == ["0"]
    })
    .await;
    let (status, told) = ask(&project, &project.server_key, "user_id:ada/split", &body).await;
    assert_eq!(
        (status, &told["events"]),
        (StatusCode::OK, &json!({"moved": 1, "pending": false}))
    );
}

/// The request looks through one page; the worker's look at the same page is the second.
#[tokio::test]
async fn a_sweep_that_panics_waits_by_itself_and_is_done_later() {
    let database = &fresh_database().await;
    let settings = [
        ("FAILPOINTS", "page-of-a-split=1*off->1*panic->off"),
        ("ROSTER__SERVER__REQUEST_TIMEOUT_MS", "2500"),
        ("ROSTER__INGEST__WRITE_DEADLINE_MS", "2500"),
        ("ROSTER__DATABASE__STATEMENT_TIMEOUT_MS", "1500"),
    ];
    let service = Service::start(database, &settings).await;
    let project = Project::on(&service.url, database).await;
    let call = call(
        "a1",
        1,
        json!({"type": "identify", "userId": "ada", "anonymousId": "kiosk"}),
    );
    send(&project, &[call]).await;
    split(&project, "user_id:ada", &["anonymous_id:kiosk"]).await;
    let question = "SELECT (finished_at IS NOT NULL AND attempts = 1)::TEXT FROM split";
    wait_until("the split is finished", PATIENCE, async || {
        sql(database, question).await == ["true"]
    })
    .await;
}

#[tokio::test]
async fn an_export_says_how_many_merges_it_does_not_show() {
    let project = Project::fresh().await;
    // Of a megabyte each: what is kept of one merge is the traits of who was absorbed, and four megabytes are shown.
    let large = "x".repeat(32_000);
    for number in 0..7 {
        let traits = (0..30).map(|key| (format!("t{key}"), json!(large)));
        let traits: serde_json::Map<String, Value> = traits.collect();
        let who = format!("visitor-{number}");
        let call = call(
            &who,
            1,
            json!({"type": "identify", "userId": who, "traits": traits}),
        );
        send(&project, &[call]).await;
    }
    send(&project, &[call("a1", 2, json!({"userId": "ada"}))]).await;
    for number in 0..7 {
        merge(
            &project,
            "user_id:ada",
            &format!("user_id:visitor-{number}"),
        )
        .await;
    }
    let url = format!("{}/v1/profiles/user_id:ada/export", project.url);
    let reply = project
        .client
        .get(url)
        .bearer_auth(&project.server_key)
        .send();
    let text = reply.await.expect("an answer").text().await.expect("text");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let shown = lines
        .iter()
        .filter(|line| line["record"] == "merge")
        .count();
    let last = lines.last().expect("lines");
    assert_eq!(last["record"], "left_out", "{shown} are shown");
    assert_eq!(last["merges"], 7 - shown, "{last}");
    assert!(shown >= 2, "{shown} are shown");
}

#[tokio::test]
async fn an_erased_person_leaves_no_record_of_a_merge() {
    let project = Project::fresh().await;
    send(&project, &two_lives()).await;
    merge(&project, "user_id:ada", "user_id:bob").await;
    let count = format!(
        "SELECT count(*) FROM merge_record WHERE project_id = {}",
        project.id
    );
    let database = &shared().await.database_url;
    assert_eq!(sql(database, &count).await, ["1"]);
    assert!(project.erase("user_id:bob").await.0.is_success());
    assert_eq!(sql(database, &count).await, ["0"]);
}

#[tokio::test]
async fn two_who_go_on_all_the_while_lose_nothing() {
    let project = Project::fresh().await;
    send(&project, &two_lives()).await;
    merge(&project, "user_id:ada", "user_id:bob").await;
    let life = |who: &'static str| {
        let project = &project;
        async move {
            for number in 0..150 {
                let id = format!("{who}-{number}");
                let traits = json!({"count": number, who: number});
                let mut call = call(
                    &id,
                    0,
                    json!({"type": "identify", "userId": who, "traits": traits}),
                );
                call["timestamp"] = json!(format!(
                    "2024-01-02T00:{:02}:{:02}Z",
                    number / 60,
                    number % 60
                ));
                let results = project.results(&[call, json!({"type": "track", "event": "Seen", "userId": who, "messageId": format!("{id}-t")})]).await;
                assert!(
                    results.iter().all(|result| result["status"] == "stored"),
                    "{results:?}"
                );
            }
        }
    };
    let taking = async {
        let (so_far, id) = ("count(*)", project.id);
        let question = format!("SELECT {so_far} FROM event WHERE project_id = {id}");
        let database = &shared().await.database_url;
        wait_until("both are at it", PATIENCE, async || {
            sql(database, &question).await[0]
                .parse::<usize>()
                .expect("a number")
                > 100
        })
        .await;
        split(&project, "user_id:ada", &BOBS).await;
    };
    tokio::join!(life("ada"), life("bob"), taking);
    finished(&project).await;
    for (who, other) in [("user_id:ada", "bob"), ("user_id:bob", "ada")] {
        let own = who.split_once(':').expect("a name").1;
        let profile = project.profile(who).await;
        assert_eq!(profile["traits"][own], 149, "{profile}");
        assert_eq!(profile["traits"][other], Value::Null, "{profile}");
        let ids = timeline(&project, who).await;
        assert_eq!(ids.len(), 302, "{who}");
        let is_own = |id: &String| id.starts_with(own) || id.starts_with(&own[..1]);
        assert!(ids.iter().all(is_own), "{who}: {ids:?}");
    }
}
