//! What real tools take out of other stores, as it comes.

use super::{counts, id_of, rejections, take};
use crate::folder::public_dir;
use crate::harness::Project;
use crate::legacy::shared_store;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);
/// As docs/MAPPING.md has it.
const MAPPING: &str = "preset = \"elasticsearch\"\n[time]\nat = \"/updated_at\"\n[identities]\nuser_id = \"record:/_id\"\nemail = \"/email\"\n";

/// An index, as elasticdump writes it: a hit a line.
async fn dumped(url: &str) -> String {
    let path = public_dir("dump").join("people.ndjson");
    let program = format!("{ROOT}/.dev/sdk/elasticdump/node_modules/elasticdump/bin/elasticdump");
    let mut command = Command::new("node");
    command
        .arg(program)
        .arg(format!("--input={url}"))
        .arg(format!("--output={}", path.display()))
        .args(["--type=data", "--limit=200", "--quiet"])
        .stdin(Stdio::null());
    let output = timeout(PATIENCE, command.output()).await.expect("it ends");
    let output = output.expect("scripts/setup has installed it");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    std::fs::read_to_string(path).expect("a file")
}

#[tokio::test]
async fn an_index_that_elasticdump_wrote_comes_in_by_its_preset() {
    let store = shared_store().await;
    let index = public_dir("index")
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let index = index.expect("a name");
    store.create(&index, json!({})).await;
    let document = |number: usize| {
        json!({"email": format!("p{number}@example.com"), "plan": if number.is_multiple_of(2) { "pro" } else { "free" }, "visits": number,
            "address": {"city": "Bär\n\"Stadt\"", "zip": "01234"}, "tags": ["a", "b"], "none": null, "updated_at": "2026-01-02T03:04:05Z"})
    };
    let mut documents: Vec<(String, String)> = (0..500)
        .map(|number| (format!("id-{number}"), document(number).to_string()))
        .collect();
    documents.push((
        "id-500".to_owned(),
        json!({"email": "nobody", "updated_at": "2026-01-02"}).to_string(),
    ));
    store.put(&index, &documents).await;
    store
        .ask(Method::POST, &format!("{index}/_refresh"), None)
        .await;
    let file = dumped(&format!("{}/{index}", store.url)).await;
    assert_eq!(
        file.lines().count(),
        501,
        "{}",
        &file[..file.len().min(500)]
    );
    let project = Project::fresh().await;
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("name", "people.ndjson")
        .append_pair("mapping", MAPPING)
        .finish();
    let job = take(&project, &query, file.clone()).await;
    assert_eq!(counts(&job), [500, 0, 0, 1], "{job}");
    let refused = rejections(&project, id_of(&job)).await;
    assert!(
        refused[0]["line"]
            .as_str()
            .is_some_and(|line| line.contains("id-500")),
        "{refused:?}"
    );
    let person = project.profile("user_id:id-7").await;
    let mut expected = document(7);
    // An address names the person; null says nothing.
    let left_out = ["email", "none", "updated_at"];
    let traits = expected.as_object_mut().expect("an object");
    let traits: serde_json::Map<String, Value> = std::mem::take(traits)
        .into_iter()
        .filter(|(name, _)| !left_out.contains(&name.as_str()))
        .collect();
    for (name, value) in &traits {
        assert_eq!(&person["traits"][name], value, "{name}: {person}");
    }
    assert_eq!(
        project.profile("email:p7@example.com").await["id"],
        person["id"]
    );
    let again = take(&project, &query, file).await;
    assert_eq!(counts(&again), [0, 500, 0, 1], "{again}");
}
