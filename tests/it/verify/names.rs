//! Names that a document gives to one person and Roster to another.

use super::excused::{PEOPLE, WITH_MAIL, planned};
use super::{expected, found, live, verified};
use crate::mirror::{Scene, merge};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const MAIL: &str = "family@example.com";

async fn claim(scene: &Scene, users: &[&str]) {
    for user in users {
        let traits = json!({"email": MAIL});
        scene.identify(&scene.project, user, traits).await;
    }
}

/// A document as it is there, with the mail and something more.
async fn with_mail(scene: &Scene, id: &str, more: Value) -> (String, String) {
    let mut document = scene.document(id).await.expect("one");
    document["mail"] = json!(MAIL);
    for (name, value) in more.as_object().expect("an object") {
        document[name] = value.clone();
    }
    (id.to_owned(), document.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_somebody_elses_is_told_unless_the_claim_is_listed() {
    let scene = planned(WITH_MAIL).await;
    // p-1 has the mail; the others get it by their documents alone, or claim it too, also by somebody whom they became one with.
    claim(&scene, &["p-1", "p-2", "p-5", "p-6"]).await;
    merge(&scene.project, "p-4", "p-5").await;
    scene.at_rest().await;
    let documents = [
        with_mail(&scene, "p-1", json!({})).await,
        with_mail(&scene, "p-2", json!({})).await,
        with_mail(&scene, "p-3", json!({})).await,
        with_mail(&scene, "p-4", json!({})).await,
        with_mail(&scene, "p-6", json!({"vip": true})).await,
    ];
    scene.store.put(&scene.index, &documents).await;
    let done = verified(&scene.project, "forward").await;
    let told = expected(&[("different", "p-3", "email"), ("different", "p-6", "vip")]);
    assert_eq!(found(&done), told, "{done}");
    let counts = (&done["different"], &done["rejected"]);
    assert_eq!(counts, (&json!(2), &json!(2)), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_with_two_names_who_become_one_and_go_all_the_time_are_no_difference() {
    let scene = planned(WITH_MAIL).await;
    for number in 0..PEOPLE {
        let traits = json!({"email": format!("p-{number}@example.com")});
        let user = format!("p-{number}");
        scene.identify(&scene.project, &user, traits).await;
    }
    scene.at_rest().await;
    let is_over = AtomicBool::new(false);
    let verifying = async {
        for _ in 0..3 {
            let done = verified(&scene.project, "forward").await;
            assert_eq!(found(&done), BTreeSet::new(), "{done}");
        }
        is_over.store(true, Relaxed);
    };
    tokio::join!(verifying, live(&scene.project, PEOPLE, 1, &is_over));
}
