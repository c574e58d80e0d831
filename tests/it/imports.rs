//! Files over HTTP: taken in as they come, resumable, each line accounted for. The rows are those of `contracts/field-imports.md`.

mod clients;
mod dumps;
mod ends;
mod erased;
mod faults;
mod jobs;
mod lines;
mod mended;
mod slowly;
mod tus;

use crate::harness::{Project, wait_until};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

pub const PATIENCE: Duration = Duration::from_secs(300);

/// Messages of the tracking API, a line each; each about somebody else.
pub fn events(from: usize, count: usize) -> String {
    let line = |number: usize| {
        let event = json!({"type": "track", "userId": format!("user-{number}"), "event": "Seen", "properties": {"number": number},
            "timestamp": "2026-01-01T00:00:00Z"});
        format!("{event}\n")
    };
    (from..from + count).map(line).collect()
}

/// A request with the server key.
pub fn request(project: &Project, method: Method, path: &str) -> RequestBuilder {
    let url = format!("{}{path}", project.url);
    project
        .client
        .request(method, url)
        .bearer_auth(&project.server_key)
}

/// Sends a whole file as the body of one request.
pub async fn send(project: &Project, query: &str, body: impl Into<Vec<u8>>) -> (StatusCode, Value) {
    let reply = request(project, Method::POST, &format!("/v1/imports?{query}"))
        .body(body.into())
        .send()
        .await
        .unwrap();
    (reply.status(), reply.json().await.unwrap())
}

/// The same of a file that must be taken.
pub async fn take(project: &Project, query: &str, body: impl Into<Vec<u8>>) -> Value {
    let (status, job) = send(project, query, body).await;
    assert_eq!(status, StatusCode::CREATED, "{job}");
    assert_eq!(job["state"], "done", "{job}");
    must_add_up(&job);
    job
}

/// Every record is accounted for.
pub fn must_add_up(job: &Value) {
    let [records, stored, unchanged, duplicate, rejected] =
        ["records", "stored", "unchanged", "duplicate", "rejected"]
            .map(|name| job[name].as_u64().unwrap());
    assert_eq!(records, stored + unchanged + duplicate + rejected, "{job}");
}

/// What became of records: stored, unchanged, duplicate, rejected.
pub fn counts(job: &Value) -> [u64; 4] {
    ["stored", "unchanged", "duplicate", "rejected"].map(|name| job[name].as_u64().unwrap())
}

/// A job by its id.
pub async fn job(project: &Project, id: &str) -> Value {
    project.read(&format!("/v1/imports/{id}")).await
}

pub fn id_of(job: &Value) -> &str {
    job["id"].as_str().unwrap()
}

/// What was refused of a file.
pub async fn rejections(project: &Project, id: &str) -> Vec<Value> {
    let path = format!("/v1/imports/{id}/rejections");
    let reply = request(project, Method::GET, &path).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    let text = reply.text().await.unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// An upload of tus, spoken by hand.
pub struct Upload<'a> {
    pub project: &'a Project,
    pub path: String,
}

impl<'a> Upload<'a> {
    /// Makes one; `length` is its header, as a name and a value.
    pub async fn create(project: &'a Project, query: &str, length: (&str, &str)) -> Self {
        let reply = tus(project, Method::POST, &format!("/v1/imports?{query}"))
            .header(length.0, length.1)
            .send()
            .await
            .unwrap();
        Self::of(project, reply).await
    }

    pub async fn of(project: &'a Project, reply: Response) -> Self {
        let status = reply.status();
        let location = header(&reply, "location");
        let text = reply.text().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{text}");
        let path = location.expect("a location");
        assert!(path.starts_with("/v1/imports/"), "{path}");
        Self { project, path }
    }

