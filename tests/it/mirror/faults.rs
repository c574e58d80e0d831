//! What a legacy store does to a mirror: it refuses, forgets, is written to by others, is away, is slow, is overloaded.

use super::between::{
    AWAY, BAD, Between, EXPIRED, HUNG, ITEMS, LOGIN, OPEN, OVERLOADED, PAGE, PAGE_NOT_FOUND, SLOW,
};
use super::{PATIENCE, Scene};
use crate::harness::{sql, store_at, wait_until};
use crate::legacy::shared_store;
use crate::migration::step;
use reqwest::Method;
use roster::domain::{Identity, IdentityKind, ProjectId, Timestamp};
use roster::store::ErasureRequest;
use serde_json::{Value, json};
use uuid::Uuid;

fn no_copies() -> Value {
    json!({"settings": {"number_of_replicas": 0}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_the_store_refuses_costs_itself_and_is_listed() {
    let mut settings = no_copies();
    settings["mappings"] = json!({"properties": {"age": {"type": "integer"}}});
    let scene = Scene::with(settings).await;
    scene.start().await;
    let long = "long-id-".repeat(70);
    for (user, traits) in [
        ("ada", json!({"age": 36})),
        ("bob", json!({"age": "old"})),
        (long.as_str(), json!({"age": 1})),
        ("eve", json!({"age": 37})),
    ] {
        scene.identify(&scene.project, user, traits).await;
    }
    scene.at_rest().await;
    for user in ["ada", "eve"] {
        assert!(
            scene.document(user).await.is_some(),
            "{user} pays for a neighbour"
        );
    }
    assert_eq!(scene.status().await["refused"], 2);
    let reasons = sql(
        &scene.database,
        "SELECT reason FROM mirror_refusal ORDER BY reason",
    )
    .await;
    assert!(
        reasons[0].contains("512") && reasons[1].contains("field age"),
        "{reasons:?}"
    );
    let gates = scene.project.read("/v1/migration").await["gates"].take();
    let red = gates
        .as_array()
        .unwrap()
        .iter()
        .find(|gate| gate["name"] == "mirror_refused")
        .unwrap();
    assert_eq!(
        (red["holds"].as_bool(), red["seen"].as_str()),
        (Some(false), Some("2 documents"))
    );

    scene
        .identify(&scene.project, "bob", json!({"age": 38}))
        .await;
    scene.erase(&long).await;
    scene
        .identify(&scene.project, "ada", json!({"age": 39}))
        .await;
    wait_until("what is mended is off the list", PATIENCE, async || {
        scene.status().await["refused"] == 0
    })
    .await;
}

/// OpenSearch remembers the version of a deletion for `index.gc_deletes` only, here a second.
#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_whose_document_comes_back_late_is_deleted_again() {
    let mut settings = no_copies();
    settings["settings"]["index.gc_deletes"] = json!("1s");
    let scene = Scene::with(settings).await;
    scene.start().await;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    scene.at_rest().await;
    let version = scene.version("ada").await;
    scene.erase("ada").await;
    scene.at_rest().await;
    assert_eq!(scene.document("ada").await, None);
    // Something that was on its way when she was erased, and older than the deletion.
    let late = format!(
        "{}/_doc/ada?version={}&version_type=external",
        scene.index,
        version + 1_000
    );
    wait_until(
        "the store has forgotten the deletion",
        PATIENCE,
        async || {
            let (status, _) = scene
                .store
                .ask(Method::PUT, &late, Some(json!({"plan": "pro"})))
                .await;
            status.is_success()
        },
    )
    .await;
    sql(&scene.database, "UPDATE outbox_gone SET due_at = now()").await;
    wait_until("it is gone again", PATIENCE, async || {
        scene.document("ada").await.is_none()
    })
    .await;
    // Looked at once more, since something had come; then it is over.
    wait_until("nothing more is to be looked at", PATIENCE, async || {
        sql(&scene.database, "UPDATE outbox_gone SET due_at = now()").await;
        sql(&scene.database, "SELECT count(*) FROM outbox_gone").await == ["0"]
    })
    .await;
    // Who comes back has a document again.
    scene
        .identify(&scene.project, "ada", json!({"plan": "new"}))
        .await;
    scene.is_equal_to(1).await;
}

/// A legacy store that says itself that it has deleted somebody may have made the document anew since.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_comes_from_a_legacy_store_takes_no_document_that_is_not_ours() {
    let scene = Scene::fresh().await;
    scene.start().await;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    let anew = ("eve".to_owned(), r#"{"plan": "anew"}"#.to_owned());
    scene.store.put(&scene.index, &[anew]).await;
    scene.at_rest().await;
    let name = |value: &str| Identity {
        kind: IdentityKind::parse("user_id"),
        value: value.to_owned(),
    };
    let request = ErasureRequest {
        project_id: ProjectId(scene.project.id),
        id: Uuid::new_v4(),
        at: Timestamp::new(jiff::Timestamp::now()),
        is_forgotten: false,
        identities: vec![name("ada"), name("eve")],
        profiles: Vec::new(),
        kept: Some(Vec::new()),
    };
    let store = store_at(&scene.database);
    store.erase(&request).await.expect("erased");
    scene.at_rest().await;
    assert_eq!(scene.document("ada").await, None);
    assert_eq!(scene.document("eve").await.expect("theirs")["plan"], "anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_writes_are_noticed_and_never_stand_in_the_way() {
    let scene = Scene::fresh().await;
    let before = |version: u64| {
        format!(
            "{}/_doc/eve?version={version}&version_type=external",
            scene.index
        )
    };
    // A store whose versions are nanoseconds: far above ours.
    let high = before(1_800_000_000_000_000_001);
    scene
        .store
        .ask(Method::PUT, &high, Some(json!({"plan": "old"})))
        .await;
    scene
        .store
        .put(
            &scene.index,
            &[("ada".to_owned(), r#"{"plan": "old"}"#.to_owned())],
        )
        .await;
    scene.start().await;
    for user in ["ada", "eve"] {
        scene
            .identify(&scene.project, user, json!({"plan": "pro"}))
            .await;
    }
    scene.at_rest().await;
    assert_eq!(scene.document("eve").await.unwrap()["plan"], "pro");
    assert_eq!(
        scene.status().await["foreign_writes"],
        0,
        "what was there before is not foreign"
    );
    scene
        .store
        .put(
            &scene.index,
            &[(
                "ada".to_owned(),
                r#"{"plan": "foreign", "note": 1}"#.to_owned(),
            )],
        )
        .await;
    scene
        .identify(&scene.project, "ada", json!({"plan": "ours"}))
        .await;
    scene.at_rest().await;
    assert_eq!(scene.document("ada").await.unwrap()["plan"], "ours");
    wait_until("the write is noticed", PATIENCE, async || {
        scene.status().await["foreign_writes"] != 0
    })
    .await;
    // Of somebody whom Roster does not touch it is noticed too.
    let before = scene.status().await["foreign_writes"].clone();
    let note = ("zoe".to_owned(), r#"{"note": 2}"#.to_owned());
    scene.store.put(&scene.index, &[note]).await;
    wait_until("a stranger's document is noticed", PATIENCE, async || {
        scene.status().await["foreign_writes"] != before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_slow_or_overloaded_harms_no_request_and_gets_all_in_the_end() {
    let (between, url) = Between::start(&shared_store().await.url).await;
    let scene = Scene::behind(&url, no_copies()).await;
    scene.start().await;
    scene.at_rest().await;
    for (mode, told) in [
        (AWAY, "does not answer"),
        (OVERLOADED, "429"),
        (ITEMS, "did not take"),
        (HUNG, "does not answer"),
        (PAGE, "something else"),
        (PAGE_NOT_FOUND, "404"),
        (LOGIN, "302"),
        (EXPIRED, "401"),
        (SLOW, ""),
    ] {
        between.set(mode);
        // Idle connections of before are still open to the store itself: many changes find a new one.
        scene
            .identify(&scene.project, "ada", json!({"mode": mode}))
            .await;
        scene.erase("bob").await;
        let tries = async || {
            // The pauses are not waited for.
            sql(&scene.database, "UPDATE mirror SET due_at = now()").await;
            scene.status().await["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains(told))
        };
        wait_until(&format!("{mode} is told"), PATIENCE, tries).await;
        between.set(if mode == SLOW { SLOW } else { OPEN });
        scene
            .identify(&scene.project, "eve", json!({"mode": mode}))
            .await;
        wait_until(
            &format!("all is published after {mode}"),
            PATIENCE,
            async || {
                sql(&scene.database, "UPDATE mirror SET due_at = now()").await;
                scene.status().await["backlog"] == 0
            },
        )
        .await;
        assert_eq!(scene.document("ada").await.unwrap()["mode"], mode);
        assert_eq!(scene.document("eve").await.unwrap()["mode"], mode);
    }
}

/// Nothing is marked, and nothing could be published: how the store is is not known.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_can_not_be_looked_at_holds_every_step_up_and_says_why() {
    let (between, url) = Between::start(&shared_store().await.url).await;
    let scene = Scene::behind(&url, no_copies()).await;
    scene.start().await;
    scene.at_rest().await;
    let gates = async || {
        let status = scene.project.read("/v1/migration").await;
        let of = |gate: &Value| {
            (gate["name"].as_str() == Some("mirror_lag")).then(|| gate["holds"] == true)
        };
        status["gates"]
            .as_array()
            .unwrap()
            .iter()
            .find_map(of)
            .expect("a gate")
    };
    wait_until("the store was looked at", PATIENCE, gates).await;
    between.set(EXPIRED);
    let soon = "UPDATE mirror SET due_at = now(), watched_at = now() - INTERVAL '2 minutes'";
    wait_until("it is told", PATIENCE, async || {
        sql(&scene.database, soon).await;
        let mirror = scene.status().await;
        mirror["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("401"))
    })
    .await;
    for _ in 0..3 {
        sql(&scene.database, "UPDATE mirror SET due_at = now()").await;
        let tried = "SELECT (due_at > now())::TEXT FROM mirror";
        wait_until("it was tried", PATIENCE, async || {
            sql(&scene.database, tried).await == ["true"]
        })
        .await;
        let mirror = scene.status().await;
        assert!(
            mirror["reason"].as_str().unwrap().contains("401"),
            "{mirror}"
        );
        assert!(!gates().await, "{mirror}");
    }
    between.set(OPEN);
    wait_until("the gate is green again", PATIENCE, async || {
        sql(&scene.database, "UPDATE mirror SET due_at = now()").await;
        gates().await
    })
    .await;
    assert_eq!(scene.status().await["reason"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_end_of_a_migration_its_marks_go() {
    let scene = Scene::fresh().await;
    scene.start().await;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    scene.at_rest().await;
    let force = json!({"force": true, "reason": "a drill"});
    for _ in 0..6 {
        step(&scene.project, "advance", force.clone()).await;
    }
    scene
        .identify(&scene.project, "ada", json!({"plan": "later"}))
        .await;
    let rows =
        "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM mirror WHERE is_active)";
    wait_until("nothing is marked", PATIENCE, async || {
        sql(&scene.database, rows).await == ["0"]
    })
    .await;
    assert_eq!(scene.document("ada").await.unwrap()["plan"], "pro");
    let (status, answer) = crate::migration::ask(&scene.project, "rollback", json!({})).await;
    assert!(
        status == 409
            && answer["detail"]
                .as_str()
                .unwrap()
                .contains("mirrors: wanted"),
        "{answer}"
    );
    step(&scene.project, "rollback", force).await;
    step(&scene.project, "start", json!({})).await;
    scene.is_equal_to(1).await;
    assert_eq!(scene.document("ada").await.unwrap()["plan"], "later");
}

/// More than a page of them.
#[tokio::test(flavor = "multi_thread")]
async fn documents_that_a_store_fails_on_for_long_stand_in_nobody_s_way() {
    let (between, url) = Between::start(&shared_store().await.url).await;
    let scene = Scene::behind(&url, no_copies()).await;
    scene.start().await;
    scene.at_rest().await;
    // Connections of before are not asked any more.
    between.set(BAD);
    let call = |id: String| json!({"type": "identify", "userId": id, "traits": {"n": 1}});
    let bad: Vec<Value> = (0..450)
        .map(|number| call(format!("bad-{number}")))
        .collect();
    for part in bad.chunks(90) {
        scene.project.results(part).await;
    }
    wait_until("it is told", PATIENCE, async || {
        let reason = scene.status().await["reason"].take();
        reason
            .as_str()
            .is_some_and(|reason| reason.contains("fail_processor_exception"))
    })
    .await;
    for number in 0..3 {
        let good = format!("good-{number}");
        scene
            .identify(&scene.project, &good, json!({"n": number}))
            .await;
        wait_until("the others go on", PATIENCE, async || {
            sql(&scene.database, "UPDATE mirror SET due_at = now()").await;
            scene.document(&good).await.is_some()
        })
        .await;
    }
    wait_until("the others' marks are gone", PATIENCE, async || {
        scene.status().await["backlog"] == 450
    })
    .await;
    between.set(OPEN);
    wait_until("all is there in the end", PATIENCE, async || {
        sql(&scene.database, "UPDATE mirror SET due_at = now()").await;
        scene.status().await["backlog"] == 0
    })
    .await;
}
