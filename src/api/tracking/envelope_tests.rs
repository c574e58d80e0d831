//! Bodies as a whole: what can be read, what can't, and where the key stands.

use super::*;
use crate::api::buffer::Body;
use crate::api::document::Document;
use bytes::Bytes;

fn readable_text(bytes: &[u8]) -> String {
    let body = Document::new(Body::loose(Bytes::copy_from_slice(bytes)), 1 << 20).expect("room");
    body.text().expect("readable").to_owned()
}

fn code(result: Result<(), ApiError>) -> &'static str {
    result.map_or_else(|error| error.verdict().code, |()| "fine")
}

#[test]
fn marks_poison_and_broken_characters_are_mended() {
    assert_eq!(readable_text(b"\xef\xbb\xbf{}"), "{}");
    assert_eq!(readable_text(b"{\"a\":NaN}"), r#"{"a":null}"#);
    assert_eq!(
        readable_text(b"{\"a\":\"\xff\xc3\"}"),
        "{\"a\":\"\u{fffd}\u{fffd}\"}"
    );
}

#[test]
fn what_is_no_json_object_is_told() {
    let deep = "[".repeat(10_000);
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&[u8], &str); 11] = [
        (b"", "invalid_json"),
        (b"  ", "invalid_json"),
        (b"{\"a\":1", "invalid_json"),
        (b"{\"a\":1}x", "invalid_json"),
        (b"a=1&b=2", "invalid_json"),
        (deep.as_bytes(), "invalid_json"),
        (&utf16, "invalid_json"),
        (b"[1]", "not_an_object"),
        (b"12", "not_an_object"),
        (b"null", "not_an_object"),
        (b" {} ", "fine"),
    ];
    for (bytes, expected) in cases {
        let body = readable_text(bytes);
        assert_eq!(code(single(&body).map(|_| ())), expected, "{body:.20}");
    }
    assert_eq!(code(single("{\"a\":[1,{}]}").map(|_| ())), "fine");
}

#[test]
fn a_batch_needs_its_list_and_keeps_its_limit() {
    let read = |text: &str| code(batch(text, 3).map(|_| ()));
    assert_eq!(read(r#"{"batch":[]}"#), "fine");
    assert_eq!(read(r#"{"batch":[1,2,3]}"#), "fine");
    assert_eq!(read(r#"{"batch":[1,2,3,4,5]}"#), "too_many_items");
    for text in [
        r"{}",
        r#"{"batch":null}"#,
        r#"{"batch":"[]"}"#,
        r#"{"batch":{}}"#,
    ] {
        assert_eq!(read(text), "missing_batch");
    }
    let error = batch(r#"{"batch":[1,2,3,4,5]}"#, 3)
        .err()
        .expect("too many");
    assert_eq!(error.measured(), (Some(5), Some(3)));
}

#[test]
fn one_call_of_any_shape_leaves_its_neighbours_alone() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let text = format!(
        r#"{{"batch":[{{"event":"a"}},7,"x",null,true,[{{}}],{deep},{{"x":{deep},"event":"b"}}],"sentAt":"s"}}"#
    );
    let batch = batch(&text, 100).expect("JSON");
    let calls = &batch.calls;
    assert_eq!(calls.len(), 8);
    assert_eq!(batch.sent_at.expect("sentAt").get(), r#""s""#);
    let event = |index: usize| calls[index].expect("a call").event.expect("event").get();
    assert_eq!(event(0), r#""a""#);
    assert_eq!(event(7), r#""b""#);
    assert!([2, 3, 4, 5, 6].iter().all(|index| calls[*index].is_none()));
    assert_eq!(texts_of_calls(&text)[6].get(), deep);
}

#[test]
fn of_equal_keys_the_last_counts() {
    let call = single(r#"{"userId":"a","user\u0049d":"b"}"#).expect("JSON");
    assert_eq!(call.user_id.expect("there").get(), r#""b""#);
}

#[test]
fn the_key_stands_at_the_top_or_in_the_first_call() {
    let cases = [
        (r#"{"writeKey":"k","batch":[{"writeKey":"no"}]}"#, Some("k")),
        (r#"{"batch":[{"writeKey":"k"},5]}"#, Some("k")),
        (r#"{"batch":[5,{"writeKey":"k"}]}"#, None),
        (r#"{"writeKey":null,"batch":[{"writeKey":"k"}]}"#, Some("k")),
        (r#"{"writeKey":"","type":"track"}"#, None),
        (r#"{"writeKey":7}"#, None),
        (r#"{"batch":[]}"#, None),
    ];
    for (text, expected) in cases {
        assert_eq!(key_of(text).expect("JSON").as_deref(), expected, "{text}");
    }
    assert_eq!(code(key_of("nonsense").map(|_| ())), "invalid_json");
}

#[test]
fn what_becomes_too_large_when_it_is_readable_is_refused_before_it_grows() {
    let grown = |bytes: &[u8]| {
        let body = Body::loose(Bytes::copy_from_slice(bytes));
        let lane = body.lane.clone();
        let made = Document::new(body, 1_000).map(|document| document.bytes.len());
        (code(made.map(drop)), lane.room.available_bytes())
    };
    for small in ["[1e300,1e300,1e300,1e300]".as_bytes(), &[0xff; 400]] {
        assert_eq!(grown(small), ("body_too_large", 64 << 20));
    }
}

#[test]
fn a_document_holds_room_for_what_it_grew_to() {
    let body = Body::loose(Bytes::from_static(b"[1e300]"));
    let lane = body.lane.clone();
    let document = Document::new(body, 1_000).expect("room");
    assert_eq!(
        lane.room.available_bytes(),
        (64 << 20) - document.bytes.len()
    );
    assert_eq!(document.bytes.len(), 303);
}
