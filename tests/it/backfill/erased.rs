//! Records that erase, and records of people who were erased: what is older stays away, and that is as it should be.

use super::{PATIENCE, Road, deletion, upsert};
use crate::harness::{sql, wait_until};
use crate::kafka::Sent;
use crate::migration::{MAPPING, step};
use reqwest::StatusCode;
use serde_json::{Value, json};

const PEOPLE: usize = 20;
const ERASED: usize = 5;

fn record(number: usize, more: Value) -> Sent {
    let mut record = json!({"roster": 1, "type": "upsert", "identities": {"user_id": format!("p-{number}")}, "traits": {"n": number}});
    let members = record.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    Sent {
        value: Some(record.to_string().into_bytes()),
        ..Sent::default()
    }
}

async fn gate(road: &Road<'_>) -> Value {
    let status = road.project.read("/v1/migration").await;
    let gates = status["gates"].as_array().expect("a list").iter();
    let mut own = gates.filter(|gate| gate["name"] == "backfill_rejected");
    own.next().expect("it").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_erased_people_are_counted_apart_and_hold_up_no_migration() {
    let road = Road::fresh(1).await;
    for number in 0..ERASED {
        crate::mirror::erase(&road.project, &format!("p-{number}")).await;
    }
    let at = json!({"updated_at": "2020-01-01T00:00:00Z"});
    // Without a time it may be older than the erasure, whenever the source began.
    let untold = |number: usize| if number == 0 { json!({}) } else { at.clone() };
    let records: Vec<Sent> = (0..PEOPLE)
        .map(|number| record(number, untold(number)))
        .collect();
    road.send(&records).await;
    let _node = road.node(&[]).await;
    let status = road.arrived().await;
    let counted = ["stored", "rejected", "erased"].map(|name| status[name].clone());
    assert_eq!(
        counted,
        [PEOPLE - ERASED, ERASED, ERASED].map(Value::from),
        "{status}"
    );

    let plan = json!({"mapping": MAPPING, "index": "people", "source": road.topic});
    step(&road.project, "plan", plan).await;
    step(&road.project, "start", json!({})).await;
    let force = json!({"force": true, "reason": "a drill"});
    step(&road.project, "advance", force).await;
    let green = gate(&road).await;
    let told = (&green["seen"], &green["holds"]);
    assert_eq!(told, (&json!("0 of 20"), &json!(true)));

    // What somebody can do something about counts as before.
    road.send(&[record(PEOPLE, json!({"traits": 7}))]).await;
    road.arrived().await;
    let red = gate(&road).await;
    assert_eq!(
        (&red["seen"], &red["holds"]),
        (&json!("1 of 21"), &json!(false))
    );
}

/// The node was away for two hours, as far as anybody noted.
async fn away(road: &Road<'_>) {
    let away = format!(
        "UPDATE backfill_partition SET read_at = read_at - INTERVAL '2 hours' WHERE source = '{}' RETURNING (read_at IS NULL)::TEXT",
        road.topic
    );
    assert_eq!(
        sql(&road.database_url, &away).await,
        ["false"],
        "it was noted"
    );
}

fn missed_since(status: &Value) -> Value {
    status["partitions"][0]["deletions_missed_since"].clone()
}

/// Row 31: a compacted topic keeps deletions for a while only. Whoever was away for longer is told.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_says_where_a_compacted_topic_may_have_dropped_deletions_meanwhile() {
    let road = Road::fresh(1).await;
    let one = |number: usize| {
        upsert(
            &format!("p-{number}"),
            "2023-05-01T10:00:00Z",
            json!({"n": number}),
        )
    };
    road.send(&[one(0), one(1)]).await;
    let node = road.node(&[]).await;
    road.arrived().await;
    node.kill();

    away(&road).await;
    road.send(&[one(2)]).await;
    let node = road.node(&[]).await;
    let status = road.arrived().await;
    assert_eq!(missed_since(&status), Value::Null, "nothing is compacted");
    node.kill();

    let kept = [
        ("cleanup.policy", "compact"),
        ("delete.retention.ms", "3600000"),
    ];
    road.broker.alter_topic(&road.topic, &kept).await;
    away(&road).await;
    road.send(&[one(3)]).await;
    let node = road.node(&[]).await;
    let status = road.arrived().await;
    let since = missed_since(&status);
    assert_ne!(since, Value::Null, "{status}");
    node.kill();

    // It stays told, also where it was away for a moment only.
    road.send(&[one(4)]).await;
    let _node = road.node(&[]).await;
    assert_eq!(missed_since(&road.arrived().await), since);
}

/// A deletion erases what is older, whatever comes in which order, and keeps what is newer.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_deletions_erase_what_is_older_and_nothing_newer() {
    let road = Road::fresh(1).await;
    let at = |hour: u32| format!("2023-01-01T{hour:02}:00:00Z");
    let live = |person: &str, hour: u32, traits: Value| json!({"type": "identify", "userId": person, "timestamp": at(hour), "messageId": format!("{person}-{hour}"), "traits": traits});
    for (hour, traits) in [
        (1, json!({"old": 1, "both": 1})),
        (9, json!({"new": 9, "both": 9})),
    ] {
        road.project
            .send("/v1/identify", &live("stays", hour, traits))
            .await;
    }
    road.project
        .send("/v1/identify", &live("goes", 1, json!({"old": 1})))
        .await;
    road.send(&[
        upsert("comes", &at(9), json!({"new": 9})),
        deletion("comes", &at(5)),
        upsert("comes", &at(2), json!({"old": 2})),
        deletion("stays", &at(5)),
        deletion("goes", &at(5)),
        deletion("never-seen", &at(5)),
        upsert("never-seen", &at(4), json!({"old": 4})),
        upsert("goes", &at(3), json!({"old": 3})),
    ])
    .await;
    let _node = road.node(&[]).await;
    let status = road.arrived().await;
    assert_eq!(status["rejected"], 3, "{status}");
    assert_eq!(
        road.project.profile("user_id:stays").await["traits"],
        json!({"new": 9, "both": 9})
    );
    assert_eq!(
        road.project.profile("user_id:comes").await["traits"],
        json!({"new": 9})
    );
    for gone in ["goes", "never-seen"] {
        let (status, _) = road
            .project
            .get(&format!("/v1/profiles/user_id:{gone}"))
            .await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{gone}");
    }
    let timeline = road.project.timeline("user_id:stays").await;
    wait_until("older events are gone too", PATIENCE, async || {
        road.project.timeline("user_id:stays").await.len() == 1
    })
    .await;
    assert!(!timeline.is_empty());
    let late = road
        .project
        .results(&[live("stays", 4, json!({"old": 4}))])
        .await;
    assert_eq!(
        late[0]["code"], "erased",
        "what is older stays out: {late:?}"
    );
    let kept = sql(
        &road.database_url,
        &format!(
            "SELECT count(*) FROM backfill_rejection WHERE source = '{}' AND record IS NOT NULL",
            road.topic
        ),
    )
    .await;
    assert_eq!(kept, ["0"], "of erased people no record is kept");
}
