//! The protocol: what its clients rely on, and what goes wrong elsewhere.

use super::slowly::Slowly;
use super::{PATIENCE, Upload, counts, events, header, must_add_up, rejections, request, tus};
use crate::harness::{Project, Service, fresh_database, shared, sql, wait_until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[tokio::test]
async fn an_upload_in_pieces_of_any_size_is_the_file() {
    let project = Project::fresh().await;
    let file = events(0, 500).into_bytes();
    let length = file.len().to_string();
    let upload = Upload::create(&project, "name=pieces", ("Upload-Length", &length)).await;
    let mut offset = 0;
    for size in [1, 2, 60, 1_000, 7, 30_000, usize::MAX] {
        assert_eq!(upload.offset().await, offset);
        let end = offset.saturating_add(size).min(file.len());
        let next = upload.patched(offset, &file[offset..end]).await;
        assert_eq!(next, end, "the offset moves by what was taken");
        offset = next;
    }
    let job = upload.job().await;
    assert_eq!(
        (&job["state"], counts(&job)),
        (&json!("done"), [500, 0, 0, 0])
    );
    let head = upload.head().await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(
        header(&head, "upload-offset"),
        header(&head, "upload-length")
    );
    assert_eq!(header(&head, "cache-control").unwrap(), "no-store");
}

#[tokio::test]
async fn row_42_a_line_longer_than_the_pieces_moves_the_offset_all_the_same() {
    let project = Project::fresh().await;
    let long = json!({"type": "track", "userId": "a", "event": "x", "messageId": "1", "properties": {"text": "x".repeat(20_000)}});
    let too_long = format!("{{\"text\":\"{}\"}}", "y".repeat(1_500_000));
    let file = format!("{long}\n{too_long}\n{}", events(0, 1)).into_bytes();
    let upload = Upload::create(&project, "", ("Upload-Length", &file.len().to_string())).await;
    let mut offset = 0;
    for piece in file.chunks(64 << 10) {
        let next = upload.patched(offset, piece).await;
        assert_eq!(next, offset + piece.len());
        offset = next;
    }
    let job = upload.job().await;
    assert_eq!(counts(&job), [2, 0, 0, 1]);
    let refused = rejections(&project, upload.id()).await;
    assert_eq!(
        (&refused[0]["line_number"], &refused[0]["code"]),
        (&json!("2"), &json!("record_too_large"))
    );
}

#[tokio::test]
async fn a_sender_who_says_what_his_file_begins_with_is_told_that_it_is_another_one() {
    let project = Project::fresh().await;
    let file = events(0, 20).into_bytes();
    let upload = Upload::create(&project, "", ("Upload-Length", &file.len().to_string())).await;
    let offset = upload.patched(0, &file[..1_000]).await;
    let piece = |checksum: &str| {
        let piece = upload
            .piece(offset)
            .header("Upload-Done-Checksum", checksum);
        piece.body(file[offset..].to_vec()).send()
    };
    let refused = piece("0123456789abcdef").await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "file_changed");
    let job = upload.job().await;
    assert_eq!(
        (&job["offset"], &job["state"]),
        (&json!(1_000), &json!("running"))
    );
    let taken = piece(job["checksum"].as_str().unwrap()).await.unwrap();
    assert_eq!(taken.status(), StatusCode::NO_CONTENT);
    assert_eq!(counts(&upload.job().await), [20, 0, 0, 0]);
}

#[tokio::test]
async fn row_43_the_last_line_needs_no_end() {
    let project = Project::fresh().await;
    let file = events(0, 2);
    let file = file.trim_end().as_bytes();
    let upload = Upload::create(&project, "", ("Upload-Length", &file.len().to_string())).await;
    assert_eq!(upload.patched(0, file).await, file.len());
    let job = upload.job().await;
    assert_eq!(counts(&job), [2, 0, 0, 0]);
    assert_eq!(job["lines"], 2);
}

