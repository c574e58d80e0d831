//! Merging: who is who in the end, whatever the order; timelines, old ids, cursors and conflicts.

use crate::harness::{Project, Service, shared};
use crate::strangers::trusting;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn track(id: &str, who: &Value) -> Value {
    let mut call = json!({"type": "track", "event": "Seen", "messageId": id});
    call.as_object_mut()
        .expect("an object")
        .extend(who.as_object().expect("an object").clone());
    call
}

fn alias(id: &str, user: &str, previous: &str) -> Value {
    json!({"type": "alias", "messageId": id, "userId": user, "previousId": previous})
}

async fn ids(project: &Project, references: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for reference in references {
        ids.push(
            project.profile(reference).await["id"]
                .as_str()
                .expect("text")
                .to_owned(),
        );
    }
    ids
}

fn message_ids(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["message_id"].as_str().expect("text"))
        .collect()
}

#[tokio::test]
async fn a_visitor_who_turns_out_to_be_known_is_merged() {
    let project = Project::fresh().await;
    let at = |second: u32| format!("2024-01-01T00:00:{second:02}Z");
    let identify = |id: &str, who: Value, at: String, traits: Value| {
        let mut call =
            json!({"type": "identify", "messageId": id, "timestamp": at, "traits": traits});
        call.as_object_mut()
            .expect("an object")
            .extend(who.as_object().expect("an object").clone());
        call
    };
    project
        .results(&[identify(
            "1",
            json!({"userId": "ada"}),
            at(1),
            json!({"plan": "pro", "city": "Ulm"}),
        )])
        .await;
    project
        .results(&[identify(
            "2",
            json!({"anonymousId": "phone"}),
            at(2),
            json!({"plan": "trial", "app": 3}),
        )])
        .await;
    let visitor = project.profile("anonymous_id:phone").await;
    let old_page = project
        .read("/v1/profiles/anonymous_id:phone/events?limit=1")
        .await;
    project
        .results(&[identify(
            "3",
            json!({"anonymousId": "phone", "userId": "ada"}),
            at(3),
            json!({}),
        )])
        .await;
    project
        .results(&[track("4", &json!({"anonymousId": "phone"}))])
        .await;
    let ada = project.profile("user_id:ada").await;
    assert_eq!(project.profile("anonymous_id:phone").await, ada);
    assert_eq!(
        ada["traits"],
        json!({"plan": "trial", "city": "Ulm", "app": 3})
    );
    let old_id = format!("id:{}", visitor["id"].as_str().expect("text"));
    assert_eq!(
        project.profile(&old_id).await,
        ada,
        "the absorbed id leads to the survivor"
    );
    assert_eq!(
        message_ids(&project.timeline("user_id:ada").await),
        ["4", "3", "2", "1"]
    );
    assert_eq!(project.event("2").await["profile_id"], ada["id"]);
    let cursor = old_page["next_cursor"].as_str().expect("a full page");
    let rest = project
        .read(&format!("/v1/profiles/user_id:ada/events?cursor={cursor}"))
        .await;
    assert_eq!(
        message_ids(rest["events"].as_array().expect("a list")),
        ["1"],
        "a cursor from before the merge goes on behind it"
    );
}

#[tokio::test]
async fn two_user_ids_never_merge_by_themselves_and_the_conflict_is_listed() {
    let project = Project::fresh().await;
    let family = json!({"email": "family@example.com"});
    for (id, user) in [("1", "ada"), ("2", "bob"), ("3", "bob")] {
        project
            .results(&[
                json!({"type": "identify", "userId": user, "traits": family, "messageId": id}),
            ])
            .await;
    }
    let [ada, bob] = &ids(&project, &["user_id:ada", "user_id:bob"]).await[..] else {
        panic!("two")
    };
    assert_ne!(ada, bob);
    assert_eq!(&ids(&project, &["email:family@example.com"]).await[0], ada);
    let listed = project.read("/v1/conflicts").await;
    let conflicts = listed["conflicts"].as_array().expect("a list");
    assert_eq!(conflicts.len(), 1, "a repeat is the same conflict");
    let named = ["kind", "value", "owner_id", "claimant_id"]
        .map(|field| conflicts[0][field].as_str().expect("text"));
    assert_eq!(named, ["email", "family@example.com", ada, bob]);
}

