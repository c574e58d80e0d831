//! What a command does about files of one name, and about a service that does not always answer.

use super::{command, line, run, text, told};
use crate::folder::public_dir;
use crate::harness::Project;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// What is answered to the request with this head instead of the service's own answer.
type Trouble = Arc<dyn Fn(&str) -> Option<&'static str> + Send + Sync>;

/// A place before a service that is in trouble now and then; its address.
async fn before(url: &str, trouble: Trouble) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let own = format!("http://{}", listener.local_addr().expect("one"));
    let to = url.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, to.clone(), trouble.clone()));
        }
    });
    own
}

/// Passes one request on.
async fn pass(mut stream: TcpStream, to: String, trouble: Trouble) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if let Some(status) = trouble(&head) {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return stream.write_all(answer.as_bytes()).await;
    }
    let mut up = TcpStream::connect(to).await?;
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    up.write_all(head.as_bytes()).await?;
    copy_bidirectional(&mut stream, &mut up).await.map(drop)
}

fn packed(path: &Path, lines: std::ops::Range<usize>) {
    let file = std::fs::File::create(path).expect("a file");
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let all: String = lines.map(line).collect();
    gzip.write_all(all.as_bytes()).expect("written");
    gzip.finish().expect("written");
}

#[tokio::test]
async fn files_of_one_name_side_by_side_are_each_their_own() {
    let project = Project::fresh().await;
    let folder = public_dir("namesakes");
    let mut all = Vec::new();
    for (place, lines) in [0..20, 100..20_000, 30_000..50_000].into_iter().enumerate() {
        let path = folder.join(format!("{place}/part-0.ndjson.gz"));
        std::fs::create_dir_all(path.parent().expect("one")).expect("a folder");
        packed(&path, lines);
        all.push(path);
    }
    let mut arguments: Vec<&str> = all.iter().map(|path| text(path)).collect();
    arguments.extend(["--time", "2026-03-01T00:00:00Z", "--parallel", "3"]);
    let output = run(&project, &arguments).await;
    let (code, jobs) = told(&output);
    assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let stored: Vec<_> = jobs.iter().map(|job| job["stored"].as_u64()).collect();
    assert_eq!(stored, [Some(20), Some(19_900), Some(20_000)]);
    assert_eq!(project.count("*", "event").await, 39_920);
}

#[tokio::test]
async fn a_list_of_refusals_that_is_late_is_had_all_the_same_and_has_one_header() {
    let project = Project::fresh().await;
    let folder = public_dir("late");
    let tables = ["a", "b", "c"].map(|name| {
        let path = folder.join(format!("{name}.csv"));
        let rows = format!("email,plan\n{name}@example.com,pro\n{name}2@,x\n");
        std::fs::write(&path, rows).expect("a file");
        path
    });
    let asked = AtomicUsize::new(0);
    let trouble: Trouble = Arc::new(move |head| {
        let is_late = head.contains("/rejections?") && asked.fetch_add(1, SeqCst) == 0;
        is_late.then_some("503 Service Unavailable\r\nretry-after: 1")
    });
    let url = before(&project.url, trouble).await;
    let refused = folder.join("refused.csv");
    let mut arguments: Vec<&str> = tables.iter().map(|path| text(path)).collect();
    arguments.extend(["--url", &url, "--rejections", text(&refused)]);
    let output = run(&project, &arguments).await;
    let (code, jobs) = told(&output);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!((code, jobs.len()), (Some(2), 3), "{error}");
    let listed = std::fs::read_to_string(&refused).expect("a file");
    assert_eq!(listed.matches("line_number").count(), 1, "{listed}");
    std::fs::write(&refused, listed.replace("2@,", "2@example.com,")).expect("a file");
    let (code, jobs) = told(&run(&project, &[text(&refused)]).await);
    assert_eq!(
        (code, &jobs[0]["stored"]),
        (Some(0), &json!(3)),
        "{jobs:?} of {listed}"
    );
}

#[tokio::test]
async fn a_file_without_one_of_its_parts_is_not_done() {
    let project = Project::fresh().await;
    let path = public_dir("partly").join("events.ndjson");
    std::fs::write(&path, (0..20_000).map(line).collect::<String>()).expect("a file");
    let begun = AtomicUsize::new(0);
    let trouble: Trouble = Arc::new(move |head| {
        let is_second = head.starts_with("POST ") && begun.fetch_add(1, SeqCst) == 1;
        is_second.then_some("403 Forbidden")
    });
    let url = before(&project.url, trouble).await;
    let arguments = [
        text(&path),
        "--url",
        &url,
        "--parallel",
        "2",
        "--part-mib",
        "1",
    ];
    let (code, jobs) = told(&run(&project, &arguments).await);
    assert_eq!(
        (code, &jobs[0]["state"]),
        (Some(1), &json!("failed")),
        "{jobs:?}"
    );
    let (code, jobs) = told(
        &run(
            &project,
            &[text(&path), "--parallel", "2", "--part-mib", "1"],
        )
        .await,
    );
    assert_eq!(
        (code, &jobs[0]["state"]),
        (Some(0), &json!("done")),
        "{jobs:?}"
    );
    assert_eq!(project.count("*", "event").await, 20_000);
}

/// The answer to the last bytes is lost, or the service stops before it ends the job: the command sends what is missing once more.
#[tokio::test]
async fn an_import_that_has_all_and_does_not_end_is_ended() {
    let project = Project::fresh().await;
    let path = public_dir("open").join("people.csv");
    let rows: String = (0..500).map(|at| format!("u{at},pro\n")).collect();
    std::fs::write(&path, format!("user_id,plan\n{rows}")).expect("a file");
    let sent = AtomicUsize::new(0);
    let trouble: Trouble = Arc::new(move |head| {
        let is_first = head.starts_with("PATCH ") && sent.fetch_add(1, SeqCst) == 0;
        is_first.then_some("204 No Content\r\nupload-offset: 4403")
    });
    let length = std::fs::metadata(&path).expect("a file").len();
    assert_eq!(length, 4_403, "what the place before the service says");
    let url = before(&project.url, trouble).await;
    let mut child = command(&project, &[text(&path), "--url", &url]);
    child.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().expect("it runs");
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().expect("it ends"));
    let output = output.await.expect("it ended");
    let (code, jobs) = told(&output);
    assert_eq!(
        (code, &jobs[0]["stored"]),
        (Some(0), &json!(500)),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
