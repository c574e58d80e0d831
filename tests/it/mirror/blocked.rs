//! An index that is there and takes nothing, one that is not what its name says, and documents that are like no other.

use super::{PATIENCE, Scene};
use crate::harness::{sql, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

/// Waits until the relay says why it waits.
async fn says(scene: &Scene, told: &str) {
    wait_until(&format!("{told} is told"), PATIENCE, async || {
        sql(&scene.database, "UPDATE mirror SET due_at = now()").await;
        let mirror = scene.status().await;
        let reason = mirror["reason"].as_str().unwrap_or_default();
        assert_eq!(mirror["refused"], 0, "{mirror}");
        reason.contains(told)
    })
    .await;
}

async fn admits(scene: &Scene, method: Method, path: &str, body: Option<Value>) {
    let (status, answer) = scene.store.ask(method, path, body).await;
    assert!(status.is_success(), "{path}: {answer}");
}

/// Whoever locks the index costs nobody their mark: once it is open again, everybody is there.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_locked_for_a_while_costs_nobody_their_mark() {
    let scene = Scene::fresh().await;
    scene.start().await;
    let people = &scene.project;
    scene.identify(people, "ada", json!({"plan": "pro"})).await;
    scene.identify(people, "bob", json!({"plan": "pro"})).await;
    scene.at_rest().await;
    let settings = format!("{}/_settings", scene.index);
    for block in ["write", "read_only", "read_only_allow_delete"] {
        let set = |value: Value| json!({format!("index.blocks.{block}"): value});
        admits(&scene, Method::PUT, &settings, Some(set(json!(true)))).await;
        scene.identify(people, "ada", json!({"plan": block})).await;
        scene.erase("bob").await;
        says(&scene, "cluster_block_exception").await;
        admits(&scene, Method::PUT, &settings, Some(set(Value::Null))).await;
        is_open_again(&scene).await;
        scene.identify(people, "bob", json!({"plan": block})).await;
        scene.is_equal_to(2).await;
    }
    let path = |verb: &str| format!("{}/{verb}", scene.index);
    admits(&scene, Method::POST, &path("_close"), None).await;
    scene
        .identify(people, "ada", json!({"plan": "closed"}))
        .await;
    says(&scene, "index_closed_exception").await;
    admits(
        &scene,
        Method::POST,
        &path("_open?wait_for_active_shards=1"),
        None,
    )
    .await;
    is_open_again(&scene).await;
    scene.is_equal_to(2).await;
}

async fn is_open_again(scene: &Scene) {
    wait_until("everything is published", PATIENCE, async || {
        // The pauses are not waited for.
        sql(&scene.database, "UPDATE mirror SET due_at = now()").await;
        scene.status().await["backlog"] == 0
    })
    .await;
}

/// Ids as long as a store takes, and of whatever letters, are ids like others. So is what a store counts up to the end of numbers.
#[tokio::test(flavor = "multi_thread")]
async fn documents_with_odd_ids_and_versions_are_mirrored_and_erased() {
    let scene = Scene::fresh().await;
    let ids = [
        "long-id-".repeat(64),
        "éà".repeat(128),
        "a/b//c?d=e&f#g%20%2F".to_owned(),
        "_leading".to_owned(),
        "_search".to_owned(),
        "two words".to_owned(),
        "../_doc/x".to_owned(),
        "*a,b".to_owned(),
        "\"quoted\\\"\u{7f}\u{2028}\u{200d}z".to_owned(),
        "日本語🙂".to_owned(),
        "[\"a\",\"b\"]".to_owned(),
    ];
    scene.start().await;
    for id in &ids {
        scene
            .identify(&scene.project, id, json!({"plan": "pro"}))
            .await;
    }
    scene.is_equal_to(ids.len()).await;
    let mirror = scene.status().await;
    assert_eq!(mirror["refused"], 0, "{mirror}");
    for id in &ids {
        scene.erase(id).await;
    }
    scene.is_equal_to(0).await;
}

