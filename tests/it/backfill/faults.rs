//! Faults F6, F8 to F13: every record is taken, and taken twice changes nothing. `make faults` (`ROSTER_FAULTS=long`) kills more often
//! and stays away longer.

use super::{PATIENCE, Road, Settings, history, takes_part, upsert};
use crate::forms::of_form;
use crate::harness::{Project, Service, wait_until};
use crate::kafka::{Broker, Sent, shared_broker};
use crate::ledger::Load;
use crate::machine::{OwnDatabase, metric};
use reqwest::StatusCode;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

/// Faults F12 and F13: poison in between, everything three times and shuffled.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_three_times_and_shuffled_with_poison_ends_like_once() {
    let road = Road::fresh(4).await;
    road.broker
        .create_topic(&format!("{}-dead", road.topic), 1, &[])
        .await;
    let (mut records, expected) = history(60, 6, 3);
    let huge = format!("{{\"roster\": 1, \"junk\": \"{}\"}}", "x".repeat(10 << 20));
    for (place, poison) in ["{", "[1]", "\u{0}", &huge, "7"].into_iter().enumerate() {
        let value = Some(poison.as_bytes().to_vec());
        records.insert(
            place * 150,
            Sent {
                value,
                key: Some(b"poison".to_vec()),
                ..Sent::default()
            },
        );
    }
    records.push(Sent {
        key: Some(b"p1".to_vec()),
        ..Sent::default()
    });
    records.push(Sent {
        key: None,
        ..upsert("p1", "2022-01-01T00:00:00Z", json!({"version": -1}))
    });
    road.send(&records).await;
    let _node = road.node(&[]).await;
    road.arrived_whole().await;
    road.ends_as(60, &expected).await;
    wait_until("dead letters follow", PATIENCE, async || {
        road.broker.ends(&format!("{}-dead", road.topic)) == [5]
    })
    .await;
    let letters = road.broker.records(&format!("{}-dead", road.topic)).await;
    let header = |letter: &Sent, name: &str| {
        let found = letter.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    for letter in &letters {
        assert_eq!(
            header(letter, "__connect.errors.topic").as_deref(),
            Some(&*road.topic)
        );
        assert!(header(letter, "__connect.errors.exception.message").is_some());
        assert!(letter.value.as_ref().expect("a value").len() <= 1_000_000);
    }
    let refusals = road.refusals().await;
    let poison = refusals.iter().filter(|one| one["code"] != "erased");
    assert_eq!(poison.count(), 5);
    assert!(
        refusals.iter().any(|one| one["code"] == "record_too_large"),
        "{refusals:?}"
    );
}

/// Faults F6, F8, F11 and kill -9: whatever dies, every record is taken, and taken twice changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_survives_its_own_death_between_commit_and_offsets() {
    let road = Road::fresh(4).await;
    let kills = of_form(4, 30);
    let (records, expected) = history(100, 2 * kills as usize, 1);
    road.send(&records).await;
    let slow = [
        ("ROSTER__BACKFILL__BATCH_RECORDS", "40"),
        ("ROSTER__BACKFILL__RECORDS_PER_SECOND", "150"),
    ];
    let dying = [
        &slow[..],
        &[(
            "FAILPOINTS",
            "between-commit-and-offsets=3*off->1*panic(abort)->off",
        )],
    ]
    .concat();
    for round in 0..kills {
        let before = road.passed().await;
        let node = road.node(if round % 2 == 0 { &dying } else { &slow }).await;
        road.goes_beyond(before).await;
        node.kill();
    }
    let _node = road.node(&[]).await;
    road.arrived_whole().await;
    road.ends_as(100, &expected).await;
}

/// Fault F8: the broker dies by kill -9 and stays away for a while; requests do not notice.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_waits_for_brokers_that_are_away_while_requests_go_on() {
    let mut broker = Broker::start().await;
    let road = Road::on(&broker, 4, "records_per_second = 300").await;
    let (records, expected) = history(60, 10, 1);
    road.send(&records).await;
    let node = road.node(&[]).await;
    road.goes_beyond(0).await;
    let Road {
        project,
        topic,
        settings,
        database_url,
        ..
    } = road;
    broker.kill();
    for number in 0..20 {
        let live = json!({"type": "track", "event": "Seen", "userId": "p1", "messageId": format!("live-{number}")});
        // A machine that is busy with something else may take longer than a statement may: then it is sent again, as an SDK does.
        wait_until("a live call is stored", PATIENCE, async || {
            let reply = project.through(&node.url).post("/v1/track", &live).await;
            reply.status() == StatusCode::OK
        })
        .await;
    }
    // The whole is as long as it says: a minute in the long form.
    sleep(Duration::from_secs(of_form(0, 60))).await;
    broker.start_again().await;
    let road = Road {
        broker: &broker,
        project,
        topic,
        settings,
        database_url,
    };
    road.arrived_whole().await;
    road.ends_as(60, &expected).await;
}

