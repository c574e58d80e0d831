//! Object stores: moto's S3, and one that answers as Google's does.

use super::server::{Manner, WebServer};
use super::sources::{place, rest};
use crate::harness::{http, wait_until};
use crate::java::free_port;
use roster::config::PullPlace;
use roster::pulls::piece::{Failure, PIECE, Version};
use roster::pulls::reading::{Reading, list};
use roster::pulls::source::Source;
use roster::pulls::web::Ways;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::OnceCell;

static S3: OnceCell<S3> = OnceCell::const_new();

/// A server that speaks S3.
pub struct S3 {
    pub url: String,
    _process: Child,
}

impl S3 {
    /// The one that all tests share; each has buckets of its own.
    pub async fn shared() -> &'static Self {
        S3.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let port = free_port().to_string();
        // It ends with the pipe from this process, however that ends.
        let script = r#""$@" & child=$!; read -r _; kill $child"#;
        let process = Command::new("bash")
            .args([
                "-c",
                script,
                "s3",
                &format!("{root}/.dev/sdk/s3/bin/moto_server"),
            ])
            .args(["-H", "127.0.0.1", "-p", &port])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("scripts/setup has installed moto");
        let url = format!("http://127.0.0.1:{port}");
        let is_there = || async { http().get(&url).send().await.is_ok() };
        wait_until("moto answers", Duration::from_secs(60), is_there).await;
        Self {
            url,
            _process: process,
        }
    }

    pub async fn bucket(&self, name: &str) {
        let made = http().put(format!("{}/{name}", self.url)).send().await;
        assert!(made.expect("an answer").status().is_success());
    }

    /// Puts an object under a key, encoded as in an address.
    pub async fn put(&self, bucket: &str, key: &str, body: impl Into<Vec<u8>>) {
        let put = http().put(format!("{}/{bucket}/{key}", self.url));
        // Over what is there already nobody writes without a name; the signature is not looked at.
        let put = put.header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x");
        let put = put.body(body.into()).send().await.expect("an answer");
        assert!(put.status().is_success(), "{}", put.status());
    }

    /// The place of a bucket, in settings.
    pub fn place(&self, bucket: &str) -> String {
        let folder = std::env::temp_dir().join(format!("roster-s3-{bucket}"));
        std::fs::write(&folder, "test").expect("a file");
        let file = folder.display();
        format!(
            "url = 's3://{bucket}/'\nprojects = ['*']\ninternal = true\nendpoint = '{}'\n\
             access_key_id = 'file:{file}'\nsecret_access_key = 'file:{file}'\n",
            self.url
        )
    }
}

async fn reading(text: &str, place: &PullPlace) -> Result<Reading, Failure> {
    let source = Source::parse(text).expect("a source");
    Reading::open(&Ways::new().expect("ways"), &source, place).await
}

#[tokio::test]
async fn an_object_comes_in_ranges_of_the_same_object() {
    let s3 = S3::shared().await;
    s3.bucket("ranges").await;
    let bytes: Vec<u8> = (0..PIECE + 100).map(|at| (at % 251) as u8).collect();
    s3.put("ranges", "in/x.ndjson", bytes.clone()).await;
    let place: PullPlace = toml::from_str(&s3.place("ranges")).expect("a place");
    let mut file = reading("s3://ranges/in/x.ndjson", &place)
        .await
        .expect("open");
    let mut known = Version::default();
    assert!(rest(&mut file, 0, &mut known).await.expect("all") == bytes);
    assert_eq!(known.size, Some(bytes.len() as u64));
    // Row 55: another object under the same key.
    s3.put("ranges", "in/x.ndjson", vec![b'x'; PIECE + 100])
        .await;
    let changed = file.read(PIECE as u64, &known).await.expect_err("another");
    assert_eq!(changed.code(), "source_changed", "{changed}");
    assert!(
        changed
            .to_string()
            .contains(known.tag.as_deref().expect("a tag")),
        "{changed}"
    );
}

#[tokio::test]
async fn row_53_keys_of_all_kinds_are_read_and_listed() {
    let s3 = S3::shared().await;
    s3.bucket("keys").await;
    let place: PullPlace = toml::from_str(&s3.place("keys")).expect("a place");
    let keys = [
        "%C3%BC%20b.csv",
        "%5Bx%5D.csv",
        "~a",
        "100%25.csv",
        "a%2Bb",
        "2026-01.csv",
    ];
    for key in keys {
        s3.put("keys", &format!("in/{key}"), key).await;
        let mut file = reading(&format!("s3://keys/in/{key}"), &place)
            .await
            .expect("open");
        let all = rest(&mut file, 0, &mut Version::default()).await;
        assert_eq!(all.expect(key), key.as_bytes());
    }
    s3.put("keys", "in/deeper/x", "x").await;
    s3.put("keys", "inner.csv", "x").await;
    // One that nobody can ask for: it is counted, and the others come.
    s3.put("keys", "in/a%01b.csv", "x").await;
    let source = Source::parse("s3://keys/in/").expect("a source");
    let listing = list(&Ways::new().expect("ways"), &source, &place)
        .await
        .expect("a list");
    let told = listing.unread.told().expect("a sentence");
    assert!(told.contains("1 of the files"), "{told}");
    let found = listing.files;
    let mut names: Vec<&str> = found.iter().map(|one| one.source.name()).collect();
    let sorted = names.is_sorted();
    names.sort_unstable();
    assert!(sorted, "{names:?}");
    assert_eq!(
        names,
        ["100%.csv", "2026-01.csv", "[x].csv", "a+b", "~a", "ü b.csv"]
    );
    for one in &found {
        let mut file = Reading::open(&Ways::new().expect("ways"), &one.source, &place)
            .await
            .expect("open");
        let mut known = one.look.version.clone();
        rest(&mut file, 0, &mut known)
            .await
            .expect("the object of the listing");
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_to_be_asked_is_told() {
    let s3 = S3::shared().await;
    s3.bucket("missing").await;
    let place: PullPlace = toml::from_str(&s3.place("missing")).expect("a place");
    let mut file = reading("s3://missing/none", &place).await.expect("open");
    let failure = file
        .read(0, &Version::default())
        .await
        .expect_err("nothing");
    assert_eq!(failure.code(), "source_missing", "{failure}");
    // Row 58: the endpoint is in this machine, and the place is not called internal.
    let endpoint = s3
        .url
        .replace("127.0.0.1", "localhost")
        .replace("http:", "https:");
    let outside = super::sources::place("s3://missing/", &format!("endpoint = '{endpoint}'"));
    let mut file = reading("s3://missing/none", &outside).await.expect("open");
    let failure = file
        .read(0, &Version::default())
        .await
        .expect_err("not asked");
    assert_eq!(failure.code(), "source_refused", "{failure}");
}

#[tokio::test]
async fn a_bucket_of_googles_is_read_in_the_same_way() {
    let server = WebServer::start(Manner {
        body: b"{\"a\":1}\n".to_vec(),
        ..Manner::file("", "g")
    });
    let endpoint = server.url("");
    let more = format!(
        "internal = true\nendpoint = '{}'",
        endpoint.trim_end_matches('/')
    );
    let place = place("gs://bucket/", &more);
    let mut file = reading("gs://bucket/in/x%20y.ndjson", &place)
        .await
        .expect("open");
    let all = rest(&mut file, 0, &mut Version::default()).await;
    assert_eq!(all.expect("bytes"), b"{\"a\":1}\n");
    let seen = server.seen.lock().expect("whole").join("\n");
    assert!(seen.contains("GET /bucket/in%2Fx%20y%2Endjson "), "{seen}");
}
