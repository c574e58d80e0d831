//! Pulls as jobs: from directories, web servers and buckets into tables, gone on with by another node.

use super::bucket::S3;
use super::server::{Manner, WebServer};
use crate::folder::public_dir;
use crate::harness::{Project, Service, fresh_database, store_at, wait_until};
use crate::machine::{peak_memory_mib, resident_memory_mib};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Generous: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Services with places of their own on one database, and a project.
pub struct Scene {
    pub project: Project,
    pub database: String,
    pub settings: PathBuf,
    pub service: Option<Service>,
}

impl Scene {
    /// `places` are tables of the settings.
    pub async fn with(places: &str) -> Self {
        let database = fresh_database().await;
        store_at(&database).migrate().await.expect("a schema");
        let settings = public_dir("pulls").join("roster.toml");
        let url = format!("[database]\nurl = \"{database}\"\n");
        std::fs::write(&settings, format!("{url}{places}")).expect("a file");
        let service = start(&settings).await;
        let project = Project::on(&service.url, &database).await;
        Self {
            project,
            database,
            settings,
            service: Some(service),
        }
    }

    /// Posts with the server key: status and body.
    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.project.url);
        let request = self.project.client.post(url);
        let request = request.bearer_auth(&self.project.server_key).json(body);
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// Begins a pull: the id of its job.
    pub async fn pull(&self, body: &Value) -> String {
        let (status, job) = self.post("/v1/imports", body).await;
        assert_eq!(status, StatusCode::CREATED, "{job}");
        job["id"].as_str().expect("an id").to_owned()
    }

    pub async fn job(&self, id: &str) -> Value {
        self.project.read(&format!("/v1/imports/{id}")).await
    }

    /// Waits until a job is in a state.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        let is_so = async || {
            let job = self.job(id).await;
            let now = job["state"].as_str().expect("a state").to_owned();
            let is_open = ["waiting", "running", "paused"].contains(&now.as_str());
            assert!(is_open || now == state, "{job}");
            now == state
        };
        wait_until(&format!("{id} is {state}"), PATIENCE, is_so).await;
        self.job(id).await
    }

    /// Another node comes, and the one that is there is killed.
    pub async fn kill_the_holder(&mut self) {
        let next = start(&self.settings).await;
        self.project = self.project.through(&next.url);
        self.service.replace(next).expect("it runs").kill();
    }
}

async fn start(settings: &std::path::Path) -> Service {
    let settings = settings.display().to_string();
    Service::start_by(crate::harness::ROSTER, &["--config", &settings], &[]).await
}

pub fn place(url: &str, more: &str) -> String {
    format!("[[imports.pulls.places]]\nurl = '{url}'\nprojects = ['*']\n{more}\n")
}

/// Lines of events of one person each.
pub fn events(count: usize) -> String {
    let line = |at: usize| {
        let call = json!({"type": "track", "userId": format!("u{}", at % 100), "event": "Seen",
            "timestamp": "2026-01-01T00:00:00Z", "properties": {"at": at}});
        format!("{call}\n")
    };
    (0..count).map(line).collect()
}

fn adds_up(job: &Value, lines: u64) {
    let count = |name: &str| job[name].as_u64().expect(name);
    let sum = count("stored") + count("unchanged") + count("duplicate") + count("rejected");
    assert_eq!(sum, lines, "{job}");
}

#[tokio::test]
async fn files_of_a_directory_a_web_server_and_a_bucket_come_in() {
    let folder = public_dir("in");
    std::fs::write(folder.join("events.ndjson"), events(1_000)).expect("a file");
    let web = WebServer::start(Manner::file(events(1_000), "a"));
    let s3 = S3::shared().await;
    s3.bucket("jobs").await;
    s3.put("jobs", "in/events.ndjson", events(1_000)).await;
    let places = place(&format!("file://{}/", folder.display()), "")
        + &place(&web.url(""), "internal = true")
        + &format!("[[imports.pulls.places]]\n{}", s3.place("jobs"));
    let scene = Scene::with(&places).await;
    let sources = [
        format!("file://{}/events.ndjson", folder.display()),
        web.url("events.ndjson?X-Amz-Signature=hush"),
        "s3://jobs/in/events.ndjson".to_owned(),
    ];
    for (round, source) in sources.iter().enumerate() {
        let id = scene
            .pull(&json!({"source": source, "format": "ndjson"}))
            .await;
        let job = scene.until(&id, "done").await;
        adds_up(&job, 1_000);
        // One file by its name and lines, wherever it comes from.
        let stored = if round == 0 { 1_000 } else { 0 };
        assert_eq!(job["stored"], stored, "{source}: {job}");
        let shown = job["source"].as_str().expect("a source");
        assert_eq!(shown, source.split('?').next().expect("a part"), "row 57");
    }
    let kept = crate::harness::sql(&scene.database, "SELECT count(address) FROM import_pull").await;
    assert_eq!(kept, ["0"], "a signed address goes with the end of its job");
}