    pub fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }

    /// Sends a piece.
    pub async fn patch(&self, offset: usize, bytes: impl Into<Vec<u8>>) -> Response {
        self.piece(offset).body(bytes.into()).send().await.unwrap()
    }

    pub fn piece(&self, offset: usize) -> RequestBuilder {
        tus(self.project, Method::PATCH, &self.path)
            .header("Upload-Offset", offset)
            .header("Content-Type", "application/offset+octet-stream")
    }

    /// Sends a piece that must be taken; where the next begins.
    pub async fn patched(&self, offset: usize, bytes: impl Into<Vec<u8>>) -> usize {
        let reply = self.patch(offset, bytes).await;
        let status = reply.status();
        let next = header(&reply, "upload-offset");
        assert_eq!(
            status,
            StatusCode::NO_CONTENT,
            "{}",
            reply.text().await.unwrap()
        );
        next.unwrap().parse().unwrap()
    }

    pub async fn head(&self) -> Response {
        let request = tus(self.project, Method::HEAD, &self.path);
        request.send().await.unwrap()
    }

    /// Where it is, by HEAD.
    pub async fn offset(&self) -> usize {
        let reply = self.head().await;
        assert_eq!(reply.status(), StatusCode::OK);
        header(&reply, "upload-offset").unwrap().parse().unwrap()
    }

    pub async fn job(&self) -> Value {
        job(self.project, self.id()).await
    }

    /// Waits until it is over.
    pub async fn must_become(&self, state: &str) -> Value {
        let is_so = async || self.job().await["state"] == state;
        wait_until(state, PATIENCE, is_so).await;
        self.job().await
    }
}

pub fn tus(project: &Project, method: Method, path: &str) -> RequestBuilder {
    request(project, method, path).header("Tus-Resumable", "1.0.0")
}

pub fn header(reply: &Response, name: &str) -> Option<String> {
    let value = reply.headers().get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_file_as_the_body_is_answered_with_its_job_and_comes_twice_without_adding_anything() {
    let project = Project::fresh().await;
    let file = events(0, 1_000);
    let job = take(&project, "name=seen.ndjson", file.clone()).await;
    assert_eq!(counts(&job), [1_000, 0, 0, 0]);
    assert_eq!((&job["lines"], &job["blank"]), (&json!(1_000), &json!(0)));
    assert_eq!(job["offset"], file.len());
    assert_eq!(project.count("*", "event").await, 1_000);
    let again = take(&project, "name=seen.ndjson", file.clone()).await;
    assert_eq!(counts(&again), [0, 0, 1_000, 0]);
    // Of another name it is another file, and its events are others.
    let other = take(&project, "name=other.ndjson", file).await;
    assert_eq!(counts(&other), [1_000, 0, 0, 0]);
    let listed = project.read("/v1/imports?limit=2").await;
    assert_eq!(listed["imports"][0]["id"], other["id"]);
    let cursor = listed["next_cursor"].as_str().unwrap();
    let rest = project.read(&format!("/v1/imports?cursor={cursor}")).await;
    assert_eq!(rest["imports"][0]["id"], job["id"]);
    let named = project.read("/v1/imports?name=other.ndjson").await;
    assert_eq!(named["imports"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_table_makes_profiles_and_the_later_line_wins() {
    let project = Project::fresh().await;
    let table = "user_id;email;plan\r\n1;ada@example.com;free\r\n2;bob@example.com;pro\r\n1;ada@example.com;gold";
    let job = take(&project, "name=users.csv&time=2026-01-01T00:00:00Z", table).await;
    assert_eq!(job["file"]["delimiter"], ";");
    assert_eq!(job["records"], 3);
    assert_eq!(project.profile("user_id:1").await["traits"]["plan"], "gold");
    assert_eq!(
        project.profile("email:bob@example.com").await["traits"]["plan"],
        "pro"
    );
    // What is newer than the file stays.
    project
        .send("/v1/identify", &json!({"userId": "2", "traits": {"plan": "live"}, "timestamp": "2026-01-02T00:00:00Z"}))
        .await;
    let again = take(&project, "name=users.csv&time=2026-01-01T00:00:00Z", table).await;
    assert_eq!(counts(&again), [0, 3, 0, 0]);
    assert_eq!(project.profile("user_id:2").await["traits"]["plan"], "live");
}
