//! What every test stands on: a database, a running service, a fresh project, and verbs.

pub use crate::folder::public_dir;
use reqwest::{Client, Response, StatusCode};
use roster::config::{Config, millis};
use roster::domain::{KeyHash, KeyKind};
use roster::store::Store;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use uuid::Uuid;

/// The program under test.
pub const ROSTER: &str = env!("CARGO_BIN_EXE_roster");

static SHARED: OnceCell<Shared> = OnceCell::const_new();

static HEAVY: Mutex<()> = Mutex::const_new(());

/// Waits until no other heavy test runs. Two that each load both processors would miss their times for no fault of the service.
pub async fn alone() -> MutexGuard<'static, ()> {
    HEAVY.lock().await
}

/// The service that most tests share, with its database.
pub struct Shared {
    pub url: String,
    pub database_url: String,
    /// Closing its standard input ends the service: it happens when this process ends, however it ends.
    _service: Child,
}

/// Starts the shared service, once.
pub async fn shared() -> &'static Shared {
    SHARED
        .get_or_init(|| async {
            tokio::task::spawn_blocking(Shared::start)
                .await
                .expect("starts")
        })
        .await
}

impl Shared {
    fn start() -> Self {
        let data_dir = public_dir("shared");
        // The service outlives no test run: when the pipe closes it gets SIGTERM and takes its database with it.
        let script = r#""$@" & child=$!; read -r _; kill -TERM $child; wait $child; rm -rf "$ROSTER__DATA_DIR""#;
        let mut command = Command::new("bash");
        command.args([
            "-c",
            script,
            "roster-tests",
            ROSTER,
            "serve",
            "--listen",
            "127.0.0.1:0",
        ]);
        command
            .env("ROSTER__DATA_DIR", &data_dir)
            .env("ROSTER__LEGACY__INDICES", ANY_INDEX)
            .stdin(Stdio::piped());
        if let Some(url) = given_database() {
            command.env("ROSTER__DATABASE__URL", url);
        }
        let (service, url, _) = spawn_service(command);
        let database_url = given_database()
            .unwrap_or_else(|| roster::embedded::running_url(&data_dir).expect("it runs"));
        Self {
            url,
            database_url,
            _service: service,
        }
    }
}

/// Tests plan by HTTP; each has indices of its own.
const ANY_INDEX: &str = "* = *";

/// A client that loads no certificates: no test server has one, and to read the machine's takes longer than most tests wait.
pub fn http() -> Client {
    http_builder().build().expect("a client")
}

pub fn http_builder() -> reqwest::ClientBuilder {
    Client::builder().tls_certs_only([])
}

/// One request by a client of its own.
pub async fn fetch(url: impl reqwest::IntoUrl) -> reqwest::Result<Response> {
    http().get(url).send().await
}

/// The database that the caller of the suite chose.
pub fn given_database() -> Option<String> {
    std::env::var_os("ROSTER_TEST_DATABASE_URL").map(|url| url.into_string().expect("text"))
}

/// What is counted of a service's log.
#[derive(Default)]
pub struct Log {
    pub lines: AtomicUsize,
    pub panics: AtomicUsize,
}

impl Log {
    fn take(&self, line: &str) {
        self.lines.fetch_add(1, Relaxed);
        if line.contains("panicked at") {
            self.panics.fetch_add(1, Relaxed);
        }
        eprintln!("{line}");
    }
}

/// Starts a service and waits until it says where it serves.
fn spawn_service(mut command: Command) -> (Child, String, Arc<Log>) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut seen = String::new();
    let url = loop {
        let Some(Ok(line)) = lines.next() else {
            panic!("the service ended at its start:\n{seen}")
        };
        if let Some((_, address)) = line.split_once("serving address=") {
            break format!("http://{}", address.trim());
        }
        seen.push_str(&line);
        seen.push('\n');
    };
    // Its log must go on being read, or it blocks; it is shown with a failed test's output.
    let log = Arc::new(Log::default());
    let taken = log.clone();
    std::thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .for_each(|line| taken.take(&line));
    });
    (child, url, log)
}

