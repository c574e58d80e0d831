//! Erasure: what is gone, what must not come back, what may, and what is left of a person afterwards.

use crate::harness::{Project, Service, alone, shared, sql, wait_until, whole_rows};
use crate::machine::metric;
use crate::strangers::trusting;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const ADA: &str = "ada-who-must-go";

/// Everything that Ada ever did: times of their own, no time at all, a device, an email, another user id.
fn life() -> Vec<Value> {
    let at = |second: u32| format!("2024-01-01T00:00:{second:02}Z");
    vec![
        json!({"type": "track", "event": "Opened", "anonymousId": "phone", "messageId": "1", "timestamp": at(1)}),
        json!({"type": "identify", "userId": ADA, "anonymousId": "phone", "messageId": "2", "timestamp": at(2),
            "traits": {"email": "ada@example.com", "plan": "pro"}}),
        json!({"type": "track", "event": "Paid", "userId": ADA, "messageId": "3", "properties": {"secret": "lovelace"}}),
        json!({"type": "identify", "userId": ADA, "messageId": "4", "traits": {"city": "Ulm"}}),
        json!({"type": "track", "event": "Read", "userId": "countess", "messageId": "5", "timestamp": at(5)}),
        json!({"type": "alias", "userId": ADA, "previousId": "countess", "messageId": "6"}),
        json!({"type": "track", "event": "Closed", "anonymousId": "phone", "messageId": "7", "timestamp": at(7)}),
    ]
}

const NAMES: [&str; 4] = [
    "user_id:ada-who-must-go",
    "user_id:countess",
    "email:ada@example.com",
    "anonymous_id:phone",
];

