//! A project as its customer sees it: what every endpoint answers, without what is drawn or timed anew in each project.

use super::drawn::{Operation, message_ids, names};
use crate::harness::{Project, wait_until};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// A status and what was said.
pub type Answer = (u16, Vec<String>);

/// A project, and the receipts of its erasures.
pub struct Tenant {
    pub project: Project,
    receipts: Vec<String>,
}

impl Tenant {
    pub fn new(project: Project) -> Self {
        Self {
            project,
            receipts: Vec::new(),
        }
    }

    /// Does one thing; the answer is comparable with another project's.
    pub async fn run(&mut self, operation: &Operation) -> Answer {
        let path = self.path(operation).await;
        let key = match operation.is_sent {
            true => &self.project.write_key,
            false => &self.project.server_key,
        };
        let (status, text) = ask(
            &self.project,
            &operation.method,
            &path,
            &operation.body,
            key,
        )
        .await;
        if operation.method == Method::DELETE && status < 300 {
            return (200, self.erased(&text).await);
        }
        (status, comparable(&text, &BTreeMap::new()))
    }

    async fn path(&self, operation: &Operation) -> String {
        let mut path = operation.path.replace("$key", &self.project.write_key);
        if path.contains("$id") {
            let (_, found) = self
                .project
                .get(&format!("/v1/profiles/{}", operation.subject))
                .await;
            let nobody = Uuid::new_v4().to_string();
            path = path.replace("$id", found["id"].as_str().unwrap_or(&nobody));
        }
        let last = self.receipts.last().map_or("none", String::as_str);
        path.replace("$receipt", last)
    }

    /// The receipt once all is gone, which takes longer than the request may on a machine that stands still.
    async fn erased(&mut self, text: &str) -> Vec<String> {
        let receipt: Value = serde_json::from_str(text).expect("JSON");
        let path = format!("/v1/erasures/{}", receipt["id"].as_str().expect("an id"));
        wait_until("all is gone", Duration::from_secs(60), async || {
            !self.project.read(&path).await["cleared_at"].is_null()
        })
        .await;
        self.receipts
            .push(receipt["id"].as_str().expect("an id").to_owned());
        comparable(
            &self.project.read(&path).await.to_string(),
            &BTreeMap::new(),
        )
    }

    /// What every read says in the end. Profiles that are named by their ids are named by what these lead to.
    pub async fn everything(&self) -> BTreeMap<String, Answer> {
        let answers = self.answers().await;
        let lines = answers.values().flat_map(|(_, text)| text.lines());
        let ids: BTreeSet<String> = lines.flat_map(|line| ids_of_people(&parse(line))).collect();
        let mut people = BTreeMap::new();
        for id in ids {
            let text = self.get(&format!("/v1/profiles/id:{id}")).await.1;
            people.insert(id, comparable(&text, &BTreeMap::new()).join(""));
        }
        let answer = |(path, (status, text)): (String, (u16, String))| {
            (path, (status, comparable(&text, &people)))
        };
        answers.into_iter().map(answer).collect()
    }

    async fn answers(&self) -> BTreeMap<String, (u16, String)> {
        let mut paths: Vec<String> = message_ids().map(|id| format!("/v1/events/{id}")).collect();
        for name in names() {
            let (kind, value) = name.split_once(':').expect("a kind");
            paths.push(format!("/v1/profiles?{kind}={value}"));
            paths.extend(
                ["", "/events", "/events?limit=2", "/export"]
                    .map(|part| format!("/v1/profiles/{name}{part}")),
            );
        }
        paths.extend(["/v1/conflicts", "/v1/rejections"].map(str::to_owned));
        let mut answers = BTreeMap::new();
        for path in paths {
            let answer = self.get(&path).await;
            answers.insert(path, answer);
        }
        for (number, id) in self.receipts.iter().enumerate() {
            let answer = self.get(&format!("/v1/erasures/{id}")).await;
            answers.insert(format!("receipt {number}"), answer);
        }
        answers
    }

    async fn get(&self, path: &str) -> (u16, String) {
        ask(
            &self.project,
            &Method::GET,
            path,
            &Value::Null,
            &self.project.server_key,
        )
        .await
    }
}

/// Asks with a key; the status and the body.
pub async fn ask(
    project: &Project,
    method: &Method,
    path: &str,
    body: &Value,
    key: &str,
) -> (u16, String) {
    let mut request = project
        .client
        .request(method.clone(), format!("{}{path}", project.url))
        .bearer_auth(key);
    if !body.is_null() {
        request = request.json(body);
    }
    let reply = request.send().await.expect("an answer");
    let status = reply.status().as_u16();
    (
        status,
        String::from_utf8_lossy(&reply.bytes().await.expect("a body")).into_owned(),
    )
}

/// JSON, or what is none as a text.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

const PEOPLE: [&str; 3] = ["profile_id", "owner_id", "claimant_id"];

fn ids_of_people(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(ids_of_people).collect(),
        Value::Object(fields) => {
            let own = PEOPLE.iter().filter_map(|name| fields.get(*name)?.as_str());
            let own = own.map(str::to_owned);
            own.chain(fields.values().flat_map(ids_of_people)).collect()
        }
        _ => Vec::new(),
    }
}

/// The lines of an answer, sorted where there are several.
fn comparable(text: &str, people: &BTreeMap<String, String>) -> Vec<String> {
    let line = |line: &str| masked("", parse(line), people).to_string();
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.sort_unstable();
    lines
}

/// Puts fixed words in place of ids that were drawn and times of this day, and an order where there is none to rely on.
fn masked(name: &str, value: Value, people: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Object(fields) => {
            // How far the sweep is depends on the time of asking.
            let kept = fields
                .into_iter()
                .filter(|(name, _)| name != "state" && name != "finished_at");
            kept.map(|(name, value)| (name.clone(), masked(&name, value, people)))
                .collect()
        }
        Value::Array(list) => {
            let mut list: Vec<Value> = list
                .into_iter()
                .map(|value| masked("", value, people))
                .collect();
            if ["identities", "conflicts", "rejections"].contains(&name) {
                list.sort_by_key(Value::to_string);
            }
            json!(list)
        }
        Value::String(text) if PEOPLE.contains(&name) => {
            json!(people.get(&text).map_or("somebody", String::as_str))
        }
        Value::String(_) if name == "next_cursor" => json!("more"),
        Value::String(text) if name == "id" && Uuid::try_parse(&text).is_ok() => json!("an id"),
        Value::String(text) if is_of_this_day(&text) => json!("today"),
        other => other,
    }
}

fn is_of_this_day(text: &str) -> bool {
    text.len() >= 20
        && text.ends_with('Z')
        && text[4..].starts_with('-')
        && !text.starts_with("2024-01-01")
}
