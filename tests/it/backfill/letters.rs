//! Rows 38 and 40 of field-backfill: a dead-letter topic that is not there yet, and a batch that is damaged on the disk.

use super::{PATIENCE, Road, upsert};
use crate::forms::of_form;
use crate::harness::wait_until;
use crate::kafka::{Sent, shared_broker};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const GOOD: usize = 9_900;
const POISON: usize = 100;

fn person(number: usize) -> Sent {
    let traits = json!({"n": number});
    upsert(&format!("p{number}"), "2023-01-01T00:00:00Z", traits)
}

/// All is stored and listed at once; the letters follow when somebody makes the topic, each once.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_stores_and_lists_at_once_while_letters_wait_for_their_topic() {
    let road = Road::on(shared_broker().await, 2, "max_rejected_percent = 100").await;
    let mut records: Vec<Sent> = (0..GOOD).map(person).collect();
    for number in 0..POISON {
        let poison = Sent {
            value: Some(format!("no JSON {number}").into_bytes()),
            ..Sent::default()
        };
        records.insert(number * 100, poison);
    }
    road.send(&records).await;
    let _node = road.node(&[]).await;
    let status = road.arrived().await;
    assert_eq!(
        (&status["stored"], &status["rejected"]),
        (&json!(GOOD), &json!(POISON)),
        "{status}"
    );
    assert_eq!(road.refusals().await.len(), POISON);
    tokio::time::sleep(Duration::from_secs(of_form(3, 60))).await;
    let dead = format!("{}-dead", road.topic);
    road.broker.create_topic(&dead, 1, &[]).await;
    wait_until("the letters follow", PATIENCE, async || {
        road.broker.ends(&dead) == [POISON as i64]
    })
    .await;
    let letters = road.broker.records(&dead).await;
    let letters: BTreeSet<_> = letters.into_iter().map(|letter| letter.value).collect();
    assert_eq!(letters.len(), POISON, "each once");
}

/// The source stops before the damaged record and says so; what is behind it is not taken in its stead.
#[tokio::test(flavor = "multi_thread")]
async fn backfill_pauses_at_a_batch_that_is_damaged_on_the_disk() {
    let road = Road::fresh(1).await;
    for name in ["before", "damaged", "behind"] {
        let people = (0..10).map(|number| {
            let traits = json!({"note": format!("{name}-{number}")});
            upsert(&format!("{name}{number}"), "2023-01-01T00:00:00Z", traits)
        });
        road.send(&people.collect::<Vec<_>>()).await;
    }
    road.broker.damage(&road.topic, "damaged-5");
    let _node = road.node(&[]).await;
    wait_until("it pauses", PATIENCE, async || {
        road.status().await["state"] == "paused"
    })
    .await;
    let status = road.status().await;
    let reason = status["reason"].as_str().expect("a text");
    assert!(reason.contains("damaged"), "{reason}");
    // What one answer brings together with the damage may be held back with it.
    assert!(road.passed().await <= 15, "{status}");
    // The same again makes it whole.
    road.broker.damage(&road.topic, "eamaged-5");
    road.command(&["resume", &road.topic]);
    let status = road.arrived().await;
    // What was taken in before the pause, and not yet noted as passed, comes once more.
    let count = |name: &str| status[name].as_i64().expect("a number");
    assert_eq!(count("stored") + count("unchanged"), 30, "{status}");
    assert_eq!(count("rejected"), 0, "{status}");
}
