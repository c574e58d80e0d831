//! F33 of `contracts/faults.md`: clients cut off, servers killed, databases restarted, files changed, at any point of a file. Whatever
//! happens, each line is there once, the counts add up, and no more is written again than is under way at once.

use super::{PATIENCE, Upload, counts, events, header, must_add_up};
use crate::forms::of_form;
use crate::harness::{Project, Service, alone, fresh_database, shared, sql, wait_until};
use crate::machine::{MOST_MEMORY_MIB, OwnDatabase, free_address, peak_memory_mib, until_ready_is};
use rand::random_range;
use reqwest::StatusCode;
use std::io::Write;
use std::time::Duration;
use tokio::time::sleep;

/// Bytes of a file that are written and not noted at once (`docs/IMPORTS.md`): what a crash repeats at most.
const WINDOW: u64 = 1_280 << 10;

/// Goes on with an upload until it is done, as a client does: after whatever happens it asks where it is. Offsets never shrink.
async fn go_on(upload: &Upload<'_>, file: &[u8]) -> usize {
    let (mut sent_again, mut known) = (0, 0);
    let deadline = tokio::time::Instant::now() + PATIENCE * 4;
    loop {
        assert!(tokio::time::Instant::now() < deadline, "it does not end");
        let request = super::tus(upload.project, reqwest::Method::HEAD, &upload.path);
        let Ok(reply) = request.send().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        if reply.status() == StatusCode::LOCKED {
            sleep(Duration::from_millis(50)).await;
            continue;
        }
        assert_eq!(reply.status(), StatusCode::OK);
        let offset: usize = header(&reply, "upload-offset").unwrap().parse().unwrap();
        assert!(
            offset >= known,
            "the offset shrank from {known} to {offset}"
        );
        known = offset;
        if offset == file.len() {
            return sent_again;
        }
        let sent = upload
            .piece(offset)
            .body(file[offset..].to_vec())
            .send()
            .await;
        sent_again +=
            usize::from(!sent.is_ok_and(|reply| reply.status() == StatusCode::NO_CONTENT));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_at_any_point_goes_on_where_it_was() {
    let _alone = alone().await;
    let (address, database) = (free_address(), shared().await.database_url.clone());
    let mut service = Service::start_at(&database, &address, &[]).await;
    let project = Project::on(&service.url, &database).await;
    let (lines, kills) = of_form((20_000, 6), (100_000, 20));
    let file = events(0, lines).into_bytes();
    let length = file.len().to_string();
    let upload = Upload::create(&project, "name=killed", ("Upload-Length", &length)).await;
    let killing = async {
        for _ in 0..kills {
            sleep(Duration::from_millis(random_range(50..500))).await;
            service.kill();
            service = Service::start_at(&database, &address, &[]).await;
        }
        service
    };
    let (sent_again, service) = tokio::join!(go_on(&upload, &file), killing);
    assert!(sent_again > 0, "no kill met the upload");
    let job = upload.job().await;
    must_add_up(&job);
    let [stored, unchanged, duplicate, rejected] = counts(&job);
    assert_eq!(
        (job["records"].as_u64().unwrap(), unchanged, rejected),
        (lines as u64, 0, 0)
    );
    let most = WINDOW / (file.len() / lines) as u64 + 1;
    assert!(
        duplicate <= most * kills,
        "{duplicate} of {stored} came again"
    );
    assert_eq!(project.count("*", "event").await, lines);
    drop(service);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_receipts_and_position_what_was_under_way_comes_again_and_changes_nothing() {
    let (address, database) = (free_address(), fresh_database().await);
    let number = async |text: &str| sql(&database, text).await[0].parse::<u64>().unwrap();
    let count = async || number("SELECT count(*) FROM event").await;
    let stopped = [("FAILPOINTS", "import-written=1*off->pause")];
    let service = Service::start_at(&database, &address, &stopped).await;
    let project = Project::on(&service.url, &database).await;
    let file = events(0, 20_000).into_bytes();
    let length = file.len().to_string();
    let upload = Upload::create(&project, "name=between", ("Upload-Length", &length)).await;
    let sending = tokio::spawn(upload.piece(0).body(file.clone()).send());
    let noted = async || number("SELECT max(records) FROM import_job").await;
    let written = async || noted().await > 0 && count().await > noted().await + 1_000;
    wait_until("more is written than is noted", PATIENCE, written).await;
    service.kill();
    assert!(sending.await.unwrap().is_err());
    let _service = Service::start_at(&database, &address, &[]).await;
    go_on(&upload, &file).await;
    let job = upload.job().await;
    must_add_up(&job);
    let [stored, _, duplicate, _] = counts(&job);
    assert_eq!(stored + duplicate, 20_000, "{job}");
    let most = WINDOW / (file.len() / 20_000) as u64 + 1;
    assert!((1_000..=most).contains(&duplicate), "{duplicate} of {most}");
    assert_eq!(count().await, 20_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_restarted_is_waited_for() {
    let _alone = alone().await;
    let mut database = OwnDatabase::start().await;
    let service = Service::start(&database.url, &[]).await;
    let project = Project::on(&service.url, &database.url).await;
    let file = events(0, 20_000).into_bytes();
    let length = file.len().to_string();
    let upload = Upload::create(&project, "name=restarted", ("Upload-Length", &length)).await;
    let path = upload.path.clone();
    let sending = {
        let project = project.through(&project.url);
        let file = file.clone();
        tokio::spawn(async move {
            let upload = Upload {
                project: &project,
                path,
            };
            go_on(&upload, &file).await
        })
    };
    let begun = async || upload.job().await["records"].as_u64() > Some(1_000);
    wait_until("it is under way", PATIENCE, begun).await;
    database.stop().await;
    let head = upload.head().await;
    assert_eq!(head.status(), StatusCode::LOCKED, "fact 1: never a 5xx");
    database.start_again().await;
    until_ready_is(&service.url, true, PATIENCE).await;
    sending.await.unwrap();
    let job = upload.job().await;
    must_add_up(&job);
    assert_eq!(job["records"], 20_000);
}

#[tokio::test]
async fn a_compressed_file_that_changed_under_its_job_is_refused() {
    let project = Project::fresh().await;
    let zstd = |from| zstd::encode_all(events(from, 30_000).as_bytes(), 1).unwrap();
    let (file, other) = (zstd(0), zstd(1));
    let length = file.len().max(other.len());
    let padded = |mut file: Vec<u8>| {
        // A frame that holds nothing makes both as long.
        let rest = length + 8 - file.len();
        file.extend_from_slice(&0x184d_2a50_u32.to_le_bytes());
        file.extend_from_slice(&(rest as u32 - 8).to_le_bytes());
        file.resize(length + 8, 0);
        file
    };
    let (file, other) = (padded(file), padded(other));
    let upload = Upload::create(
        &project,
        "name=changed",
        ("Upload-Length", &file.len().to_string()),
    )
    .await;
    let line = format!("PATCH {}", upload.path);
    let headers = format!(
        "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n",
        file.len()
    );
    let mut cut = super::slowly::Slowly::begin(&project, &line, &headers).await;
    cut.send(&file[..file.len() / 2]).await;
    let begun = async || upload.job().await["records"].as_u64() > Some(1_000);
    wait_until("its beginning is done", PATIENCE, begun).await;
    drop(cut);
    assert_eq!(
        upload.offset().await,
        0,
        "fact 4: it is sent from its start"
    );
    let reply = upload.patch(0, other).await;
    assert_eq!(reply.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(reply.text().await.unwrap().contains("not the file"));
    assert_eq!(upload.patched(0, file.clone()).await, file.len());
    let job = upload.job().await;
    must_add_up(&job);
    assert_eq!(job["records"], 30_000);
    assert!(
        counts(&job)[2] < 10_000,
        "what was done is not written again: {job}"
    );
}

#[tokio::test]
async fn a_compressed_file_that_became_shorter_than_what_was_done_is_refused() {
    let project = Project::fresh().await;
    let zstd = |from, count| zstd::encode_all(events(from, count).as_bytes(), 1).unwrap();
    let (file, other) = (zstd(0, 30_000), zstd(90_000, 10));
    let upload = Upload::create(&project, "name=shorter", ("Upload-Defer-Length", "1")).await;
    let line = format!("PATCH {}", upload.path);
    let headers = "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\n";
    let mut cut = super::slowly::Slowly::begin(&project, &line, headers).await;
    let half = &file[..file.len() / 2];
    cut.send(format!("{:x}\r\n", half.len()).as_bytes()).await;
    cut.send(half).await;
    let begun = async || upload.job().await["records"].as_u64() > Some(1_000);
    wait_until("its beginning is done", PATIENCE, begun).await;
    drop(cut);
    let sent = |file: &[u8]| {
        let piece = upload.piece(0).header("Upload-Length", file.len());
        piece.body(file.to_vec()).send()
    };
    let reply = sent(&other).await.unwrap();
    assert_eq!(reply.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(reply.text().await.unwrap().contains("not the file"));
    // The file itself still goes on.
    assert_eq!(sent(&file).await.unwrap().status(), StatusCode::NO_CONTENT);
    let job = upload.job().await;
    must_add_up(&job);
    assert_eq!(
        (&job["state"], &job["records"]),
        (&"done".into(), &30_000.into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_takes_little_memory() {
    let _alone = alone().await;
    let service = Service::start(&shared().await.database_url, &[]).await;
    let project = Project::on(&service.url, &shared().await.database_url).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for part in 0..of_form(12, 400) {
        encoder
            .write_all(events(part * 5_000 % 20_000, 5_000).as_bytes())
            .unwrap();
        // A line that is far over the limit.
        encoder.write_all(&vec![b'x'; 200_000]).unwrap();
        encoder.write_all(b"\n").unwrap();
    }
    encoder.write_all(&vec![b'z'; 50 << 20]).unwrap();
    let job = super::take(&project, "name=large.gz", encoder.finish().unwrap()).await;
    assert!(job["lines"].as_u64() > Some(60_000), "{job}");
    assert_eq!(job["rejected"], of_form(13, 401));
    let peak = peak_memory_mib(service.pid());
    assert!(peak < MOST_MEMORY_MIB, "{peak} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_stops_lets_its_uploads_go_and_another_goes_on() {
    let database = &shared().await.database_url;
    let service = Service::start(database, &[]).await;
    let project = Project::on(&service.url, database).await;
    let file = events(0, 1_000).into_bytes();
    let length = file.len().to_string();
    let upload = Upload::create(&project, "name=stopped", ("Upload-Length", &length)).await;
    let line = format!("PATCH {}", upload.path);
    let headers = format!(
        "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n"
    );
    let mut sending = super::slowly::Slowly::begin(&project, &line, &headers).await;
    sending.send(&file[..30_000]).await;
    let begun = async || upload.offset().await == 30_000;
    wait_until("its beginning is done", PATIENCE, begun).await;
    assert!(
        service.terminate().await.success(),
        "it does not wait for the sender"
    );
    assert_eq!(sending.status().await, 503);
    let next = Service::start(database, &[]).await;
    let project = project.through(&next.url);
    let upload = Upload {
        project: &project,
        path: upload.path.clone(),
    };
    assert_eq!(upload.patched(30_000, &file[30_000..]).await, file.len());
    assert_eq!(counts(&upload.job().await), [1_000, 0, 0, 0]);
}