/// Above the highest version there is none: that document is refused, and its neighbours go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_stands_at_the_highest_version_costs_itself() {
    let scene = Scene::fresh().await;
    let highest = format!(
        "{}/_doc/ada?version={}&version_type=external",
        scene.index,
        i64::MAX
    );
    admits(&scene, Method::PUT, &highest, Some(json!({"plan": "old"}))).await;
    scene.start().await;
    for user in ["ada", "bob"] {
        scene
            .identify(&scene.project, user, json!({"plan": "pro"}))
            .await;
    }
    scene.at_rest().await;
    assert_eq!(scene.document("bob").await.expect("one")["plan"], "pro");
    let reasons = sql(&scene.database, "SELECT reason FROM mirror_refusal").await;
    assert!(
        reasons.len() == 1 && reasons[0].contains("version"),
        "{reasons:?}"
    );
}

/// A plan may name an alias of one index; one of several, and a data stream, take no document by its id.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_takes_no_document_by_its_id_is_told_and_costs_nobody_their_mark() {
    let scene = Scene::fresh().await;
    let more = format!("{}-000002", scene.index);
    let alias = format!("{}-all", scene.index);
    let template =
        json!({"index_patterns": [format!("{}-stream*", scene.index)], "data_stream": {}});
    let stream = format!("{}-stream", scene.index);
    admits(
        &scene,
        Method::PUT,
        &more,
        Some(json!({"settings": {"number_of_replicas": 0}})),
    )
    .await;
    let both = json!({"actions": [{"add": {"index": scene.index, "alias": alias}}, {"add": {"index": more, "alias": alias, "is_write_index": true}}]});
    admits(&scene, Method::POST, "_aliases", Some(both)).await;
    admits(
        &scene,
        Method::PUT,
        &format!("_index_template/{stream}"),
        Some(template),
    )
    .await;
    admits(&scene, Method::PUT, &format!("_data_stream/{stream}"), None).await;
    scene
        .identify(&scene.project, "ada", json!({"plan": "pro"}))
        .await;
    for (name, told) in [(&alias, "stands for 2 indices"), (&stream, "data stream")] {
        let plan = json!({"mapping": crate::migration::MAPPING, "index": name});
        crate::migration::step(&scene.project, "plan", plan).await;
        scene.start().await;
        says(&scene, told).await;
        crate::migration::step(&scene.project, "rollback", json!({})).await;
    }
    let single = format!("{}-one", scene.index);
    let one = json!({"actions": [{"add": {"index": scene.index, "alias": single}}]});
    admits(&scene, Method::POST, "_aliases", Some(one)).await;
    let plan = json!({"mapping": crate::migration::MAPPING, "index": single});
    crate::migration::step(&scene.project, "plan", plan).await;
    scene.start().await;
    is_open_again(&scene).await;
    scene.is_equal_to(1).await;
}

/// An alias that shows a part of an index, or is not to be written to, is told also where it becomes one while all goes well.
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_is_more_than_a_name_costs_nobody_their_mark() {
    let scene = Scene::fresh().await;
    let alias = format!("{}-one", scene.index);
    let is = async |more: Value| {
        let mut add = json!({"index": scene.index, "alias": alias});
        add.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let actions = json!({"actions": [{"add": add}]});
        admits(&scene, Method::POST, "_aliases", Some(actions)).await;
    };
    is(json!({})).await;
    let plan = json!({"mapping": crate::migration::MAPPING, "index": alias});
    crate::migration::step(&scene.project, "plan", plan).await;
    scene.start().await;
    scene.at_rest().await;
    let filter = json!({"filter": {"term": {"tenant": "a"}}, "is_write_index": true});
    for (more, told) in [
        (filter, "filter"),
        (json!({"is_write_index": false}), "is_write_index"),
    ] {
        is(more).await;
        looks_soon(&scene).await;
        says(&scene, told).await;
        scene
            .identify(&scene.project, "ada", json!({"plan": told}))
            .await;
        says(&scene, told).await;
        let path = format!("{}/_alias/{alias}", scene.index);
        admits(&scene, Method::DELETE, &path, None).await;
        is(json!({})).await;
        is_open_again(&scene).await;
        scene.is_equal_to(1).await;
    }
}

