//! What is listed of calls that were refused or mended: found by person when somebody is erased, bounded where one page floods it.

use crate::harness::{Project, Service, shared, store_at, wait_until, whole_rows};
use crate::iterable::signed::App;
use crate::machine::metric;
use crate::own_kinds::project_with;
use reqwest::StatusCode;
use roster::domain::{Identity, IdentityKind, ProjectId};
use roster::store::Refusal;
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "lovelace-secret";

async fn delete(project: &Project, reference: &str) {
    let url = format!("{}/v1/profiles/{reference}", project.url);
    let request = project.client.delete(url).bearer_auth(&project.server_key);
    let reply = request.send().await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK);
}

/// Calls that are refused, or stored and mended, of somebody by one of their names.
fn faulty(name: &str, value: &str, id: &str) -> Vec<Value> {
    let mut calls = vec![
        json!({"type": "dance", "step": SECRET}),
        json!({"type": "track", "properties": {"a": SECRET}}),
        json!({"type": "group", "traits": {"a": SECRET}}),
        json!({"type": "track", "event": "x".repeat(3_000), "properties": {"a": SECRET}}),
        json!({"type": "track", "event": "Seen", "timestamp": SECRET, "properties": {"a": SECRET}}),
        json!({"type": "page", "properties": SECRET}),
    ];
    for (number, call) in calls.iter_mut().enumerate() {
        call[name] = json!(value);
        call["messageId"] = json!(format!("{id}-{number}"));
    }
    calls
}

