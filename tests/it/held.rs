//! What requests hold while they are written: many small items, few bytes that become many, people of many names and large ones.

use crate::harness::{Project, Service, alone, connect, shared, sql, wait_until};
use crate::machine::{OwnDatabase, judge_peak, metric, resident_memory_mib};
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Long enough for 150 people of 900 KB on a machine that does other things too: a minute when it does not.
const PATIENCE: Duration = Duration::from_secs(300);
const ITEMS: usize = 5_000;

async fn own_service() -> (Service, Project) {
    service_on(&shared().await.database_url).await
}

async fn service_on(database: &str) -> (Service, Project) {
    let service = Service::start(database, &[]).await;
    let project = Project::on(&service.url, database).await;
    (service, project)
}

/// The peak, printed and held against the bound; all room has to come back, and the service to work.
async fn judge(attack: &str, service: &Service, project: &Project) {
    judge_peak(attack, service.pid());
    wait_until("all room is free again", PATIENCE, async || {
        metric(
            &service.url,
            "roster_admission_available_bytes{room=\"requests\"}",
        )
        .await
            == 33_554_432.0
    })
    .await;
    let call = json!({"userId": "ada", "event": "Still here"});
    wait_until("it stores", PATIENCE, async || {
        project.post("/v1/track", &call).await.status() == StatusCode::OK
    })
    .await;
}

/// Nothing but 200 and 503 with a time to come again.
async fn statuses(project: &Project, bodies: &[Value]) -> (usize, usize) {
    let post = async |body| {
        let reply = project.post("/v1/batch", body).await;
        let again = reply.headers().contains_key("retry-after");
        (reply.status(), again)
    };
    let (mut stored, mut refused) = (0, 0);
    for (status, again) in join_all(bodies.iter().map(post)).await {
        match status {
            StatusCode::OK => stored += 1,
            StatusCode::SERVICE_UNAVAILABLE if again => refused += 1,
            other => panic!("{other}"),
        }
    }
    (stored, refused)
}

/// A lock that no writer gets past is `PostgreSQL`'s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_many_small_items_behind_a_locked_table_are_held_within_the_room() {
    let _alone = alone().await;
    let own = OwnDatabase::start().await;
    let database = own.url.clone();
    let (service, project) = service_on(&database).await;
    let body = json!({"batch": vec![json!({}); ITEMS]});
    assert!(body.to_string().len() < 16_000);
    let mut holder = connect(&database).await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE rejection, event, identity IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let bodies = vec![body; 400];
    let (_, refused) = statuses(&project, &bodies).await;
    lock.rollback().await.unwrap();
    assert!(refused > 0);
    judge(
        "400 times 5,000 empty calls behind a lock",
        &service,
        &project,
    )
    .await;
}

