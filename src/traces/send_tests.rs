//! What is heard of a collector, and what is said of it.

use super::*;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn send(address: String) -> (Option<Response<Bytes>>, Heard) {
    let way = Way::new().expect("TLS");
    let endpoint = format!("http://ada:secret@{address}/v1/traces");
    let request = Request::post(endpoint).body(Bytes::new()).expect("plain");
    let answer = way.send_bytes(request).await;
    let heard = take(&mut *way.heard.lock().unwrap());
    (answer.ok(), heard)
}

/// Takes one request, which it hands back, and gives an answer.
async fn collector(listener: TcpListener, answer: String) -> String {
    let (mut stream, _) = listener.accept().await.expect("a caller");
    let (mut request, mut part) = (Vec::new(), [0; 1024]);
    while !request.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut part).await.expect("a request");
        request.extend_from_slice(&part[..read]);
    }
    let written = stream.write_all(answer.as_bytes()).await;
    written.expect("somebody reads");
    String::from_utf8(request).expect("text")
}

#[tokio::test]
async fn a_failure_has_its_reason_and_no_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let busy = "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let collector = collector(listener, busy.to_owned());
    let ((answer, heard), request) = tokio::join!(send(address.clone()), collector);
    assert_eq!(answer.expect("an answer").headers()["retry-after"], "7");
    assert!(heard.failure.contains("503"), "{heard:?}");
    assert!(request.contains("authorization: Basic"), "{request}");
    // Nobody listens any more.
    let (answer, heard) = send(address).await;
    assert!(answer.is_none());
    assert!(heard.failure.contains("refused"), "{heard:?}");
    assert!(!heard.failure.contains("secret"), "{heard:?}");
}

#[tokio::test]
async fn an_endless_answer_is_read_to_its_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let long = "x".repeat(4 * ANSWER_BYTES);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", long.len());
    let collector = collector(listener, head + &long);
    let ((answer, heard), _) = tokio::join!(send(address), collector);
    assert!(answer.expect("an answer").body().len() <= ANSWER_BYTES);
    assert_eq!((heard.refused, &*heard.failure), (0, ""));
}

#[test]
fn spans_that_a_collector_refuses_are_counted() {
    let partial = ExportTracePartialSuccess {
        rejected_spans: 3,
        error_message: "too old".to_owned(),
    };
    let answer = ExportTraceServiceResponse {
        partial_success: Some(partial),
    };
    assert_eq!(refused(&answer.encode_to_vec()), 3);
    assert_eq!((refused(b""), refused(b"\xff\xff nonsense")), (0, 0));
}

#[tokio::test]
async fn a_wrong_endpoint_is_told_without_its_text() {
    let settings = config::Traces {
        endpoint: "http://ada:secret@[".to_owned(),
        authorization: String::new().into(),
        sample_ratio: 1.0,
        max_waiting_spans: 1,
    };
    let error = Sending::new(&settings, Line::new(1)).expect_err("no address");
    assert!(matches!(error, Error::Settings));
    assert!(!error.to_string().contains("secret"), "{error}");
}
