//! An application that lives on while its people move: it knows what it has written, and holds every answer against that.

use crate::harness::Project;
use futures_util::future::join_all;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use tokio::sync::RwLock;

/// Calls under way at once. Each client has people of its own, so that it knows what was said of them last.
const CLIENTS: usize = 4;
/// People whom one request asks for.
const LOOKED_UP: usize = 50;
/// The first second of everybody's past, in milliseconds.
const BEGINNING: i64 = 1_672_531_200_000;
const DAY: i64 = 86_400_000;

/// How documents are read and written: `_id` is the user id.
pub const MAPPING: &str = r#"preset = "elasticsearch"

[identities]
user_id = "record:/_id"
email = "/email"

[time]
at = "/updated"
format = "epoch_ms"

[traits]
drop = ["updated", "secret"]

[traits.types]
age = "integer"
tags = "list"
"#;

pub fn user(number: usize) -> String {
    format!("p{number}")
}

/// What the legacy store has of a person from before. The types of a field differ from document to document, as such stores allow.
pub fn document(number: usize) -> (String, String) {
    let mut document = traits(number);
    if number.is_multiple_of(3) {
        document["age"] = json!((number % 80).to_string());
    }
    if number.is_multiple_of(4) {
        document["tags"] = json!("vip");
    }
    document["updated"] = json!(BEGINNING + number as i64 % 300 * DAY);
    document["secret"] = json!(format!("s{number}"));
    (user(number), document.to_string())
}

/// The same as it has to be read.
fn traits(number: usize) -> Value {
    let mut traits = json!({
        "plan": "old",
        "age": number % 80,
        "tags": if number.is_multiple_of(4) { json!(["vip"]) } else { json!(["vip", "eu"]) },
        "address": {"city": format!("city {}", number % 97), "geo": [number % 90, 1.5]},
        "bio": format!("{number} ").repeat(100),
    });
    if !number.is_multiple_of(5) {
        traits["email"] = json!(format!("p{number}@example.com"));
    }
    traits
}

/// What must be true of a person: their traits; null of nobody.
fn said_of(said: &BTreeMap<String, Value>, user: &str) -> Value {
    let old = || {
        let number = user.strip_prefix('p').and_then(|text| text.parse().ok());
        number.map_or(Value::Null, traits)
    };
    said.get(user).cloned().unwrap_or_else(old)
}

