//! Pulls by the calendar, and what other projects see of pulls and schedules.

use super::jobs::{PATIENCE, Scene, events, place};
use super::server::{Manner, WebServer};
use crate::folder::public_dir;
use crate::harness::{Project, wait_until};
use reqwest::StatusCode;
use serde_json::json;
use std::time::Duration;

/// Ends a schedule: nothing of it is left.
async fn ended(scene: &Scene, id: &str) {
    let url = format!("{}/v1/imports/schedules/{id}", scene.project.url);
    let gone = scene
        .project
        .client
        .delete(&url)
        .bearer_auth(&scene.project.server_key);
    assert_eq!(
        gone.send().await.expect("an answer").status(),
        StatusCode::NO_CONTENT
    );
    let left = crate::harness::sql(&scene.database, "SELECT count(*) FROM import_fetched").await;
    assert_eq!(left, ["0"]);
}

#[tokio::test]
async fn a_schedule_fetches_what_is_new_in_its_folder_and_nothing_twice() {
    let folder = public_dir("in");
    let write = |name: &str, from: usize| {
        let lines = events(from + 10);
        let lines: String = lines
            .lines()
            .skip(from)
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(folder.join(name), lines).expect("a file");
    };
    write("a.ndjson", 0);
    // No address can say this name: the file is told of, and the others come in.
    std::fs::write(folder.join("two\nlines.ndjson"), "{}").expect("a file");
    let scene = Scene::with(&place(&format!("file://{}/", folder.display()), "")).await;
    let source = format!("file://{}/", folder.display());
    let (status, schedule) = scene
        .post("/v1/imports/schedules", &json!({"source": source, "format": "ndjson", "cron": "0 2 * * *", "time_zone": "Europe/Berlin"}))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{schedule}");
    let id = schedule["id"].as_str().expect("an id").to_owned();
    let due_now = || async {
        let text = "UPDATE import_schedule SET due_at = now() - '1 day'::INTERVAL";
        crate::harness::sql(&scene.database, text).await;
    };
    let runs = |count: u64| {
        let scene = &scene;
        async move {
            let is_so = async || {
                let all = scene.project.read("/v1/imports/schedules").await;
                all["schedules"][0]["runs"].as_u64() == Some(count)
            };
            wait_until(&format!("run {count}"), PATIENCE, is_so).await;
        }
    };
    let jobs = || async {
        let is_done = async || {
            let all = scene.project.read("/v1/imports").await;
            let all = all["imports"].as_array().expect("a list").clone();
            all.iter().all(|job| job["state"] == "done")
        };
        wait_until("all are done", PATIENCE, is_done).await;
        scene.project.read("/v1/imports").await["imports"]
            .as_array()
            .expect("a list")
            .len()
    };
    due_now().await;
    runs(1).await;
    assert_eq!(jobs().await, 1);
    let told = scene.project.read("/v1/imports/schedules").await;
    let told = told["schedules"][0]["reason"]
        .as_str()
        .expect("a reason")
        .to_owned();
    assert!(told.contains("1 of the files can't be read"), "{told}");
    // Row 56: a file that was slow to write carries an earlier time; another was written anew.
    write("b.ndjson", 100);
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = std::fs::File::open(folder.join("b.ndjson")).expect("a file");
    file.set_modified(old).expect("ours");
    due_now().await;
    runs(2).await;
    assert_eq!(jobs().await, 2);
    due_now().await;
    runs(3).await;
    assert_eq!(jobs().await, 2, "nothing is new");
    write("a.ndjson", 200);
    due_now().await;
    runs(4).await;
    assert_eq!(jobs().await, 3);
    let next = scene.project.read("/v1/imports/schedules").await["schedules"][0]["due_at"].clone();
    let next = next
        .as_str()
        .expect("a time")
        .parse::<jiff::Timestamp>()
        .expect("a time");
    assert!(next > jiff::Timestamp::now(), "row 59: {next}");
    ended(&scene, &id).await;
}

#[tokio::test]
async fn row_62_a_run_that_finds_the_one_before_at_work_is_skipped_and_counted() {
    let web = WebServer::start(Manner::file(events(10), "a"));
    let scene = Scene::with(&place(&web.url(""), "internal = true")).await;
    let body = json!({"source": web.url("e.ndjson"), "format": "ndjson", "cron": "0 2 * * *"});
    let (status, schedule) = scene.post("/v1/imports/schedules", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{schedule}");
    let due_now = "UPDATE import_schedule SET due_at = now() - '1 hour'::INTERVAL";
    crate::harness::sql(&scene.database, due_now).await;
    let seen = async |name: &str| {
        let all = scene.project.read("/v1/imports/schedules").await;
        all["schedules"][0][name].as_u64().expect("a count")
    };
    wait_until("it ran", PATIENCE, async || seen("runs").await == 1).await;
    let job = scene.project.read("/v1/imports").await["imports"][0]["id"].clone();
    // As if it were still at work.
    let at_work = format!(
        "UPDATE import_job SET state = 'paused', finished_at = NULL WHERE job_id = '{}'",
        job.as_str().expect("an id")
    );
    scene.until(job.as_str().expect("an id"), "done").await;
    crate::harness::sql(&scene.database, &at_work).await;
    crate::harness::sql(&scene.database, due_now).await;
    wait_until("it was skipped", PATIENCE, async || {
        seen("skipped").await >= 1
    })
    .await;
    assert_eq!(seen("runs").await, 1);
}

#[tokio::test]
async fn another_project_sees_neither_pulls_nor_schedules() {
    let web = WebServer::start(Manner::file(events(10), "a"));
    let scene = Scene::with(&place(&web.url(""), "internal = true")).await;
    let source = web.url("e.ndjson");
    let id = scene
        .pull(&json!({"source": source, "format": "ndjson"}))
        .await;
    let (_, schedule) = scene
        .post(
            "/v1/imports/schedules",
            &json!({"source": source, "format": "ndjson", "cron": "0 2 * * *"}),
        )
        .await;
    let other = Project::on(&scene.project.url, &scene.database).await;
    let (status, _) = other.get(&format!("/v1/imports/{id}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        other.read("/v1/imports/schedules").await["schedules"],
        json!([])
    );
    let url = format!(
        "{}/v1/imports/schedules/{}",
        other.url,
        schedule["id"].as_str().expect("an id")
    );
    let gone = other
        .client
        .delete(&url)
        .bearer_auth(&other.server_key)
        .send()
        .await;
    assert_eq!(gone.expect("an answer").status(), StatusCode::NOT_FOUND);
    let path = format!("{}/v1/imports/{id}/source", other.url);
    let moved = other
        .client
        .post(path)
        .bearer_auth(&other.server_key)
        .json(&json!({"source": source}));
    assert_eq!(
        moved.send().await.expect("an answer").status(),
        StatusCode::NOT_FOUND
    );
    let write = scene
        .project
        .client
        .post(format!("{}/v1/imports/schedules", other.url));
    let write = write
        .bearer_auth(&scene.project.write_key)
        .json(&json!({"source": source}));
    assert_eq!(
        write.send().await.expect("an answer").status(),
        StatusCode::FORBIDDEN
    );
}
