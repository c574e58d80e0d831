//! Writing: receipts, exactly once, convergence, and bad neighbours.

use crate::harness::{Project, Service, fresh_database, sql};
use serde_json::{Value, json};

fn track(message_id: &str, user: &str, event: &str) -> Value {
    json!({"type": "track", "userId": user, "event": event, "messageId": message_id})
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results
        .iter()
        .map(|result| result["status"].as_str().expect("text"))
        .collect()
}

#[tokio::test]
async fn an_event_is_stored_once_however_often_it_comes() {
    let project = Project::fresh().await;
    let items = [
        track("m1", "ada", "A"),
        track("m2", "ada", "B"),
        track("m1", "ada", "A"),
    ];
    assert_eq!(
        statuses(&project.results(&items).await),
        ["stored", "stored", "duplicate"]
    );
    assert_eq!(statuses(&project.results(&items).await), ["duplicate"; 3]);
    assert_eq!(project.timeline("user_id:ada").await.len(), 2);
}

#[tokio::test]
async fn a_bad_item_costs_its_neighbours_nothing() {
    let project = Project::fresh().await;
    let items = [
        track("good-1", "ada", "A"),
        json!({"type": "track", "event": "nobody", "messageId": "bad-1"}),
        json!({"type": "track", "userId": "ada", "event": "x".repeat(40_000), "messageId": "bad-2"}),
        json!({"type": "track", "userId": "ada", "event": "late", "timestamp": "99999-01-01T00:00:00Z", "messageId": "bad-3"}),
        json!({"type": "track", "userId": "ada", "event": "long", "messageId": "x".repeat(10_000)}),
        json!({"type": "dance", "userId": "ada", "messageId": "bad-5"}),
        track("good-2", "ada", "B"),
    ];
    let results = project.results(&items).await;
    let expected = [
        "stored", "rejected", "rejected", "stored", "rejected", "rejected", "stored",
    ];
    assert_eq!(statuses(&results), expected);
    let codes: Vec<&str> = results
        .iter()
        .filter_map(|result| result["code"].as_str())
        .collect();
    assert_eq!(
        codes,
        ["missing_identity", "too_long", "too_long", "unknown_type"]
    );
    let mut listed: Vec<String> = project
        .rejections()
        .await
        .iter()
        .map(|refused| refused["code"].as_str().expect("text").to_owned())
        .collect();
    listed.sort();
    assert_eq!(
        listed,
        [
            "mended",
            "missing_identity",
            "too_long",
            "too_long",
            "unknown_type"
        ]
    );
    assert_eq!(project.timeline("user_id:ada").await.len(), 3);
}

#[tokio::test]
async fn traits_converge_whatever_the_order() {
    let project = Project::fresh().await;
    let identify = |id: &str, at: &str, traits: Value| json!({"type": "identify", "userId": "ada", "messageId": id, "timestamp": at, "traits": traits});
    let writes = [
        identify(
            "1",
            "2024-01-01T00:00:02Z",
            json!({"plan": "pro", "age": 36, "gone": "x"}),
        ),
        identify("2", "2024-01-01T00:00:03Z", json!({"gone": null})),
        identify(
            "3",
            "2024-01-01T00:00:01Z",
            json!({"plan": "free", "city": "Ulm", "gone": "y"}),
        ),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let project = Project::fresh().await;
        for index in order {
            project.send("/v1/identify", &writes[index]).await;
        }
        assert_eq!(
            project.profile("user_id:ada").await["traits"],
            json!({"plan": "pro", "age": 36, "city": "Ulm"}),
            "{order:?}"
        );
    }
    project.results(&writes).await;
    let before = project.profile("user_id:ada").await;
    assert_eq!(
        before["traits"],
        json!({"plan": "pro", "age": 36, "city": "Ulm"})
    );
    project.results(&writes).await;
    assert_eq!(
        project.profile("user_id:ada").await["version"],
        before["version"],
        "a repeat writes nothing"
    );
}

