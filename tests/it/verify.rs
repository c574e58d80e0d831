//! Verification: what a legacy store and Roster do not both have is found and named, under live traffic, and nothing else is.
//!
//! `ROSTER_VERIFY_PEOPLE` says how many people there are: a few hundred by default, some thousands in the long form of `make faults`, which
//! looks twenty times where nothing was planted; `ROSTER_VERIFY_ROUNDS` says how often.

mod excused;
mod going;
mod names;
mod records;
mod routed;

use crate::forms::of_form;
use crate::harness::{Project, sql, wait_until};
use crate::migration::step;
use crate::mirror::Scene;
use futures_util::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(600);
const PEOPLE: usize = 600;
const MORE_PEOPLE: usize = 5_000;
/// Requests at once that take people in.
const SENDERS: usize = 4;
/// When people are stated: names and cities first, plans later.
const FIRST: &str = "2023-05-01T10:00:00Z";
const LATER: &str = "2023-06-01T10:00:00Z";

pub fn people() -> usize {
    given("ROSTER_VERIFY_PEOPLE").unwrap_or(of_form(PEOPLE, MORE_PEOPLE))
}

fn given(variable: &str) -> Option<usize> {
    let text = std::env::var(variable).ok();
    text.map(|text| text.parse().expect("a number"))
}

fn name(number: usize) -> String {
    format!("p-{number}")
}

fn document(number: usize) -> (String, String) {
    let text = json!({"number": number, "city": format!("C-{}", number % 7), "plan": "pro", "height": 1.80,
        "secret": name(number), "updated_at": LATER});
    (name(number), text.to_string())
}

/// What the documents say, as if it had been taken in: each fact at a time of its own.
async fn take_in(project: &Project, people: usize) {
    let parts = (0..people).step_by(250);
    let parts = parts.map(|from| take_part_in(project, from..people.min(from + 250)));
    let parts = stream::iter(parts).buffer_unordered(SENDERS);
    parts.collect::<Vec<()>>().await;
}

async fn take_part_in(project: &Project, numbers: Range<usize>) {
    let call = |number: usize, traits: Value, at: &str| json!({"type": "identify", "userId": name(number), "traits": traits, "timestamp": at});
    let first = |number| {
        call(
            number,
            json!({"number": number, "city": format!("C-{}", number % 7), "height": 1.8}),
            FIRST,
        )
    };
    let later = |number| call(number, json!({"plan": "pro"}), LATER);
    let calls: Vec<Value> = numbers
        .clone()
        .map(first)
        .chain(numbers.map(later))
        .collect();
    for result in project.results(&calls).await {
        assert_eq!(result["status"], "stored", "{result}");
    }
}

/// Both sides have the same people, and the migration is at `verify`.
pub async fn equal(scene: Scene, people: usize) -> Scene {
    let documents: Vec<_> = (0..people).map(document).collect();
    scene.store.put(&scene.index, &documents).await;
    let began = Instant::now();
    take_in(&scene.project, people).await;
    eprintln!("{people} people taken in: {:?}", began.elapsed());
    scene.start().await;
    scene.rests_within(PATIENCE).await;
    let force = json!({"force": true, "reason": "a drill"});
    step(&scene.project, "advance", force.clone()).await;
    step(&scene.project, "advance", force).await;
    scene.rests_within(PATIENCE).await;
    scene
}