/// Whose answer is wrong, where it came from, and the traits that are wrong with both values.
fn differing(user: &str, found: &Value, expected: &Value) -> String {
    let traits = found.get("traits").unwrap_or(&Value::Null);
    let names = |traits: &Value| {
        traits
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    let mut told = format!(
        "{user} from {}, seen at {}:",
        found["source"], found["last_seen"]
    );
    for name in names(traits).union(&names(expected)) {
        let (is, must) = (&traits[name], &expected[name]);
        if is != must {
            told.push_str(&format!(" {name} {is:.60} instead of {must:.60};"));
        }
    }
    told
}

/// Clients, and what they know.
pub struct Application {
    people: usize,
    nodes: [Project; 2],
    /// People of whom something was said since; null of who was erased.
    said: Mutex<BTreeMap<String, Value>>,
    /// Events of people who are there, by person.
    seen: Mutex<BTreeMap<String, BTreeSet<String>>>,
    faults: Mutex<Vec<String>>,
    /// Right answers so far: to requests that write, and people read.
    pub writes: AtomicUsize,
    pub reads: AtomicUsize,
    pub may_erase: AtomicBool,
    is_over: AtomicBool,
    /// Whoever holds it alone finds the application at rest.
    turn: RwLock<()>,
}

impl Application {
    pub fn of(people: usize, nodes: [Project; 2]) -> Self {
        Self {
            people,
            nodes,
            said: Mutex::default(),
            seen: Mutex::default(),
            faults: Mutex::default(),
            writes: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            may_erase: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            turn: RwLock::default(),
        }
    }

    /// Lives until it is over.
    pub async fn live(&self) {
        join_all((0..CLIENTS).map(|client| self.client(client))).await;
    }

    pub fn end(&self) {
        self.is_over.store(true, Relaxed);
    }

    /// Nobody writes or reads until that is dropped.
    pub async fn rest(&self) -> impl Drop + '_ {
        self.turn.write().await
    }

    /// What was answered wrong, and what was not answered with success.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().expect("whole").clone()
    }

    /// Everybody who must be there.
    pub fn living(&self) -> usize {
        let said = self.said.lock().expect("whole");
        let of_old = |user: &&String| user.starts_with('p');
        let new = said
            .iter()
            .filter(|(user, traits)| !of_old(user) && !traits.is_null());
        let gone = said
            .iter()
            .filter(|(user, traits)| of_old(user) && traits.is_null());
        self.people + new.count() - gone.count()
    }

    /// Events that must be there.
    pub fn events(&self) -> usize {
        self.seen
            .lock()
            .expect("whole")
            .values()
            .map(BTreeSet::len)
            .sum()
    }

    async fn client(&self, client: usize) {
        let own = self.people / CLIENTS;
        for round in 0.. {
            if self.is_over.load(Relaxed) {
                return;
            }
            let _turn = self.turn.read().await;
            let person = (round * 7_919) % own * CLIENTS + client;
            self.round(client, round, &user(person)).await;
            // Somebody whom most likely only the legacy store knows.
            self.look(
                round,
                &user((round * 104_729 + own / 2) % own * CLIENTS + client),
            )
            .await;
            if round % 4 == 0 {
                self.look_up(client, round).await;
            }
        }
    }

    async fn round(&self, client: usize, round: usize, user: &str) {
        match round % 20 {
            0..=8 => {
                self.identify(round, user, json!({"plan": format!("r-{round}")}))
                    .await;
            }
            9 => {
                self.identify(round, user, json!({"address": null, "bio": "short"}))
                    .await;
            }
            10 => {
                self.identify(round, user, json!({"height": 1.8, "tags": ["new"]}))
                    .await;
            }
            11..=13 => self.track(round, user).await,
            14 => self.alias(round, user).await,
            15 => {
                let user = format!("n{client}-{round}");
                let email = format!("{user}@example.com");
                self.identify(round, &user, json!({"plan": "new", "email": email}))
                    .await;
            }
            16 if self.may_erase.load(Relaxed) => {
                self.erase(round, user).await;
                // Every other one comes back.
                if round % 40 == 16 {
                    self.identify(round, user, json!({"plan": "back"})).await;
                }
            }
            _ => self.look(round, user).await,
        }
    }

    fn fault(&self, told: String) {
        self.faults.lock().expect("whole").push(told);
    }

    /// What a request that has to succeed is answered with.
    async fn insist(&self, what: &str, request: RequestBuilder) -> bool {
        let status = match request.send().await {
            Ok(reply) if reply.status().is_success() => {
                self.writes.fetch_add(1, Relaxed);
                return true;
            }
            Ok(reply) => format!(
                "{} {}",
                reply.status(),
                reply.text().await.unwrap_or_default()
            ),
            Err(error) => error.to_string(),
        };
        self.fault(format!("{what}: {status}"));
        false
    }

    async fn post(&self, round: usize, call: &Value) -> bool {
        let node = &self.nodes[round % 2];
        let kind = call["type"].as_str().expect("a type");
        let request = node.client.post(format!("{}/v1/{kind}", node.url));
        let request = request.basic_auth(&node.write_key, Some("")).json(call);
        self.insist(&call.to_string(), request).await
    }

    fn note(&self, user: &str, news: &Value) {
        let mut said = self.said.lock().expect("whole");
        let mut traits = said_of(&said, user);
        if traits.is_null() {
            traits = json!({});
        }
        let own = traits.as_object_mut().expect("an object");
        for (name, value) in news.as_object().expect("an object") {
            if value.is_null() {
                own.remove(name);
            } else {
                own.insert(name.clone(), value.clone());
            }
        }
        said.insert(user.to_owned(), traits);
    }

    async fn identify(&self, round: usize, user: &str, traits: Value) {
        let call = json!({"type": "identify", "userId": user, "traits": traits});
        if self.post(round, &call).await {
            self.note(user, &traits);
        }
        self.look(round + 1, user).await;
    }

    async fn track(&self, round: usize, user: &str) {
        let id = format!("e-{user}-{round}");
        let call = json!({"type": "track", "userId": user, "event": "Seen", "messageId": id});
        if self.post(round, &call).await {
            self.note(user, &json!({}));
            let mut seen = self.seen.lock().expect("whole");
            seen.entry(user.to_owned()).or_default().insert(id);
        }
        self.look(round + 1, user).await;
    }

    /// Somebody without a name says who they are.
    async fn alias(&self, round: usize, user: &str) {
        let anonymous = format!("a-{user}-{round}");
        let traits = json!({"via": anonymous});
        let first = json!({"type": "identify", "anonymousId": anonymous, "traits": traits});
        let then = json!({"type": "alias", "userId": user, "previousId": anonymous});
        if self.post(round, &first).await && self.post(round + 1, &then).await {
            self.note(user, &traits);
        }
        self.look(round, user).await;
        self.look_at(round + 1, &format!("anonymous_id:{anonymous}"), user)
            .await;
    }

    async fn erase(&self, round: usize, user: &str) {
        let node = &self.nodes[round % 2];
        let request = node
            .client
            .delete(format!("{}/v1/profiles/user_id:{user}", node.url));
        let request = request.bearer_auth(&node.server_key);
        if self.insist(&format!("erase {user}"), request).await {
            self.said
                .lock()
                .expect("whole")
                .insert(user.to_owned(), Value::Null);
            self.seen.lock().expect("whole").remove(user);
        }
        self.look(round + 1, user).await;
    }

    async fn look(&self, round: usize, user: &str) {
        self.look_at(round, &format!("user_id:{user}"), user).await;
    }

    /// Reads somebody by a reference, on the node that did not write.
    async fn look_at(&self, round: usize, reference: &str, user: &str) {
        let node = &self.nodes[round % 2];
        let request = node
            .client
            .get(format!("{}/v1/profiles/{reference}", node.url));
        let (status, found) = match request.bearer_auth(&node.server_key).send().await {
            Ok(reply) => (
                reply.status(),
                reply.json::<Value>().await.unwrap_or_default(),
            ),
            Err(error) => return self.fault(format!("{reference}: {error}")),
        };
        if status == StatusCode::OK || status == StatusCode::NOT_FOUND {
            self.judge(user, &found);
        } else {
            self.fault(format!("{reference}: {status} {found}"));
        }
    }

    fn judge(&self, user: &str, found: &Value) {
        let expected = said_of(&self.said.lock().expect("whole"), user);
        let traits = found.get("traits").unwrap_or(&Value::Null);
        if *traits == expected {
            self.reads.fetch_add(1, Relaxed);
        } else {
            self.fault(differing(user, found, &expected));
        }
    }

    async fn look_up(&self, client: usize, round: usize) {
        let own = self.people / CLIENTS;
        let numbers =
            (0..LOOKED_UP).map(|step| (round * LOOKED_UP + step) % own * CLIENTS + client);
        self.look_up_all(round, &numbers.map(user).collect::<Vec<_>>())
            .await;
    }

    async fn look_up_all(&self, round: usize, users: &[String]) {
        let references: Vec<String> = users.iter().map(|user| format!("user_id:{user}")).collect();
        let node = &self.nodes[round % 2];
        let request = node.client.post(format!("{}/v1/profiles/lookup", node.url));
        let request = request
            .bearer_auth(&node.server_key)
            .json(&json!({"references": references}));
        let found: Value = match request.send().await {
            Ok(reply) => reply.json().await.unwrap_or_default(),
            Err(error) => return self.fault(format!("lookup: {error}")),
        };
        match found["profiles"].as_array() {
            Some(found) => users
                .iter()
                .zip(found)
                .for_each(|(user, found)| self.judge(user, found)),
            None => self.fault(format!("lookup: {found}")),
        }
    }

    /// Reads everybody who ever was, on both nodes.
    pub async fn look_at_all(&self) {
        let old = (0..self.people).map(user);
        let said = self.said.lock().expect("whole").clone();
        let new = said.into_keys().filter(|user| !user.starts_with('p'));
        let all: Vec<String> = old.chain(new).collect();
        for (round, part) in all.chunks(500).enumerate() {
            self.look_up_all(round, part).await;
            self.look_up_all(round + 1, part).await;
        }
    }
}
