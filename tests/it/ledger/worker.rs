//! A client as careful as a good SDK: it writes down, sends, and sends again what was not acknowledged.

use super::Signs;
use super::call::{Call, Speaker};
use super::paper::{Answer, Paper, Sending, now};
use crate::harness::Project;
use rand::{random_bool, random_range};
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// People that all workers speak about: few, so that workers meet at one profile.
const PEOPLE: u32 = 200;
const LARGEST_BATCH: usize = 20;
/// Acknowledged calls that may be sent once more.
const REMEMBERED: usize = 50;
/// Some unanswered calls are given up, so that the judge sees what became of them.
const FORGOTTEN: f64 = 0.1;
/// Longer than the service may take, so that it is the service that gives up first.
const PATIENCE: Duration = Duration::from_secs(15);
/// Time to get the last calls acknowledged.
const LAST_TRIES: Duration = Duration::from_secs(30);

pub(super) struct Worker {
    client: Client,
    key: String,
    urls: Vec<String>,
    at: usize,
    speaker: Speaker,
    paper: Paper,
    signs: Arc<Signs>,
    requests: u64,
    seq: u64,
    pending: Vec<Call>,
    done: VecDeque<Call>,
    is_forgetful: bool,
}

/// The calls of one request.
enum Request {
    Single(Call),
    Batch(Vec<Call>),
}

impl Worker {
    pub fn new(
        project: &Project,
        urls: &[&str],
        number: usize,
        paper: Paper,
        signs: Arc<Signs>,
    ) -> Self {
        let client = crate::harness::http_builder()
            .timeout(PATIENCE)
            .pool_max_idle_per_host(1);
        Self {
            client: client.build().expect("a client"),
            key: project.write_key.clone(),
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            at: number,
            speaker: Speaker {
                project: project.id,
                worker: number,
                people: PEOPLE,
            },
            paper,
            signs,
            requests: 0,
            seq: 0,
            pending: Vec::new(),
            done: VecDeque::new(),
            is_forgetful: false,
        }
    }

    /// From now on some calls without an answer are given up.
    pub fn forgetful(self) -> Self {
        Self {
            is_forgetful: true,
            ..self
        }
    }

    pub async fn run(mut self) {
        while !self.signs.stop.load(Ordering::Relaxed) {
            self.step(true).await;
            sleep(Duration::from_millis(random_range(0..40))).await;
        }
        let deadline = Instant::now() + LAST_TRIES;
        while !self.pending.is_empty() && Instant::now() < deadline {
            self.step(false).await;
        }
    }

    /// Sends one request; what is not acknowledged stays pending.
    async fn step(&mut self, with_new: bool) {
        let request = self.compose(with_new);
        self.requests += 1;
        let sending = Sending {
            request: (self.speaker.worker, self.requests),
            at: now(),
            promises: request
                .calls()
                .iter()
                .map(|call| call.promise.clone())
                .collect(),
        };
        let sent_at = sending.at;
        self.paper.note_sending(sending).await;
        let mut answer = self.exchange(&request).await;
        (answer.sent_at, answer.answered_at) = (sent_at, now());
        self.paper.note_answer(answer.clone());
        self.settle(request, &answer).await;
    }

    /// Pending calls first, then new ones, and now and then one that was acknowledged long ago.
    fn compose(&mut self, with_new: bool) -> Request {
        if random_bool(0.5) {
            let call = self.pending.pop().unwrap_or_else(|| self.new_call());
            return Request::Single(call);
        }
        let size = random_range(1..=LARGEST_BATCH);
        let pending = self.pending.len().saturating_sub(size);
        let mut calls = self.pending.split_off(pending);
        while with_new && calls.len() < size {
            calls.push(self.new_call());
        }
        if random_bool(0.3) && !self.done.is_empty() {
            let old = self.done[random_range(0..self.done.len())].clone();
            calls.insert(random_range(0..=calls.len()), old);
        }
        if random_bool(0.1) && !calls.is_empty() {
            calls.push(calls[0].clone());
        }
        Request::Batch(calls)
    }

    fn new_call(&mut self) -> Call {
        self.seq += 1;
        self.speaker.call(self.seq)
    }

    async fn exchange(&self, request: &Request) -> Answer {
        let (path, body) = request.path_and_body();
        let url = format!("{}{path}", self.urls[self.at % self.urls.len()]);
        let sending = self
            .client
            .post(url)
            .basic_auth(&self.key, Some(""))
            .json(&body);
        let mut answer = Answer {
            request: (self.speaker.worker, self.requests),
            sent_at: Duration::ZERO,
            answered_at: Duration::ZERO,
            status: None,
            says_when: false,
            results: Vec::new(),
        };
        let Ok(reply) = sending.send().await else {
            return answer;
        };
        let status = reply.status().as_u16();
        answer.says_when = reply.headers().contains_key("retry-after");
        // An answer that breaks off in the middle is no answer.
        if let Ok(body) = reply.json::<Value>().await {
            answer.status = Some(status);
            answer.results = request.results(status, &body);
        }
        answer
    }

    /// Keeps what was not acknowledged, for another try, at another node where there is one.
    async fn settle(&mut self, request: Request, answer: &Answer) {
        let calls = request.into_calls();
        if answer.results.is_empty() {
            self.at += 1;
            let forgotten = if self.is_forgetful { FORGOTTEN } else { 0.0 };
            let again = calls.into_iter().filter(|_| !random_bool(forgotten));
            self.pending.extend(again);
            sleep(Duration::from_millis(random_range(10..150))).await;
            return;
        }
        self.signs.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.done
            .extend(calls.into_iter().filter(|call| !call.promise.is_bad));
        while self.done.len() > REMEMBERED {
            self.done.pop_front();
        }
    }
}

impl Request {
    fn calls(&self) -> &[Call] {
        match self {
            Self::Single(call) => std::slice::from_ref(call),
            Self::Batch(calls) => calls,
        }
    }

    fn into_calls(self) -> Vec<Call> {
        match self {
            Self::Single(call) => vec![call],
            Self::Batch(calls) => calls,
        }
    }

    fn path_and_body(&self) -> (String, Value) {
        match self {
            Self::Single(call) => {
                let kind = call.body["type"].as_str().expect("a type");
                (format!("/v1/{kind}"), call.body.clone())
            }
            Self::Batch(calls) => {
                let items: Vec<&Value> = calls.iter().map(|call| &call.body).collect();
                ("/v1/batch?results=true".to_owned(), json!({"batch": items}))
            }
        }
    }

    /// What an answer says of each call; nothing where it says nothing.
    fn results(&self, status: u16, body: &Value) -> Vec<String> {
        let texts = |status: &Value| status["status"].as_str().expect("text").to_owned();
        match (self, status) {
            (Self::Single(_), 200) => vec!["taken".into()],
            (Self::Single(_), 400) => vec!["rejected".into()],
            (Self::Batch(_), 200) => {
                let results = body["results"].as_array().expect("results were asked for");
                results.iter().map(texts).collect()
            }
            _ => Vec::new(),
        }
    }
}