#[tokio::test]
async fn names_are_linked_and_people_on_one_device_stay_apart() {
    let project = Project::fresh().await;
    project
        .send(
            "/v1/track",
            &json!({"anonymousId": "phone", "event": "Seen", "messageId": "1"}),
        )
        .await;
    project.send("/v1/identify", &json!({"anonymousId": "phone", "userId": "ada", "traits": {"email": " Ada@Example.com"}, "messageId": "2"})).await;
    let ada = project.profile("user_id:ada").await;
    assert_eq!(project.profile("anonymous_id:phone").await["id"], ada["id"]);
    assert_eq!(
        project.profile("email:ada@example.com").await["id"],
        ada["id"]
    );
    assert_eq!(project.timeline("user_id:ada").await.len(), 2);
    project
        .send(
            "/v1/track",
            &json!({"anonymousId": "phone", "userId": "bob", "event": "Seen", "messageId": "3"}),
        )
        .await;
    let bob = project.profile("user_id:bob").await;
    assert_ne!(bob["id"], ada["id"]);
    assert_eq!(project.profile("anonymous_id:phone").await["id"], ada["id"]);
}

#[tokio::test]
async fn data_that_the_database_refuses_is_one_items_problem() {
    let database_url = fresh_database().await;
    let service = Service::start(&database_url, &[]).await;
    let project = Project::on(&service.url, &database_url).await;
    // Nothing that passes our checks is known to be refused, so this database gets a whim of its own.
    sql(
        &database_url,
        "ALTER TABLE event ADD CHECK (name <> 'poison')",
    )
    .await;
    let name = |number| {
        if number == 5 || number == 60 {
            "poison"
        } else {
            "fine"
        }
    };
    let items: Vec<Value> = (0..100)
        .map(|number| track(&format!("m{number}"), "ada", name(number)))
        .collect();
    let results = project.results(&items).await;
    for (number, result) in results.iter().enumerate() {
        let expected = if name(number) == "poison" {
            "rejected"
        } else {
            "stored"
        };
        assert_eq!(result["status"], expected, "{result}");
    }
    assert_eq!(results[5]["code"], "refused_by_database");
    let listed: Vec<Value> = project.rejections().await;
    assert_eq!(listed.len(), 2);
    assert!(
        listed
            .iter()
            .all(|refused| refused["item"]["name"] == "poison")
    );
    assert_eq!(project.timeline("user_id:ada").await.len(), 98);
}

#[tokio::test]
async fn a_resend_undoes_nothing_newer() {
    let project = Project::fresh().await;
    let identify = |id: &str, plan: &str| json!({"type": "identify", "userId": "ada", "messageId": id, "traits": {"plan": plan}});
    // Without a time of its own a call is as new as its receipt; a copy must not be newer than the first.
    project.results(&[identify("1", "free")]).await;
    project.results(&[identify("2", "pro")]).await;
    assert_eq!(
        statuses(&project.results(&[identify("1", "free")]).await),
        ["duplicate"]
    );
    assert_eq!(
        project.profile("user_id:ada").await["traits"],
        json!({"plan": "pro"})
    );
}

#[tokio::test]
async fn what_is_received_is_stored_duplicate_or_rejected() {
    let database_url = fresh_database().await;
    let service = Service::start(&database_url, &[]).await;
    let project = Project::on(&service.url, &database_url).await;
    project
        .results(&[
            track("m1", "ada", "A"),
            track("m1", "ada", "A"),
            json!({"type": "dance"}),
        ])
        .await;
    let metrics = project
        .client
        .get(format!("{}/metrics", project.url))
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("text");
    let count = |name: &str| -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines
            .map(|line| {
                line.rsplit(' ')
                    .next()
                    .expect("a value")
                    .parse::<f64>()
                    .expect("a number")
            })
            .sum()
    };
    let counts = ["received", "stored", "duplicate", "rejected"]
        .map(|what| count(&format!("roster_items_{what}_total")));
    assert_eq!(counts, [3.0, 1.0, 1.0, 1.0]);
}