#[tokio::test]
async fn row_46_a_page_reads_what_it_needs_and_may_send_what_it_has_to() {
    let project = Project::fresh().await;
    let preflight = project
        .client
        .request(Method::OPTIONS, format!("{}/v1/imports/x", project.url))
        .header("Origin", "https://tool.example.com")
        .header("Access-Control-Request-Method", "PATCH")
        .header(
            "Access-Control-Request-Headers",
            "tus-resumable,upload-offset,x-custom",
        );
    let reply = preflight.send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::NO_CONTENT);
    let allowed = header(&reply, "access-control-allow-headers")
        .unwrap()
        .to_lowercase();
    for name in [
        "x-http-method-override",
        "x-request-id",
        "x-custom",
        "upload-checksum",
    ] {
        assert!(allowed.contains(name), "{name}: {allowed}");
    }
    let methods = header(&reply, "access-control-allow-methods").unwrap();
    assert!(
        ["PATCH", "HEAD", "DELETE"]
            .iter()
            .all(|own| methods.contains(own)),
        "{methods}"
    );
    assert_eq!(header(&reply, "tus-version").unwrap(), "1.0.0");
    assert!(
        !header(&reply, "tus-extension")
            .unwrap()
            .contains("concatenation")
    );
    let wrong = request(&project, Method::HEAD, "/v1/imports/nothing")
        .header("Origin", "https://tool.example.com");
    let reply = wrong.send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        header(&reply, "access-control-allow-origin").unwrap(),
        "https://tool.example.com"
    );
    let exposed = header(&reply, "access-control-expose-headers").unwrap();
    for name in [
        "Location",
        "Upload-Offset",
        "Upload-Length",
        "Upload-Defer-Length",
        "Upload-Metadata",
        "Upload-Expires",
        "Tus-Resumable",
        "Tus-Version",
        "Tus-Extension",
        "Tus-Max-Size",
    ] {
        assert!(
            exposed.split(", ").any(|own| own == name),
            "{name}: {exposed}"
        );
    }
}

#[tokio::test]
async fn row_49_a_length_may_come_last_and_with_nothing_else() {
    let project = Project::fresh().await;
    let file = events(0, 10);
    let upload = Upload::create(&project, "", ("Upload-Defer-Length", "1")).await;
    assert_eq!(upload.patched(0, file.clone()).await, file.len());
    assert_eq!(
        header(&upload.head().await, "upload-defer-length").unwrap(),
        "1"
    );
    assert_eq!(
        upload.patched(file.len(), "").await,
        file.len(),
        "an empty piece is one"
    );
    let last = upload.piece(file.len()).header("Upload-Length", file.len());
    assert_eq!(last.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(counts(&upload.must_become("done").await), [10, 0, 0, 0]);
}

#[tokio::test]
async fn rows_50_and_51_no_parts_but_other_methods() {
    let project = Project::fresh().await;
    let parts = tus(&project, Method::POST, "/v1/imports")
        .header("Upload-Length", 10)
        .header("Upload-Concat", "partial");
    let reply = parts.send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    assert!(reply.text().await.unwrap().contains("cut its lines"));
    let file = events(0, 1);
    let upload = Upload::create(&project, "", ("Upload-Length", &file.len().to_string())).await;
    let overridden = |verb: &str| {
        tus(&project, Method::POST, &upload.path)
            .header("X-HTTP-Method-Override", verb)
            .header("Upload-Offset", 0)
            .header("Content-Type", "application/offset+octet-stream")
    };
    let reply = overridden("GET").send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::METHOD_NOT_ALLOWED);
    let nothing = overridden("patch").body("").send().await.unwrap();
    assert_eq!(nothing.status(), StatusCode::NO_CONTENT, "in any case");
    let reply = overridden("PATCH").body(file).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::NO_CONTENT);
    assert_eq!(counts(&upload.job().await), [1, 0, 0, 0]);
}

#[tokio::test]
async fn fact_6_an_empty_file_is_done_by_its_creation() {
    let project = Project::fresh().await;
    let upload = Upload::create(&project, "format=csv", ("Upload-Length", "0")).await;
    let job = upload.job().await;
    assert_eq!((&job["state"], counts(&job)), (&json!("done"), [0; 4]));
    assert_eq!(job["file"]["warnings"][0][0], "empty_file");
}