#[tokio::test]
async fn what_may_not_be_fetched_is_refused_at_once_and_explained() {
    let folder = public_dir("in");
    std::fs::write(folder.join("x.csv"), "email\na@x.test\n").expect("a file");
    let secret = public_dir("secret").join("secret.csv");
    std::fs::write(&secret, "email\nhush@x.test\n").expect("a file");
    std::os::unix::fs::symlink(&secret, folder.join("link.csv")).expect("a link");
    let inner = WebServer::start(Manner::file("secret", "a"));
    let outer = WebServer::start(Manner {
        status: Some(302),
        location: Some(inner.url("x")),
        ..Manner::file("", "a")
    });
    let localhost = format!("https://localhost:{}/", inner.port);
    let places = place(&format!("file://{}/", folder.display()), "")
        + &place(&outer.url(""), "internal = true")
        + &place(&localhost, "");
    let scene = Scene::with(&places).await;
    let base = folder.display();
    for source in [
        format!("file://{base}/../{}", secret.display()),
        format!("file://{base}/%2e%2e/secret.csv"),
        format!("file://{}", secret.display()),
        "file:///etc/passwd".to_owned(),
        format!("file://{base}/link.csv"),
        format!("file://{base}/none.csv"),
        format!("{localhost}x.csv"),
        outer.url("x.csv"),
        inner.url("x.csv"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "s3://somebodys/x.csv".to_owned(),
        "ftp://h/x".to_owned(),
    ] {
        let (status, told) = scene
            .post("/v1/imports", &json!({"source": source, "format": "csv"}))
            .await;
        assert!(status.is_client_error(), "{source}: {status} {told}");
        assert!(
            told["detail"].as_str().is_some_and(|text| text.len() > 10),
            "{source}: {told}"
        );
    }
    assert_eq!(inner.requests(), 0);
}

/// A file as gzip packs it.
fn packed(text: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text).expect("memory");
    gzip.finish().expect("memory")
}

#[tokio::test]
async fn a_compressed_file_is_read_once_however_many_stretches_it_takes() {
    let lines = 60_000;
    let web = WebServer::start(Manner::file(packed(events(lines).as_bytes()), "a"));
    let scene = Scene::with(&place(&web.url(""), "internal = true")).await;
    let source = web.url("events.ndjson.gz");
    let id = scene
        .pull(&json!({"source": source, "format": "ndjson"}))
        .await;
    let job = scene.until(&id, "done").await;
    adds_up(&job, lines as u64);
    assert_eq!(job["stored"], lines, "{job}");
    // A look, and one answer: it was never begun anew.
    assert!(web.requests() <= 3, "{} requests", web.requests());
}

#[tokio::test]
async fn a_bomb_is_one_long_line_and_no_memory() {
    let bomb = packed(&vec![b'x'; 200 << 20]);
    assert!(bomb.len() < 2 << 20);
    let lines = [&bomb[..], &packed(b"\n"), &packed(events(3).as_bytes())].concat();
    let web = WebServer::start(Manner::file(lines, "a"));
    let scene = Scene::with(&place(&web.url(""), "internal = true")).await;
    let service = scene.service.as_ref().expect("it runs").pid();
    let before = resident_memory_mib(service);
    let source = web.url("bomb.ndjson.gz");
    let id = scene
        .pull(&json!({"source": source, "format": "ndjson"}))
        .await;
    let job = scene.until(&id, "done").await;
    assert_eq!(
        (&job["stored"], &job["rejected"]),
        (&json!(3), &json!(1)),
        "{job}"
    );
    let grown = peak_memory_mib(service).saturating_sub(before);
    assert!(grown < 100, "{grown} MiB");
}

