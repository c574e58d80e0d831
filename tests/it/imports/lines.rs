//! Bad lines among good ones: each is listed, its neighbours are stored, and the list, mended, completes the set.

use super::slowly::Slowly;
use super::{counts, events, id_of, must_add_up, rejections, send, take};
use crate::harness::{Project, Service, shared, sql};
use crate::machine::peak_memory_mib;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::io::Write;

/// One bad line of a kind, and the code by which it is listed.
fn bad_lines() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (
            br#"{"type":"track","userId":"x","event":"#.to_vec(),
            "not_json",
        ),
        (
            b"{\"type\":\"track\",\"userId\":\"caf\xe9\",\"event\":\"x\"}".to_vec(),
            "bad_utf8",
        ),
        (
            br#"{"type":"track","event":"Nobody"}"#.to_vec(),
            "missing_identity",
        ),
        (br#"{"type":"dance","userId":"x"}"#.to_vec(), "unknown_type"),
        (b"42".to_vec(), "not_an_object"),
        (b"null".to_vec(), "not_an_object"),
        (
            format!("{{\"x\":\"{}\"}}", "y".repeat(3 << 20)).into_bytes(),
            "record_too_large",
        ),
    ]
}

#[tokio::test]
async fn each_bad_line_is_listed_with_its_number_and_its_neighbours_are_stored() {
    let project = Project::fresh().await;
    let bad = bad_lines();
    let mut file = b"\xef\xbb\xbf".to_vec();
    let mut expected = Vec::new();
    let mut line = 0;
    for (number, (text, code)) in bad.iter().enumerate() {
        let ends: &[u8] = if number % 2 == 0 { b"\r\n" } else { b"\n" };
        file.extend_from_slice(events(number, 1).trim_end().as_bytes());
        file.extend_from_slice(ends);
        file.extend_from_slice(text);
        file.extend_from_slice(ends);
        file.extend_from_slice(ends);
        expected.push(((line + 2).to_string(), *code));
        line += 3;
    }
    file.extend_from_slice(events(bad.len(), 1).trim_end().as_bytes());
    let job = take(&project, "name=bad", file).await;
    assert_eq!(counts(&job), [8, 0, 0, 7]);
    assert_eq!((&job["lines"], &job["blank"]), (&json!(22), &json!(7)));
    let listed = rejections(&project, id_of(&job)).await;
    let found: Vec<(String, &str)> = listed
        .iter()
        .map(|one| {
            (
                one["line_number"].as_str().unwrap().to_owned(),
                one["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(found, expected);
    assert!(
        listed[0]["line"]
            .as_str()
            .unwrap()
            .starts_with("{\"type\":\"track\"")
    );
    assert_eq!(project.count("*", "event").await, 8);
}

#[tokio::test]
async fn a_line_of_100_mb_is_one_rejection_between_its_neighbours_and_is_never_held() {
    let service = Service::start(&shared().await.database_url, &[]).await;
    let project = Project::on(&service.url, &shared().await.database_url).await;
    let long = 100 << 20;
    let neighbour = |number| events(number, 1).into_bytes();
    let all = neighbour(0).len() + 10 + long + 3 + neighbour(1).len();
    let length = format!("Content-Length: {all}\r\n");
    let mut sending = Slowly::begin(&project, "POST /v1/imports?name=long", &length).await;
    sending.send(&neighbour(0)).await;
    sending.send(b"{\"text\": \"").await;
    let block = vec![b'x'; 1 << 20];
    for _ in 0..long / block.len() {
        sending.send(&block).await;
    }
    sending.send(b"\"}\n").await;
    sending.send(&neighbour(1)).await;
    assert_eq!(sending.status().await, 201);
    let listed = project.read("/v1/imports?name=long").await;
    let job = &listed["imports"][0];
    assert_eq!((counts(job), &job["lines"]), ([2, 0, 0, 1], &json!(3)));
    let refused = &rejections(&project, id_of(job)).await[0];
    assert_eq!(
        (&refused["line_number"], &refused["code"]),
        (&json!("2"), &json!("record_too_large"))
    );
    let (text, reason) = (
        refused["line_beginning"].as_str(),
        refused["reason"].as_str(),
    );
    assert!(text.unwrap().starts_with("{\"text\": \"xxx"));
    assert!(
        reason.unwrap().contains(&(long + 12).to_string()),
        "{refused}"
    );
    let peak = peak_memory_mib(service.pid());
    assert!(peak < long as u64 >> 20, "{peak} MiB");
}

#[tokio::test]
async fn what_is_refused_in_the_write_is_listed_with_its_file_and_nowhere_else() {
    let project = Project::fresh().await;
    let call = |id: &str, user: &str, name: &str| json!({"type": "track", "userId": user, "event": name, "messageId": id, "timestamp": "2026-01-01T00:00:00Z"});
    project
        .send("/v1/track", &call("taken", "a", "First"))
        .await;
    let erased = format!("{}/v1/profiles/user_id:gone", project.url);
    project.send("/v1/track", &call("g", "gone", "First")).await;
    let erase = project
        .client
        .delete(erased)
        .bearer_auth(&project.server_key);
    assert!(erase.send().await.unwrap().status().is_success());
    let file = format!(
        "{}\n{}\n{}\n",
        call("taken", "a", "Second"),
        call("fine", "a", "Third"),
        call("late", "gone", "Fourth")
    );
    let job = take(&project, "name=refused", file).await;
    assert_eq!(counts(&job), [1, 0, 0, 2], "{job}");
    let listed = rejections(&project, id_of(&job)).await;
    let found: Vec<_> = listed
        .iter()
        .map(|one| {
            (
                one["line_number"].as_str().unwrap(),
                one["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(found, [("1", "message_id_taken"), ("3", "erased")]);
    assert_eq!(project.rejections().await, Vec::<Value>::new());
    // What comes by another road is listed there as before.
    let live = project.client.post(format!("{}/v1/track", project.url));
    let live = live
        .bearer_auth(&project.server_key)
        .json(&call("taken", "a", "Fifth"));
    assert!(live.send().await.unwrap().status().is_success());
    let codes: Vec<Value> = project.rejections().await;
    assert_eq!(codes.len(), 1, "{codes:?}");
}

#[tokio::test]
async fn what_is_no_such_file_is_refused_whole_with_a_hint() {
    let project = Project::fresh().await;
    for (query, file, status, hint) in [
        (
            "format=csv",
            b"PK\x03\x04rest of a workbook".to_vec(),
            415,
            "xlsx",
        ),
        (
            "format=ndjson",
            b"{\n  \"type\": \"track\",\n  \"userId\": \"x\"\n}\n".to_vec(),
            400,
            "format=json",
        ),
        (
            "format=csv",
            "e\0m\0a\0i\0l\0,\0a\0\n\0x\0,\0y\0\n\0"
                .repeat(9)
                .into_bytes(),
            400,
            "UTF-16",
        ),
        (
            "format=csv&delimiter=\"",
            b"a,b\n".to_vec(),
            400,
            "delimiter",
        ),
        (
            "format=csv&delimiter=,",
            b"customer:plan\n7:pro\n8:free\n".to_vec(),
            400,
            "kind of identity",
        ),
        (
            "format=csv",
            b"Email,email,c\none@x.test,two@x.test,3\n".to_vec(),
            400,
            "the columns \"Email\" and \"email\"",
        ),
        (
            "format=csv&encoding=utf-16le",
            b"user_id,x\nop1,1\n".to_vec(),
            400,
            "kind of identity",
        ),
        ("format=csv", b"<!DOCTYPE html><html>".to_vec(), 415, "page"),
    ] {
        let (reply, problem) = send(&project, query, file).await;
        assert_eq!(reply.as_u16(), status, "{query}: {problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(hint),
            "{hint}: {problem}"
        );
    }
    let listed = project.read("/v1/imports").await;
    let listed = listed["imports"].as_array().unwrap();
    let reason = |text: &str| {
        let is_it = |job: &&Value| job["reason"].as_str().unwrap_or_default().contains(text);
        listed.iter().find(is_it).expect(text)
    };
    assert_eq!(reason("UTF-16")["state"], "failed");
    assert_eq!(reason("kind of identity")["state"], "failed");
    assert_eq!(reason("kind of identity")["rejected"], 0);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_files_are_told_by_their_bytes_and_a_cut_one_is_never_done() {
    let project = Project::fresh().await;
    let members = [gzip(&events(0, 700)), gzip(&events(700, 800)), vec![0; 512]].concat();
    let job = take(&project, "name=two.gz", members.clone()).await;
    assert_eq!(counts(&job), [1_500, 0, 0, 0]);
    assert_eq!(
        (&job["compression"], &job["offset"]),
        (&json!("gzip"), &json!(members.len()))
    );
    let zstd = zstd::encode_all(events(0, 1_500).as_bytes(), 3).unwrap();
    let job = take(&project, "name=two.gz", zstd).await;
    assert_eq!(counts(&job), [0, 0, 1_500, 0]);
    let cut = gzip(&events(2_000, 1_000));
    let (status, problem) = send(&project, "name=cut.gz", &cut[..cut.len() / 2]).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::BAD_REQUEST, &json!("truncated"))
    );
    let listed = project.read("/v1/imports?name=cut.gz").await;
    let job = &listed["imports"][0];
    assert_eq!(job["state"], "failed");
    assert!(job["stored"].as_u64().unwrap() > 0, "{job}");
    must_add_up(job);
}

#[tokio::test]
async fn row_38_what_came_before_a_fault_is_stored_however_little_that_is() {
    let project = Project::fresh().await;
    for (round, count) in [(0, 3), (1, 3_000), (2, 9_000)] {
        let packed = gzip(&events(round * 10_000, count));
        let cut = packed[..packed.len() - 4].to_vec();
        let followed = [&packed[..], b"hello"].concat();
        for (name, file, code) in [
            ("cut", cut, "truncated"),
            ("followed", followed, "compression"),
        ] {
            let name = format!("{name}-{round}");
            let (_, problem) = send(&project, &format!("name={name}"), file).await;
            assert_eq!(problem["code"], code, "{problem}");
            let listed = project.read(&format!("/v1/imports?name={name}")).await;
            let job = &listed["imports"][0];
            assert_eq!(
                (&job["state"], counts(job)),
                (&json!("failed"), [count as u64, 0, 0, 0])
            );
        }
    }
}

#[tokio::test]
async fn of_who_was_erased_nothing_is_listed() {
    let project = Project::fresh().await;
    let line =
        r#"{"type":"track","userId":"ada-in-a-file","event":"x","properties":{"n":1e999999}}"#;
    let job = take(
        &project,
        "name=ada&time=2026-01-01T00:00:00Z",
        format!("{line}\n"),
    )
    .await;
    assert_eq!(job["rejected"], 1, "{job}");
    let erased = format!("{}/v1/profiles/user_id:ada-in-a-file", project.url);
    let erase = project
        .client
        .delete(erased)
        .bearer_auth(&project.server_key);
    assert!(erase.send().await.unwrap().status().is_success());
    let kept = format!(
        "SELECT message FROM import_rejection WHERE project_id = {} AND record IS NULL AND field IS NULL",
        project.id
    );
    let url = &shared().await.database_url;
    let is_empty = async || sql(url, &kept).await == ["the person was erased"];
    crate::harness::wait_until("it is emptied", super::PATIENCE, is_empty).await;
    // The same file again lists nothing of the person either.
    let again = take(
        &project,
        "name=ada&time=2026-01-01T00:00:00Z",
        format!("{line}\n"),
    )
    .await;
    assert_eq!(again["rejected"], 1);
    let listed = rejections(&project, id_of(&again)).await;
    assert_eq!(
        (&listed[0]["code"], &listed[0]["line"]),
        (&json!("number_too_large"), &json!(""))
    );
}

#[tokio::test]
async fn the_list_mended_and_sent_again_completes_the_set() {
    let project = Project::fresh().await;
    let table = "user_id,email,note\n1,ada@example.com,=1+1\n2,bob@example.com\n3,\"cy@example.com,open\n4,dee@example.com,fine\n,,nobody\n";
    let job = take(&project, "name=people.csv&delimiter=comma", table).await;
    assert_eq!(counts(&job), [2, 0, 0, 3], "{job}");
    let path = format!("/v1/imports/{}/rejections?format=csv", id_of(&job));
    let reply = super::request(&project, reqwest::Method::GET, &path)
        .send()
        .await
        .unwrap();
    assert!(
        super::header(&reply, "content-type")
            .unwrap()
            .starts_with("text/csv")
    );
    let list = reply.text().await.unwrap();
    let mended = list
        .replace("2,bob@example.com", "2,bob@example.com,")
        .replace("3,\"\"cy@example.com,open", "3,cy@example.com,open")
        .replace(",,nobody", "5,,nobody");
    assert_ne!(list, mended);
    let again = take(&project, "name=people.csv&delimiter=comma", mended).await;
    assert_eq!(counts(&again), [3, 0, 0, 0], "{again}\n{list}");
    for person in 1..=5 {
        project.profile(&format!("user_id:{person}")).await;
    }
    assert_eq!(project.profile("user_id:1").await["traits"]["note"], "=1+1");
}

/// A table of which each kind of bad row makes one percent, its mapping, and how each kind is listed.
fn spoiled_table(rows: usize) -> (Vec<u8>, Vec<(&'static str, usize)>) {
    let mut table = b"\xef\xbb\xbfid,email,plan,changed\r\n".to_vec();
    let each = rows / 100;
    for row in 0..rows {
        let good = format!("{row},p{row}@example.com,pro,2026-01-02T03:04:05Z");
        let text: Vec<u8> = match row % 100 {
            10 => format!("{row},p{row}@example.com").into(),
            20 => format!("{row},p{row}@example.com,\"pro,2026-01-02T03:04:05Z").into(),
            30 => [b"x\xff", good.as_bytes()].concat(),
            40 => format!(",,pro{row},2026-01-02T03:04:05Z").into(),
            50 => format!("1.9143E+18,,pro{row},2026-01-02T03:04:05Z").into(),
            60 => format!("\r\n{good}").into(),
            70 => good.replace("2026-01-02T03:04:05Z", "soon").into(),
            80 => good.replace("pro", "p\0ro").into(),
            _ => good.into(),
        };
        table.extend_from_slice(&text);
        let end: &[u8] = if row + 1 == rows {
            b""
        } else if row % 3 == 0 {
            b"\n"
        } else {
            b"\r\n"
        };
        table.extend_from_slice(end);
    }
    let listed = [
        "bad_utf8",
        "damaged_number",
        "invalid_field",
        "invalid_time",
        "missing_identity",
        "unbalanced_quote",
        "wrong_column_count",
    ];
    (table, listed.map(|code| (code, each)).to_vec())
}

#[tokio::test]
async fn one_percent_of_every_kind_in_a_table_costs_no_neighbour() {
    let project = Project::fresh().await;
    let mapping = "[identities]\nuser_id = \"/id\"\nemail = \"/email\"\n[time]\nat = \"/changed\"\n[traits]\nonly = [\"plan\"]\n";
    let (table, expected) = spoiled_table(1_000);
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("format", "csv")
        .append_pair("name", "spoiled.csv")
        .append_pair("mapping", mapping)
        .finish();
    let job = take(&project, &query, table).await;
    let listed = rejections(&project, id_of(&job)).await;
    let mut codes = std::collections::BTreeMap::<&str, usize>::new();
    for row in listed.iter().filter(|row| row["code"] != "header") {
        *codes.entry(row["code"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), expected, "{job}");
    assert_eq!(counts(&job), [930, 0, 0, 70], "{job}");
    assert_eq!((&job["blank"], &job["lines"]), (&json!(10), &json!(1_011)));
    project.profile("user_id:11").await;
    project.profile("email:p999@example.com").await;
}

#[tokio::test]
async fn row_23_what_a_mapping_leaves_out_is_told_with_its_first_line_and_how_often() {
    let project = Project::fresh().await;
    let mapping = "[identities]\nuser_id = \"/id\"\n[traits.types]\nv = \"number\"\n";
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("format", "csv")
        .append_pair("mapping", mapping)
        .append_pair("time", "2026-01-31T12:00:00Z")
        .finish();
    let file = "id,v\n1,7\n2,abc\n3,\n4,\"12,5\"\n";
    let job = take(&project, &query, file).await;
    assert_eq!((counts(&job), &job["warned"]), ([4, 0, 0, 0], &json!(2)));
    let sorts = job["mended"].as_array().unwrap();
    let is_it = |one: &&Value| one["code"] == "not_converted";
    let left_out = sorts.iter().find(is_it).unwrap();
    assert_eq!(
        [
            &left_out["field"],
            &left_out["line_number"],
            &left_out["count"]
        ],
        [&json!("/v"), &json!("3"), &json!(2)]
    );
    let path = format!("/v1/imports/{}", id_of(&job));
    assert_eq!(project.read(&path).await["mended"], job["mended"]);
}
