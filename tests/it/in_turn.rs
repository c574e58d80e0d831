//! Requests that follow each other on one connection, and what is left of one that is over.

use crate::slow::service_with;
use crate::socket::{Outcome, Wire, head};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);
const WHOLE: &str = "GET /livez HTTP/1.1\r\nHost: roster\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_head_of_a_connection_has_its_time() {
    let (service, _) = service_with(&[("ROSTER__SERVER__HEADER_TIMEOUT_MS", "2000")]).await;
    let mut wire = Wire::to(&service.url).await;
    wire.send("GET /livez HTTP/1.1\r\nHost: roster\r\n\r\nGET /live")
        .await;
    let first = wire.outcome(PATIENCE).await;
    assert_eq!(first.status(), Some(200), "{first:?}");
    let end = wire.trickle("z", PATIENCE).await;
    assert_eq!(end, Outcome::Closed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_sent_ahead_are_answered_in_their_order() {
    let (service, project) = service_with(&[]).await;
    let call = |number: usize| {
        format!(r#"{{"batch": [{{"type": "track", "userId": "ada", "event": "{number}"}}]}}"#)
    };
    let sized = |body: &str| {
        let length = format!("Content-Length: {}\r\n", body.len());
        head(&project.write_key, &length) + body
    };
    let chunked = |body: &str| {
        let begun = head(&project.write_key, "Transfer-Encoding: chunked\r\n");
        format!("{begun}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    let mut sent = String::new();
    for number in 0..40 {
        let body = call(number);
        sent += &match number % 3 {
            0 => sized(&body),
            1 => chunked(&body),
            _ => format!("\r\nGET /v1/nothing/{number} HTTP/1.1\nHost: roster\n\n"),
        };
    }
    let mut wire = Wire::to(&service.url).await;
    for piece in sent.as_bytes().chunks(997) {
        assert!(wire.send(piece).await);
    }
    let is_all = |text: &str| text.matches("HTTP/1.1 ").count() == 40;
    let answers = wire.text_until(is_all).await;
    let statuses: Vec<&str> = answers
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    let expected: Vec<&str> = (0..40)
        .map(|number| ["200", "200", "404"][number % 3])
        .collect();
    assert_eq!(statuses, expected);
    assert_eq!(project.count("*", "event").await, 27);
}

/// They held a connection for ever: 62 bytes each, and nobody else came in any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_nobody_waits_for_has_its_time() {
    let (service, project) = service_with(&[
        ("ROSTER__SERVER__HEADER_TIMEOUT_MS", "2000"),
        ("ROSTER__SERVER__BODY_TIMEOUT_MS", "2000"),
    ])
    .await;
    let begun = "Transfer-Encoding: chunked\r\n";
    let known = head(&project.write_key, begun);
    for (request, status) in [
        (
            format!("GET /livez HTTP/1.1\r\nHost: x\r\n{begun}\r\n"),
            200,
        ),
        (
            format!("POST /nope HTTP/1.1\r\nHost: x\r\n{begun}\r\n5\r\nhel"),
            404,
        ),
        (format!("{known}1\r\n{{\r\n"), 408),
        (format!("{known}1\r\n{{\r\n0\r\nx: y"), 408),
    ] {
        let mut wire = Wire::to(&service.url).await;
        wire.send(&request).await;
        let first = wire.outcome(PATIENCE).await;
        assert_eq!(first.status(), Some(status), "{request}: {first:?}");
        assert_eq!(wire.outcome(PATIENCE).await, Outcome::Closed, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_refused_is_told_so_however_it_comes() {
    let (service, _) = service_with(&[]).await;
    for bad in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Transfer-Encoding: gzip, chunked",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
    ] {
        let mut wire = Wire::to(&service.url).await;
        wire.send(WHOLE).await;
        assert_eq!(wire.outcome(PATIENCE).await.status(), Some(200));
        let request = format!("POST /v1/batch HTTP/1.1\r\nHost: x\r\n{bad}\r\nX-More: y\r\n\r\n");
        for byte in request.as_bytes() {
            wire.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(wire.outcome(PATIENCE).await.status(), Some(400), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_lines_behind_a_request_are_nothing() {
    let settings = [
        ("ROSTER__SERVER__HEADER_TIMEOUT_MS", "1000"),
        ("ROSTER__SERVER__MAX_NEW_CONNECTIONS", "2"),
    ];
    let (service, _) = service_with(&settings).await;
    let mut wire = Wire::to(&service.url).await;
    wire.send(format!("{WHOLE}\r\n")).await;
    assert_eq!(wire.outcome(PATIENCE).await.status(), Some(200));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let _strangers = [Wire::to(&service.url).await, Wire::to(&service.url).await];
    wire.send(format!("\n\r\n{WHOLE}\r\n")).await;
    assert_eq!(wire.outcome(PATIENCE).await.status(), Some(200));
    // What is sent ahead needs a place; what came before it does not.
    wire.send(format!("{WHOLE}{WHOLE}")).await;
    let answers = wire.text_until(|_| false).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_chunks_of_a_byte_is_taken_while_it_is_small() {
    let (service, project) = service_with(&[]).await;
    let chunked = |body: &str| {
        let chunks: String = body.chars().map(|one| format!("1\r\n{one}\r\n")).collect();
        let begun = head(&project.write_key, "Transfer-Encoding: chunked\r\n");
        format!("{begun}{chunks}0\r\n\r\n")
    };
    let call = r#"{"batch": [{"type": "track", "userId": "ada", "event": "Seen"}]}"#;
    for (blanks, status) in [(0, 200), (3_000, 200), (100_000, 400)] {
        let mut wire = Wire::to(&service.url).await;
        wire.send(chunked(&format!("{}{call}", " ".repeat(blanks))))
            .await;
        let outcome = wire.outcome(PATIENCE).await;
        assert_eq!(outcome.status(), Some(status), "{blanks}: {outcome:?}");
    }
}
