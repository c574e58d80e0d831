//! Jobs: whose they are, who may send, how they are held and let go, and how many at once.

use super::slowly::Slowly;
use super::{
    PATIENCE, Upload, counts, events, header, id_of, must_add_up, request, send, take, tus,
};
use crate::harness::{Project, Service, shared, sql, wait_until};
use crate::slow::service_with;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// One file at a time, whoever sends it.
pub const ONE_PLACE: [(&str, &str); 2] = [
    ("ROSTER__IMPORTS__PARALLEL", "1"),
    ("ROSTER__IMPORTS__PARALLEL_PER_PROJECT", "1"),
];

/// The headers of a piece whose body goes on to the end of the file.
fn piece(offset: usize, bytes: usize) -> String {
    format!(
        "Tus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {bytes}\r\n"
    )
}

#[tokio::test]
async fn nobody_else_sees_a_job() {
    let (owner, other) = (Project::fresh().await, Project::fresh().await);
    let made = take(&owner, "", events(0, 3)).await;
    let path = format!("/v1/imports/{}", id_of(&made));
    for (method, more) in [
        (Method::GET, ""),
        (Method::HEAD, ""),
        (Method::DELETE, ""),
        (Method::GET, "/rejections"),
        (Method::POST, "/pause"),
        (Method::POST, "/resume"),
        (Method::POST, "/cancel"),
    ] {
        let reply = tus(&other, method.clone(), &format!("{path}{more}"))
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), StatusCode::NOT_FOUND, "{method} {more}");
    }
    let foreign = Upload {
        project: &other,
        path: path.clone(),
    };
    assert_eq!(foreign.patch(0, "x").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(other.read("/v1/imports").await["imports"], json!([]));
    let by_write_key = owner
        .client
        .get(format!("{}{path}", owner.url))
        .bearer_auth(&owner.write_key);
    assert_eq!(
        by_write_key.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    let posted = owner
        .client
        .post(format!("{}/v1/imports", owner.url))
        .bearer_auth(&owner.write_key);
    assert_eq!(
        posted.body(events(0, 1)).send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_job_is_paused_goes_on_and_is_ended() {
    let project = Project::fresh().await;
    let file = events(0, 10);
    let upload = Upload::create(&project, "", ("Upload-Length", &file.len().to_string())).await;
    let offset = upload.patched(0, &file[..500]).await;
    let verb = async |verb: &str| -> Value {
        let path = format!("{}/{verb}", upload.path);
        let reply = request(&project, Method::POST, &path).send().await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK, "{verb}");
        reply.json().await.unwrap()
    };
    assert_eq!(verb("pause").await["state"], "paused");
    let refused = upload.patch(offset, &file[offset..]).await;
    assert_eq!(refused.status(), StatusCode::LOCKED);
    assert_eq!(header(&refused, "retry-after").unwrap(), "1");
    assert_eq!(upload.offset().await, offset, "HEAD goes on answering");
    assert_eq!(verb("resume").await["state"], "waiting");
    assert_eq!(upload.patched(offset, &file[offset..]).await, file.len());
    assert_eq!(counts(&upload.job().await), [10, 0, 0, 0]);
    let over = request(&project, Method::POST, &format!("{}/pause", upload.path));
    assert_eq!(over.send().await.unwrap().status(), StatusCode::GONE);
}

/// A client gives up at 410, and begins a new upload where it hears 423 and then finds the old one gone.
#[tokio::test]
async fn who_is_cut_off_hears_what_became_of_his_import() {
    let project = Project::fresh().await;
    let file = events(0, 100);
    let length = file.len().to_string();
    for (verb, status, code) in [("pause", 423, "paused"), ("cancel", 410, "import_over")] {
        let upload = Upload::create(&project, "", ("Upload-Length", &length)).await;
        let line = format!("PATCH {}", upload.path);
        let mut sending = Slowly::begin(&project, &line, &piece(0, file.len())).await;
        sending.send(&file.as_bytes()[..2_000]).await;
        let begun = async || upload.offset().await == 2_000;
        wait_until("its beginning is done", PATIENCE, begun).await;
        let path = format!("{}/{verb}", upload.path);
        let reply = request(&project, Method::POST, &path).send().await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK, "{verb}");
        let (told, answer) = sending.answer().await;
        assert_eq!(told, status, "{verb}: {answer}");
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    }
}

#[tokio::test]
async fn row_44_who_returns_takes_his_upload_over_and_nothing_is_doubled() {
    let project = Project::fresh().await;
    let file = events(0, 100);
    let upload = Upload::create(&project, "", ("Upload-Length", &file.len().to_string())).await;
    let line = format!("PATCH {}", upload.path);
    let mut old = Slowly::begin(&project, &line, &piece(0, file.len())).await;
    old.send(&file.as_bytes()[..2_000]).await;
    let begun = async || upload.offset().await == 2_000;
    wait_until("what came before the pause is done", PATIENCE, begun).await;
    // The old connection is open still; its sender comes by another.
    let offset = upload.offset().await;
    assert_eq!(upload.patched(offset, &file[offset..]).await, file.len());
    assert_eq!(old.status().await, 423);
    let job = upload.job().await;
    assert_eq!(
        (&job["state"], counts(&job)),
        (&json!("done"), [100, 0, 0, 0])
    );
    assert_eq!(project.count("*", "event").await, 100);
}

#[tokio::test]
async fn by_another_node_too() {
    let project = Project::fresh().await;
    let second = Service::start(&shared().await.database_url, &[]).await;
    let elsewhere = project.through(&second.url);
    let file = events(0, 100);
    let upload = Upload::create(&project, "", ("Upload-Length", &file.len().to_string())).await;
    let line = format!("PATCH {}", upload.path);
    let mut old = Slowly::begin(&project, &line, &piece(0, file.len())).await;
    old.send(&file.as_bytes()[..2_000]).await;
    let other = Upload {
        project: &elsewhere,
        path: upload.path.clone(),
    };
    let begun = async || other.offset().await == 2_000;
    wait_until("the other node knows what is done", PATIENCE, begun).await;
    assert_eq!(other.patched(2_000, &file[2_000..]).await, file.len());
    assert_eq!(old.status().await, 410, "it is over by then");
    assert_eq!(counts(&upload.job().await), [100, 0, 0, 0]);
}

#[tokio::test]
async fn what_is_not_sent_whole_can_be_gone_on_with() {
    let project = Project::fresh().await;
    let file = events(0, 200);
    let length = format!("Content-Length: {}\r\n", file.len());
    let mut sending = Slowly::begin(&project, "POST /v1/imports?name=cut", &length).await;
    sending.send(&file.as_bytes()[..5_000]).await;
    let made = async || {
        let listed = project.read("/v1/imports").await;
        listed["imports"][0]["offset"] == 5_000
    };
    wait_until("its beginning is done", PATIENCE, made).await;
    drop(sending);
    let listed = project.read("/v1/imports").await;
    let path = format!("/v1/imports/{}", id_of(&listed["imports"][0]));
    let upload = Upload {
        project: &project,
        path,
    };
    assert_eq!(upload.patched(5_000, &file[5_000..]).await, file.len());
    assert_eq!(counts(&upload.job().await), [200, 0, 0, 0]);
}

#[tokio::test]
async fn a_body_in_which_nothing_comes_is_cut_off_and_one_that_drips_is_not() {
    let short = [("ROSTER__IMPORTS__IDLE_SECONDS", "3")];
    let service = Service::start(&shared().await.database_url, &short).await;
    let project = Project::on(&service.url, &shared().await.database_url).await;
    let file = events(0, 20);
    let length = format!("Content-Length: {}\r\n", file.len());
    let mut dripping = Slowly::begin(&project, "POST /v1/imports?name=drips", &length).await;
    let mut silent = Slowly::begin(&project, "POST /v1/imports?name=silent", &length).await;
    silent.send(&file.as_bytes()[..1_000]).await;
    let dripped = async {
        // Longer in all than it may be silent.
        for piece in file.as_bytes().chunks(file.len() / 8 + 1) {
            dripping.send(piece).await;
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        dripping.status().await
    };
    let (dripped, silent) = tokio::join!(dripped, silent.status());
    assert_eq!((dripped, silent), (201, 400));
    let listed = project.read("/v1/imports?name=silent").await;
    let upload = Upload {
        project: &project,
        path: format!("/v1/imports/{}", id_of(&listed["imports"][0])),
    };
    assert_eq!(upload.offset().await, 1_000, "what came is kept");
    assert_eq!(upload.patched(1_000, &file[1_000..]).await, file.len());
    assert_eq!(counts(&upload.job().await), [20, 0, 0, 0]);
}

#[tokio::test]
async fn a_hundred_at_once_are_all_taken_and_each_adds_up() {
    let project = Project::fresh().await;
    let sending = (0..100).map(|number| {
        let project = project.through(&project.url);
        tokio::spawn(async move {
            let file = events(number * 50, 50);
            send(&project, &format!("name=file-{number}"), file).await
        })
    });
    for sent in sending.collect::<Vec<_>>() {
        let (status, job) = sent.await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{job}");
        must_add_up(&job);
        assert_eq!(counts(&job), [50, 0, 0, 0]);
    }
    assert_eq!(project.count("*", "event").await, 5_000);
}

#[tokio::test]
async fn who_finds_no_place_is_told_to_come_again() {
    let (_service, project) = service_with(&ONE_PLACE).await;
    let line = events(0, 1);
    let length = format!("Content-Length: {}\r\n", line.len());
    let first = Slowly::begin(&project, "POST /v1/imports?name=first", &length);
    let mut first = first.await;
    first.send(&line.as_bytes()[..20]).await;
    let begun = async || project.read("/v1/imports").await["imports"][0]["state"] == "running";
    wait_until("the first is under way", PATIENCE, begun).await;
    let second = request(&project, Method::POST, "/v1/imports?name=second").body(events(1, 1));
    let reply = second
        .timeout(Duration::from_secs(60))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&reply, "retry-after").unwrap(), "5");
    let waiting = project.read("/v1/imports").await;
    assert_eq!(waiting["imports"][0]["state"], "waiting");
    // Live traffic does not wait.
    project
        .send("/v1/track", &json!({"userId": "live", "event": "Seen"}))
        .await;
    first.send(&line.as_bytes()[20..]).await;
    assert_eq!(first.status().await, 201);
}

