//! The tracking API against its contract: every fixture of `tests/fixtures/tracking`, on a fresh project each.
//!
//! What a fixture may say stands in the README beside them.

use crate::harness::{Project, shared, store_at};
use crate::wire::{Answer, Call, exchange};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use roster::domain::{ProjectId, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A project, and the moment that `{{now}}` stands for.
struct Stage {
    project: Project,
    now: Timestamp,
}

#[tokio::test]
async fn every_fixture_holds() {
    every_fixture_of("tracking").await;
}

/// Every fixture of a dialect, by the name of its folder.
pub async fn every_fixture_of(dialect: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let root = root.join(dialect);
    let only = std::env::var("ROSTER_TEST_FIXTURE").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("fixtures")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir() && path.to_string_lossy().contains(&only))
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no fixture in {}", root.display());
    let mut complaints = Vec::new();
    for folder in &folders {
        let name = folder.file_name().expect("named").to_string_lossy();
        let found = complaints_of(folder).await;
        complaints.extend(
            found
                .into_iter()
                .map(|complaint| format!("{name}: {complaint}")),
        );
    }
    eprintln!("{} fixtures", folders.len());
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

async fn complaints_of(folder: &Path) -> Vec<String> {
    let stage = Stage {
        project: Project::fresh().await,
        now: Timestamp::new(std::time::SystemTime::now().try_into().expect("now")),
    };
    let requests = match stage.load(&folder.join("request.json")) {
        Value::Array(requests) => requests,
        request => vec![request],
    };
    let expected = stage.load(&folder.join("expected.json"));
    stage.set_rules(&expected).await;
    let mut complaints = Vec::new();
    for request in &requests {
        for _ in 0..request["times"].as_u64().unwrap_or(1) {
            let answer = stage.send(request).await;
            // A request of several may have an answer of its own.
            let reply = request.get("expected").unwrap_or(&expected);
            complaints.extend(unlike_reply(&answer, reply));
        }
    }
    complaints.extend(stage.unlike_rows(&expected).await);
    complaints.extend(stage.unlike_profiles(&expected).await);
    complaints.extend(stage.unlike_rejections(&expected).await);
    complaints
}

impl Stage {
    /// How the project believes its callers, where the fixture says so.
    async fn set_rules(&self, expected: &Value) {
        if let Some(rules) = expected.get("rules") {
            let store = store_at(&shared().await.database_url);
            let rules = serde_json::from_value(rules.clone()).expect("rules");
            let set = store.set_rules(ProjectId(self.project.id), &rules).await;
            set.expect("set");
        }
    }

    fn load(&self, path: &Path) -> Value {
        let text = std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", path.display()));
        let document = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.filled_in(document)
    }

    /// Puts keys and times where the fixture names them.
    fn filled_in(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.filled_in_text(&text)),
            Value::Array(list) => list
                .into_iter()
                .map(|value| self.filled_in(value))
                .collect(),
            Value::Object(object) => Value::Object(
                object
                    .into_iter()
                    .map(|(key, value)| (key, self.filled_in(value)))
                    .collect::<Map<_, _>>(),
            ),
            other => other,
        }
    }

    fn filled_in_text(&self, text: &str) -> String {
        let mut text = text
            .replace("{{write_key}}", &self.project.write_key)
            .replace("{{server_key}}", &self.project.server_key)
            .replace("{{host}}", self.address());
        while let Some(start) = text.find("{{") {
            let end = start + text[start..].find("}}").expect("closed");
            let value = self.named(&text[start + 2..end]);
            text.replace_range(start..end + 2, &value);
        }
        text
    }

    /// `basic TEXT`, `now`, `now-SECONDS`, `moved TIME SENT`.
    fn named(&self, name: &str) -> String {
        if let Some(user) = name.strip_prefix("basic ") {
            return STANDARD.encode(user);
        }
        let at = |text: &str| Timestamp::parse(text).expect(text).micros();
        let micros = if let Some(times) = name.strip_prefix("moved ") {
            let (time, sent) = times.split_once(' ').expect("two times");
            at(time) + self.now.micros() - at(sent)
        } else {
            let offset = name
                .strip_prefix("now")
                .unwrap_or_else(|| panic!("unknown: {name}"));
            self.now.micros() + offset.parse::<i64>().unwrap_or(0) * 1_000_000
        };
        Timestamp::from_micros(micros).expect("a time").to_string()
    }

    fn address(&self) -> &str {
        self.project.url.strip_prefix("http://").expect("http")
    }

    async fn send(&self, request: &Value) -> Answer {
        let text = |name: &str| request[name].as_str().unwrap_or_default();
        let headers = request["headers"].as_object().cloned().unwrap_or_default();
        let target = match text("query") {
            "" => text("path").to_owned(),
            query => format!("{}?{query}", text("path")),
        };
        let call = Call {
            method: text("method").to_owned(),
            target,
            headers: headers
                .into_iter()
                .map(|(name, value)| (name, value.as_str().expect("text").to_owned()))
                .collect(),
            body: compressed(text("encode"), body(request)),
            chunk_bytes: request["chunk_bytes"].as_u64().map(|size| size as usize),
        };
        let address = self.address().to_owned();
        tokio::task::spawn_blocking(move || exchange(&address, &call))
            .await
            .expect("no panic")
            .expect("an answer")
    }

    async fn unlike_rows(&self, expected: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        for row in list(expected, "rows") {
            let event = match (row["message_id"].as_str(), row["only_of"].as_str()) {
                (Some(id), _) => {
                    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
                    self.project.get(&format!("/v1/events/{id}")).await.1
                }
                (None, Some(reference)) => match &self.project.timeline(reference).await[..] {
                    [event] => event.clone(),
                    events => json!(format!("{} events", events.len())),
                },
                (None, None) => panic!("a row needs message_id or only_of"),
            };
            for (field, wanted) in row.as_object().expect("a row") {
                if field != "only_of" && !alike(wanted, &event[field]) {
                    complaints.push(format!("{field} is {} instead of {wanted}", event[field]));
                }
            }
        }
        complaints
    }

    async fn unlike_profiles(&self, expected: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        for wanted in list(expected, "profiles") {
            let reference = wanted["ref"].as_str().expect("a reference");
            let (status, profile) = self.project.get(&format!("/v1/profiles/{reference}")).await;
            if wanted["absent"] == true {
                if status != 404 {
                    complaints.push(format!("{reference} exists"));
                }
                continue;
            }
            if wanted
                .get("traits")
                .is_some_and(|traits| !alike(traits, &profile["traits"]))
            {
                complaints.push(format!("traits are {}", profile["traits"]));
            }
            let identities: BTreeSet<String> = list(&profile, "identities")
                .iter()
                .map(|it| {
                    format!(
                        "{}:{}",
                        it["kind"].as_str().unwrap_or(""),
                        it["value"].as_str().unwrap_or("")
                    )
                })
                .collect();
            if wanted
                .get("identities")
                .is_some_and(|wanted| texts(wanted) != identities)
            {
                complaints.push(format!("identities are {identities:?}"));
            }
            if let Some(wanted) = wanted.get("events") {
                let events = self.project.timeline(reference).await;
                let seen = events
                    .iter()
                    .map(|event| event["message_id"].as_str().unwrap_or("").to_owned());
                let seen: BTreeSet<String> = seen.collect();
                if texts(wanted) != seen {
                    complaints.push(format!("the events of {reference} are {seen:?}"));
                }
            }
        }
        complaints
    }

    /// All rejections, whether or not the fixture speaks of any.
    async fn unlike_rejections(&self, expected: &Value) -> Vec<String> {
        let mut seen = self.project.rejections().await;
        let mut complaints = Vec::new();
        for wanted in list(expected, "rejections") {
            let fields = wanted.as_object().expect("a rejection");
            let fits = |one: &Value| {
                fields
                    .iter()
                    .all(|(field, value)| alike(value, &one[field]))
            };
            match seen.iter().position(fits) {
                Some(place) => drop(seen.remove(place)),
                None => complaints.push(format!("no rejection {wanted}")),
            }
        }
        complaints.extend(seen.iter().map(|one| format!("unexpected rejection {one}")));
        complaints
    }
}

