//! Row 24 of field-backfill: many partitions, records that are thirty times as large as what Kafka sends of them, a slow database.

use super::{Road, Settings, upsert};
use crate::harness::{Project, Service, alone};
use crate::kafka::{Sent, shared_broker};
use crate::machine::{OwnDatabase, judge_peak};
use serde_json::json;
use std::time::Duration;

const PARTITIONS: i32 = 100;
const RECORDS: usize = 600;
/// Below the limit of a trait.
const TRAIT_BYTES: usize = 100_000;

/// Of each thousand letters fifty are drawn: about thirty to one on its way.
fn compressible() -> String {
    let piece = || {
        let drawn = (0..50).map(|_| rand::random_range('a'..='z'));
        drawn
            .chain(std::iter::repeat_n(' ', 950))
            .collect::<String>()
    };
    (0..TRAIT_BYTES / 1_000).map(|_| piece()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backfill_of_records_that_unpack_to_thirty_times_their_size_stays_small() {
    let _alone = alone().await;
    let database = OwnDatabase::start().await;
    let service = Service::start(&database.url, &[]).await;
    let project = Project::on(&service.url, &database.url).await;
    let address = database.at_a_distance(Duration::from_millis(30)).await;
    let slow = format!("postgresql://roster@{address}/roster");
    let broker = shared_broker().await;
    let road = Road::of(broker, PARTITIONS, Settings::default(), project, slow).await;
    let records = (0..RECORDS).map(|number| {
        let traits = json!({"one": compressible(), "two": compressible()});
        let at = "2023-01-01T00:00:00Z";
        Sent {
            partition: Some(number as i32 % PARTITIONS),
            ..upsert(&format!("p{}", number % 500), at, traits)
        }
    });
    let records: Vec<Sent> = records.collect();
    for part in records.chunks(100) {
        broker.produce_by(&road.topic, part, "zstd").await;
    }
    let node = road.node(&[]).await;
    road.arrived_after(Duration::from_secs(240)).await;
    let size = 2 * TRAIT_BYTES / 1_000;
    let attack = format!("{RECORDS} records of {size} KB in {PARTITIONS} partitions");
    judge_peak(&attack, node.pid());
}