async fn unforget(project: &Project, reference: &str) -> StatusCode {
    let url = format!("{}/v1/profiles/{reference}/unforget", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    request.send().await.expect("an answer").status()
}

fn statuses(results: &[Value]) -> Vec<&str> {
    let told = |result: &Value| -> Option<String> {
        Some(
            result["code"]
                .as_str()
                .or(result["status"].as_str())?
                .to_owned(),
        )
    };
    results
        .iter()
        .map(|result| match told(result).as_deref() {
            Some("stored") => "stored",
            Some("duplicate") => "duplicate",
            Some("erased") => "erased",
            Some("forgotten") => "forgotten",
            _ => panic!("{result}"),
        })
        .collect()
}

async fn must_be_gone(project: &Project) {
    for name in NAMES {
        let (status, _) = project.get(&format!("/v1/profiles/{name}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{name}");
    }
    for id in 1..=7 {
        let (status, _) = project.get(&format!("/v1/events/{id}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "event {id}");
    }
}

/// Every row of the project in every table, as text.
async fn all_that_is_kept(project: &Project) -> String {
    let url = &shared().await.database_url;
    let mut kept = String::new();
    for table in [
        "profile",
        "identity",
        "event",
        "rejection",
        "conflict",
        "erasure",
        "erasure_request",
    ] {
        let rows = format!("SELECT * FROM {table} WHERE project_id = {}", project.id);
        kept.push_str(&whole_rows(url, &rows).await.join("\n"));
    }
    kept
}

#[tokio::test]
async fn everything_of_a_person_goes_and_no_replay_brings_it_back() {
    let project = trusting().await;
    project.results(&life()).await;
    let absorbed = project.profile("user_id:countess").await["id"].clone();
    let (status, receipt) = project.erase("email:ada@example.com").await;
    assert_eq!(status, StatusCode::OK, "{receipt}");
    assert_eq!(
        (&receipt["events"], &receipt["forgotten"]),
        (&json!(7), &json!(false))
    );
    assert!(receipt["identities"].as_i64() >= Some(4), "{receipt}");
    must_be_gone(&project).await;
    let by_id = format!("/v1/profiles/id:{}", absorbed.as_str().unwrap());
    assert_eq!(project.get(&by_id).await.0, StatusCode::NOT_FOUND);

    let replayed = project.results(&life()).await;
    assert_eq!(statuses(&replayed), ["duplicate"; 7]);
    must_be_gone(&project).await;

    // An old phone sends what it kept under ids that nobody has seen.
    let late: Vec<Value> = life()
        .into_iter()
        .filter(|call| call["timestamp"].is_string())
        .map(|mut call| {
            call["messageId"] = json!(format!("late-{}", call["messageId"]));
            call
        })
        .collect();
    assert_eq!(statuses(&project.results(&late).await), ["erased"; 4]);
    must_be_gone(&project).await;
    let listed = project.rejections().await;
    assert_eq!(listed.len(), 4, "each is listed");
    assert!(listed.iter().all(|rejection| rejection["code"] == "erased"));
}

#[tokio::test]
async fn newer_data_starts_a_new_profile_and_older_stays_out() {
    let project = trusting().await;
    project.results(&life()).await;
    let before = project.profile(NAMES[0]).await;
    project.erase(NAMES[0]).await;
    let again = [
        json!({"type": "identify", "userId": ADA, "anonymousId": "phone", "messageId": "new-1", "traits": {"plan": "free"}}),
        json!({"type": "track", "event": "Back", "anonymousId": "phone", "messageId": "new-2"}),
        json!({"type": "track", "event": "Old", "anonymousId": "phone", "messageId": "old-1", "timestamp": "2024-01-01T00:00:08Z"}),
        json!({"type": "identify", "userId": ADA, "messageId": "old-2", "timestamp": "2024-01-01T00:00:09Z", "traits": {"city": "Ulm"}}),
    ];
    let results = project.results(&again).await;
    assert_eq!(statuses(&results), ["stored", "stored", "erased", "erased"]);
    // Once more, alone, now that the names belong to somebody again.
    for call in &again[2..] {
        assert_eq!(
            statuses(&project.results(std::slice::from_ref(call)).await),
            ["erased"]
        );
    }
    let after = project.profile("anonymous_id:phone").await;
    assert_eq!(after["traits"], json!({"plan": "free"}));
    assert_ne!(after["id"], before["id"]);
    assert_eq!(project.timeline(NAMES[0]).await.len(), 2);
    assert_eq!(
        project.get("/v1/profiles/email:ada@example.com").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn somebody_else_on_an_erased_persons_device_is_somebody_else() {
    let project = trusting().await;
    project.results(&life()).await;
    project.results(&[json!({"type": "identify", "userId": "bob", "messageId": "b1", "traits": {"plan": "basic"}})]).await;
    project.erase(NAMES[0]).await;
    let calls = [
        json!({"type": "track", "event": "Old", "userId": "bob", "anonymousId": "phone", "messageId": "b2", "timestamp": "2024-01-01T00:00:08Z"}),
        json!({"type": "track", "event": "New", "userId": "bob", "anonymousId": "phone", "messageId": "b3"}),
    ];
    // What is older does not give him the phone, what is newer does.
    assert_eq!(statuses(&project.results(&calls[..1]).await), ["stored"]);
    assert_eq!(
        project.get("/v1/profiles/anonymous_id:phone").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(statuses(&project.results(&calls[1..]).await), ["stored"]);
    let bob = project.profile("user_id:bob").await;
    assert_eq!(project.profile("anonymous_id:phone").await["id"], bob["id"]);
    assert_eq!(project.timeline("user_id:bob").await.len(), 3);
    let old = json!({"type": "track", "event": "Opened", "anonymousId": "phone", "messageId": "b4", "timestamp": "2024-01-01T00:00:01Z"});
    assert_eq!(statuses(&project.results(&[old]).await), ["erased"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_forgotten_person_nothing_is_kept_until_the_block_is_lifted() {
    let _alone = alone().await;
    let short = [
        ("ROSTER__INGEST__WRITE_DEADLINE_MS", "4000"),
        ("ROSTER__DATABASE__STATEMENT_TIMEOUT_MS", "3000"),
    ];
    let service = Service::start(&shared().await.database_url, &short).await;
    let project = trusting().await.through(&service.url);
    project.results(&life()).await;
    let (status, receipt) = project.erase(&format!("{}?forget=true", NAMES[0])).await;
    assert_eq!(
        (status, &receipt["forgotten"]),
        (StatusCode::OK, &json!(true))
    );
    let newer = |id: &str| {
        vec![
            json!({"type": "track", "event": "lovelace", "userId": ADA, "messageId": format!("{id}-1")}),
            json!({"type": "identify", "anonymousId": "phone", "messageId": format!("{id}-2"), "traits": {"lovelace": 1}}),
            json!({"type": "track", "event": "lovelace", "userId": "countess", "anonymousId": "phone", "messageId": format!("{id}-3")}),
        ]
    };
    assert_eq!(
        statuses(&project.results(&newer("a")).await),
        ["forgotten"; 3]
    );
    let unreadable = json!({"type": "lovelace", "userId": ADA, "messageId": "a-4"});
    assert_eq!(
        project.results(&[unreadable]).await[0]["code"],
        "unknown_type"
    );
    assert!(
        metric(
            &service.url,
            "roster_items_rejected_total{code=\"forgotten\"}"
        )
        .await
            >= 3.0
    );
    must_be_gone(&project).await;

    let path = format!("/v1/erasures/{}", receipt["id"].as_str().unwrap());
    wait_until("the erasure is finished", PATIENCE, async || {
        project.read(&path).await["state"] == "finished"
    })
    .await;
    let kept = all_that_is_kept(&project).await;
    for word in [ADA, "countess", "phone", "example.com", "lovelace", "Ulm"] {
        assert!(!kept.contains(word), "{word} is kept:\n{kept}");
    }

    assert_eq!(unforget(&project, "user_id:countess").await, StatusCode::OK);
    assert_eq!(statuses(&project.results(&newer("b")).await), ["stored"; 3]);
    assert_eq!(
        statuses(&project.results(&life()).await),
        ["duplicate"; 7],
        "what was erased stays erased"
    );
    assert_eq!(project.timeline(NAMES[0]).await.len(), 1);
    assert_eq!(
        unforget(&project, "user_id:nobody").await,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_name_that_nobody_has_can_be_erased_ahead_of_a_backfill() {
    let project = Project::fresh().await;
    let (status, receipt) = project.erase("user_id:ada-who-must-go?forget=true").await;
    assert_eq!(
        (status, &receipt["identities"]),
        (StatusCode::OK, &json!(0))
    );
    let results = project.results(&life()[2..4]).await;
    assert_eq!(statuses(&results), ["forgotten"; 2]);
    let unknown = format!("id:{}", uuid::Uuid::new_v4());
    assert_eq!(project.erase(&unknown).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        project.erase("user_id:ada?forget=maybe").await.0,
        StatusCode::BAD_REQUEST
    );
    let other = Project::fresh().await;
    let path = format!("/v1/erasures/{}", receipt["id"].as_str().unwrap());
    assert_eq!(
        other.get(&path).await.0,
        StatusCode::NOT_FOUND,
        "another project's receipt"
    );
    assert_eq!(
        statuses(&other.results(&life()[2..4]).await),
        ["stored"; 2],
        "another project's person"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_half_way_during_ingest_it_is_finished_by_the_next() {
    const EVENTS: usize = 6_000;
    let _alone = alone().await;
    let database = &shared().await.database_url;
    let short = [
        ("ROSTER__INGEST__WRITE_DEADLINE_MS", "4000"),
        ("ROSTER__DATABASE__STATEMENT_TIMEOUT_MS", "3000"),
    ];
    let service = Service::start(database, &short).await;
    let project = Project::on(&service.url, database).await;
    let call = |number: usize| json!({"type": "track", "event": "Seen", "userId": ADA, "anonymousId": "phone", "messageId": format!("{number}"), "timestamp": "2024-01-01T00:00:00Z"});
    let calls: Vec<Value> = (0..EVENTS).map(call).collect();
    let (early, late) = calls.split_at(EVENTS * 3 / 4);
    for part in early.chunks(500) {
        project.results(part).await;
    }
    let ingesting = tokio::spawn({
        let (project, late) = (project.through(&service.url), late.to_vec());
        async move {
            for part in late.chunks(20) {
                let path = format!("{}/v1/batch", project.url);
                let request = project
                    .client
                    .post(path)
                    .basic_auth(&project.write_key, Some(""));
                // It dies under this, too: whoever gets no answer sends again, below.
                drop(request.json(&json!({"batch": part})).send().await);
            }
        }
    });
    let asking = tokio::spawn({
        let project = project.through(&service.url);
        async move {
            let url = format!("{}/v1/profiles/{}", project.url, NAMES[0]);
            // The service dies under it: there may be no answer.
            drop(
                project
                    .client
                    .delete(url)
                    .bearer_auth(&project.server_key)
                    .send()
                    .await,
            );
        }
    });
    let gone = async || {
        project.get(&format!("/v1/profiles/{}", NAMES[0])).await.0 == StatusCode::NOT_FOUND
    };
    wait_until("the person is gone", PATIENCE, gone).await;
    service.kill();
    asking.await.unwrap();
    ingesting.await.unwrap();

    let left = format!(
        "SELECT count(*) FROM event WHERE project_id = {} AND type <> 'erased'",
        project.id
    );
    let before = sql(database, &left).await;
    eprintln!("killed with {} of {EVENTS} events left", before[0]);
    let service = Service::start(database, &short).await;
    let project = project.through(&service.url);
    for part in calls.chunks(500) {
        let results = project.results(part).await;
        let told = statuses(&results);
        assert!(!told.contains(&"stored"), "a replay brought something back");
    }
    let unfinished = format!(
        "SELECT count(*) FROM erasure_request WHERE project_id = {} AND finished_at IS NULL",
        project.id
    );
    wait_until("it is finished", PATIENCE, async || {
        sql(database, &unfinished).await == ["0"]
    })
    .await;
    assert_eq!(sql(database, &left).await, ["0"]);
    assert!(gone_for_good(&project).await);
}

async fn gone_for_good(project: &Project) -> bool {
    let mut gone = true;
    for name in [NAMES[0], NAMES[3]] {
        gone &= project.get(&format!("/v1/profiles/{name}")).await.0 == StatusCode::NOT_FOUND;
    }
    gone
}

#[tokio::test]
async fn an_export_has_all_that_is_held_about_a_person_and_nothing_of_others() {
    const EVENTS: usize = 450;
    let project = trusting().await;
    project.results(&life()).await;
    let family = json!({"email": "family@example.com"});
    let rest: Vec<Value> = (0..EVENTS - 1)
        .map(|number| json!({"type": "track", "event": "Seen", "userId": ADA, "messageId": format!("more-{number}")}))
        .chain([
            json!({"type": "identify", "userId": ADA, "messageId": "family-1", "traits": family}),
            json!({"type": "identify", "userId": "bob", "messageId": "family-2", "traits": family}),
        ])
        .collect();
    project.results(&rest).await;
    let url = format!("{}/v1/profiles/user_id:countess/export", project.url);
    let request = project.client.get(&url).bearer_auth(&project.server_key);
    let text = request.send().await.unwrap().text().await.unwrap();
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |record: &str| -> Vec<&Value> {
        let is_one = |value: &&Value| value["record"] == record;
        records.iter().filter(is_one).collect()
    };
    let profile = of("profile")[0];
    assert_eq!(
        (&profile["traits"]["city"], &records[0]),
        (&json!("Ulm"), profile)
    );
    let exported: Vec<&Value> = of("event")
        .iter()
        .map(|event| &event["message_id"])
        .collect();
    let timeline = project.timeline("user_id:ada-who-must-go").await;
    let read: Vec<&Value> = timeline.iter().map(|event| &event["message_id"]).collect();
    assert_eq!((exported.len(), exported), (EVENTS + 7, read));
    let conflicts = of("conflict");
    assert_eq!(
        (conflicts.len(), &conflicts[0]["value"]),
        (1, &json!("family@example.com"))
    );
    assert_eq!(of("merge").len(), 1);
    assert_eq!(records.len(), 1 + EVENTS + 7 + 1 + 1);
    let stranger = Project::fresh().await;
    let request = project.client.get(&url).bearer_auth(&stranger.server_key);
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}