/// An index with `dynamic: strict` refuses fields that it does not know. Once it does, a new start publishes what was refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_mended_in_the_index_is_published_by_a_new_start() {
    let known = json!({"plan": {"type": "keyword"}, "updated_at": {"type": "date"}});
    let strict = json!({"settings": {"number_of_replicas": 0}, "mappings": {"dynamic": "strict", "properties": known}});
    let scene = Scene::with(strict).await;
    scene.start().await;
    let people = &scene.project;
    scene.identify(people, "ada", json!({"plan": "pro"})).await;
    scene
        .identify(people, "bob", json!({"plan": "pro", "height": 1.80}))
        .await;
    scene.at_rest().await;
    let reasons = sql(&scene.database, "SELECT reason FROM mirror_refusal").await;
    assert_eq!(reasons, ["strict_dynamic_mapping_exception"]);
    assert_eq!(scene.document("bob").await, None);
    let more = json!({"properties": {"height": {"type": "double"}}});
    let mapping = format!("{}/_mapping", scene.index);
    admits(&scene, Method::PUT, &mapping, Some(more)).await;
    crate::migration::step(people, "rollback", json!({})).await;
    scene.start().await;
    scene.is_equal_to(2).await;
    assert_eq!(scene.status().await["refused"], 0);
}

/// An alias that is turned to another index, and an index that was made anew under its name, have what was published before or lack it:
/// everybody is published once more, and until then reads lay over what may be missing.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_put_in_the_place_of_another_gets_everybody() {
    let scene = Scene::fresh().await;
    let (alias, next) = (
        format!("{}-now", scene.index),
        format!("{}-next", scene.index),
    );
    let add = |index: &str| json!({"add": {"index": index, "alias": alias}});
    let first = json!({"actions": [add(&scene.index)]});
    admits(&scene, Method::POST, "_aliases", Some(first)).await;
    let plan = json!({"mapping": crate::migration::MAPPING, "index": alias});
    crate::migration::step(&scene.project, "plan", plan).await;
    scene.start().await;
    for user in ["ada", "bob"] {
        scene
            .identify(&scene.project, user, json!({"plan": "pro"}))
            .await;
    }
    scene.is_equal_to(2).await;
    looks_who_writes(&scene).await;
    let settings = json!({"settings": {"number_of_replicas": 0}});
    admits(&scene, Method::PUT, &next, Some(settings)).await;
    let remove = json!({"remove": {"index": scene.index, "alias": alias}});
    let turn = json!({"actions": [remove, add(&next)]});
    admits(&scene, Method::POST, "_aliases", Some(turn)).await;
    let path = format!("{next}/_doc/ada");
    wait_until("ada is there", PATIENCE, async || {
        looks_soon(&scene).await;
        scene
            .store
            .ask(Method::GET, &path, None)
            .await
            .0
            .is_success()
    })
    .await;
    let scene = Scene {
        index: next,
        ..scene
    };
    scene.is_equal_to(2).await;
    assert_eq!(scene.status().await["foreign_writes"], 0);
}

async fn looks_soon(scene: &Scene) {
    let soon = "UPDATE mirror SET watched_at = now() - INTERVAL '1 hour', due_at = now()";
    sql(&scene.database, soon).await;
}

/// The relay has looked at the index, and knows which one it is.
async fn looks_who_writes(scene: &Scene) {
    wait_until("the index is known", PATIENCE, async || {
        looks_soon(scene).await;
        sql(
            &scene.database,
            "SELECT count(*) FROM mirror WHERE watched <> '{}'",
        )
        .await
            == ["1"]
    })
    .await;
}
