//! Too large, too deep, broken, and keys that are nobody's: what senders get, and what it costs.

use crate::harness::{Project, ROSTER, Service, alone, shared, wait_until};
use crate::machine::{OwnDatabase, judge_peak, metric, peak_memory_mib};
use crate::socket::{Outcome, Wire, head};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);
const LIMIT: usize = 10_485_760;

/// A service of its own, whose memory and counters are this test's alone. However slow the machine is, it refuses nothing for want of time.
async fn own_service() -> (Service, Project) {
    let database = &shared().await.database_url;
    let patience = [("ROSTER__SERVER__REQUEST_TIMEOUT_MS", "120000")];
    let service = Service::start(database, &patience).await;
    let project = Project::on(&service.url, database).await;
    (service, project)
}

async fn post(project: &Project, key: &str, encoding: &str, body: Vec<u8>) -> Response {
    let request = project.client.post(format!("{}/v1/batch", project.url));
    let request = request
        .basic_auth(key, Some(""))
        .header("content-encoding", encoding);
    request.body(body).send().await.expect("an answer")
}

/// About ten kilobytes each, and many megabytes to gigabytes inside.
fn bombs() -> [(&'static str, Vec<u8>); 4] {
    let zeros = vec![0_u8; 11 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&zeros).expect("memory");
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(&zeros).expect("memory");
    let zstd = zstd::encode_all(&vec![0_u8; 256 << 20][..], 1).expect("memory");
    [
        ("gzip", gzip.finish().expect("memory")),
        ("deflate", zlib.finish().expect("memory")),
        ("zstd", zstd),
        ("br", include_bytes!("../fixtures/bombs/zeros.br").to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_bombs_at_once_are_too_large_and_take_little_memory() {
    let _alone = alone().await;
    let (service, project) = own_service().await;
    let bombs = bombs();
    for (encoding, bomb) in &bombs {
        assert!(bomb.len() < 16 * 1024, "{encoding}: {} bytes", bomb.len());
    }
    let posts = (0..100).map(|number| {
        let (encoding, bomb) = &bombs[number % bombs.len()];
        post(&project, &project.write_key, encoding, bomb.clone())
    });
    for reply in join_all(posts).await {
        assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let told: Value = reply.json().await.expect("JSON");
        assert_eq!(
            (&told["code"], &told["limit"]),
            (&json!("body_too_large"), &json!(LIMIT))
        );
    }
    judge_peak("100 bombs", service.pid());
    project
        .send(
            "/v1/track",
            &json!({"userId": "ada", "event": "Still here"}),
        )
        .await;
}

/// Two gigabytes in two megabytes: the sender does not even get to send it whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_bomb_is_refused_before_it_has_arrived() {
    let (service, _) = own_service().await;
    let before = peak_memory_mib(service.pid());
    for encoding in ["gzip", "deflate", "zstd", "br"] {
        let mut wire = Wire::to(&service.url).await;
        let announced = format!("Content-Encoding: {encoding}\r\nContent-Length: 2000000\r\n");
        wire.send(head("nobody's", &announced)).await;
        assert_eq!(wire.outcome(SOON).await.status(), Some(401), "{encoding}");
    }
    let bombs = bombs();
    let stranger = Project {
        write_key: "nobody's".into(),
        ..Project::on(&service.url, &shared().await.database_url).await
    };
    let posts = (0..100).map(|number| {
        let (encoding, bomb) = &bombs[number % bombs.len()];
        post(&stranger, &stranger.write_key, encoding, bomb.clone())
    });
    for reply in join_all(posts).await {
        assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
    }
    let grown = peak_memory_mib(service.pid()) - before;
    assert!(grown < 32, "strangers' bombs took {grown} MiB");
}

#[tokio::test]
async fn a_body_over_the_limit_is_told_the_limit_and_its_size() {
    let project = Project::fresh().await;
    let size = LIMIT + 1;
    let mut announced = Wire::to(&project.url).await;
    announced
        .send(head(
            &project.write_key,
            &format!("Content-Length: {size}\r\n"),
        ))
        .await;
    let Outcome::Answer(413, text) = announced.outcome(SOON).await else {
        panic!("an announced body over the limit was not refused")
    };
    let told = [
        r#""code":"body_too_large""#,
        &format!(r#""size":{size}"#),
        &format!(r#""limit":{LIMIT}"#),
    ];
    assert!(told.iter().all(|part| text.contains(part)), "{text}");

    let mut growing = Wire::to(&project.url).await;
    growing
        .send(head(&project.write_key, "Transfer-Encoding: chunked\r\n"))
        .await;
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, " ".repeat(64 * 1024));
    let mut sent = 0;
    while sent <= LIMIT + 128 * 1024 && growing.send(&chunk).await {
        sent += 64 * 1024;
    }
    assert_eq!(growing.outcome(SOON).await.status(), Some(413));
}

#[tokio::test]
async fn what_is_no_json_is_refused_whole() {
    let project = Project::fresh().await;
    let text = r#"{"batch":[{"type":"track","userId":"ada","event":"Seen","messageId":"m1"}]}"#;
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let cases = [
        ("UTF-16", "identity", little.clone()),
        (
            "UTF-16 with a mark",
            "identity",
            [&[0xff, 0xfe], &little[..]].concat(),
        ),
        (
            "UTF-16, big end first",
            "identity",
            [&[0xfe, 0xff], &big[..]].concat(),
        ),
        (
            "truncated",
            "identity",
            text.as_bytes()[..text.len() - 3].to_vec(),
        ),
        ("empty", "identity", Vec::new()),
        ("truncated gzip", "gzip", gzip[..gzip.len() / 2].to_vec()),
        ("no gzip", "gzip", b"a=1&b=2".into()),
    ];
    for (name, encoding, body) in cases {
        let reply = post(&project, &project.write_key, encoding, body).await;
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST, "{name}");
        let told: Value = reply.json().await.expect("JSON");
        assert!(
            told["code"].is_string() && told["message"].is_string(),
            "{name}: {told}"
        );
    }
    assert_eq!(project.get("/v1/events/m1").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_sender_that_hangs_up_in_the_middle_leaves_nothing() {
    let project = Project::fresh().await;
    let text = r#"{"batch":[{"type":"track","userId":"ada","event":"Seen","messageId":"m1"}]}"#;
    let mut wire = Wire::to(&project.url).await;
    let head = head(
        &project.write_key,
        &format!("Content-Length: {}\r\n", text.len() + 1),
    );
    wire.send(format!("{head}{text}")).await;
    drop(wire);
    project
        .send("/v1/track", &json!({"userId": "ada", "event": "Later"}))
        .await;
    assert_eq!(project.get("/v1/events/m1").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_made_up_keys_cost_few_queries() {
    const KEYS: usize = 5_000;
    let _alone = alone().await;
    // Keys gather while one look-up is in flight. How many depends on how long that takes: here as long as to a database elsewhere.
    let database = OwnDatabase::start().await;
    let address = database.at_a_distance(Duration::from_millis(10)).await;
    let database_url = format!("postgresql://roster@{address}/roster");
    let service = Service::start(&database_url, &[]).await;
    let project = Project::on(&service.url, &database_url).await;
    let flood = async || {
        let posts = (0..KEYS).map(|number| post_with_key(&project, format!("made-up-{number}")));
        stream::iter(posts)
            .buffer_unordered(64)
            .collect::<Vec<_>>()
            .await
    };
    let started = Instant::now();
    assert!(
        flood()
            .await
            .iter()
            .all(|status| *status == StatusCode::UNAUTHORIZED)
    );
    let lookups = metric(&service.url, "roster_key_lookups_total").await;
    eprintln!(
        "{KEYS} made-up keys: {lookups} look-ups in {:?}",
        started.elapsed()
    );
    assert!(lookups > 0.0, "look-ups are not counted");
    assert!(
        lookups < KEYS as f64 / 8.0,
        "{lookups} look-ups for {KEYS} keys"
    );
}

async fn post_with_key(project: &Project, key: String) -> StatusCode {
    let request = project
        .client
        .post(format!("{}/v1/track", project.url))
        .basic_auth(key, Some(""));
    let call = json!({"userId": "ada", "event": "Seen"});
    request
        .json(&call)
        .send()
        .await
        .expect("an answer")
        .status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_stops_on_every_node_within_ten_seconds() {
    let database = &shared().await.database_url;
    let (one, project) = own_service().await;
    let other = Service::start(database, &[]).await;
    let nodes = [project.through(&one.url), project.through(&other.url)];
    for node in &nodes {
        assert_eq!(
            post_with_key(node, project.write_key.clone()).await,
            StatusCode::OK
        );
    }
    let revoked = Instant::now();
    let output = Command::new(ROSTER)
        .args([
            "key",
            "revoke",
            &project.write_key,
            "--database-url",
            database,
        ])
        .output();
    let output = output.expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for node in &nodes {
        // Asking all the time must not keep it alive.
        wait_until("the key stops", Duration::from_secs(10), async || {
            post_with_key(node, project.write_key.clone()).await == StatusCode::UNAUTHORIZED
        })
        .await;
    }
    assert!(
        revoked.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        revoked.elapsed()
    );
    assert_eq!(
        project.get("/v1/rejections").await.0,
        StatusCode::OK,
        "the other key of the project works"
    );
}
