//! Rejections that come back with the settings of their file: what was not mended is still refused, and nothing is damaged on the way.

use super::{counts, id_of, request, take};
use crate::harness::Project;
use reqwest::Method;
use serde_json::{Value, json};

const FORMS: [&str; 2] = ["csv", "ndjson"];

/// The list of a job, as a file.
async fn list(project: &Project, job: &Value, form: &str) -> Vec<u8> {
    let path = format!("/v1/imports/{}/rejections?format={form}", id_of(job));
    let reply = request(project, Method::GET, &path).send().await.unwrap();
    reply.bytes().await.unwrap().to_vec()
}

/// The same as text, with something else in place of a text.
async fn mended(project: &Project, job: &Value, form: &str, change: (&str, &str)) -> String {
    let list = String::from_utf8(list(project, job, form).await).unwrap();
    assert!(list.contains(change.0), "{list}");
    list.replace(change.0, change.1)
}

#[tokio::test]
async fn a_table_without_a_header_comes_back_with_each_of_its_rows() {
    for form in FORMS {
        let project = Project::fresh().await;
        let settings =
            "format=csv&name=t&time=2026-01-01T00:00:00Z&columns=user_id,name&skip_lines=1";
        let said = format!("{settings}&delimiter=;");
        let job = take(&project, &said, "made today\n1;Ada;x\n2;Bob;x\n3;Cy;x\n").await;
        assert_eq!(counts(&job), [0, 0, 0, 3], "{job}");
        let file = mended(&project, &job, form, (";x", "")).await;
        // The delimiter comes with the list.
        let again = take(&project, settings, file.clone()).await;
        assert_eq!(counts(&again), [3, 0, 0, 0], "{form}: {again}");
        let again = take(&project, &said, file).await;
        assert_eq!(counts(&again), [0, 3, 0, 0], "{form}: {again}");
        assert_eq!(project.profile("user_id:1").await["traits"]["name"], "Ada");
    }
}

#[tokio::test]
async fn the_beginning_of_a_record_is_refused_where_it_comes_again() {
    for form in FORMS {
        let project = Project::fresh().await;
        let (long, longer) = ("x".repeat(90_000), "y".repeat(1_200_000));
        let table = format!("user_id,note\n,{long}\n2,{longer}\n");
        let settings = "format=csv&name=long&delimiter=comma";
        let job = take(&project, settings, table).await;
        assert_eq!(counts(&job), [0, 0, 0, 2], "{job}");
        let file = list(&project, &job, form).await;
        let again = take(&project, settings, file).await;
        assert_eq!(counts(&again), [0, 0, 0, 2], "{form}: {again}");
        let file = mended(&project, &job, form, (",xxx", "1,xxx")).await;
        let again = take(&project, settings, file).await;
        assert_eq!(counts(&again), [0, 0, 0, 2], "{form}: {again}");
        // What was refused twice still says that it is a beginning.
        let file = mended(
            &project,
            &again,
            "ndjson",
            ("line_beginning", "line_beginning"),
        )
        .await;
        assert!(!file.contains("\"line\":\"2"), "{form}");
    }
}

#[tokio::test]
async fn the_encoding_of_a_file_is_not_that_of_its_list() {
    for form in FORMS {
        for encoding in ["windows-1252", "utf-16le"] {
            let project = Project::fresh().await;
            let text = "user_id,note\n1,caf\u{e9} \u{20ac},x\n2,fine\n";
            let file: Vec<u8> = match encoding {
                "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                _ => text
                    .chars()
                    .map(|own| if own == '\u{20ac}' { 0x80 } else { own as u8 })
                    .collect(),
            };
            let settings = format!("format=csv&name=old&delimiter=comma&encoding={encoding}");
            let job = take(&project, &settings, file).await;
            assert_eq!(counts(&job), [1, 0, 0, 1], "{job}");
            let file = mended(&project, &job, form, (",x", "")).await;
            let again = take(&project, &settings, file).await;
            assert_eq!(counts(&again), [1, 0, 0, 0], "{form} {encoding}: {again}");
            let note = &project.profile("user_id:1").await["traits"]["note"];
            assert_eq!(note, &json!("caf\u{e9} \u{20ac}"), "{form} {encoding}");
        }
    }
}

#[tokio::test]
async fn a_line_that_is_no_text_is_listed_as_it_is_and_refused_where_it_comes_again() {
    let project = Project::fresh().await;
    let settings = "format=csv&name=bytes&delimiter=comma";
    let job = take(&project, settings, b"user_id,note\n1,caf\xe9\n2,fine\n").await;
    assert_eq!(counts(&job), [1, 0, 0, 1], "{job}");
    for form in FORMS {
        let file = list(&project, &job, form).await;
        let bytes: &[u8] = if form == "csv" {
            b"\"1,caf\xe9\""
        } else {
            b"\"line_base64\":\"MSxjYWbp\""
        };
        assert!(
            memchr::memmem::find(&file, bytes).is_some(),
            "{}",
            file.escape_ascii()
        );
        let again = take(&project, settings, file).await;
        assert_eq!(counts(&again), [0, 0, 0, 1], "{form}: {again}");
    }
}
