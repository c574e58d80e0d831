//! A real legacy store: one node of OpenSearch, which speaks Elasticsearch's REST API.

use crate::harness::{answer_to, http_builder, public_dir};
use crate::java::{Java, free_port, java};
use crate::machine::Frozen;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

const PATIENCE: Duration = Duration::from_secs(180);

static SHARED: OnceCell<LegacyStore> = OnceCell::const_new();

/// The store that most tests share; each has indices of its own.
pub async fn shared_store() -> &'static LegacyStore {
    SHARED.get_or_init(LegacyStore::start).await
}

pub struct LegacyStore {
    process: Mutex<Option<Java>>,
    folder: PathBuf,
    port: u16,
    client: Client,
    pub url: String,
}

impl LegacyStore {
    /// Starts one.
    pub async fn start() -> Self {
        let port = free_port();
        let store = Self {
            process: Mutex::default(),
            folder: public_dir("legacy"),
            port,
            client: unpooled(),
            url: format!("http://127.0.0.1:{port}"),
        };
        store.start_again().await;
        store
    }

    /// Starts what was killed, on the same data and address.
    pub async fn start_again(&self) {
        let mut run = java("opensearch", "-Xmx400m");
        run.arg("LegacyStore")
            .arg(&self.folder)
            .arg(self.port.to_string());
        let started = Java::start(&run, &self.folder);
        *self.process.lock().expect("whole") = Some(started);
        let deadline = Instant::now() + PATIENCE;
        while self
            .client
            .get(format!(
                "{}/_cluster/health?wait_for_status=yellow",
                self.url
            ))
            .send()
            .await
            .is_err()
        {
            assert!(
                Instant::now() < deadline,
                "the legacy store does not answer"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// It answers nobody until that is dropped.
    pub fn freeze(&self) -> Frozen {
        let running = self.process.lock().expect("whole");
        running.as_ref().expect("it runs").freeze()
    }

    /// kill -9.
    pub fn kill(&self) {
        let running = self.process.lock().expect("whole").take();
        running.expect("it runs").kill();
    }

    /// Asks the store; a body of lines is sent as such.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}/{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("answered");
        (response.status(), response.json().await.unwrap_or_default())
    }

    /// Makes an index.
    pub async fn create(&self, index: &str, settings: Value) {
        let (status, body) = self.ask(Method::PUT, index, Some(settings)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    /// Puts documents, by their ids, as they are written: digits and all.
    pub async fn put(&self, index: &str, documents: &[(String, String)]) {
        for part in documents.chunks(500) {
            let lines = part
                .iter()
                .map(|(id, text)| format!("{}\n{text}\n", json!({"index": {"_id": id}})));
            self.bulk(index, lines.collect()).await;
        }
    }

    /// Deletes documents.
    pub async fn delete(&self, index: &str, ids: &[String]) {
        let lines = ids
            .iter()
            .map(|id| format!("{}\n", json!({"delete": {"_id": id}})));
        self.bulk(index, lines.collect()).await;
    }

    async fn bulk(&self, index: &str, lines: String) {
        let request = self.client.post(format!("{}/{index}/_bulk", self.url));
        let request = request
            .header("content-type", "application/x-ndjson")
            .body(lines);
        let (_, answer) = answer_to(request).await;
        assert_eq!(answer["errors"], false, "{}", answer["items"][0]);
    }
}

/// Tests that share the store have runtimes of their own: a connection of one that has ended is of no use to the next.
fn unpooled() -> Client {
    let builder = http_builder().pool_max_idle_per_host(0);
    builder.build().expect("a client")
}

impl Drop for LegacyStore {
    fn drop(&mut self) {
        let running = self.process.lock().expect("whole").take();
        running.into_iter().for_each(Java::kill);
        // It may be gone already.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