/// Fault F9: consumers come and go; each partition is one member's at a time.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_is_taken_once_by_consumers_that_come_and_go() {
    let road = Road::fresh(6).await;
    let (records, expected) = history(120, 10, 1);
    road.send(&records).await;
    let slow = [
        ("ROSTER__BACKFILL__RECORDS_PER_SECOND", "80"),
        ("ROSTER__BACKFILL__BATCH_RECORDS", "30"),
    ];
    let _first = road.node(&slow).await;
    for _ in 0..of_form(3, 12) {
        let second = road.node(&slow).await;
        takes_part(&second).await;
        let third = road.node(&slow).await;
        takes_part(&third).await;
        assert!(second.terminate().await.success());
        third.kill();
    }
    let _fast = road.node(&[]).await;
    road.arrived_whole().await;
    road.ends_as(120, &expected).await;
}

/// A member that has read a partition to its end, and not taken all of it, gives it up and gets it back: the end that it saw says
/// nothing about what it has yet to take.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_goes_on_in_a_partition_that_went_away_and_came_back() {
    let road = Road::fresh(2).await;
    let (records, expected) = history(40, 10, 1);
    road.send(&records).await;
    // So slow that there is enough left for the second one, however long it takes to start.
    let slow = ("ROSTER__BACKFILL__RECORDS_PER_SECOND", "5");
    let batches = ("ROSTER__BACKFILL__BATCH_RECORDS", "5");
    // For so long nothing can come of what it is given back, which is how long it takes to be sure of an end.
    let slow_return = ("FAILPOINTS", "partitions-assigned=1*off->sleep(6000)");
    let first = road.node(&[slow, batches, slow_return]).await;
    road.goes_beyond(0).await;
    let second = road.node(&[slow, batches]).await;
    wait_until("it takes records", PATIENCE, async || {
        metric(&second.url, "roster_backfill_records_total").await > 0.0
    })
    .await;
    let rebalances = async || metric(&first.url, "roster_backfill_rebalances_total").await;
    let before = rebalances().await;
    assert!(second.terminate().await.success());
    let is_back = async || rebalances().await > before;
    wait_until("it has all partitions again", PATIENCE, is_back).await;
    let _fast = road.node(&[]).await;
    road.arrived_whole().await;
    road.ends_as(40, &expected).await;
}

/// Faults F6 and F10: a database that answers nothing for longer than Kafka lets a member be silent, under live traffic. The member
/// stays one or becomes one again, nothing is lost, nobody's live call is taken for written.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_outlasts_a_frozen_database() {
    let database = OwnDatabase::start().await;
    let service = Service::start(&database.url, &[]).await;
    let project = Project::on(&service.url, &database.url).await;
    let settings = Settings {
        properties: "\"session.timeout.ms\" = \"6000\"\n\"max.poll.interval.ms\" = \"6000\"",
        ..Settings::default()
    };
    let url = database.url.clone();
    let road = Road::of(shared_broker().await, 4, settings, project, url).await;
    let (records, expected) = history(100, 10, 1);
    road.send(&records).await;
    let live = Project::on(&service.url, &database.url).await;
    let load = Load::small(&live, &[&service.url]);
    let node = road
        .node(&[("ROSTER__BACKFILL__RECORDS_PER_SECOND", "100")])
        .await;
    road.goes_beyond(0).await;
    let frozen = database.freeze();
    sleep(Duration::from_secs(of_form(10, 30))).await;
    drop(frozen);
    node.terminate().await;
    let _fast = road.node(&[]).await;
    road.arrived_whole().await;
    road.ends_as(100, &expected).await;
    load.must_be_clean("beside a backfill in a frozen database", &database.url)
        .await;
}

/// The newer protocol of consumer groups (KIP-848) does as well.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_takes_part_in_groups_of_the_newer_protocol() {
    let broker = shared_broker().await;
    let properties = "\"group.protocol\" = \"consumer\"";
    let road = Road::with(broker, 4, "", "", properties).await;
    let (records, expected) = history(40, 5, 1);
    road.send(&records).await;
    let (one, two) = (road.node(&[]).await, road.node(&[]).await);
    takes_part(&one).await;
    takes_part(&two).await;
    assert!(one.terminate().await.success());
    road.arrived_whole().await;
    road.ends_as(40, &expected).await;
}