#[tokio::test]
async fn a_job_may_be_described_first() {
    let project = Project::fresh().await;
    let mapping = "[identities]\nuser_id = \"/id\"\n[traits]\nonly = [\"plan\"]\n";
    let described = json!({"format": "csv", "name": "p.csv", "mapping": mapping, "columns": ["id", "plan"], "time": "2026-01-01T00:00:00Z"});
    let reply = request(&project, Method::POST, "/v1/imports")
        .json(&described)
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), StatusCode::CREATED);
    let upload = Upload::of(&project, reply).await;
    assert_eq!(upload.job().await["state"], "waiting");
    let file = "7,pro\n8,free\n";
    let last = upload
        .piece(0)
        .header("Upload-Length", file.len())
        .body(file);
    assert_eq!(last.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(
        project.profile("user_id:7").await["traits"],
        json!({"plan": "pro"})
    );
    let wrong = json!({"format": "csv", "mapping": "[identities]\nuser_id = 7"});
    let reply = request(&project, Method::POST, "/v1/imports")
        .json(&wrong)
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    let problem: Value = reply.json().await.unwrap();
    assert_eq!(problem["code"], "mapping");
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    let project = Project::fresh().await;
    let made = take(&project, "", events(0, 1)).await;
    let path = format!("/v1/imports/{}", id_of(&made));
    let long_ago = format!(
        "UPDATE import_job SET expires_at = now() WHERE job_id = '{}'",
        id_of(&made)
    );
    sql(&shared().await.database_url, &long_ago).await;
    let is_gone = async || project.get(&path).await.0 == StatusCode::NOT_FOUND;
    wait_until("it is forgotten", PATIENCE, is_gone).await;
}
