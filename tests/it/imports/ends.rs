//! Uploads whose bytes are all there and whose jobs have not ended; and uploads that are made, whatever becomes of their first bytes.

use super::jobs::ONE_PLACE;
use super::slowly::Slowly;
use super::{PATIENCE, Upload, counts, events, header, must_add_up, tus};
use crate::harness::{Project, shared, sql, wait_until};
use crate::slow::service_with;
use reqwest::{Method, StatusCode};

const TABLE: &str = "user_id,plan\n1,pro\n2,free\n3,pro";

/// The service stopped, or somebody paused the job, between the last byte and the end. (Its length was known all along; here it is
/// written behind.)
async fn without_an_end(project: &Project) -> Upload<'_> {
    let upload = Upload::create(
        project,
        "name=p.csv&format=csv",
        ("Upload-Defer-Length", "1"),
    );
    let upload = upload.await;
    assert_eq!(upload.patched(0, TABLE).await, TABLE.len());
    let known = format!(
        "UPDATE import_job SET length = next_offset WHERE job_id = '{}'",
        upload.id()
    );
    sql(&shared().await.database_url, &known).await;
    upload
}

/// A client that hears of its whole length tells its user that all is in.
#[tokio::test]
async fn an_upload_that_has_not_ended_lacks_its_last_byte() {
    let project = Project::fresh().await;
    let upload = without_an_end(&project).await;
    let (all, last) = (TABLE.len(), TABLE.len() - 1);
    assert_eq!(upload.offset().await, last);
    assert_eq!(upload.patched(last, &TABLE[last..]).await, all);
    let job = upload.job().await;
    assert_eq!(
        (&job["state"], counts(&job)),
        (&"done".into(), [3, 0, 0, 0])
    );
    assert_eq!(upload.offset().await, all);
}

#[tokio::test]
async fn an_upload_that_has_all_is_done_where_nobody_comes_back() {
    let project = Project::fresh().await;
    let upload = without_an_end(&project).await;
    let long_ago = format!(
        "UPDATE import_job SET expires_at = now() WHERE job_id = '{}'",
        upload.id()
    );
    sql(&shared().await.database_url, &long_ago).await;
    let job = upload.must_become("done").await;
    must_add_up(&job);
    assert_eq!(counts(&job), [3, 0, 0, 0]);
}

/// Who does not hear where it is makes another one: of a file that was cancelled, or that waits.
#[tokio::test]
async fn an_upload_that_is_made_is_told_though_its_first_bytes_are_not_taken() {
    let (_service, project) = service_with(&ONE_PLACE).await;
    let length = "Content-Length: 1000\r\n";
    let mut first = Slowly::begin(&project, "POST /v1/imports?name=first", length).await;
    first.send(b"{\"type\":").await;
    let begun = async || project.read("/v1/imports").await["imports"][0]["state"] == "running";
    wait_until("the first is under way", PATIENCE, begun).await;
    let file = events(0, 20);
    let reply = tus(&project, Method::POST, "/v1/imports?name=second")
        .header("Upload-Length", file.len())
        .header("Content-Type", "application/offset+octet-stream")
        .body(file.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(header(&reply, "upload-offset").as_deref(), Some("0"));
    let upload = Upload::of(&project, reply).await;
    let reply = upload.patch(0, file.clone()).await;
    assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    let is_taken = async || upload.patch(0, file.clone()).await.status() == StatusCode::NO_CONTENT;
    wait_until("there is a place", PATIENCE, is_taken).await;
    assert_eq!(counts(&upload.job().await), [20, 0, 0, 0]);
    let listed = project.read("/v1/imports?name=second").await;
    assert_eq!(listed["imports"].as_array().map(Vec::len), Some(1));
}
