//! How a file comes piece by piece, from servers of all kinds.

use super::server::{Manner, WebServer};
use roster::config::PullPlace;
use roster::imports::Checksum;
use roster::pulls::piece::{Failure, PIECE, Version};
use roster::pulls::reading::Reading;
use roster::pulls::source::Source;
use roster::pulls::web::Ways;

pub fn place(url: &str, more: &str) -> PullPlace {
    toml::from_str(&format!("url = '{url}'\nprojects = ['*']\n{more}")).expect("a place")
}

pub fn internal() -> PullPlace {
    place("http://127.0.0.1/", "internal = true")
}

/// Bytes that differ wherever they are cut.
fn body(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251) as u8 ^ (at >> 16) as u8)
        .collect()
}

async fn open(text: &str, place: &PullPlace) -> Result<Reading, Failure> {
    let source = Source::parse(text).expect("a source");
    Reading::open(&Ways::new().expect("ways"), &source, place).await
}

/// Reads from a place to the end.
pub async fn rest(
    reading: &mut Reading,
    mut from: u64,
    known: &mut Version,
) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    loop {
        let piece = reading.read(from, known).await?;
        all.extend_from_slice(&piece.bytes);
        from += piece.bytes.len() as u64;
        *known = piece.version;
        if piece.is_last {
            return Ok(all);
        }
    }
}

#[tokio::test]
async fn a_file_comes_in_ranges_and_can_be_gone_on_with_anywhere() {
    let bytes = body(2 * PIECE + 5);
    let server = WebServer::start(Manner::file(bytes.clone(), "a"));
    let mut reading = open(&server.url("x.csv"), &internal()).await.expect("open");
    let mut known = Version::default();
    assert!(rest(&mut reading, 0, &mut known).await.expect("all") == bytes);
    assert_eq!(known.size, Some(bytes.len() as u64));
    assert_eq!(server.requests(), 3);
    let seen = server.seen.lock().expect("whole")[1].to_lowercase();
    assert!(seen.contains("if-match: \"a\""), "row 54: {seen}");
    let half = PIECE as u64 + 3;
    let more = rest(&mut reading, half, &mut known)
        .await
        .expect("the rest");
    assert!(more == bytes[half as usize..]);
    let none = rest(&mut reading, bytes.len() as u64, &mut known).await;
    assert!(none.expect("the end").is_empty());
}

#[tokio::test]
async fn row_60_a_server_without_ranges_is_read_on_and_each_byte_counts_once() {
    let bytes = body(2 * PIECE + 5);
    for says_length in [true, false] {
        let server = WebServer::start(Manner {
            knows_ranges: false,
            tag: None,
            says_length,
            ..Manner::file(bytes.clone(), "")
        });
        let mut reading = open(&server.url("x"), &internal()).await.expect("open");
        let mut known = Version::default();
        assert!(rest(&mut reading, 0, &mut known).await.expect("all") == bytes);
        assert_eq!(server.requests(), 1, "it is one stream");
        // After a restart what was taken is passed over.
        let mut again = open(&server.url("x"), &internal()).await.expect("open");
        let from = PIECE as u64 + 7;
        let more = rest(&mut again, from, &mut known).await.expect("the rest");
        assert!(more == bytes[from as usize..]);
    }
}

#[tokio::test]
async fn what_is_cut_off_is_no_end() {
    let bytes = body(1_000_000);
    for knows_ranges in [true, false] {
        let server = WebServer::start(Manner {
            knows_ranges,
            cut_after: Some(600_000),
            ..Manner::file(bytes.clone(), "a")
        });
        let mut reading = open(&server.url("x"), &internal()).await.expect("open");
        let mut known = Version::default();
        let cut = rest(&mut reading, 0, &mut known).await;
        assert!(matches!(cut, Err(Failure::Passing(_))), "{cut:?}");
        server.now(|manner| manner.cut_after = None);
        assert!(rest(&mut reading, 0, &mut known).await.expect("all") == bytes);
    }
}

#[tokio::test]
async fn row_55_a_file_that_was_replaced_is_told_with_both_tags() {
    for knows_ranges in [true, false] {
        let server = WebServer::start(Manner {
            knows_ranges,
            ..Manner::file(body(PIECE + 5), "first")
        });
        let mut reading = open(&server.url("x"), &internal()).await.expect("open");
        let known = reading
            .read(0, &Version::default())
            .await
            .expect("one")
            .version;
        server.now(|manner| manner.tag = Some("\"second\"".to_owned()));
        let mut again = open(&server.url("x"), &internal()).await.expect("open");
        let changed = again
            .read(PIECE as u64, &known)
            .await
            .expect_err("another file");
        let told = changed.to_string();
        assert!(told.contains("first") && told.contains("second"), "{told}");
        assert_eq!(changed.code(), "source_changed");
    }
}