fn unlike_reply(answer: &Answer, expected: &Value) -> Vec<String> {
    let body = answer.json();
    let mut complaints = Vec::new();
    if expected["status"] != answer.status {
        complaints.push(format!(
            "status {} instead of {}: {body}",
            answer.status, expected["status"]
        ));
    }
    for (name, wanted) in expected["headers"].as_object().cloned().unwrap_or_default() {
        let seen = answer
            .header(&name)
            .map_or(Value::Null, |value| json!(value));
        if seen != wanted {
            complaints.push(format!("header {name} is {seen} instead of {wanted}"));
        }
    }
    if let Some(wanted) = expected.get("body")
        && !alike(wanted, &body)
    {
        complaints.push(format!("body is {body} instead of {wanted}"));
    }
    if let Some(prefix) = expected["body_prefix"].as_str()
        && !answer.body.starts_with(prefix.as_bytes())
    {
        complaints.push(format!("body does not start with {prefix}"));
    }
    // Gotcha 6: without both, four SDKs send a refused batch ten times more.
    if (400..600).contains(&answer.status)
        && answer.header("content-length") != Some("0")
        && expected["body"].is_null()
        && expected["body_prefix"].is_null()
    {
        complaints.push("an error needs its body checked".to_owned());
    }
    complaints
}

