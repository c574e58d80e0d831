//! Requests drawn at random over every endpoint, about so few names and message ids that all of them meet.

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value, json};

const USERS: [&str; 6] = ["ada", "bob", "cyd", "dot", "eve", "fay"];
const DEVICES: [&str; 3] = ["phone", "tablet", "kiosk"];
const EMAILS: [&str; 3] = ["a@example.com", "b@example.com", "family@example.com"];
const MESSAGES: u32 = 60;
const KINDS: [&str; 9] = [
    "identify", "identify", "identify", "track", "track", "page", "group", "alias", "dance",
];
const CALL_PATHS: [&str; 3] = ["/v1/", "/api/s/", "/api/s/s2s/"];
const BATCH_PATHS: [&str; 9] = [
    "/v1/batch",
    "/v1/b",
    "/v1/import",
    "/v1",
    "/",
    "/sdk/batch",
    "/beacon/v1/batch",
    "/api/s/batch",
    "/api/s/s2s/batch",
];

/// One request. `$key` in its path stands for the project's write key, `$id` for the id of the person that `subject` names,
/// `$receipt` for its last erasure's.
#[derive(Clone, Debug)]
pub struct Operation {
    pub method: Method,
    pub path: String,
    pub body: Value,
    /// With the write key; else with the server key.
    pub is_sent: bool,
    pub subject: String,
}

/// Every reference to a person that may lead somewhere.
pub fn names() -> Vec<String> {
    let of = |kind: &'static str| move |value: &&str| format!("{kind}:{value}");
    let users = USERS.iter().map(of("user_id"));
    let devices = DEVICES.iter().map(of("anonymous_id"));
    let emails = EMAILS.iter().map(of("email"));
    users.chain(devices).chain(emails).collect()
}

/// Every message id that is ever sent: one in four is a UUID, and so its own event's id.
pub fn message_ids() -> impl Iterator<Item = String> {
    (0..MESSAGES).map(message_id)
}

fn message_id(number: u32) -> String {
    if number.is_multiple_of(4) {
        format!("00000000-0000-4000-8000-{number:012}")
    } else {
        format!("m-{number}")
    }
}

fn pick<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

/// The next request.
pub fn operation(rng: &mut StdRng) -> Operation {
    match rng.random_range(0..100) {
        0..35 => batch(rng),
        35..50 => single(rng),
        50..55 => pixel(rng),
        55..62 => merge(rng),
        62..66 => erase(rng),
        66..70 => ask(rng, Method::POST, "/v1/profiles/$name/unforget"),
        _ => read(rng),
    }
}

fn sent(method: Method, path: String, body: Value) -> Operation {
    Operation {
        method,
        path,
        body,
        is_sent: true,
        subject: String::new(),
    }
}

/// A request about somebody: by a name, or by an id.
fn ask(rng: &mut StdRng, method: Method, path: &str) -> Operation {
    let subject = names()[rng.random_range(0..names().len())].clone();
    let reference = if rng.random_bool(0.2) {
        "id:$id"
    } else {
        &subject
    };
    Operation {
        method,
        path: path.replace("$name", reference),
        body: Value::Null,
        is_sent: false,
        subject,
    }
}

fn batch(rng: &mut StdRng) -> Operation {
    let calls: Vec<Value> = (0..rng.random_range(1..=6)).map(|_| call(rng)).collect();
    let path = format!("{}?results=true", pick(rng, &BATCH_PATHS));
    sent(Method::POST, path, json!({"batch": calls}))
}

fn single(rng: &mut StdRng) -> Operation {
    let call = call(rng);
    let kind = call["type"]
        .as_str()
        .expect("text")
        .replace("dance", "merge");
    let path = format!("{}{kind}?results=true", pick(rng, &CALL_PATHS));
    sent(Method::POST, path, call)
}

/// A call with an old time, or with none, which is then newer than all before.
fn call(rng: &mut StdRng) -> Value {
    let kind = pick(rng, &KINDS);
    let mut call = json!({"type": kind, "messageId": message_id(rng.random_range(0..MESSAGES)), "event": "Seen", "groupId": "club",
        "properties": {"number": rng.random_range(0..100)}});
    let who = rng.random_range(0..3);
    if who > 0 || kind == "alias" {
        call["userId"] = json!(pick(rng, &USERS));
    }
    if who != 1 {
        call["anonymousId"] = json!(pick(rng, &DEVICES));
    }
    if kind == "alias" {
        call["previousId"] = json!(pick(rng, &[USERS[1], USERS[3], DEVICES[0], DEVICES[2]]));
    }
    if rng.random_bool(0.7) {
        call["timestamp"] = json!(format!("2024-01-01T00:00:{:02}Z", rng.random_range(0..60)));
    }
    if kind == "identify" {
        call["traits"] =
            json!({"plan": pick(rng, &["free", "pro"]), "age": rng.random_range(20..60)});
        if rng.random_bool(0.4) {
            call["traits"]["email"] = json!(pick(rng, &EMAILS));
        }
    }
    call
}

fn pixel(rng: &mut StdRng) -> Operation {
    let (id, user) = (message_id(rng.random_range(0..MESSAGES)), pick(rng, &USERS));
    let path = format!(
        "/pixel/v1/track?writeKey=$key&userId={user}&event=Mail&messageId={id}&timestamp=2024-01-01T00:01:00Z"
    );
    sent(Method::GET, path, Value::Null)
}

fn merge(rng: &mut StdRng) -> Operation {
    let from = names()[rng.random_range(0..names().len())].clone();
    let merge = ask(rng, Method::POST, "/v1/profiles/$name/merge");
    Operation {
        body: json!({"from": from}),
        ..merge
    }
}

fn erase(rng: &mut StdRng) -> Operation {
    let often = "/v1/profiles/$name";
    let path = pick(rng, &[often, often, "/v1/profiles/$name?forget=true"]);
    ask(rng, Method::DELETE, path)
}

fn read(rng: &mut StdRng) -> Operation {
    let event = format!("/v1/events/{}", message_id(rng.random_range(0..MESSAGES)));
    let path = pick(
        rng,
        &[
            "/v1/profiles/$name",
            "/v1/profiles/$name/events",
            "/v1/profiles/$name/events?limit=3&type=track",
            "/v1/profiles/$name/export",
            "/v1/profiles?email=family@example.com",
            &event,
            "/v1/conflicts",
            "/v1/rejections",
            "/v1/erasures/$receipt",
        ],
    );
    if rng.random_bool(0.9) {
        return ask(rng, Method::GET, path);
    }
    let lookup = ask(rng, Method::POST, "/v1/profiles/lookup");
    Operation {
        body: json!({"references": names()}),
        ..lookup
    }
}
