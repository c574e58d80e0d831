//! Names that stand where a trait is read from too: the document says what the trait says.

use super::{PATIENCE, Scene};
use crate::harness::{Project, store_at, wait_until};
use crate::migration::step;
use crate::reads::{read_from, until_source};
use crate::verify::{found, verified};
use roster::domain::kinds::{CustomKind, Normaliser};
use roster::domain::{Kinds, ProjectId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NAMED: &str = "preset = \"elasticsearch\"\n[identities]\nuser_id = \"record:/_id\"\nemail = \"/email\"\nphone = \"/phone\"\n
[time]\nat = \"/updated_at\"\n[traits]\ndrop = [\"updated_at\"]\n";
const PHONE: &str = "+49 (89) 777-000";

/// A project that knows people by their phones too, by a mapping that reads all names as traits.
async fn named() -> Scene {
    let mut scene = Scene::fresh().await;
    let service = scene.service.as_ref().expect("it runs");
    scene.project = Project::on(&service.url, &scene.database).await;
    let phone = CustomKind {
        name: "phone".to_owned(),
        strength: 200,
        normaliser: Normaliser::Phone,
    };
    let kinds = Kinds {
        custom: vec![phone],
        ..Kinds::default()
    };
    let store = store_at(&scene.database);
    let set = store.set_kinds(ProjectId(scene.project.id), &kinds);
    set.await.expect("set");
    let plan = json!({"mapping": NAMED, "index": scene.index});
    step(&scene.project, "plan", plan).await;
    scene
}

async fn are_as_their_traits(scene: &Scene, traits: &[(&str, Value)]) {
    scene.at_rest().await;
    for (user, traits) in traits {
        let mut document = scene.document(user).await.expect("one");
        let members = document.as_object_mut().expect("an object");
        members.remove("updated_at");
        assert_eq!(document, *traits, "the document of {user}");
        let read = scene.project.profile(&format!("user_id:{user}")).await;
        assert_eq!(read["source"], "legacy", "{read}");
        assert_eq!(read["traits"], *traits, "{user} at legacy");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_a_trait_too_is_as_the_trait_says_in_the_document() {
    let scene = named().await;
    let old = json!({"email": "r2@x.io", "phone": PHONE, "updated_at": "2020-01-01T00:00:00Z"});
    let documents = [("r2".to_owned(), old.to_string())];
    scene.store.put(&scene.index, &documents).await;
    scene.start().await;
    let r2 = |email: &str| json!({"email": email, "phone": PHONE});
    let r3 = json!({"email": "r3@x.io"});
    let joerg = json!({"email": "J\u{d6}RG@x.io"});
    for (user, traits) in [("r3", &r3), ("r2", &r2("r2@x.io")), ("joerg", &joerg)] {
        scene.identify(&scene.project, user, traits.clone()).await;
    }
    scene.at_rest().await;
    read_from(&scene.project, "legacy", 0).await;
    until_source(&scene.project, "user_id:r2", &json!("legacy")).await;
    // The address is r3's name, and stays so.
    let taken = json!({"email": "r3@x.io"});
    scene.identify(&scene.project, "r2", taken).await;
    let traits = [("r2", r2("r3@x.io")), ("r3", r3), ("joerg", joerg)];
    are_as_their_traits(&scene, &traits).await;

    let force = json!({"force": true, "reason": "a drill"});
    for _ in 0..2 {
        step(&scene.project, "advance", force.clone()).await;
    }
    // As they are until compare, and as they are from then on.
    for _ in 0..2 {
        are_as_their_traits(&scene, &traits).await;
        for direction in ["forward", "reverse"] {
            let done = verified(&scene.project, direction).await;
            assert_eq!(found(&done), BTreeSet::new(), "{done}");
        }
        step(&scene.project, "advance", force.clone()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_a_trait_too_is_compared_as_one() {
    let scene = named().await;
    scene.start().await;
    for (user, email) in [("r3", "r3@x.io"), ("r2", "r2@x.io"), ("r2", "r3@x.io")] {
        let traits = json!({"email": email});
        scene.identify(&scene.project, user, traits).await;
    }
    scene.at_rest().await;
    read_from(&scene.project, "compare", 0).await;
    until_source(&scene.project, "user_id:r2", &json!("legacy")).await;
    let compared = async || scene.project.read("/v1/migration").await["compare"].take();
    wait_until("a read is compared", PATIENCE, async || {
        compared().await["reads"].as_i64() > Some(0)
    })
    .await;
    let compared = compared().await;
    assert_eq!(compared["mismatches"], 0, "{compared}");
}