#[tokio::test]
async fn a_node_that_is_killed_with_pulls_leaves_them_to_the_next() {
    let lines = 40_000;
    let folder = public_dir("in");
    let packed = packed(events(lines).as_bytes());
    std::fs::write(folder.join("plain.ndjson"), events(lines)).expect("a file");
    std::fs::write(folder.join("packed.ndjson.gz"), packed).expect("a file");
    let mut scene = Scene::with(&place(&format!("file://{}/", folder.display()), "")).await;
    let mut ids = Vec::new();
    for name in ["plain.ndjson", "packed.ndjson.gz"] {
        let source = format!("file://{}/{name}", folder.display());
        let body = json!({"source": source, "format": "ndjson"});
        ids.push(scene.pull(&body).await);
    }
    // A compressed file is read from its start again; how far it is shows in its records.
    let done = async |scene: &Scene, id: &str| scene.job(id).await["records"].as_u64();
    for _ in 0..2 {
        for id in &ids {
            let before = done(&scene, id).await;
            let moves = async || {
                let job = scene.job(id).await;
                job["records"].as_u64() > before || job["state"] == "done"
            };
            wait_until("it moves", PATIENCE, moves).await;
        }
        scene.kill_the_holder().await;
    }
    for id in &ids {
        let job = scene.until(id, "done").await;
        adds_up(&job, lines as u64);
        // Twice as much as can be under way: two kills.
        let most = 2 * (640 << 10) / (events(1).len() as u64);
        assert!(job["duplicate"].as_u64() <= Some(most), "{job}");
    }
    let rows = crate::harness::sql(&scene.database, "SELECT count(*) FROM event").await;
    assert_eq!(rows, [(2 * lines).to_string()]);
}

#[tokio::test]
async fn row_55_a_file_that_is_replaced_stops_its_job_and_row_61_a_denied_one_waits() {
    let web = WebServer::start(Manner {
        body: events(120_000).into_bytes(),
        ..Manner::file("", "first")
    });
    let scene = Scene::with(&place(&web.url(""), "internal = true")).await;
    let source = web.url("events.ndjson?sig=hush");
    let id = scene
        .pull(&json!({"source": source, "format": "ndjson"}))
        .await;
    let moves = async || scene.job(&id).await["offset"].as_u64() > Some(0);
    wait_until("it moves", PATIENCE, moves).await;
    web.now(|manner| manner.status = Some(403));
    let job = scene.until(&id, "paused").await;
    let reason = job["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("source_denied") && !reason.contains("hush"),
        "{reason}"
    );
    web.now(|manner| {
        manner.status = None;
        manner.tag = Some("\"second\"".to_owned());
    });
    let path = format!("/v1/imports/{id}/source");
    let (status, told) = scene
        .post(&path, &json!({"source": web.url("events.ndjson?sig=new")}))
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let job = scene.until(&id, "failed").await;
    let reason = job["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("first") && reason.contains("second"),
        "{reason}"
    );
}

#[tokio::test]
async fn row_61_a_new_address_goes_on_where_the_old_one_ended() {
    let lines = 120_000;
    let web = WebServer::start(Manner {
        body: events(lines).into_bytes(),
        ..Manner::file("", "a")
    });
    let scene = Scene::with(&place(&web.url(""), "internal = true")).await;
    let id = scene
        .pull(&json!({"source": web.url("e.ndjson?sig=1"), "format": "ndjson"}))
        .await;
    let moves = async || scene.job(&id).await["offset"].as_u64() > Some(0);
    wait_until("it moves", PATIENCE, moves).await;
    web.now(|manner| manner.status = Some(403));
    let at = scene.until(&id, "paused").await["offset"]
        .as_u64()
        .expect("a place");
    web.now(|manner| manner.status = None);
    let path = format!("/v1/imports/{id}/source");
    let (status, told) = scene
        .post(&path, &json!({"source": web.url("e.ndjson?sig=2")}))
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let job = scene.until(&id, "done").await;
    assert!(at > 0);
    adds_up(&job, lines as u64);
    assert_eq!(job["duplicate"], 0, "nothing came twice: {job}");
}
