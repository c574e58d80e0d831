//! People who were erased: nothing of what was refused of them stays in the lists of imports, by whatever road they are named.

use super::{Upload, id_of, rejections, request, take};
use crate::harness::{Project, Service, fresh_database, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

/// A mapping whose rows have a time that may not be read.
const MAPPING: &str = "[identities]\nuser_id = \"/id\"\nemail = \"/mail\"\n[time]\nat = \"/changed\"\n[traits]\nonly = [\"plan\"]\n";

/// What is said of a file, and a text of it that names somebody and is refused.
fn refused(who: &str) -> Vec<(String, String)> {
    let call = |call: Value| (String::new(), format!("{call}\n"));
    let mail = format!("{who}@example.com");
    let own = json!({"roster": 1, "type": "nope", "identities": {"user_id": who}});
    let mapped: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("format", "csv")
        .append_pair("delimiter", ",")
        .append_pair("mapping", MAPPING)
        .finish();
    let late = "&time=2026-01-01T00:00:00Z";
    vec![
        call(json!({"type": "track", "userId": who})),
        call(json!({"type": "group", "userId": who})),
        call(json!({"type": "alias", "userId": who})),
        call(json!({"type": "nope", "userId": who})),
        call(own),
        (
            mapped.clone(),
            format!("id,mail,plan,changed\n{who},,pro,soon\n"),
        ),
        (mapped, format!("id,mail,plan,changed\n,<{mail}>,pro,\n")),
        (
            "format=csv&delimiter=,".to_owned(),
            format!("user_id,email\n{who},no address\n"),
        ),
    ]
    .into_iter()
    .map(|(said, text)| (format!("{said}{late}"), text))
    .collect()
}

async fn erase(project: &Project, who: &str, query: &str) {
    let known = json!({"userId": who, "traits": {"email": format!("{who}@example.com")}});
    project.send("/v1/identify", &known).await;
    let path = format!("/v1/profiles/user_id:{who}{query}");
    let reply = request(project, Method::DELETE, &path)
        .send()
        .await
        .unwrap();
    assert!(reply.status().is_success(), "{}", reply.status());
}

#[tokio::test]
async fn what_was_refused_of_somebody_goes_with_them() {
    let project = Project::fresh().await;
    let mut jobs = Vec::new();
    for (said, text) in refused("ada") {
        let job = take(&project, &said, text).await;
        assert_eq!(job["rejected"], 1, "{job}");
        jobs.push(job);
    }
    erase(&project, "ada", "").await;
    for (job, (_, text)) in jobs.iter().zip(refused("ada")) {
        let is_gone = async || {
            let listed = rejections(&project, id_of(job)).await;
            listed
                .iter()
                .all(|row| row["code"] == "header" || row["line"] == "")
        };
        wait_until(&text, super::PATIENCE, is_gone).await;
    }
}

#[tokio::test]
async fn what_comes_later_about_somebody_forgotten_is_counted_alone() {
    let project = Project::fresh().await;
    erase(&project, "eve", "?forget=true").await;
    for (said, text) in refused("eve") {
        let job = take(&project, &said, &*text).await;
        assert_eq!(job["rejected"], 1, "{job}");
        for row in rejections(&project, id_of(&job)).await {
            assert!(
                row["code"] == "header" || row["line"] == "",
                "{text}: {row}"
            );
        }
    }
}

#[tokio::test]
async fn open_lines_of_an_upload_that_is_given_up_go_with_their_person() {
    // Of its own: elsewhere the worker rests for as long as the others' settings say.
    let database = fresh_database().await;
    let short = [("ROSTER__IMPORTS__EXPIRE_SECONDS", "2")];
    let service = Service::start(&database, &short).await;
    let project = Project::on(&service.url, &database).await;
    let line = |plan: &str| json!({"type": "identify", "userId": "ada", "traits": {"plan": plan}});
    let file = format!("{}{}", line("pro"), line("free"));
    let upload = Upload::create(&project, "", ("Upload-Length", "1000")).await;
    upload.patched(0, &*file).await;
    erase(&project, "ada", "").await;
    upload.must_become("incomplete").await;
    let listed = rejections(&project, upload.id()).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    for row in listed {
        assert_eq!(
            (&row["code"], &row["line"]),
            (&json!("incomplete"), &json!(""))
        );
    }
}
