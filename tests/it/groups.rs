//! Groups: profiles of their own, and who belongs to them.

use crate::harness::Project;
use reqwest::StatusCode;
use serde_json::{Value, json};

fn group(id: &str, who: &Value, group: &str, at: u32, traits: &Value) -> Value {
    let mut call = json!({"type": "group", "messageId": id, "groupId": group, "traits": traits, "timestamp": format!("2024-01-01T00:00:{at:02}Z")});
    call.as_object_mut()
        .unwrap()
        .extend(who.as_object().unwrap().clone());
    call
}

#[tokio::test]
async fn a_group_has_traits_that_converge_and_people_who_belong_to_it() {
    let ada = json!({"userId": "ada"});
    let phone = json!({"anonymousId": "phone"});
    let mut calls = vec![
        group("1", &ada, "acme", 2, &json!({"plan": "pro", "seats": 5})),
        group("2", &ada, "acme", 3, &json!({"seats": null})),
        group(
            "3",
            &phone,
            "acme",
            1,
            &json!({"plan": "free", "city": "Ulm"}),
        ),
        group("4", &phone, "zeta", 4, &json!({})),
        json!({"type": "identify", "userId": "ada", "anonymousId": "phone", "messageId": "5"}),
    ];
    for _ in 0..2 {
        let project = Project::fresh().await;
        for call in &calls {
            assert_eq!(
                project.results(std::slice::from_ref(call)).await[0]["status"],
                "stored"
            );
        }
        project.results(&calls).await;
        let acme = project.profile("group_id:acme").await;
        assert_eq!(acme["traits"], json!({"plan": "pro", "city": "Ulm"}));
        assert_eq!(acme["identities"].as_array().unwrap().len(), 1);
        let person = project.profile("user_id:ada").await;
        assert_eq!(
            person["groups"],
            json!(["acme", "zeta"]),
            "also those of the merged visitor"
        );
        assert_eq!(person["traits"], json!({}), "a group's traits are its own");
        assert_eq!(project.timeline("user_id:ada").await.len(), 5);
        calls.reverse();
    }
}

#[tokio::test]
async fn a_whole_batch_of_members_makes_one_group() {
    let project = Project::fresh().await;
    let call = |number: usize| {
        group(
            &format!("{number}"),
            &json!({"userId": format!("user-{number}")}),
            "acme",
            1,
            &json!({"plan": "pro"}),
        )
    };
    let results = project
        .results(&(0..200).map(call).collect::<Vec<_>>())
        .await;
    assert!(results.iter().all(|result| result["status"] == "stored"));
    assert_eq!(project.count("*", "membership").await, 200);
    assert_eq!(project.count("*", "profile").await, 201);
    assert_eq!(
        project.profile("user_id:user-7").await["groups"],
        json!(["acme"])
    );
}

#[tokio::test]
async fn an_erased_person_leaves_the_group_and_an_erased_group_its_people() {
    let project = Project::fresh().await;
    for (number, user) in ["ada", "bob"].iter().enumerate() {
        let who = json!({"userId": user});
        for name in ["acme", "zeta"] {
            project
                .results(&[group(
                    &format!("{number}-{name}"),
                    &who,
                    name,
                    1,
                    &json!({"plan": "pro"}),
                )])
                .await;
        }
    }
    let erase = async |reference: &str| project.erase(reference).await.0;
    assert_eq!(erase("user_id:ada").await, StatusCode::OK);
    assert_eq!(project.count("*", "membership").await, 2);
    assert_eq!(erase("group_id:zeta").await, StatusCode::OK);
    let bob = project.profile("user_id:bob").await;
    assert_eq!(
        (&bob["groups"], project.timeline("user_id:bob").await.len()),
        (&json!(["acme"]), 2)
    );
    assert_eq!(
        project.get("/v1/profiles/group_id:zeta").await.0,
        StatusCode::NOT_FOUND
    );
    let late = group(
        "late",
        &json!({"userId": "bob"}),
        "zeta",
        2,
        &json!({"plan": "free"}),
    );
    assert_eq!(project.results(&[late]).await[0]["code"], "erased");
}

#[tokio::test]
async fn a_refused_call_leaves_nothing_of_its_person_and_nothing_of_its_group() {
    let project = Project::fresh().await;
    let (ada, bob) = (json!({"userId": "ada"}), json!({"userId": "bob"}));
    let status = async |call: Value| {
        let results = project.results(&[call]).await;
        results[0]["code"].as_str().unwrap_or("stored").to_owned()
    };
    let owner = json!({"owner": "bob"});
    assert_eq!(status(group("1", &bob, "acme", 1, &owner)).await, "stored");
    assert_eq!(status(group("2", &ada, "zeta", 1, &owner)).await, "stored");
    project.erase("user_id:ada?forget=true").await;
    project.erase("group_id:zeta?forget=true").await;

    let taken = group("3", &ada, "acme", 9, &json!({"owner": "ada"}));
    assert_eq!(status(taken).await, "forgotten");
    let acme = project.profile("group_id:acme").await;
    assert_eq!(acme["traits"], owner, "by somebody who was forgotten");
    let made = group("4", &ada, "made", 9, &owner);
    assert_eq!(status(made).await, "forgotten");

    let two = json!({"userId": "bob", "anonymousId": "phone"});
    let seen = json!({"type": "track", "event": "Seen", "anonymousId": "phone", "messageId": "5"});
    assert_eq!(status(seen).await, "stored");
    let joining = group("6", &two, "zeta", 9, &json!({}));
    assert_eq!(status(joining).await, "forgotten");
    let ghost = group("7", &json!({"userId": "ghost"}), "zeta", 9, &json!({}));
    assert_eq!(status(ghost).await, "forgotten");

    let bob = project.profile("user_id:bob").await;
    assert_eq!(bob["identities"].as_array().unwrap().len(), 1, "{bob}");
    for nobody in ["group_id:made", "user_id:ghost", "user_id:ada"] {
        let (status, _) = project.get(&format!("/v1/profiles/{nobody}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{nobody}");
    }
}

/// Without a limit whoever was in 20,000 of them had an answer of 20 MB, and with more none.
#[tokio::test]
async fn of_somebody_in_very_many_groups_the_first_thousand_are_shown() {
    let project = Project::fresh().await;
    let who = json!({"userId": "ada"});
    let id = |number: usize| format!("{number:04}{}", "x".repeat(900));
    let calls: Vec<Value> = (0..1_200)
        .map(|number| group(&number.to_string(), &who, &id(number), 1, &json!({})))
        .collect();
    project.send("/v1/batch", &json!({"batch": calls})).await;
    let person = project.profile("user_id:ada").await;
    let shown = person["groups"].as_array().unwrap();
    assert_eq!((shown.len(), &shown[999]), (1_000, &json!(id(999))));
    // They count: the second of two has a page of its own, and both are there.
    let url = format!("{}/v1/profiles/lookup", project.url);
    let asked = json!({"references": ["user_id:ada", "user_id:ada"]});
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let reply = request.json(&asked).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    let found: Value = reply.json().await.unwrap();
    assert_eq!(found["profiles"][1]["groups"], person["groups"]);
}