/// A service of a test's own, which may be killed.
pub struct Service {
    child: Child,
    pub url: String,
    pub log: Arc<Log>,
}

impl Service {
    /// Starts a service on `database_url` with more settings from the environment.
    pub async fn start(database_url: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_at(database_url, "127.0.0.1:0", environment).await
    }

    /// The same at a given address.
    pub async fn start_at(database_url: &str, listen: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(ROSTER);
        command.args(["serve", "--listen", listen, "--database-url", database_url]);
        command.env("ROSTER__LEGACY__INDICES", ANY_INDEX);
        command.envs(environment.iter().copied());
        Self::spawn(command).await
    }

    /// The same by another program, or with arguments before `serve`; on a private database unless the environment names one.
    pub async fn start_by(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).arg("serve");
        command.env("ROSTER__SERVER__LISTEN", "127.0.0.1:0");
        command.env("ROSTER__LEGACY__INDICES", ANY_INDEX);
        command.envs(environment.iter().copied());
        Self::spawn(command).await
    }

    async fn spawn(command: Command) -> Self {
        let (child, url, log) = tokio::task::spawn_blocking(|| spawn_service(command))
            .await
            .expect("starts");
        Self { child, url, log }
    }

    pub fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.id() as i32)
    }

    /// kill -9, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("it ended");
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(self.pid(), signal).expect("it runs");
    }

    /// SIGTERM, and waits for its end.
    pub async fn terminate(self) -> ExitStatus {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        self.ended(Duration::from_secs(40)).await
    }

    /// Waits for its end.
    pub async fn ended(mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "the service did not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Ended already where the test ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A store on a database.
pub fn store_at(url: &str) -> Store {
    let config = Config::load(None, HashMap::new()).expect("defaults");
    Store::open(
        &config.database,
        url,
        millis(config.ingest.write_deadline_ms),
    )
    .expect("a usable url")
}

/// A fresh project on some service, and what a customer does with it.
pub struct Project {
    pub id: i32,
    pub name: String,
    pub url: String,
    pub write_key: String,
    pub server_key: String,
    pub client: Client,
}

impl Project {
    /// Makes a project on the shared service.
    pub async fn fresh() -> Self {
        let shared = shared().await;
        Self::on(&shared.url, &shared.database_url).await
    }

    /// Makes a project in a database and calls it through a service at `url`.
    pub async fn on(url: &str, database_url: &str) -> Self {
        let (store, name) = (store_at(database_url), Uuid::new_v4().to_string());
        let project_id = store
            .create_project(&name)
            .await
            .expect("created")
            .expect("a new name");
        let keys = [KeyKind::Write, KeyKind::Server]
            .map(|kind| (kind, format!("{}-{name}", kind.as_str())));
        for (kind, key) in &keys {
            store
                .create_key(KeyHash::of(key), project_id, *kind)
                .await
                .expect("created");
        }
        let [(_, write_key), (_, server_key)] = keys;
        Self {
            id: project_id.0,
            name,
            url: url.to_owned(),
            write_key,
            server_key,
            client: http(),
        }
    }

    /// The same project through another service.
    pub fn through(&self, url: &str) -> Self {
        Self {
            id: self.id,
            name: self.name.clone(),
            url: url.to_owned(),
            write_key: self.write_key.clone(),
            server_key: self.server_key.clone(),
            client: self.client.clone(),
        }
    }

    /// Posts JSON with the write key.
    pub async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self
            .client
            .post(format!("{}{path}", self.url))
            .basic_auth(&self.write_key, Some(""));
        request.json(body).send().await.expect("an answer")
    }

    /// Posts JSON and gives back the body of a 200.
    pub async fn send(&self, path: &str, body: &Value) -> Value {
        let reply = self.post(path, body).await;
        assert_eq!(reply.status(), StatusCode::OK);
        reply.json().await.expect("JSON")
    }

    /// Posts a batch and gives back the result of each item.
    pub async fn results(&self, items: &[Value]) -> Vec<Value> {
        let mut reply = self
            .send("/v1/batch?results=true", &json!({"batch": items}))
            .await;
        serde_json::from_value(reply["results"].take()).expect("a list")
    }

    /// Gets JSON with the server key: the status and the body.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = self.client.get(format!("{}{path}", self.url));
        answer_to(request.bearer_auth(&self.server_key)).await
    }

    /// Erases a person by reference, which may end with a query: the status and the receipt.
    pub async fn erase(&self, reference: &str) -> (StatusCode, Value) {
        let url = format!("{}/v1/profiles/{reference}", self.url);
        answer_to(self.client.delete(url).bearer_auth(&self.server_key)).await
    }

    /// Gets what must be there.
    pub async fn read(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// A profile by reference, e.g. `user_id:ada`.
    pub async fn profile(&self, reference: &str) -> Value {
        self.read(&format!("/v1/profiles/{reference}")).await
    }

    /// The whole timeline of a profile, newest first, page by page.
    pub async fn timeline(&self, reference: &str) -> Vec<Value> {
        let (mut events, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = self
                .read(&format!(
                    "/v1/profiles/{reference}/events?limit=1000{cursor}"
                ))
                .await;
            events.append(page["events"].as_array_mut().expect("a list"));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return events,
            }
        }
    }

    /// An event by its message id.
    pub async fn event(&self, message_id: &str) -> Value {
        self.read(&format!("/v1/events/{message_id}")).await
    }

    /// Counts the project's rows in a table of the shared database, or the different values of a column: `count("*", "event")`.
    pub async fn count(&self, what: &str, table: &str) -> usize {
        let rows = format!(
            "{table} AS t JOIN project AS p USING (project_id) WHERE p.name = '{}'",
            self.name
        );
        let counted = sql(
            &shared().await.database_url,
            &format!("SELECT count({what}) FROM {rows}"),
        )
        .await;
        counted[0].parse().expect("a number")
    }

    /// The newest refusals.
    pub async fn rejections(&self) -> Vec<Value> {
        let mut page = self.read("/v1/rejections").await;
        serde_json::from_value(page["rejections"].take()).expect("a list")
    }
}

