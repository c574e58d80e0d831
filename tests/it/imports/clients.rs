//! Clients as they are published, unmodified, over connections that break: curl, tus-js-client, tuspy.

use super::{PATIENCE, counts, events, id_of, must_add_up};
use crate::folder::public_dir;
use crate::harness::{Project, wait_until};
use crate::imports::job;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A way to a service that breaks after so many bytes, a few times; then it holds.
struct Breaking {
    url: String,
    broken: Arc<AtomicUsize>,
}

impl Breaking {
    async fn to(service: &str, after: usize, times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = service.trim_start_matches("http://").to_owned();
        let broken = Arc::new(AtomicUsize::new(0));
        let count = broken.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&service).await.unwrap();
                tokio::spawn(relay(client, server, after, (count.clone(), times)));
            }
        });
        Self { url, broken }
    }
}

async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    after: usize,
    (count, times): (Arc<AtomicUsize>, usize),
) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let sending = async {
        let (mut sent, mut some) = (0, vec![0; 16 << 10]);
        while let Ok(read) = from_client.read(&mut some).await {
            sent += read;
            let breaks = sent > after && count.load(Relaxed) < times;
            if read == 0 || breaks {
                count.fetch_add(usize::from(breaks), Relaxed);
                return;
            }
            if to_server.write_all(&some[..read]).await.is_err() {
                return;
            }
        }
    };
    // Whichever ends first ends both.
    tokio::select! {
        () = sending => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}

/// A file of the test's own.
fn written(name: &str, content: &[u8]) -> PathBuf {
    let path = public_dir("import").join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// A command that is ended by kill -9 where the test drops it.
fn started(mut command: Command) -> Child {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    command.kill_on_drop(true).spawn().unwrap()
}

async fn run(mut command: Command) -> (bool, Value) {
    let child = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let output = timeout(PATIENCE * 2, child)
        .await
        .expect("it ends")
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let told = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text}"));
    (output.status.success(), told)
}

/// tus-js-client.
async fn javascript(project: &Project, url: &str, file: &Path, more: &[&str]) -> (bool, Value) {
    let mut command = Command::new("node");
    command.arg(format!("{ROOT}/tests/sdk/tus-node/drive.mjs"));
    command.args(["--modules", &format!("{ROOT}/.dev/sdk/tus-node")]);
    command.args(["--endpoint", &format!("{url}/v1/imports?format=ndjson")]);
    command
        .args(["--key", &project.server_key])
        .arg("--file")
        .arg(file)
        .args(more);
    run(command).await
}

/// tuspy.
async fn python(project: &Project, url: &str, file: &Path, more: &[&str]) -> (bool, Value) {
    run(of_python(project, url, file, more)).await
}

fn of_python(project: &Project, url: &str, file: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(format!("{ROOT}/.dev/sdk/tus-python/bin/python"));
    command.arg(format!("{ROOT}/tests/sdk/tus-python/drive.py"));
    command.args(["--endpoint", &format!("{url}/v1/imports?format=ndjson")]);
    command.args(["--key", &project.server_key]);
    command.arg("--file").arg(file).args(more);
    command
}

fn id_in(told: &Value) -> &str {
    told["url"]
        .as_str()
        .unwrap_or_else(|| panic!("{told}"))
        .rsplit('/')
        .next()
        .unwrap()
}