#[tokio::test]
async fn aliases_in_any_order_end_in_the_same_groups() {
    let calls = [
        track("t1", &json!({"userId": "a"})),
        track("t2", &json!({"userId": "b"})),
        track("t3", &json!({"anonymousId": "x"})),
        alias("m1", "a", "b"),
        alias("m2", "b", "c"),
        alias("m3", "c", "a"),
        alias("m4", "c", "x"),
        alias("m5", "a", "a"),
        track("t4", &json!({"userId": "c"})),
        track("t5", &json!({"userId": "other"})),
    ];
    for turn in 0..calls.len() {
        let project = trusting().await;
        let mut order: Vec<usize> = (0..calls.len()).collect();
        order.rotate_left(turn);
        if turn % 2 == 1 {
            order.reverse();
        }
        for index in order {
            project.results(&[calls[index].clone()]).await;
        }
        let group: BTreeSet<String> = ids(
            &project,
            &["user_id:a", "user_id:b", "user_id:c", "anonymous_id:x"],
        )
        .await
        .into_iter()
        .collect();
        assert_eq!(group.len(), 1, "turn {turn}");
        assert!(!group.contains(&ids(&project, &["user_id:other"]).await[0]));
        assert_eq!(project.timeline("user_id:b").await.len(), 9, "turn {turn}");
    }
}

#[tokio::test]
async fn two_nodes_merging_the_same_people_agree() {
    let shared = shared().await;
    let project = trusting().await;
    let other = Service::start(&shared.database_url, &[]).await;
    let twin = project.through(&other.url);
    for round in 0..20 {
        let name = |kind: &str| format!("{kind}{round}");
        project
            .results(&[
                track(&name("t"), &json!({"userId": name("u")})),
                track(&name("v"), &json!({"anonymousId": name("p")})),
                track(&name("w"), &json!({"userId": name("z")})),
            ])
            .await;
        let login = [
            track(
                &name("l"),
                &json!({"userId": name("u"), "anonymousId": name("p")}),
            ),
            alias(&name("m"), &name("z"), &name("u")),
        ];
        tokio::join!(project.results(&login), twin.results(&login));
        let found = ids(
            &project,
            &[
                &format!("user_id:u{round}"),
                &format!("anonymous_id:p{round}"),
                &format!("user_id:z{round}"),
            ],
        )
        .await;
        assert!(found.iter().all(|id| *id == found[0]), "{found:?}");
        assert_eq!(twin.timeline(&format!("user_id:z{round}")).await.len(), 5);
    }
}

#[tokio::test]
async fn a_server_key_merges_known_profiles() {
    let project = Project::fresh().await;
    project
        .results(&[
            track("1", &json!({"userId": "ada"})),
            track("2", &json!({"userId": "ada.l"})),
        ])
        .await;
    let merge = |key: String, from: &'static str| {
        let request = project
            .client
            .post(format!("{}/v1/profiles/user_id:ada/merge", project.url))
            .bearer_auth(key);
        async move {
            request
                .json(&json!({"from": from}))
                .send()
                .await
                .expect("an answer")
        }
    };
    assert_eq!(
        merge(project.write_key.clone(), "user_id:ada.l")
            .await
            .status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        merge(project.server_key.clone(), "user_id:nobody")
            .await
            .status(),
        StatusCode::NOT_FOUND
    );
    for _ in 0..2 {
        assert_eq!(
            merge(project.server_key.clone(), "user_id:ada.l")
                .await
                .status(),
            StatusCode::OK
        );
    }
    assert_eq!(
        project.profile("user_id:ada.l").await,
        project.profile("user_id:ada").await
    );
    assert_eq!(project.timeline("user_id:ada").await.len(), 2);
}

#[tokio::test]
async fn a_person_has_a_bounded_number_of_identities() {
    let project = Project::fresh().await;
    let calls: Vec<Value> = (0..999)
        .map(|number| {
            track(
                &format!("m{number}"),
                &json!({"userId": "crowd", "anonymousId": format!("a{number}")}),
            )
        })
        .collect();
    assert!(
        project
            .results(&calls)
            .await
            .iter()
            .all(|result| result["status"] == "stored")
    );
    // A browser that forgets draws a new id on each page: what is done there is the person's all the same.
    let results = project
        .results(&[
            track(
                "over",
                &json!({"userId": "crowd", "anonymousId": "one too many"}),
            ),
            track("fine", &json!({"userId": "crowd", "anonymousId": "a1"})),
        ])
        .await;
    assert!(results.iter().all(|result| result["status"] == "stored"));
    assert_eq!(
        project.event("over").await["name"],
        project.event("fine").await["name"]
    );
    let person = project.profile("user_id:crowd").await;
    assert_eq!(person["identities"].as_array().map(Vec::len), Some(1_000));
    let (status, _) = project
        .get("/v1/profiles/anonymous_id:one%20too%20many")
        .await;
    assert_eq!(status, reqwest::StatusCode::NOT_FOUND);
}
