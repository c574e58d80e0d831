//! A topic of tracking-API messages, as a source like any other.

use super::Road;
use crate::harness::public_dir;
use crate::kafka::{Sent, shared_broker};
use serde_json::{Value, json};
use std::fs;

/// Milliseconds of 2024-05-01T00:00:00Z: Kafka's time of all of them.
const AT: i64 = 1_714_521_600_000;

fn sent(call: &str) -> Sent {
    Sent {
        value: Some(call.as_bytes().to_vec()),
        at: Some(AT),
        ..Sent::default()
    }
}

/// One message of each type, most without an id; one that is none.
fn calls() -> Vec<Sent> {
    let calls = [
        json!({"type": "identify", "userId": "ada", "anonymousId": "a-1", "timestamp": "2023-01-01T00:00:00Z",
            "traits": {"plan": "free", "city": "Ulm"}}),
        json!({"type": "track", "userId": "ada", "event": "Paid", "messageId": "m-1", "timestamp": "2023-02-01T00:00:00Z",
            "properties": {"sum": 5}}),
        json!({"type": "track", "userId": "ada", "event": "Paid", "timestamp": "2031-01-01T00:00:00Z"}),
        json!({"type": "page", "anonymousId": "a-1", "name": "Home"}),
        json!({"type": "screen", "userId": "ada", "name": "Start"}),
        json!({"type": "group", "userId": "ada", "groupId": "acme", "traits": {"size": 3}}),
        json!({"type": "alias", "userId": "ada", "previousId": "old-ada"}),
    ];
    let texts = calls.iter().map(Value::to_string);
    let bad = ["{\"type\":\"track\",\"userId\":\"ada\"}".to_owned()];
    texts.chain(bad).map(|text| sent(&text)).collect()
}

async fn road() -> Road<'static> {
    let mapping = public_dir("calls").join("tracking.toml");
    fs::write(&mapping, "preset = \"tracking\"\n").expect("written");
    let of_source = format!("mapping = {:?}", mapping.display().to_string());
    let properties = "\"session.timeout.ms\" = \"6000\"";
    Road::with(shared_broker().await, 1, "", &of_source, properties).await
}

#[tokio::test(flavor = "multi_thread")]
async fn backfill_calls_are_history_and_a_replay_makes_no_second_event() {
    let road = road().await;
    let live = json!({"type": "identify", "userId": "ada", "timestamp": "2024-01-01T00:00:00Z", "traits": {"plan": "pro"}});
    road.project.send("/v1/identify", &live).await;
    road.send(&calls()).await;
    let _node = road.node(&[]).await;
    let status = road.arrived().await;
    assert_eq!(
        (&status["stored"], &status["rejected"]),
        (&json!(7), &json!(1))
    );

    let ada = road.project.profile("user_id:ada").await;
    let expected = json!({"plan": "pro", "city": "Ulm"});
    assert_eq!(ada["traits"], expected, "newer live data stays");
    let timeline = road.project.timeline("anonymous_id:a-1").await;
    assert_eq!(
        timeline.len(),
        8,
        "seven of the topic, one live: {timeline:?}"
    );
    let paid = road.project.event("m-1").await;
    assert_eq!(paid["occurred_at"], "2023-02-01T00:00:00.000Z", "{paid}");
    let kafka = timeline
        .iter()
        .filter(|event| event["occurred_at"] == "2024-05-01T00:00:00.000Z");
    assert_eq!(kafka.count(), 5, "a future one is capped: {timeline:?}");
    let refusals = road.refusals().await;
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0]["code"], "missing_field", "{refusals:?}");

    road.send(&calls()).await;
    let status = road.arrived().await;
    let counted = (&status["stored"], &status["unchanged"], &status["rejected"]);
    assert_eq!(counted, (&json!(7), &json!(7), &json!(2)));
    let again = road.project.timeline("anonymous_id:a-1").await;
    assert_eq!(again, timeline, "each event is there once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_calls_can_be_checked_first() {
    let road = road().await;
    road.send(&calls()).await;
    let mapping = public_dir("calls").join("tracking.toml");
    fs::write(&mapping, "preset = \"tracking\"\n").expect("written");
    let mapping = mapping.to_str().expect("text");
    // The brokers are those of the settings.
    let seen = road.command(&[
        "check",
        "--topic",
        &road.topic,
        "--mapping",
        mapping,
        "--json",
    ]);
    let seen: Value = serde_json::from_str(&seen).expect("JSON");
    assert_eq!(seen["commands"]["event"], 7, "{seen}");
    assert_eq!(seen["rejections"]["missing_field"]["count"], 1);
    assert_eq!(seen["without_time"], 4);
    assert_eq!(
        seen["fields"]["by_name"]["group.size"]["types"]["number"],
        1
    );
    let span = &seen["times"]["by_name"]["/timestamp"];
    assert_eq!(
        span["latest"], "2031-01-01T00:00:00.000Z",
        "as it was written"
    );
}