/// Asks for a verification; its address.
pub async fn begin(project: &Project, direction: &str) -> String {
    let url = format!("{}/v1/migration/verify?direction={direction}", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let reply = request.send().await.expect("an answer");
    let (status, body): (_, Value) = (reply.status(), reply.json().await.expect("JSON"));
    assert_eq!(status, StatusCode::OK, "{body}");
    format!(
        "/v1/migration/verify/{}",
        body["id"].as_str().expect("an id")
    )
}

/// Waits for a verification, as long as it goes on.
pub async fn ended(project: &Project, address: &str) -> Value {
    let mut done = project.read(address).await;
    while done["finished_at"] == Value::Null {
        let checked = done["checked"].take();
        wait_until("it checks more", PATIENCE, async || {
            let now = project.read(address).await;
            now["finished_at"] != Value::Null || now["checked"] != checked
        })
        .await;
        done = project.read(address).await;
    }
    assert_eq!(done["reason"], "", "{done}");
    done
}

pub async fn verified(project: &Project, direction: &str) -> Value {
    let began = Instant::now();
    let address = begin(project, direction).await;
    let done = ended(project, &address).await;
    let took = began.elapsed();
    eprintln!("{direction}: {} checked, {took:?}", done["checked"]);
    done
}

/// What was found: kind, document and field.
pub fn found(done: &Value) -> BTreeSet<(String, String, String)> {
    let text = |sample: &Value, name: &str| sample[name].as_str().unwrap_or("-").to_owned();
    let samples = done["samples"].as_array().expect("a list").iter();
    samples
        .map(|one| {
            (
                text(one, "kind"),
                text(one, "document_id"),
                text(one, "field"),
            )
        })
        .collect()
}

pub fn expected(all: &[(&str, &str, &str)]) -> BTreeSet<(String, String, String)> {
    let own = |(kind, id, field): &(&str, &str, &str)| {
        ((*kind).to_owned(), (*id).to_owned(), (*field).to_owned())
    };
    all.iter().map(own).collect()
}

fn is_clean(done: &Value, people: usize) {
    assert_eq!(found(done), BTreeSet::new(), "{done}");
    for kind in ["missing", "different", "extra", "rejected"] {
        assert_eq!(done[kind], 0, "{done}");
    }
    let checked = done["checked"].as_u64().expect("a count");
    assert!(
        checked >= 2 * people as u64 - 100,
        "documents and people: {done}"
    );
}

/// People change, come, become one and go, until it is over.
async fn live(project: &Project, people: usize, seed: usize, is_over: &AtomicBool) -> usize {
    let mut round = seed * 1_000;
    while !is_over.load(Relaxed) {
        round += 1;
        let one = |step: usize| name((round * 7_919 + step * 104_729) % people);
        let mut calls: Vec<Value> = (0..20)
            .map(|step| json!({"type": "identify", "userId": one(step), "traits": {"plan": format!("r-{round}"), "seen": step}}))
            .collect();
        calls.push(json!({"type": "identify", "userId": format!("new-{round}"), "traits": {"plan": "new"}}));
        // What happened before what is known by now.
        calls.push(json!({"type": "identify", "userId": one(30), "traits": {"city": format!("r-{round}")}, "timestamp": "2023-05-15T00:00:00Z"}));
        calls.push(json!({"type": "identify", "userId": one(31), "traits": {"city": null}}));
        // Where the machine is too busy for all of a round, the next one is as good.
        let reply = project.post("/v1/batch", &json!({"batch": calls})).await;
        let is_proper = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&reply.status());
        assert!(is_proper, "{reply:?}");
        if round.is_multiple_of(10) {
            let url = format!("{}/v1/profiles/user_id:{}", project.url, one(40));
            let erasing = project.client.delete(url).bearer_auth(&project.server_key);
            erasing.send().await.expect("an answer");
            let (into, from) = (one(41), one(42));
            let url = format!("{}/v1/profiles/user_id:{into}/merge", project.url);
            let merging = project.client.post(url).bearer_auth(&project.server_key);
            let body = json!({"from": format!("user_id:{from}")});
            merging.json(&body).send().await.expect("an answer");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    round - seed * 1_000
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_was_planted_nothing_is_found_whatever_goes_on_and_the_gate_opens() {
    let people = people();
    let scene = equal(Scene::patient().await, people).await;
    is_clean(&verified(&scene.project, "forward").await, people);
    let rounds = given("ROSTER_VERIFY_ROUNDS").unwrap_or(of_form(3, 20));
    for seed in 0..rounds {
        let is_over = AtomicBool::new(false);
        let verifying = async {
            let done = (
                verified(&scene.project, "forward").await,
                verified(&scene.project, "reverse").await,
            );
            is_over.store(true, Relaxed);
            done
        };
        let ((forward, reverse), changes) =
            tokio::join!(verifying, live(&scene.project, people, seed, &is_over));
        is_clean(&forward, people);
        is_clean(&reverse, people);
        assert!(changes > 5, "people change meanwhile");
    }
    scene.rests_within(PATIENCE).await;
    let status = scene.project.read("/v1/migration").await;
    assert_eq!(status["verifications"].as_array().map(Vec::len), Some(2));
    let advanced = step(&scene.project, "advance", json!({})).await;
    assert_eq!(advanced["state"], "compare");
    scene.rests_within(PATIENCE).await;
    let (status, answer) = crate::migration::ask(&scene.project, "advance", json!({})).await;
    let told = answer["detail"].as_str().unwrap_or_default().to_owned();
    assert!(
        status == 409 && told.contains("verify: wanted"),
        "one from before the state does not count: {answer}"
    );
    is_clean(&verified(&scene.project, "forward").await, people);
}

/// The mirror looks for the erased once more two minutes later, and would find by itself who came back.
async fn no_second_look(scene: &Scene) {
    wait_until("the mirror is done with the erased", PATIENCE, async || {
        sql(&scene.database, "UPDATE outbox_gone SET due_at = now()").await;
        sql(&scene.database, "SELECT count(*) FROM outbox_gone").await == ["0"]
    })
    .await;
}

/// Roster loses a trait of p-3, and p-4.
pub async fn lose(database: &str, project: &Project, trait_name: &str) {
    let own = format!("project_id = {}", project.id);
    let of = |id: &str| {
        format!(
            "profile_id IN (SELECT i.profile_id FROM identity AS i WHERE i.{own} AND i.value = '{id}')"
        )
    };
    let lost = format!(
        "UPDATE profile SET traits = traits || '{{\"{trait_name}\": \"planted\"}}' WHERE {own} AND {}",
        of("p-3")
    );
    sql(database, &lost).await;
    let gone = format!(
        "WITH p AS (DELETE FROM profile WHERE {own} AND {} RETURNING profile_id) DELETE FROM identity WHERE profile_id IN (SELECT profile_id FROM p)",
        of("p-4")
    );
    sql(database, &gone).await;
}

/// Plants one of each; what each direction has to name.
async fn planted(scene: &Scene) -> [BTreeSet<(String, String, String)>; 2] {
    let path = |id: &str| format!("{}/_doc/{id}?refresh=true", scene.index);
    // Somebody else changes a document, another one comes, and one goes.
    let mut changed = scene.document("p-1").await.expect("one");
    changed["plan"] = json!("planted");
    changed["updated_at"] = json!("2023-07-01T10:00:00Z");
    scene
        .store
        .ask(Method::PUT, &path("p-1"), Some(changed))
        .await;
    let ghost = json!({"plan": "pro", "updated_at": LATER});
    scene
        .store
        .ask(Method::PUT, &path("ghost"), Some(ghost))
        .await;
    scene.store.ask(Method::DELETE, &path("p-2"), None).await;
    lose(&scene.database, &scene.project, "city").await;
    // Whoever was erased comes back there.
    let old = scene.document("p-5").await.expect("one");
    scene.erase("p-5").await;
    scene.rests_within(PATIENCE).await;
    assert_eq!(scene.document("p-5").await, None);
    no_second_look(scene).await;
    scene.store.ask(Method::PUT, &path("p-5"), Some(old)).await;
    [
        expected(&[
            ("different", "p-1", "plan"),
            ("missing", "ghost", "-"),
            ("extra", "p-2", "-"),
            ("different", "p-3", "city"),
            ("missing", "p-4", "-"),
        ]),
        expected(&[
            ("different", "p-1", "plan"),
            ("extra", "ghost", "-"),
            ("missing", "p-2", "-"),
            ("different", "p-3", "city"),
            ("extra", "p-4", "-"),
            ("extra", "p-5", "-"),
        ]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planted_is_found_and_named_in_both_directions_while_people_change() {
    let people = people();
    let scene = equal(Scene::patient().await, people).await;
    let [forward, reverse] = planted(&scene).await;
    let is_over = AtomicBool::new(false);
    let verifying = async {
        let done = (
            verified(&scene.project, "forward").await,
            verified(&scene.project, "reverse").await,
        );
        is_over.store(true, Relaxed);
        done
    };
    // Others change, so that what was planted stays.
    let busy = async {
        let mut round = 0;
        while !is_over.load(Relaxed) {
            round += 1;
            let call = |step: usize| {
                let user = name(10 + (round * 31 + step) % (people - 10));
                json!({"type": "identify", "userId": user, "traits": {"plan": format!("r-{round}")}})
            };
            let calls: Vec<Value> = (0..20).map(call).collect();
            scene.project.results(&calls).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let ((there, back), ()) = tokio::join!(verifying, busy);
    assert_eq!(found(&there), forward, "{there}");
    assert_eq!(there["erased"], 1, "{there}");
    assert_eq!(found(&back), reverse, "{back}");
    let value = |done: &Value, id: &str, side: &str| {
        let samples = done["samples"].as_array().expect("a list").iter();
        let own = samples.filter(|one| one["document_id"] == id);
        own.map(|one| one[side].clone()).collect::<Vec<_>>()
    };
    assert_eq!(value(&there, "p-1", "theirs"), [json!("\"planted\"")]);
    assert_eq!(value(&there, "p-3", "ours"), [json!("\"planted\"")]);
    let gates = scene.project.read("/v1/migration").await["gates"].take();
    let gates = gates.as_array().expect("a list");
    let gate = gates
        .iter()
        .find(|gate| gate["name"] == "verify")
        .expect("it");
    assert_eq!(gate["holds"], false, "{gate}");
    assert!(
        gate["seen"].as_str().unwrap().starts_with("5 differences"),
        "{gate}"
    );

    // Of who is erased nothing stays listed.
    scene.erase("p-3").await;
    let listed = "SELECT count(*) FROM verification_sample WHERE document_id = 'p-3' OR ours LIKE '%planted%' AND field = 'city'";
    wait_until(
        "the samples of who was erased are empty",
        PATIENCE,
        async || sql(&scene.database, listed).await == ["0"],
    )
    .await;
    let kept = "SELECT count(*) FROM verification_sample WHERE document_id IS NULL";
    assert_eq!(sql(&scene.database, kept).await, ["2"]);
}