#[tokio::test]
async fn row_55_a_file_that_is_sent_from_its_beginning_is_held_against_what_was_done() {
    let (bytes, mut other) = (body(PIECE + 500_000), body(PIECE + 500_000));
    other[7] ^= 1;
    let server = WebServer::start(Manner {
        knows_ranges: false,
        tag: None,
        ..Manner::file(bytes.clone(), "")
    });
    let mut done = Checksum::EMPTY;
    done.add(&bytes[..PIECE]);
    for (sent, is_same) in [(bytes.clone(), true), (other, false)] {
        server.now(|manner| manner.body = sent);
        let mut again = open(&server.url("x"), &internal()).await.expect("open");
        again.behind(PIECE as u64, done);
        let more = rest(&mut again, PIECE as u64, &mut Version::default()).await;
        match more {
            Ok(more) => assert!(is_same && more == bytes[PIECE..]),
            Err(failure) => assert!(!is_same && failure.code() == "source_changed", "{failure}"),
        }
    }
}

#[tokio::test]
async fn a_range_that_is_shorter_than_what_was_asked_for_is_no_end() {
    for length in [3 << 20, (3 << 20) + 5] {
        for says_size in [true, false] {
            let bytes = body(length);
            let server = WebServer::start(Manner {
                says_size,
                most: Some(1 << 20),
                ..Manner::file(bytes.clone(), "a")
            });
            let mut reading = open(&server.url("x"), &internal()).await.expect("open");
            let all = rest(&mut reading, 0, &mut Version::default()).await;
            assert!(all.expect("all") == bytes, "{length} {says_size}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_no_file_are_told_apart() {
    let server = WebServer::start(Manner::file("x", "a"));
    for (status, code) in [
        (401, "source_denied"),
        (403, "source_denied"),
        (404, "source_missing"),
        (410, "source_missing"),
        (400, "source_refused"),
        (429, "source_unreachable"),
        (500, "source_unreachable"),
        (503, "source_unreachable"),
    ] {
        server.now(|manner| manner.status = Some(status));
        let mut reading = open(&server.url("x?X-Amz-Signature=hush"), &internal())
            .await
            .expect("open");
        let failure = reading
            .read(0, &Version::default())
            .await
            .expect_err("no file");
        assert_eq!(failure.code(), code, "{status}");
        assert!(!failure.to_string().contains("hush"), "row 57: {failure}");
    }
}

#[tokio::test]
async fn row_58_redirects_are_not_followed_wherever_they_lead() {
    let inner = WebServer::start(Manner::file("secret", "a"));
    for status in [301, 302, 303, 307, 308] {
        let outer = WebServer::start(Manner {
            status: Some(status),
            location: Some(inner.url("x")),
            ..Manner::file("", "a")
        });
        let mut reading = open(&outer.url("x"), &internal()).await.expect("open");
        let failure = reading
            .read(0, &Version::default())
            .await
            .expect_err("no file");
        assert_eq!(failure.code(), "source_refused", "{failure}");
    }
    assert_eq!(inner.requests(), 0);
}

#[tokio::test]
async fn row_58_no_name_and_no_number_leads_into_the_machine() {
    let server = WebServer::start(Manner::file("secret", "a"));
    let port = server.port;
    let public = place("https://localhost/", "");
    for host in [
        "localhost",
        "127.0.0.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/x");
            let refused = match open(&url, &public).await {
                Ok(mut reading) => reading.read(0, &Version::default()).await.map(drop),
                Err(failure) => Err(failure),
            };
            let failure = refused.expect_err("not to be asked");
            assert_eq!(failure.code(), "source_refused", "{url}: {failure}");
        }
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_file_says_what_it_is_and_when_it_was_changed() {
    for knows_ranges in [true, false] {
        let server = WebServer::start(Manner {
            knows_ranges,
            ..Manner::file("12345", "a")
        });
        let mut reading = open(&server.url("x"), &internal()).await.expect("open");
        let look = reading.look().await.expect("a file");
        assert_eq!(look.version.size, Some(5));
        let changed_at = look.changed_at.expect("a time").to_string();
        assert_eq!(changed_at, "2026-11-27T12:00:00.000Z");
    }
}

#[tokio::test]
async fn an_empty_file_is_one() {
    for knows_ranges in [true, false] {
        let server = WebServer::start(Manner {
            knows_ranges,
            ..Manner::file("", "a")
        });
        let mut reading = open(&server.url("x"), &internal()).await.expect("open");
        let all = rest(&mut reading, 0, &mut Version::default()).await;
        assert!(all.expect("nothing").is_empty());
    }
}

#[tokio::test]
async fn what_a_place_needs_is_sent_there() {
    let server = WebServer::start(Manner::file("x", "a"));
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "Bearer hush\n").expect("a file");
    let more = format!(
        "internal = true\nauthorization = 'file:{}'",
        secret.display()
    );
    let place = place("http://127.0.0.1/", &more);
    let mut reading = open(&server.url("x"), &place).await.expect("open");
    reading.read(0, &Version::default()).await.expect("bytes");
    let seen = server.seen.lock().expect("whole")[0].to_lowercase();
    assert!(seen.contains("authorization: bearer hush"), "{seen}");
    std::fs::remove_file(&secret).expect("it was there");
    let failure = open(&server.url("x"), &place).await.expect_err("no secret");
    assert_eq!(failure.code(), "source_denied");
}