/// As many files as a node takes at once, whose lines are short: what becomes of a record, or of a line that is none, is twenty and hundreds of
/// times its bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_files_of_short_lines_behind_a_locked_table_are_held_within_the_bound() {
    let _alone = alone().await;
    let own = OwnDatabase::start().await;
    let database = own.url.clone();
    let (service, project) = service_on(&database).await;
    let other = Project::on(&service.url, &database).await;
    let mut holder = connect(&database).await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE event, identity, import_rejection IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let records = "{\"type\":\"page\",\"userId\":\"1\"}\n".repeat(60_000);
    let junk = "x\n".repeat(600_000);
    let sent: Vec<_> = (0..8)
        .map(|number| {
            let project = if number < 4 { &project } else { &other };
            let url = format!(
                "{}/v1/imports?format=ndjson&name=short-{number}",
                project.url
            );
            let file = if number % 2 == 0 { &records } else { &junk };
            let request = project
                .client
                .post(url)
                .basic_auth(&project.server_key, Some(""));
            tokio::spawn(request.body(file.clone()).send())
        })
        .collect();
    // All of them are read as far as they can be.
    let held = std::cell::Cell::new(0);
    wait_until("no more is held", PATIENCE, async || {
        sleep(Duration::from_secs(2)).await;
        let now = resident_memory_mib(service.pid());
        now > 40 && held.replace(now) >= now
    })
    .await;
    sent.iter().for_each(JoinHandle::abort);
    lock.rollback().await.unwrap();
    judge(
        "eight files of short lines behind a lock",
        &service,
        &project,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_that_stands_in_every_call_counts_as_often_as_it_is_stored() {
    let _alone = alone().await;
    let (service, project) = own_service().await;
    let batch = |context: usize, own: bool| {
        let mut call = json!({"type": "track", "event": "e", "userId": "ada"});
        if own {
            call["context"] = json!({"ip": "1"});
        }
        json!({"batch": vec![call; ITEMS], "context": {"filler": "x".repeat(context)}})
    };
    for own in [false, true] {
        let reply = project.post("/v1/batch", &batch(150_000, own)).await;
        assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let told: Value = reply.json().await.unwrap();
        assert_eq!(told["code"], "body_too_large");
        let reply = project.post("/v1/batch", &batch(1_500, own)).await;
        assert_eq!(reply.status(), StatusCode::OK);
    }
    let bodies = vec![batch(1_900, true); 64];
    statuses(&project, &bodies).await;
    judge("a context in 5,000 calls, 64 at once", &service, &project).await;
}

/// Traits of about `bytes`, in pieces that keep the limit of a trait.
fn large_traits(bytes: usize) -> Value {
    let piece = "x".repeat(90_000);
    let pieces = (0..bytes / piece.len()).map(|number| (format!("large_{number}"), json!(piece)));
    Value::Object(pieces.collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_person_with_many_names_is_read_once() {
    let _alone = alone().await;
    let (service, project) = own_service().await;
    let names = |from: usize, to: usize| -> Vec<Value> {
        (from..to)
            .map(|number| json!({"type": "identify", "userId": "ada", "anonymousId": format!("browser-{number}")}))
            .collect()
    };
    for first in (0..900).step_by(300) {
        project
            .send("/v1/batch", &json!({"batch": names(first, first + 300)}))
            .await;
    }
    let large = json!({"userId": "ada", "traits": large_traits(990_000)});
    project.send("/v1/identify", &large).await;
    let calls: Vec<Value> = (0..900)
        .map(|number| json!({"type": "identify", "anonymousId": format!("browser-{number}"), "traits": {"seen": number}}))
        .collect();
    let bodies = vec![json!({"batch": calls}); 8];
    let (stored, _) = statuses(&project, &bodies).await;
    assert!(stored > 0);
    judge(
        "900 names of a profile of 990 KB, 8 at once",
        &service,
        &project,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_people_in_one_batch_are_read_in_pieces() {
    let _alone = alone().await;
    let (service, project) = own_service().await;
    for person in 0..150 {
        let large = json!({"userId": format!("user-{person}"), "traits": large_traits(900_000)});
        project.send("/v1/identify", &large).await;
    }
    let database = &shared().await.database_url;
    let sizes = [
        "size_bytes",
        "0", // not written since sizes are kept
    ];
    for (round, size) in sizes.into_iter().enumerate() {
        let project_id = project.id;
        let set = format!("UPDATE profile SET size_bytes = {size} WHERE project_id = {project_id}");
        sql(database, &set).await;
        let calls: Vec<Value> = (0..150)
            .map(|person| json!({"type": "identify", "userId": format!("user-{person}"), "traits": {"round": round}}))
            .collect();
        let body = json!({"batch": calls});
        wait_until(
            "a resend completes what the time did not suffice for",
            PATIENCE,
            async || project.post("/v1/batch", &body).await.status() == StatusCode::OK,
        )
        .await;
        let last = project.profile("user_id:user-149").await;
        assert_eq!(last["traits"]["round"], round);
    }
    judge("150 people of 900 KB in one batch", &service, &project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_of_large_people_keep_the_newest_and_say_what_went() {
    let _alone = alone().await;
    let (service, project) = own_service().await;
    for browser in 0..20 {
        let traits: serde_json::Map<String, Value> = large_traits(900_000)
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (format!("{name}_{browser}"), value.clone()))
            .collect();
        let call = json!({"anonymousId": format!("browser-{browser}"), "traits": traits,
            "timestamp": format!("2026-01-{:02}T00:00:00Z", browser + 1)});
        project.send("/v1/identify", &call).await;
    }
    let aliases: Vec<Value> = (0..20)
        .map(|browser| json!({"type": "alias", "userId": "ada", "previousId": format!("browser-{browser}")}))
        .collect();
    project.send("/v1/batch", &json!({"batch": aliases})).await;
    let ada = project.profile("user_id:ada").await;
    let traits = ada["traits"].as_object().unwrap();
    assert!(ada["traits"].to_string().len() <= 1_100_000);
    assert!(traits.contains_key("large_0_19") && !traits.contains_key("large_0_0"));
    let listed = project.rejections().await;
    assert!(
        listed
            .iter()
            .any(|one| one["code"] == "profile_too_large" && one["item"]["dropped"].is_array()),
        "{listed:?}"
    );
    judge("20 people of 900 KB joined", &service, &project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_visitors_become_known_in_one_request() {
    let _alone = alone().await;
    let (service, project) = own_service().await;
    let visits: Vec<Value> = (0..2_000)
        .map(|number| json!({"type": "page", "anonymousId": format!("browser-{number}")}))
        .collect();
    project.send("/v1/batch", &json!({"batch": visits})).await;
    let signups: Vec<Value> = (0..2_000)
        .flat_map(|number| {
            let (user, browser) = (format!("user-{number}"), format!("browser-{number}"));
            [
                json!({"type": "identify", "userId": user, "traits": {"n": number}}),
                json!({"type": "identify", "userId": user, "anonymousId": browser}),
            ]
        })
        .collect();
    project.send("/v1/batch", &json!({"batch": signups})).await;
    for number in [0, 999, 1_999] {
        let known = project
            .profile(&format!("anonymous_id:browser-{number}"))
            .await;
        assert_eq!(known["traits"]["n"], number);
    }
    judge(
        "2,000 visitors who become known at once",
        &service,
        &project,
    )
    .await;
}