async fn must_be_whole(project: &Project, told: &Value, lines: u64) {
    let job = job(project, id_in(told)).await;
    assert_eq!(job["state"], "done", "{job}");
    must_add_up(&job);
    assert_eq!(
        (counts(&job)[3], job["records"].as_u64().unwrap()),
        (0, lines),
        "{job}"
    );
    assert_eq!(project.count("*", "event").await as u64, lines);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tus_js_client_goes_on_after_cuts_and_never_sends_from_0_again() {
    let project = Project::fresh().await;
    let file = written("js.ndjson", events(0, 6_000).as_bytes());
    for (more, after) in [(vec!["--chunk", "65536"], 150_000), (vec![], 400_000)] {
        let project = Project::fresh().await;
        let way = Breaking::to(&project.url, after, 2).await;
        let (ended, told) = javascript(&project, &way.url, &file, &more).await;
        assert!(ended, "{told}");
        assert_eq!(way.broken.load(Relaxed), 2, "it was cut");
        must_be_whole(&project, &told, 6_000).await;
        let created = told["requests"].as_array().unwrap().iter();
        let created = created.filter(|request| request[0] == "POST").count();
        assert_eq!(created, 1, "{told}");
    }
    let (ended, told) = javascript(&project, &project.url, &file, &["--parallel", "4"]).await;
    assert!(!ended && told["status"] == 400, "row 50: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tus_js_client_as_its_settings_allow() {
    let file = written("js.ndjson", events(0, 1_000).as_bytes());
    let empty = written("empty.ndjson", b"");
    for more in [
        &["--override", "--chunk", "50000"][..],
        &["--with-creation", "--chunk", "50000"],
        &["--defer", "--chunk", "50000"],
    ] {
        let project = Project::fresh().await;
        let (ended, told) = javascript(&project, &project.url, &file, more).await;
        assert!(ended, "{more:?}: {told}");
        must_be_whole(&project, &told, 1_000).await;
    }
    let project = Project::fresh().await;
    let (ended, told) = javascript(&project, &project.url, &empty, &[]).await;
    assert!(ended, "{told}");
    must_be_whole(&project, &told, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tus_js_client_sends_a_compressed_file_in_one_piece_and_is_told_so_otherwise() {
    let project = Project::fresh().await;
    let gzip = zstd::encode_all(events(0, 20_000).as_bytes(), 1).unwrap();
    let file = written("js.zst", &gzip);
    let chunk = ["--chunk", "20000"];
    let (ended, told) = javascript(&project, &project.url, &file, &chunk).await;
    assert!(!ended && told["status"] == 400, "fact 4: {told}");
    assert!(
        told["body"].as_str().unwrap().contains("one piece"),
        "{told}"
    );
    let way = Breaking::to(&project.url, gzip.len() / 2, 1).await;
    let (ended, told) = javascript(&project, &way.url, &file, &[]).await;
    assert!(ended, "{told}");
    assert_eq!(way.broken.load(Relaxed), 1);
    must_be_whole(&project, &told, 20_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tuspy_goes_on_after_cuts_and_another_day() {
    let file = written("py.ndjson", events(0, 6_000).as_bytes());
    for more in [
        &["--chunk", "100000", "--retries", "5"][..],
        &[
            "--chunk",
            "100000",
            "--retries",
            "5",
            "--checksum",
            "--metadata",
        ],
    ] {
        let project = Project::fresh().await;
        let way = Breaking::to(&project.url, 60_000, 2).await;
        let (ended, told) = python(&project, &way.url, &file, more).await;
        assert!(ended, "{told}");
        assert!(way.broken.load(Relaxed) > 0, "it was cut");
        must_be_whole(&project, &told, 6_000).await;
    }
    // A client that ends, and is started again later, by its store.
    let project = Project::fresh().await;
    let way = Breaking::to(&project.url, 60_000, 1).await;
    let store = public_dir("store").join("uploads.json");
    let more = ["--chunk", "100000", "--store", store.to_str().unwrap()];
    let (ended, _) = python(&project, &way.url, &file, &more).await;
    assert!(!ended, "it was cut and does not try again by itself");
    let (ended, told) = python(&project, &way.url, &file, &more).await;
    assert!(ended, "{told}");
    must_be_whole(&project, &told, 6_000).await;
    assert_eq!(
        project.read("/v1/imports").await["imports"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_sends_plain_and_compressed_files() {
    let project = Project::fresh().await;
    let plain = written("c.ndjson", events(0, 3_000).as_bytes());
    let packed = written(
        "c.ndjson.zst",
        &zstd::encode_all(events(0, 3_000).as_bytes(), 3).unwrap(),
    );
    for (file, method, expected) in [
        (&plain, "POST", [3_000, 0, 0, 0]),
        (&packed, "PUT", [0, 0, 3_000, 0]),
    ] {
        let mut command = Command::new("curl");
        command.args(["-sS", "-X", method, "-T"]).arg(file);
        command.args([
            "-H",
            &format!("Authorization: Bearer {}", project.server_key),
        ]);
        command.arg(format!("{}/v1/imports?name=c.ndjson", project.url));
        let (ended, job) = run(command).await;
        assert!(ended, "{job}");
        assert_eq!(
            (&job["state"], counts(&job)),
            (&json!("done"), expected),
            "{job}"
        );
        assert!(!id_of(&job).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_killed_at_10_50_and_90_percent_goes_on_when_it_is_started_again() {
    let project = Project::fresh().await;
    let content = events(0, 40_000);
    let file = written("killed.ndjson", content.as_bytes());
    let store = public_dir("store").join("uploads.json");
    let more = ["--chunk", "30000", "--store", store.to_str().unwrap()];
    for percent in [10, 50, 90] {
        let child = started(of_python(&project, &project.url, &file, &more));
        let is_there = async || {
            let listed = project.read("/v1/imports").await;
            let offset = listed["imports"][0]["offset"].as_u64().unwrap_or(0);
            offset * 100 >= content.len() as u64 * percent
        };
        wait_until("so much is done", PATIENCE, is_there).await;
        drop(child);
    }
    let listed = project.read("/v1/imports").await;
    assert_eq!(
        listed["imports"][0]["state"], "running",
        "it was killed before its end"
    );
    let (ended, told) = python(&project, &project.url, &file, &more).await;
    assert!(ended, "{told}");
    must_be_whole(&project, &told, 40_000).await;
    let listed = project.read("/v1/imports").await;
    assert_eq!(listed["imports"].as_array().unwrap().len(), 1, "one upload");
}
