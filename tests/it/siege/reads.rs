//! Reads that are large: timelines of large events, many large profiles, exports.

use super::{CONNECTIONS, Siege, amount, assert_proper};
use futures_util::future::{join, join_all};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::collections::HashSet;

const LARGE_EVENTS: usize = 64;
const LARGE: usize = 900_000;

impl Siege {
    async fn poison_timeline(&self) {
        for number in 0..LARGE_EVENTS {
            let call = json!({"userId": "ada", "event": "Large", "messageId": format!("large-{number}"),
                "properties": {"text": "x".repeat(LARGE)}});
            self.project.send("/v1/track", &call).await;
        }
    }

    async fn grow_profile(&self) {
        for part in 0..9 {
            let name = format!("trait{part}");
            let call = json!({"userId": "bob", "traits": {name: "x".repeat(100_000)}});
            self.project.send("/v1/identify", &call).await;
        }
    }

    async fn get(&self, path: &str) -> Response {
        let request = self
            .project
            .client
            .get(format!("{}{path}", self.project.url));
        let request = request.bearer_auth(&self.project.server_key);
        request.send().await.expect("an answer")
    }

    async fn look_up(&self, references: usize) -> Response {
        let body = json!({"references": vec!["user_id:bob"; references]});
        let url = format!("{}/v1/profiles/lookup", self.project.url);
        let request = self.project.client.post(url);
        let request = request.bearer_auth(&self.project.server_key);
        request.json(&body).send().await.expect("an answer")
    }
}

/// Reads an answer as a hasty client would: some megabytes, then it hangs up.
async fn sip(mut reply: Response) -> StatusCode {
    assert_proper(&reply, "a read");
    let mut read = 0;
    while read < 4_000_000 {
        match reply.chunk().await {
            Ok(Some(piece)) => read += piece.len(),
            Ok(None) | Err(_) => break,
        }
    }
    reply.status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_large_reads_of_every_kind_at_once() {
    let siege = Siege::begin("large reads").await;
    siege.poison_timeline().await;
    siege.grow_profile().await;
    for _ in 0..amount(1, 10) {
        let reads = (0..CONNECTIONS).map(|number| {
            let siege = &siege;
            async move {
                let timeline = "/v1/profiles/user_id:ada/events?limit=1000";
                let reply = match number % 4 {
                    0 => siege.get(timeline).await,
                    1 => siege.look_up(300).await,
                    2 => siege.get("/v1/profiles/user_id:ada/export").await,
                    _ => siege.get("/v1/profiles/user_id:bob").await,
                };
                sip(reply).await
            }
        });
        let writes = async {
            for _ in 0..20 {
                let call = json!({"userId": "eve", "event": "Seen"});
                let reply = siege.project.post("/v1/track", &call).await;
                assert_eq!(reply.status(), StatusCode::OK, "a write beside the reads");
            }
        };
        let (statuses, ()) = join(join_all(reads), writes).await;
        let answered = statuses.iter().filter(|status| status.is_success()).count();
        eprintln!("siege: {answered} of {CONNECTIONS} large reads answered at once");
        assert!(answered > 0, "nobody could read");
    }
    siege.end().await;
}

/// A timeline stays readable, page by page, whatever stands in it; so do a look-up and an export.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_poisoned_timelines_stay_readable() {
    let siege = Siege::begin("a poisoned timeline, read whole").await;
    siege.poison_timeline().await;
    siege.grow_profile().await;
    let (mut seen, mut pages, mut cursor) = (HashSet::new(), 0, String::new());
    loop {
        let path = format!("/v1/profiles/user_id:ada/events?limit=1000{cursor}");
        let page = siege.project.read(&path).await;
        let events = page["events"].as_array().expect("a list");
        pages += 1;
        assert!(events.len() <= 2, "a page of {} large events", events.len());
        seen.extend(events.iter().map(|event| event["message_id"].to_string()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), LARGE_EVENTS);
    assert!(pages >= LARGE_EVENTS / 2, "{pages} pages");
    let found: Value = siege.look_up(30).await.json().await.expect("JSON");
    let found = found["profiles"].as_array().expect("a list");
    assert_eq!(found.len(), 30);
    assert!(
        found
            .iter()
            .all(|profile| profile["traits"]["trait8"].is_string())
    );
    let export = siege.get("/v1/profiles/user_id:ada/export").await;
    let export = export.text().await.expect("the whole of it");
    assert_eq!(export.lines().count(), 1 + LARGE_EVENTS);
    siege.end().await;
}

/// Looking up many, some of whom are nobody, gives each its place, over many statements.
#[tokio::test]
async fn siege_look_ups_keep_their_order_over_pieces() {
    let siege = Siege::begin("look-ups in pieces").await;
    siege.grow_profile().await;
    let references: Vec<&str> = (0..250)
        .map(|number| match number % 50 {
            0 => "user_id:bob",
            _ => "user_id:nobody",
        })
        .collect();
    let url = format!("{}/v1/profiles/lookup", siege.project.url);
    let request = siege.project.client.post(url);
    let request = request.bearer_auth(&siege.project.server_key);
    let body = json!({"references": references});
    let reply = request.json(&body).send().await.expect("an answer");
    let found: Value = reply.json().await.expect("JSON");
    let found = found["profiles"].as_array().expect("a list");
    assert_eq!(found.len(), 250);
    for (number, profile) in found.iter().enumerate() {
        assert_eq!(profile.is_null(), number % 50 != 0, "{number}");
    }
    siege.end().await;
}