/// Equal, but for objects that end in `"...": true` (others may follow), times after `~` (give or take ten seconds), and `*`.
fn alike(wanted: &Value, seen: &Value) -> bool {
    match (wanted, seen) {
        (Value::String(wanted), _) if wanted == "*" => !seen.is_null(),
        (Value::String(wanted), Value::String(seen)) if wanted.starts_with('~') => {
            let micros = |text: &str| Timestamp::parse(text).map(Timestamp::micros);
            match (micros(&wanted[1..]), micros(seen)) {
                (Some(wanted), Some(seen)) => wanted.abs_diff(seen) < 10_000_000,
                _ => false,
            }
        }
        (Value::Object(wanted), Value::Object(seen)) => {
            let open = wanted.contains_key("...");
            let fields = wanted.iter().filter(|(key, _)| *key != "...");
            (open || wanted.len() == seen.len())
                && fields
                    .into_iter()
                    .all(|(key, value)| seen.get(key).is_some_and(|seen| alike(value, seen)))
        }
        (Value::Array(wanted), Value::Array(seen)) => {
            wanted.len() == seen.len()
                && wanted
                    .iter()
                    .zip(seen)
                    .all(|(wanted, seen)| alike(wanted, seen))
        }
        _ => wanted == seen,
    }
}

/// The body: text, JSON, base64, or parts that repeat.
fn body(request: &Value) -> Vec<u8> {
    if let Some(encoded) = request["body_base64"].as_str() {
        return STANDARD.decode(encoded).expect("base64");
    }
    if let Some(parts) = request["body_parts"].as_array() {
        let part = |part: &Value| {
            let times = part["times"].as_u64().unwrap_or(1) as usize;
            part["text"]
                .as_str()
                .expect("text")
                .repeat(times)
                .into_bytes()
        };
        return parts.iter().flat_map(part).collect();
    }
    match &request["body"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        json => json.to_string().into_bytes(),
    }
}

fn compressed(encoding: &str, body: Vec<u8>) -> Vec<u8> {
    let done = match encoding {
        "" => return body,
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&body).and_then(|()| encoder.finish())
        }
        "zlib" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&body).and_then(|()| encoder.finish())
        }
        "deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&body).and_then(|()| encoder.finish())
        }
        "zstd" => zstd::encode_all(&body[..], 3),
        other => panic!("unknown encoding {other}"),
    };
    done.expect("memory")
}

fn list(value: &Value, name: &str) -> Vec<Value> {
    value[name].as_array().cloned().unwrap_or_default()
}

fn texts(list: &Value) -> BTreeSet<String> {
    let texts = list.as_array().expect("a list").iter();
    texts
        .map(|text| text.as_str().expect("text").to_owned())
        .collect()
}