#[tokio::test]
async fn an_offset_a_length_or_a_version_that_is_not_so_is_told() {
    let project = Project::fresh().await;
    let file = events(0, 2);
    let length = file.len().to_string();
    let upload = Upload::create(&project, "", ("Upload-Length", &length)).await;
    assert_eq!(upload.patch(7, "x").await.status(), StatusCode::CONFLICT);
    let more = format!("{file}{file}");
    assert_eq!(
        upload.patch(0, more).await.status(),
        StatusCode::BAD_REQUEST
    );
    assert_eq!(upload.offset().await, 0, "nothing of it was taken");
    let longer = upload.piece(0).header("Upload-Length", file.len() + 1);
    assert_eq!(
        longer.send().await.unwrap().status(),
        StatusCode::BAD_REQUEST
    );
    let old = request(&project, Method::HEAD, &upload.path).header("Tus-Resumable", "0.2.2");
    assert_eq!(
        old.send().await.unwrap().status(),
        StatusCode::PRECONDITION_FAILED
    );
    let typed = tus(&project, Method::PATCH, &upload.path)
        .header("Upload-Offset", 0)
        .header("Content-Type", "text/csv");
    assert_eq!(
        typed.send().await.unwrap().status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    assert_eq!(upload.patched(0, file.clone()).await, file.len());
}

#[tokio::test]
async fn a_piece_that_is_not_what_its_checksum_says_is_not_taken() {
    let project = Project::fresh().await;
    let file = events(0, 20);
    let upload = Upload::create(&project, "", ("Upload-Length", &file.len().to_string())).await;
    let sum = format!("sha256 {}", STANDARD.encode(Sha256::digest(&file)));
    let sent = |sum: &str, body: String| {
        upload
            .piece(0)
            .header("Upload-Checksum", sum)
            .body(body)
            .send()
    };
    let reply = sent(&sum, file.replace("Seen", "Lost")).await.unwrap();
    assert_eq!(reply.status().as_u16(), 460);
    assert_eq!(upload.offset().await, 0);
    let reply = sent("crc32 AAAA", file.clone()).await.unwrap();
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    let in_capitals = sum.replace("sha", "SHA");
    assert_eq!(
        sent(&in_capitals, file.clone()).await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(counts(&upload.job().await), [20, 0, 0, 0]);
}

#[tokio::test]
async fn bytes_may_come_with_the_creation() {
    let project = Project::fresh().await;
    let file = events(0, 30);
    let (first, rest) = file.split_at(1_000);
    let creation = tus(&project, Method::POST, "/v1/imports")
        .header("Upload-Length", file.len())
        .header(
            "Upload-Metadata",
            format!("filename {}", STANDARD.encode("ä\n.ndjson")),
        )
        .header("Content-Type", "application/offset+octet-stream");
    let reply = creation.body(first.to_owned()).send().await.unwrap();
    assert_eq!(header(&reply, "upload-offset").unwrap(), "1000");
    let upload = Upload::of(&project, reply).await;
    assert_eq!(upload.patched(1_000, rest).await, file.len());
    let job = upload.job().await;
    assert_eq!(
        (&job["name"], counts(&job)),
        (&json!("ä\n.ndjson"), [30, 0, 0, 0])
    );
}

#[tokio::test]
async fn what_is_over_is_gone_and_what_was_done_is_known_for_a_while() {
    let project = Project::fresh().await;
    let file = events(0, 5);
    let length = file.len().to_string();
    let ended = Upload::create(&project, "", ("Upload-Length", &length)).await;
    ended.patched(0, &file[..100]).await;
    let delete = || tus(&project, Method::DELETE, &ended.path).send();
    assert_eq!(delete().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(ended.head().await.status(), StatusCode::GONE);
    assert_eq!(
        ended.patch(100, &file[100..]).await.status(),
        StatusCode::GONE
    );
    assert_eq!(ended.job().await["state"], "cancelled");

    let known = [("ROSTER__IMPORTS__KNOWN_SECONDS", "0")];
    let service = Service::start(&shared().await.database_url, &known).await;
    let forgetful = project.through(&service.url);
    let done = Upload::create(&forgetful, "", ("Upload-Length", &length)).await;
    done.patched(0, file).await;
    assert_eq!(done.head().await.status(), StatusCode::GONE, "fact 5");
}

#[tokio::test]
async fn facts_3_and_4_of_a_compressed_file_no_part_is_acknowledged() {
    let project = Project::fresh().await;
    let file = zstd::encode_all(events(0, 2_000).as_bytes(), 1).unwrap();
    let length = file.len().to_string();
    let cut = Upload::create(&project, "", ("Upload-Length", &length)).await;
    let head = format!(
        "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n"
    );
    let mut sending = Slowly::begin(&project, &format!("PATCH {}", cut.path), &head).await;
    sending.send(&file[..100]).await;
    let told = async || cut.job().await["compression"] == "zstd";
    wait_until("it is known to be compressed", PATIENCE, told).await;
    drop(sending);
    assert_eq!(cut.offset().await, 0);
    assert_eq!(cut.patched(0, &*file).await, file.len());
    assert_eq!(counts(&cut.must_become("done").await), [2_000, 0, 0, 0]);
    let parts = Upload::create(&project, "", ("Upload-Length", &length)).await;
    let reply = parts.patch(0, &file[..200]).await;
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    assert!(reply.text().await.unwrap().contains("compressed_parts"));
}

#[tokio::test]
async fn row_52_an_upload_that_nobody_ends_is_given_up_with_its_open_line() {
    // Of its own: elsewhere the worker rests for as long as the others' settings say.
    let database = fresh_database().await;
    let short = [("ROSTER__IMPORTS__EXPIRE_SECONDS", "2")];
    let service = Service::start(&database, &short).await;
    let project = Project::on(&service.url, &database).await;
    let file = events(0, 3);
    let cut = file.len() - 40;
    let longer = (file.len() + 100).to_string();
    let upload = Upload::create(&project, "", ("Upload-Length", &longer)).await;
    upload.patched(0, &file[..cut]).await;
    let job = upload.must_become("incomplete").await;
    assert_eq!(counts(&job), [2, 0, 0, 1]);
    must_add_up(&job);
    let listed = rejections(&project, upload.id()).await;
    assert_eq!(listed[0]["line_number"], "3");
    assert!(file[..cut].ends_with(listed[0]["line"].as_str().unwrap()));
    assert_eq!(upload.head().await.status(), StatusCode::GONE);
    // What stands between the cells of so short a table would be told by its end alone; its whole rows are written all the same.
    let rows: String = (0..2_500).map(|row| format!("row-{row},pro\n")).collect();
    let table = format!("userId,plan\n{rows}open,p");
    let longer = (table.len() + 100).to_string();
    let upload = Upload::create(&project, "format=csv", ("Upload-Length", &longer)).await;
    upload.patched(0, &*table).await;
    let job = upload.must_become("incomplete").await;
    assert_eq!(counts(&job), [2_500, 0, 0, 1]);
    must_add_up(&job);
    let listed = rejections(&project, upload.id()).await;
    assert_eq!(listed.last().unwrap()["line"], "open,p");
    // One that was paused waits for a person, for as long as what is refused is kept; then its open line is listed too.
    let paused = Upload::create(&project, "", ("Upload-Length", "1000")).await;
    paused.patched(0, &file[..cut]).await;
    let path = format!("{}/pause", paused.path);
    let reply = request(&project, Method::POST, &path).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    // Neither is what is compressed told by so few bytes.
    let upload = Upload::create(&project, "", ("Upload-Length", "1000")).await;
    upload.patched(0, events(9, 1)).await;
    assert_eq!(
        counts(&upload.must_become("incomplete").await),
        [1, 0, 0, 0]
    );
    assert_eq!(paused.job().await["state"], "paused", "the older one");
    sql(
        &database,
        "UPDATE import_job SET expires_at = now() WHERE state = 'paused'",
    )
    .await;
    let job = paused.must_become("incomplete").await;
    assert_eq!(job["reason"], "nobody went on with the upload");
    assert_eq!(
        rejections(&project, paused.id()).await[0]["line_number"],
        "3"
    );
}