/// Sends a request: the status and the JSON of its answer.
pub async fn answer_to(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let reply = request.send().await.expect("an answer");
    (reply.status(), reply.json().await.expect("JSON"))
}

/// Waits until something holds; panics with `what` when it does not within the time.
pub async fn wait_until<F: AsyncFn() -> bool>(what: &str, patience: Duration, holds: F) {
    let deadline = Instant::now() + patience;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// A plain connection to a database.
pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("connected");
    tokio::spawn(connection);
    client
}

/// Runs one statement; gives back the first column of its rows as text.
pub async fn sql(url: &str, text: &str) -> Vec<String> {
    let messages = connect(url)
        .await
        .simple_query(text)
        .await
        .unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let first = |message: tokio_postgres::SimpleQueryMessage| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    messages.into_iter().filter_map(first).collect()
}

/// Runs one statement; gives back each row whole, as text.
pub async fn whole_rows(url: &str, text: &str) -> Vec<String> {
    let messages = connect(url).await.simple_query(text).await;
    let whole = |message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            let columns: Vec<&str> = (0..row.len())
                .filter_map(|column| row.get(column))
                .collect();
            Some(columns.join(" "))
        }
        _ => None,
    };
    messages.unwrap().into_iter().filter_map(whole).collect()
}

/// A new, empty database on the server of the shared one.
pub async fn fresh_database() -> String {
    let shared = &shared().await.database_url;
    let name = format!("it_{}", Uuid::new_v4().simple());
    sql(shared, &format!("CREATE DATABASE {name}")).await;
    let mut url = url::Url::parse(shared).expect("a url");
    url.set_path(&name);
    url.into()
}
