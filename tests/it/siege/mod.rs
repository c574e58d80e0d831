//! Attacks on the memory, the threads and the patience of a service: each on a service of its own, whose peak is printed and
//! held against a bound. The short form is part of every test run; `make siege` (`ROSTER_SIEGE=long`) tries for minutes.

mod bodies;
mod dice;
mod fuzz;
mod heads;
mod law;
mod logs;
mod reads;
mod routes;
mod silent;
mod trees;

use crate::harness::{Project, Service, alone, shared};
use crate::machine::{judge_peak, resident_memory_mib};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Response, StatusCode};
use serde_json::json;
use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep};

/// Connections of one kind at once.
const CONNECTIONS: usize = 64;
/// What a service may keep, some seconds after an attack.
const AFTERWARDS_MIB: u64 = 128;

/// A service under attack.
struct Siege {
    name: &'static str,
    service: Service,
    project: Project,
    _alone: MutexGuard<'static, ()>,
}

/// How much to do: the first number usually, the second in the long form.
fn amount(short: usize, long: usize) -> usize {
    match std::env::var("ROSTER_SIEGE").as_deref() {
        Ok("long") => long,
        _ => short,
    }
}

impl Siege {
    async fn begin(name: &'static str) -> Self {
        Self::with(name, &[]).await
    }

    async fn with(name: &'static str, settings: &[(&str, &str)]) -> Self {
        let alone = alone().await;
        let database = &shared().await.database_url;
        let service = Service::start(database, settings).await;
        let project = Project::on(&service.url, database).await;
        Self {
            name,
            service,
            project,
            _alone: alone,
        }
    }

    /// Posts bytes without any key in header or query.
    async fn post_as_stranger(&self, encoding: &str, body: Vec<u8>) -> Response {
        let request = self
            .project
            .client
            .post(format!("{}/v1/batch", self.project.url));
        let request = request.header("content-encoding", encoding);
        request.body(body).send().await.expect("an answer")
    }

    /// Posts bytes with the write key.
    async fn post(&self, encoding: &str, body: Vec<u8>) -> Response {
        let request = self
            .project
            .client
            .post(format!("{}/v1/batch", self.project.url));
        let request = request.basic_auth(&self.project.write_key, Some(""));
        let request = request.header("content-encoding", encoding);
        request.body(body).send().await.expect("an answer")
    }

    /// Alive, within the bound, without a panic, and small again soon.
    async fn end(self) {
        self.project
            .send(
                "/v1/track",
                &json!({"userId": "ada", "event": "Still here"}),
            )
            .await;
        let pid = self.service.pid();
        judge_peak(self.name, pid);
        let until = Instant::now() + Duration::from_secs(20);
        while resident_memory_mib(pid) > AFTERWARDS_MIB && Instant::now() < until {
            sleep(Duration::from_millis(250)).await;
        }
        let after = resident_memory_mib(pid);
        eprintln!("{}: afterwards {after} MiB", self.name);
        assert_eq!(self.service.log.panics.load(Relaxed), 0, "a panic");
        assert!(after <= AFTERWARDS_MIB, "{}: keeps {after} MiB", self.name);
    }
}

/// Fails for any answer of the kinds that no attack may provoke.
fn assert_proper(reply: &Response, what: &str) {
    let status = reply.status();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = reply.headers().get("retry-after");
        let seconds = seconds.and_then(|text| text.to_str().ok()?.parse::<u32>().ok());
        assert!(
            seconds.is_some_and(|seconds| seconds > 0),
            "{what}: no Retry-After"
        );
    } else {
        assert!(!status.is_server_error(), "{what}: {status}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}
