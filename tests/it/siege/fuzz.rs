//! Valid calls with something wrong: other types, cut and flipped bytes, odd encodings, headers, paths and queries. Whatever
//! comes, the answer is never a 5xx but a 503 that says when to come again, and that answer is not for ever.
//!
//! The seed is printed; `ROSTER_SIEGE_SEED` repeats a run.

use super::dice::Dice;
use super::{Siege, amount, gzip};
use crate::wire::{Answer, Call, exchange};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const SENDERS: u64 = 4;

/// Whom the calls come from.
#[derive(Clone)]
struct Target {
    address: String,
    write_key: String,
    server_key: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_mutated_calls() {
    let siege = Siege::begin("mutated calls").await;
    let seed = std::env::var("ROSTER_SIEGE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(20_261_127);
    let each = amount(2_000, 200_000).div_ceil(SENDERS as usize);
    eprintln!("siege: mutated calls: ROSTER_SIEGE_SEED={seed}");
    let target = Target {
        address: siege.service.url.trim_start_matches("http://").to_owned(),
        write_key: siege.project.write_key.clone(),
        server_key: siege.project.server_key.clone(),
    };
    let senders = (0..SENDERS).map(|number| {
        let target = target.clone();
        tokio::task::spawn_blocking(move || send(&target, Dice::new(seed + number), each))
    });
    let mut seen: BTreeMap<u16, usize> = BTreeMap::new();
    for sender in futures_util::future::join_all(senders).await {
        for (status, count) in sender.expect("no complaint") {
            *seen.entry(status).or_default() += count;
        }
    }
    eprintln!("siege: mutated calls: {seen:?}");
    // Or it were not valid calls that were mutated.
    assert!(seen[&200] > each && seen[&400] > each / 10, "{seen:?}");
    siege.end().await;
}

fn send(target: &Target, mut dice: Dice, count: usize) -> BTreeMap<u16, usize> {
    let mut seen = BTreeMap::new();
    for number in 0..count {
        let call = mutated(target, &mut dice, number);
        *seen.entry(judged(target, &call)).or_default() += 1;
    }
    seen
}

/// The status of a call; 0 where the connection was closed on it. Panics over an answer that may not be.
fn judged(target: &Target, call: &Call) -> u16 {
    for _ in 0..5 {
        let Ok(answer) = exchange(&target.address, call) else {
            return 0;
        };
        assert!(
            is_proper(&answer),
            "{} {}: {answer:?}: {}",
            call.method,
            call.target,
            shown(call)
        );
        // Of a profile that is nobody's: the one 503 that is no overload.
        let waits = answer.json()["code"] == "version_not_reached";
        if answer.status != 503 || waits {
            return answer.status;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    panic!(
        "503 for ever: {} {}: {}",
        call.method,
        call.target,
        shown(call)
    );
}

fn is_proper(answer: &Answer) -> bool {
    let retry = answer
        .header("retry-after")
        .and_then(|text| text.parse::<u32>().ok());
    answer.status < 500 || (answer.status == 503 && retry.is_some_and(|seconds| seconds > 0))
}

fn shown(call: &Call) -> String {
    let body = &call.body[..call.body.len().min(2_000)];
    format!("{:?} {}", call.headers, String::from_utf8_lossy(body))
}

fn mutated(target: &Target, dice: &mut Dice, number: usize) -> Call {
    let mut call = match dice.below(10) {
        0..=6 => tracking(target, dice, number),
        _ => native(target, dice),
    };
    if dice.once_in(3) {
        mutate_bytes(&mut call.body, dice);
    }
    if dice.once_in(6) {
        encode(&mut call, dice);
    }
    if dice.once_in(8) {
        mutate_target(&mut call, dice);
    }
    if dice.once_in(8) {
        mutate_headers(&mut call, dice);
    }
    call.chunk_bytes = dice.once_in(10).then(|| 1 + dice.below(50));
    call
}

fn tracking(target: &Target, dice: &mut Dice, number: usize) -> Call {
    let kinds = ["identify", "track", "page", "screen", "group", "alias"];
    let kind = *dice.pick(&kinds);
    let (path, mut body) = if dice.once_in(2) {
        (format!("/v1/{kind}"), single(kind, dice, number))
    } else {
        let calls = 1 + dice.below(5);
        let calls: Vec<Value> = (0..calls)
            .map(|place| {
                let kind = *dice.pick(&kinds);
                single(kind, dice, number * 10 + place)
            })
            .collect();
        let body = json!({"batch": calls, "context": {"app": {"name": "siege"}}, "sentAt": "2026-01-02T03:04:05Z"});
        ("/v1/batch?results=true".to_owned(), body)
    };
    for _ in 0..dice.below(3) {
        mutate_value(&mut body, dice);
    }
    let mut headers = Vec::new();
    if body.is_object() && dice.once_in(5) {
        body["writeKey"] = json!(target.write_key);
    } else {
        headers.push(("X-Write-Key".to_owned(), target.write_key.clone()));
    }
    Call {
        method: "POST".to_owned(),
        target: path,
        headers,
        body: body.to_string().into(),
        chunk_bytes: None,
    }
}

/// A valid call of a type.
fn single(kind: &str, dice: &mut Dice, number: usize) -> Value {
    let person = format!("person-{}", dice.below(20));
    let mut call = json!({
        "type": kind, "userId": person, "anonymousId": format!("anonymous-{}", dice.below(40)),
        "messageId": format!("m-{number}-{}", dice.below(1_000_000)), "timestamp": "2026-01-02T03:04:05.678Z",
        "context": {"ip": "10.0.0.1", "traits": {"plan": "free"}, "externalIds": [{"type": "customer_no", "id": "7"}]},
    });
    let mut put = |name: &str, value: Value| call[name] = value;
    match kind {
        "identify" => put(
            "traits",
            json!({"email": format!("{person}@example.com"), "age": 7, "tags": ["a", {"b": null}]}),
        ),
        "track" => {
            put("event", json!("Seen"));
            put("properties", json!({"price": 1.5e3, "deep": {"a": [[1]]}}));
        }
        "group" => {
            put("groupId", json!("group-7"));
            put("traits", json!({"name": "Seven"}));
        }
        "alias" => put("previousId", json!(format!("person-{}", dice.below(20)))),
        _ => {
            put("name", json!("Home"));
            put("properties", json!({"url": "https://example.com"}));
        }
    }
    call
}

const REFERENCES: [&str; 9] = [
    "user_id:person-1",
    "email:person-2@example.com",
    "anonymous_id:anonymous-3",
    "id:00000000-0000-4000-8000-000000000000",
    "id:7",
    "user_id:a%00b",
    "%00",
    "user_id:%ff%fe",
    "none",
];
const QUERIES: [&str; 12] = [
    "",
    "?limit=3",
    "?limit=-1",
    "?limit=99999999999999999999",
    "?cursor=AAAA",
    "?cursor=gAAAAAAAAAAHBwcHBwcHBwcHBwcHBwcH",
    "?from=-4714-01-01",
    "?name=%00",
    "?email=%00",
    "?min_version=1",
    "?forget=maybe",
    "?type=track&to=2026-01-01",
];

fn native(target: &Target, dice: &mut Dice) -> Call {
    let (reference, query) = (*dice.pick(&REFERENCES), *dice.pick(&QUERIES));
    let profile = format!("/v1/profiles/{reference}");
    let (method, path) = match dice.below(11) {
        0 => ("GET", profile),
        1 => ("GET", format!("{profile}/events")),
        2 => ("GET", format!("{profile}/export")),
        3 => ("POST", format!("{profile}/merge")),
        4 if dice.once_in(20) => ("DELETE", profile),
        4 | 5 => ("POST", format!("{profile}/unforget")),
        6 => ("GET", format!("/v1/events/{reference}")),
        7 => ("GET", format!("/v1/erasures/{reference}")),
        8 => ("POST", "/v1/profiles/lookup".to_owned()),
        9 => ("GET", "/v1/rejections".to_owned()),
        _ => ("GET", "/v1/conflicts".to_owned()),
    };
    let mut body = json!({"references": [dice.pick(&REFERENCES)], "from": dice.pick(&REFERENCES)});
    if dice.once_in(3) {
        mutate_value(&mut body, dice);
    }
    Call {
        method: method.to_owned(),
        target: format!("{path}{query}"),
        headers: vec![(
            "Authorization".to_owned(),
            format!("Bearer {}", target.server_key),
        )],
        body: if method == "POST" {
            body.to_string().into()
        } else {
            Vec::new()
        },
        chunk_bytes: None,
    }
}

/// Puts something else in a place that chance finds.
fn mutate_value(value: &mut Value, dice: &mut Dice) {
    let goes_deeper = !dice.once_in(3);
    match value {
        Value::Object(members) if goes_deeper && !members.is_empty() => {
            let place = dice.below(members.len());
            if let Some(inner) = members.values_mut().nth(place) {
                mutate_value(inner, dice);
            }
        }
        Value::Array(values) if goes_deeper && !values.is_empty() => {
            let place = dice.below(values.len());
            mutate_value(&mut values[place], dice);
        }
        other => *other = junk(dice),
    }
}

pub fn junk(dice: &mut Dice) -> Value {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let junk = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5e300),
        json!("1e999"),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("\0"),
        json!("a\0b"),
        json!("\u{feff}"),
        json!("\u{10ffff}"),
        json!(" "),
        json!("undefined"),
        json!("x".repeat(3_000)),
        json!([]),
        json!({}),
        json!([[]]),
        json!({"": {"\0": "\0"}}),
        json!({"type": "track"}),
        json!("9999-99-99"),
        json!("-009999-01-02T01:59:59Z"),
        json!("2026-01-02"),
        json!({"email": {"a": 1}}),
        deep,
    ];
    dice.pick(&junk).clone()
}

fn mutate_bytes(body: &mut Vec<u8>, dice: &mut Dice) {
    if body.is_empty() {
        return;
    }
    let place = dice.below(body.len());
    match dice.below(6) {
        0 => body.truncate(place),
        1 => drop(body.drain(..place)),
        2 => body[place] ^= 1 << dice.below(8),
        3 => body[place] = dice.below(256) as u8,
        4 => {
            let more: &[&[u8]] = &[
                b"\0",
                b"\\u0000",
                b"\\ud800",
                b"NaN",
                b"1e400",
                b"-0",
                b"{",
                b"]",
                b"\xff\xfe",
                b"1e-349",
            ];
            body.splice(place..place, dice.pick(more).iter().copied());
        }
        _ => {
            let again = body[place..].to_vec();
            body.extend(again);
        }
    }
}

fn encode(call: &mut Call, dice: &mut Dice) {
    let encoding = *dice.pick(&[
        "gzip",
        "deflate",
        "zstd",
        "br",
        "identity",
        "lzma",
        "gzip, gzip",
        "",
    ]);
    call.headers
        .push(("Content-Encoding".to_owned(), encoding.to_owned()));
    match encoding {
        "gzip" => call.body = gzip(&call.body),
        "zstd" => call.body = zstd::encode_all(&call.body[..], 1).expect("memory"),
        _ => {}
    }
    if dice.once_in(3) {
        mutate_bytes(&mut call.body, dice);
    }
}

fn mutate_target(call: &mut Call, dice: &mut Dice) {
    let more = *dice.pick(&[
        "/",
        "//",
        "%00",
        "%",
        "%zz",
        "?",
        "?results=maybe",
        "&cursor=%00",
        "/..",
        ";x",
        "?writeKey=%00",
        "%2f",
        "?writeKey=",
    ]);
    call.target.push_str(more);
    if dice.once_in(4) {
        call.method =
            (*dice.pick(&["GET", "PUT", "OPTIONS", "HEAD", "PATCH", "DELETE", "TRACE"])).to_owned();
    }
}

fn mutate_headers(call: &mut Call, dice: &mut Dice) {
    let odd = [
        ("SentAt", "\u{ff}"),
        ("SentAt", "9999-99-99"),
        ("Idempotency-Key", "\u{e9}"),
        ("Idempotency-Key", ""),
        ("Authorization", "Basic ===="),
        ("Authorization", "Bearer \u{ff}"),
        ("Content-Type", "text/plain; charset=utf-16"),
        ("Origin", "null"),
        ("Origin", "https://\u{e9}"),
        ("If-None-Match", "\"x"),
        ("X-Write-Key", ":"),
        ("Expect", "100-continue"),
        ("Range", "bytes=0-1"),
        ("X-Request-Id", "\u{1}"),
    ];
    let (name, value) = *dice.pick(&odd);
    call.headers.push((name.to_owned(), value.to_owned()));
}
