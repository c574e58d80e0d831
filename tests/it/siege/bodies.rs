//! Bodies that are small on the wire and large, or costly, inside.

use super::{CONNECTIONS, Siege, amount, assert_proper, gzip};
use crate::machine::processor_time;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// 16 to 1,680 MiB by one such body, before mending had a limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_numbers_that_grow_when_they_are_written_out() {
    let siege = Siege::begin("1e999 and 1e300 from strangers").await;
    let bombs = ["1e999,", "1e300,", "NaN,", "-0e0,"].map(|number| {
        let numbers = number.repeat(10_000_000 / number.len());
        gzip(format!("{{\"batch\":[{numbers}1]}}").as_bytes())
    });
    assert!(bombs.iter().all(|bomb| bomb.len() < 64 * 1024));
    for _ in 0..amount(1, 20) {
        let posts = (0..CONNECTIONS)
            .map(|number| siege.post_as_stranger("gzip", bombs[number % bombs.len()].clone()));
        for reply in join_all(posts).await {
            assert_proper(&reply, "a bomb");
            assert!(!reply.status().is_success());
        }
    }
    siege.end().await;
}

/// The same with a key: what is refused for its size is told so, whoever sends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_numbers_that_grow_with_a_key() {
    let siege = Siege::begin("1e300 with a key").await;
    let numbers = "1e300,".repeat(1_000_000);
    let bomb = gzip(format!("{{\"batch\":[{numbers}1]}}").as_bytes());
    let alone = siege.post("gzip", bomb.clone()).await;
    assert_eq!(alone.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let posts = (0..CONNECTIONS).map(|_| siege.post("gzip", bomb.clone()));
    for reply in join_all(posts).await {
        assert_proper(&reply, "a bomb");
    }
    siege.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_members_without_content() {
    let siege = Siege::begin("empty gzip members and zstd frames").await;
    let zstd = zstd::encode_all(&b""[..], 1).expect("memory");
    let bodies = [
        ("gzip", gzip(b"").repeat(100_000)),
        ("zstd", zstd.repeat(100_000)),
    ];
    let before = processor_time(siege.service.pid());
    let rounds = amount(1, 20);
    for _ in 0..rounds {
        let posts = (0..CONNECTIONS).map(|number| {
            let (encoding, body) = bodies[number % 2].clone();
            siege.post(encoding, body)
        });
        for reply in join_all(posts).await {
            assert_proper(&reply, "empty parts");
            assert!(!reply.status().is_success());
        }
    }
    let each = (processor_time(siege.service.pid()) - before) / (CONNECTIONS * rounds) as u32;
    eprintln!("siege: empty parts: {each:?} of the processor for a body");
    assert!(each < Duration::from_secs(2), "{each:?} for one body");
    siege.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_a_million_keys() {
    let siege = Siege::begin("a million keys in context, properties and traits").await;
    let members: Vec<String> = (0..700_000)
        .map(|number| format!("\"{number}\":1"))
        .collect();
    let members = members.join(",");
    let bodies: Vec<Vec<u8>> = [
        ("track", "context"),
        ("track", "properties"),
        ("identify", "traits"),
    ]
    .map(|(kind, field)| {
        let call = format!(
            r#"{{"batch":[{{"type":"{kind}","userId":"ada","event":"Seen","{field}":{{{members}}}}}]}}"#
        );
        gzip(call.as_bytes())
    })
    .into();
    for _ in 0..amount(1, 10) {
        let posts = (0..CONNECTIONS)
            .map(|number| siege.post("gzip", bodies[number % bodies.len()].clone()));
        for reply in join_all(posts).await {
            assert_proper(&reply, "a million keys");
        }
    }
    siege.end().await;
}

/// A key that stands late makes a body a stranger's until it is read: encoded and decoded, or with what mending adds, it has to fit all the
/// same. 503 for ever, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_late_keys_of_large_bodies() {
    let siege = Siege::begin("keys behind eight megabytes").await;
    let mut dice = super::dice::Dice::new(7);
    let filler: String = (0..8_000_000)
        .map(|_| char::from(b'0' + dice.below(60) as u8))
        .collect();
    let filler = filler.replace('\\', "x");
    let key = &siege.project.write_key;
    let long = format!(r#"{{"batch":[{{"type":"dance","x":"{filler}"}}],"writeKey":"{key}"}}"#);
    let numbers = "NaN,".repeat(2_000_000);
    let odd = format!(r#"{{"batch":[{{"type":"dance","x":[{numbers}0]}}],"writeKey":"{key}"}}"#);
    let encoded = gzip(long.as_bytes());
    assert!(encoded.len() > 5_000_000);
    for (encoding, body) in [("gzip", encoded), ("identity", odd.into_bytes())] {
        let reply = siege.post_as_stranger(encoding, body).await;
        assert_eq!(reply.status(), StatusCode::OK, "{encoding}");
    }
    siege.end().await;
}

/// Three of four batches of known senders heard 503 when strangers had the same room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_strangers_beside_known_senders() {
    let siege = Siege::begin("a flood of strangers").await;
    let flood = gzip(format!("{{\"batch\":[\"{}\"]}}", "x".repeat(9_000_000)).as_bytes());
    let plain = format!("{{\"batch\":[\"{}\"]}}", "x".repeat(1_000_000));
    let is_over = AtomicBool::new(false);
    let strangers = join_all((0..16).map(|number| {
        let (siege, is_over, flood, plain) = (&siege, &is_over, &flood, &plain);
        async move {
            while !is_over.load(Relaxed) {
                let reply = match number % 2 {
                    0 => siege.post_as_stranger("gzip", flood.clone()).await,
                    _ => {
                        siege
                            .post_as_stranger("identity", plain.clone().into())
                            .await
                    }
                };
                assert_proper(&reply, "a stranger");
            }
        }
    }));
    let known = async {
        for number in 0..amount(30, 1_000) {
            let text = "y".repeat(300_000);
            let call = json!({"type": "track", "userId": "ada", "event": "Seen", "messageId": format!("k{number}"), "properties": {"text": text}});
            // Every other one has its key in the body, as browsers' SDKs do: its beginning has room that no stranger's rest takes.
            let reply = if number % 2 == 0 {
                siege
                    .project
                    .post("/v1/batch", &json!({"batch": [call]}))
                    .await
            } else {
                let body = format!(
                    r#"{{"writeKey":"{}","batch":[{call}]}}"#,
                    siege.project.write_key
                );
                siege.post_as_stranger("gzip", gzip(body.as_bytes())).await
            };
            assert_eq!(reply.status(), StatusCode::OK, "batch {number}");
        }
        is_over.store(true, Relaxed);
    };
    tokio::join!(strangers, known);
    siege.end().await;
}