/// A record that could not be taken.
async fn refuse_record(project: &Project, name: &str, offset: i64) {
    let names = vec![Identity::new(IdentityKind::UserId, name)];
    let refusal = Refusal {
        project_id: ProjectId(project.id),
        code: "too_long".to_owned(),
        message: "a text".to_owned(),
        key: Some(name.into()),
        record: Some(format!(r#"{{"name":"{name}","a":"{SECRET}"}}"#).into()),
        names,
        ..Refusal::at("legacy".to_owned(), ("people".to_owned(), 0), offset)
    };
    let store = store_at(&shared().await.database_url);
    store.record_refusals(vec![refusal]).await.expect("listed");
}

/// Both lists, and all that the database keeps for them.
async fn all_lists(project: &Project) -> String {
    let mut all = project.read("/v1/rejections?limit=1000").await.to_string();
    let records = project.read("/v1/backfill/rejections?limit=1000").await;
    all.push_str(&records.to_string());
    for table in ["rejection", "backfill_rejection"] {
        let rows = format!("SELECT * FROM {table} WHERE project_id = {}", project.id);
        let url = &shared().await.database_url;
        all.push_str(&whole_rows(url, &rows).await.join("\n"));
    }
    all
}

#[tokio::test]
async fn of_an_erased_person_no_list_says_anything() {
    let project = Project::fresh().await;
    let known = json!({"type": "identify", "userId": "ada-1815", "anonymousId": "adas-phone",
        "traits": {"email": "ada@example.com"}});
    project.results(&[known]).await;
    project.results(&faulty("userId", "ada-1815", "u")).await;
    project
        .results(&faulty("anonymousId", "adas-phone", "a"))
        .await;
    let email = json!({"type": "dance", "traits": {"email": "Ada@Example.com"}, "step": SECRET});
    project.results(&[email]).await;
    refuse_record(&project, "ada-1815", 1).await;
    project.results(&faulty("userId", "bob", "b")).await;
    refuse_record(&project, "bob", 2).await;
    let before = project.rejections().await;
    assert_eq!(before.len(), 3 * 6 + 1);

    delete(&project, "user_id:ada-1815").await;
    let after = project.rejections().await;
    let kept = |row: &&Value| row["message"] != "the person was erased";
    let (kept, emptied): (Vec<&Value>, Vec<&Value>) = after.iter().partition(kept);
    assert_eq!((kept.len(), emptied.len()), (6, 13));
    for (old, new) in before.iter().zip(&after) {
        for field in ["id", "code", "stored", "received_at"] {
            assert_eq!(old[field], new[field]);
        }
    }
    assert!(
        emptied.iter().any(|row| row["stored"] == true),
        "{emptied:?}"
    );
    for row in emptied {
        for field in ["item", "message_id", "field"] {
            assert_eq!(row[field], json!(null), "{row}");
        }
    }
    let records = project.read("/v1/backfill/rejections").await;
    assert_eq!(records["rejections"][0]["record"], json!(null));
    let bobs = records["rejections"][1]["record"].as_str();
    assert!(bobs.is_some_and(|record| record.contains(SECRET)));

    // Of what comes later and can't be read nobody knows whether it is older, and a record may be delivered again.
    let late = json!({"type": "dance", "userId": "ada-1815", "messageId": "late", "step": SECRET});
    assert_eq!(project.results(&[late]).await[0]["code"], "unknown_type");
    refuse_record(&project, "ada-1815", 1).await;
    let all = all_lists(&project).await;
    assert!(
        !all.contains("ada-1815") && !all.contains("adas-phone"),
        "{all}"
    );
    delete(&project, "user_id:bob").await;
    let all = all_lists(&project).await;
    assert!(!all.contains(SECRET) && !all.contains("bob"), "{all}");
}

/// Calls that are refused, each by another place in which somebody may be named.
fn refused_by_every_name() -> Vec<Value> {
    let by = |list: &str, kind: &str, id: &str| json!({list: [{"type": kind, "id": id}]});
    let track = |context: Value| json!({"type": "track", "context": context});
    let merged = |kind: &str, value: &str| json!([{"type": kind, "value": value}]);
    vec![
        track(by("externalIds", "customer_no", "C-77")),
        track(by("externalId", "phone", "0049 731/1234")),
        json!({"type": "dance", "context": {"traits": {"email": "Ada@Example.com"}}}),
        json!({"type": "dance", "context": {"traits": {"customer_no": "C-77"}}}),
        json!({"type": "dance", "traits": {"customer_no": "C-77"}}),
        json!({"type": "merge", "mergeProperties": merged("email", "ada@example.com")}),
        json!({"type": "merge", "mergeProperties": merged("customer_no", "C-77")}),
        json!({"type": "alias", "event": 1, "previousId": "adas-phone"}),
    ]
}

#[tokio::test]
async fn a_refused_call_goes_with_its_person_by_whatever_name_it_says() {
    let project = project_with(&["--kind", "customer_no:500", "--kind", "phone::phone"]).await;
    let known = json!({"type": "identify", "anonymousId": "adas-phone",
        "traits": {"email": "ada@example.com", "customer_no": "C-77", "phone": "+497311234"}});
    project.results(&[known]).await;
    let calls = refused_by_every_name().into_iter().map(|mut call| {
        call["step"] = json!(SECRET);
        call
    });
    let calls: Vec<Value> = calls.collect();
    let told = project.results(&calls).await;
    assert!(
        told.iter().all(|one| one["status"] == "rejected"),
        "{told:?}"
    );
    let shared_context = json!({"batch": [{"type": "dance", "step": SECRET}],
        "context": {"traits": {"email": "ada@example.com"}}});
    project.send("/v1/batch", &shared_context).await;
    assert_eq!(project.rejections().await.len(), calls.len() + 1);
    delete(&project, "customer_no:C-77?forget=true").await;
    let after = project.rejections().await;
    let told = after.iter().filter(|row| !row["item"].is_null());
    assert_eq!(told.collect::<Vec<_>>(), Vec::<&Value>::new());
    // Of who is forgotten nothing more is listed.
    project.results(&calls).await;
    assert_eq!(project.rejections().await.len(), after.len());
}

#[tokio::test]
async fn a_mended_call_goes_with_whom_it_was_not_to_be_about() {
    let app = App::fresh().await;
    let project = &app.project;
    let known = ["signed-ada", "kiosk"].map(|user| json!({"type": "identify", "userId": user}));
    project.results(&known).await;
    let unsigned = json!({"userId": "signed-ada", "anonymousId": "phone", "traits": {"a": SECRET}});
    let url = format!("{}/v1/identify", project.url);
    let request = project.client.post(url).basic_auth(&app.key, Some(""));
    let reply = request.json(&unsigned).send().await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK);
    block(project, "user_id:kiosk").await;
    let blocked = json!({"type": "track", "event": "Seen", "userId": "kiosk", "anonymousId": "a1",
        "properties": {"a": SECRET}});
    wait_until("the block is known", PATIENCE, async || {
        let told = project.results(std::slice::from_ref(&blocked)).await;
        told[0]["warnings"][0]["code"] == "blocked_id"
    })
    .await;
    let listed = project.rejections().await;
    let told = listed.iter().map(|row| &row["warnings"][0]["code"]);
    assert_eq!(told.collect::<Vec<_>>(), ["blocked_id", "unsigned_user"]);
    for name in ["user_id:signed-ada", "user_id:kiosk"] {
        delete(project, name).await;
    }
    let listed = project.rejections().await;
    assert!(listed.iter().all(|row| row["item"].is_null()), "{listed:?}");
}

async fn block(project: &Project, name: &str) {
    let url = format!("{}/v1/identities/{name}/block", project.url);
    let request = project.client.post(url).bearer_auth(&project.server_key);
    let reply = request.send().await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_broken_page_does_not_fill_the_list_of_mendings() {
    let project = Project::fresh().await;
    let call = |number: usize| json!({"type": "track", "event": "Seen", "userId": "null", "anonymousId": format!("a{number}")});
    let calls: Vec<Value> = (0..300).map(call).collect();
    let told = project.results(&calls).await;
    assert!(
        told.iter()
            .all(|one| one["warnings"][0]["code"] == "placeholder_id")
    );
    let other = json!({"type": "track", "event": "Seen", "userId": "ada", "timestamp": "junk"});
    project.results(&[other]).await;
    let listed = project.read("/v1/rejections?limit=1000").await;
    let listed = listed["rejections"].as_array().expect("a list");
    // Sixty a minute, and a minute may have ended meanwhile.
    assert!((61..=121).contains(&listed.len()), "{}", listed.len());
    assert_eq!(listed[0]["warnings"][0]["code"], "bad_time");
}

#[tokio::test]
async fn a_name_for_which_its_person_has_no_room_is_told_counted_and_listed() {
    let database_url = &shared().await.database_url;
    let service =
        Service::start(database_url, &[("ROSTER__LIMITS__PROFILE_IDENTITIES", "3")]).await;
    let project = Project::on(&service.url, database_url).await;
    let call = |device: &str| json!({"type": "track", "event": "Seen", "userId": "ada", "anonymousId": device, "messageId": device});
    for device in ["a1", "a2"] {
        let told = project.results(&[call(device)]).await;
        assert_eq!(told[0]["warnings"], json!(null), "{told:?}");
    }
    let told = project.results(&[call("a3"), call("a1")]).await;
    assert_eq!(told[0]["status"], "stored", "{told:?}");
    let warning = &told[0]["warnings"][0];
    assert_eq!(warning["code"], "too_many_identities");
    assert_eq!(warning["field"], "anonymousId");
    assert_eq!(told[1]["status"], "duplicate");
    let name = r#"roster_warnings_total{code="too_many_identities"}"#;
    assert!((metric(&service.url, name).await - 1.0).abs() < 0.1);
    let listed = project.rejections().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["stored"], &listed[0]["message_id"]),
        (&json!(true), &json!("a3"))
    );
    assert_eq!(listed[0]["warnings"][0], *warning);
    let told = project.results(&[call("a3")]).await;
    assert_eq!(told[0]["status"], "duplicate");
    assert_eq!(project.rejections().await.len(), 1);
    let ada = project.profile("user_id:ada").await;
    assert_eq!(ada["identities"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn an_export_has_what_is_listed_of_its_person_and_of_nobody_else() {
    let project = Project::fresh().await;
    let known = ["ada-1815", "bob"].map(|user| json!({"type": "identify", "userId": user}));
    project.results(&known).await;
    for (name, id) in [("ada-1815", "a"), ("bob", "b")] {
        let many = (0..40).flat_map(|number| faulty("userId", name, &format!("{id}{number}")));
        project.results(&many.collect::<Vec<_>>()).await;
        refuse_record(&project, name, i64::from(id == "a")).await;
    }
    let url = format!("{}/v1/profiles/user_id:ada-1815/export", project.url);
    let request = project.client.get(url).bearer_auth(&project.server_key);
    let text = request.send().await.expect("an answer").text().await;
    let text = text.expect("text");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    let of = |of: &str| {
        let own = lines.iter().filter(|line| line["record"] == "listed");
        own.filter(|line| line["of"] == of).collect::<Vec<_>>()
    };
    let listed = project.read("/v1/rejections?limit=1000").await;
    let listed = listed["rejections"].as_array().expect("a list");
    let of_ada = listed
        .iter()
        .filter(|row| row["item"]["userId"] == "ada-1815");
    let texts = listed.iter().filter_map(|row| row["item"].as_str());
    let of_ada = of_ada.count() + texts.filter(|text| text.contains("ada-1815")).count();
    let calls = of("call");
    assert_eq!(calls.len(), of_ada, "more than a page: {of_ada}");
    assert!(of_ada > 200, "{of_ada}");
    assert!(calls.iter().any(|call| call["warnings"].is_array()));
    assert!(
        calls
            .iter()
            .all(|call| call["at"].is_string() && !call["item"].is_null())
    );
    let records = of("topic");
    assert_eq!((records.len(), &records[0]["key"]), (1, &json!("ada-1815")));
    assert!(
        records[0]["text"]
            .as_str()
            .is_some_and(|text| text.contains(SECRET))
    );
    assert!(!text.contains("bob"), "{text}");
}
