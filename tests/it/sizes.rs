//! How much one event may say, and how large a profile may grow: the surplus of one call is left out and told, a profile's growth is
//! refused, with the size and the limit; neighbours are stored.

use crate::harness::Project;
use serde_json::{Map, Value, json};

fn identify(id: &str, traits: Value) -> Value {
    json!({"type": "identify", "userId": "ada", "messageId": id, "traits": traits})
}

fn many(count: usize, prefix: &str) -> Value {
    let member = |number| (format!("{prefix}{number}"), json!(1));
    Value::Object((0..count).map(member).collect::<Map<_, _>>())
}

fn codes_of(results: &[Value]) -> Vec<Option<&str>> {
    let codes = results.iter().map(|result| result["code"].as_str());
    codes.collect()
}

#[tokio::test]
async fn what_one_call_may_state_is_bounded() {
    let project = Project::fresh().await;
    let mut bobs_many = identify("6", many(1_001, "x"));
    bobs_many["userId"] = json!("bob");
    let nested = json!({"a": {"b": [many(5_000, "x"), many(5_000, "y")]}});
    let results = project
        .results(&[
            identify("1", json!({"bio": "x".repeat(102_398)})),
            identify("2", json!({"plan": "pro", "bio": "x".repeat(102_399)})),
            json!({"type": "track", "event": "E", "userId": "ada", "messageId": "3", "properties": many(8_000, "x")}),
            json!({"type": "track", "event": "E", "userId": "ada", "messageId": "4", "properties": nested}),
            json!({"type": "group", "groupId": "g", "userId": "ada", "messageId": "5", "traits": many(8_001, "x")}),
            bobs_many,
            // Colons in texts are no keys.
            json!({"type": "track", "event": "E", "userId": "ada", "messageId": "7", "properties": {"text": ":".repeat(9_000)}}),
        ])
        .await;
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            assert_eq!(result["status"], "stored", "{result}");
            let told = &result["warnings"][0];
            (told["code"].as_str(), told["field"].as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            (None, None),
            (Some("trait_too_large"), Some("traits.bio")),
            (None, None),
            (Some("too_many_properties"), Some("properties.a")),
            (Some("too_many_properties"), Some("traits.x999")),
            (Some("profile_too_large"), Some("traits.x999")),
            (None, None),
        ]
    );
    let message = results[3]["warnings"][0]["message"].as_str().unwrap();
    assert!(message.contains("8000"), "{message}");
    assert_eq!(project.count("*", "event").await, 7);
    assert_eq!(project.rejections().await.len(), 4);
}

#[tokio::test]
async fn a_profile_grows_no_further_than_it_may_and_can_still_change() {
    let project = Project::fresh().await;
    let step = |number: usize| identify(&format!("n{number}"), many(250, &format!("t{number}-")));
    let results = project
        .results(&[
            step(0),
            step(1),
            step(2),
            step(3),
            step(4),
            identify("seen", json!({"t0-1": 2})),
        ])
        .await;
    assert_eq!(
        codes_of(&results),
        [None, None, None, None, Some("profile_too_large"), None]
    );
    let again = project.results(&[step(5)]).await;
    assert_eq!(
        again[0]["message"],
        "the profile would have 1250 traits, over the limit of 1000"
    );
    // A removed trait keeps its time, and so its place.
    project
        .results(&[identify("gone", json!({"t0-0": null}))])
        .await;
    let more = project
        .results(&[identify("more", json!({"another": 1}))])
        .await;
    assert_eq!(more[0]["code"], "profile_too_large");
    let traits = project.profile("user_id:ada").await["traits"].clone();
    assert_eq!(
        (traits.as_object().unwrap().len(), &traits["t0-1"]),
        (999, &json!(2))
    );

    let large = |number: usize| {
        let mut call = identify(
            &format!("l{number}"),
            json!({format!("text{number}"): "x".repeat(100_000)}),
        );
        call["userId"] = json!("bob");
        call
    };
    let results: Vec<Value> = project
        .results(&(0..11).map(large).collect::<Vec<_>>())
        .await;
    let refused: Vec<_> = results
        .iter()
        .filter(|result| !result["code"].is_null())
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        refused[0]["message"],
        "the profile would have 1100078 bytes of traits, over the limit of 1048576"
    );
    assert_eq!(project.timeline("user_id:bob").await.len(), 10);
}

#[tokio::test]
async fn a_call_that_has_no_room_makes_nobody_and_joins_nobody() {
    let project = Project::fresh().await;
    for number in 0..4 {
        let traits = many(250, &format!("t{number}-"));
        project
            .results(&[identify(&format!("n{number}"), traits)])
            .await;
    }
    let phone = json!({"type": "identify", "anonymousId": "phone", "messageId": "p", "traits": {"os": "x"}});
    assert_eq!(project.results(&[phone]).await[0]["status"], "stored");
    let with = |id: &str, own: Value| {
        let mut call = identify(id, json!({"another": 1}));
        call.as_object_mut()
            .unwrap()
            .extend(own.as_object().unwrap().clone());
        call
    };
    let calls = [
        with("joining", json!({"anonymousId": "phone"})),
        with("naming", json!({"anonymousId": "tablet"})),
        json!({"type": "group", "userId": "new", "groupId": "acme", "messageId": "g", "traits": many(250, "a")}),
        identify("seen", json!({"t0-1": 2})),
    ];
    let results = project.results(&calls).await;
    assert_eq!(
        codes_of(&results),
        [
            Some("profile_too_large"),
            Some("profile_too_large"),
            None,
            None
        ]
    );
    let ada = project.profile("user_id:ada").await;
    assert_eq!(ada["identities"].as_array().unwrap().len(), 1, "{ada}");
    assert_eq!(ada["traits"]["t0-1"], 2, "its neighbour counts");
    let phone = project.profile("anonymous_id:phone").await;
    assert_eq!(phone["traits"], json!({"os": "x"}));
    let (status, _) = project.get("/v1/profiles/anonymous_id:tablet").await;
    assert_eq!(status, reqwest::StatusCode::NOT_FOUND);

    for number in 1..4 {
        let traits = many(250, &format!("g{number}-"));
        let more = json!({"type": "group", "userId": "new", "groupId": "acme", "messageId": format!("g{number}"), "traits": traits});
        assert_eq!(project.results(&[more]).await[0]["status"], "stored");
    }
    let full = json!({"type": "group", "userId": "newer", "groupId": "acme", "messageId": "gx", "traits": {"another": 1}});
    assert_eq!(
        project.results(&[full]).await[0]["code"],
        "profile_too_large"
    );
    let (status, _) = project.get("/v1/profiles/user_id:newer").await;
    assert_eq!(status, reqwest::StatusCode::NOT_FOUND);
}
