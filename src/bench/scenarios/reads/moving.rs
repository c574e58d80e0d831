//! A project on its way out of a legacy store: an index that the mirror has filled, and the state in which profiles can be read at every
//! source.

use crate::bench::bodies::user_id;
use crate::bench::http::Connection;
use crate::bench::kind::Kind;
use crate::bench::report::Part;
use crate::bench::stage::{Service, ask, new_name};
use crate::bench::target::Target;
use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How documents are read and written.
const MAPPING: &str = r#"preset = "elasticsearch"
[time]
at = "/updated_at"
[traits]
drop = ["updated_at"]
"#;
/// Time in which a source is in force, and in which the mirror publishes something.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);
/// From `mirror` to `cut_over`, where reads may be at every source.
const STEPS: usize = 4;

/// An index of the run's own, and a folder with what a service has to know of it.
pub struct Index {
    store: Target,
    name: String,
    folder: PathBuf,
}

impl Index {
    pub async fn create(url: &str) -> Result<Self> {
        let (name, store) = (new_name(), Target::at(url, "").await?);
        let folder = std::env::temp_dir().join(&name);
        let index = Self {
            store,
            name,
            folder,
        };
        let body = r#"{"settings":{"number_of_replicas":0}}"#;
        index.ask("PUT", "", body).await?;
        std::fs::create_dir(&index.folder)?;
        std::fs::write(index.folder.join("people.toml"), MAPPING)?;
        let settings = format!("[legacy]\nurl = {url:?}\n");
        std::fs::write(index.folder.join("roster.toml"), settings)?;
        Ok(index)
    }

    /// The settings of a service that reaches the store.
    pub fn settings(&self) -> Result<String> {
        self.file("roster.toml")
    }

    fn file(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name);
        Ok(path.to_str().context("a folder with a name")?.to_owned())
    }

    pub async fn delete(self) -> Result<()> {
        std::fs::remove_dir_all(&self.folder)?;
        self.ask("DELETE", "", "").await
    }

    async fn ask(&self, verb: &str, path: &str, body: &str) -> Result<()> {
        let Self { store, name, .. } = self;
        let (host, prefix, length) = (&store.host, &store.prefix, body.len());
        let request = format!(
            "{verb} {prefix}/{name}{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let answered = async {
            let mut connection = Connection::open(store.socket).await?;
            connection.exchange(request.as_bytes()).await
        };
        answered
            .await
            .with_context(|| format!("the legacy store at {host}"))
    }
}

/// The project that moves.
pub struct Moving<'a> {
    service: &'a Service,
    name: &'a str,
    /// Its address with a key that reads.
    pub target: Target,
    source: &'static str,
}

impl<'a> Moving<'a> {
    /// Lets the service's own project move: the mirror publishes everybody.
    pub async fn start(service: &'a Service, name: &'a str, index: &Index) -> Result<Self> {
        let moving = Self {
            target: service.target.with_key(&service.server_key),
            source: "roster",
            service,
            name,
        };
        let mapping = index.file("people.toml")?;
        let plan = ["--mapping", &mapping, "--index", &index.name];
        moving.order("plan", &plan).await?;
        let force = ["--force", "measured by roster bench"];
        moving.order("start", &force).await?;
        for _ in 0..STEPS {
            moving.order("advance", &force).await?;
        }
        moving.until_published().await?;
        index.ask("POST", "/_refresh", "").await?;
        Ok(moving)
    }

    async fn order(&self, verb: &str, more: &[&str]) -> Result<String> {
        let words = [&["migration", verb, self.name][..], more].concat();
        ask(&self.service.own()?.database_url, &words).await
    }

    /// Waits until every document is what Roster says.
    async fn until_published(&self) -> Result<()> {
        let (mut published, mut moved) = (Value::Null, Instant::now());
        while moved.elapsed() < PATIENCE {
            let status: Value = serde_json::from_str(&self.order("status", &["--json"]).await?)?;
            let mirror = &status["mirror"];
            ensure!(mirror["refused"] == 0, "documents were refused: {mirror}");
            if mirror["backlog"] == 0 && mirror["is_walked"] == true {
                return Ok(());
            }
            if mirror["published"] != published {
                (published, moved) = (mirror["published"].clone(), Instant::now());
            }
            sleep(POLL).await;
        }
        bail!("the mirror does not publish: see roster's log");
    }

    /// Sets the source of a kind, and waits until it is in force.
    pub async fn read_as(&mut self, kind: Kind) -> Result<()> {
        let source = match kind {
            Kind::ReadsMoving => "roster",
            Kind::ReadsLegacy => "legacy",
            Kind::ReadsCompare => "compare",
            _ => return Ok(()),
        };
        // Answers at legacy and at compare look alike: the change is seen by what lies between them.
        self.read_from("roster").await?;
        self.read_from(source).await
    }

    async fn read_from(&mut self, source: &'static str) -> Result<()> {
        if self.source == source {
            return Ok(());
        }
        self.order("reads", &[source]).await?;
        self.source = source;
        let answered_by = match source {
            "compare" => "legacy",
            source => source,
        };
        let (told, began) = (format!(r#""source":"{answered_by}""#), Instant::now());
        while began.elapsed() < PATIENCE {
            let path = format!("/v1/profiles/user_id:{}", user_id(0));
            if memmem::find(&self.get(&path).await?, told.as_bytes()).is_some() {
                return Ok(());
            }
            sleep(POLL).await;
        }
        bail!("profiles are not read from {source}");
    }

    /// By a connection of its own: minutes may lie between two questions, and the service does not wait for a silent one.
    async fn get(&self, path: &str) -> Result<Vec<u8>> {
        let key = &self.target.key;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
        );
        let mut connection = Connection::open(self.service.target.socket).await?;
        connection.exchange(request.as_bytes()).await?;
        Ok(connection.reply().to_vec())
    }

    /// What became of the reads at compare; both sides have the same people, so nothing may differ.
    pub async fn tell(self, part: &mut Part) -> Result<()> {
        let text = String::from_utf8(self.get("/metrics").await?)?;
        let sum = |name: &str| {
            let lines = text.lines().filter(|line| line.starts_with(name));
            let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            values.sum::<f64>()
        };
        let differ = sum("roster_profile_read_mismatches_total");
        ensure!(differ < 1.0, "{differ} of the compared reads differ");
        let compared = sum("roster_profile_reads_compared_total");
        ensure!(compared > 0.0, "no read was compared");
        let mut figure = |name, title, value| part.figure((name, title), value, "reads at compare");
        figure("reads-compared", "both sides compared", compared);
        let left_out = sum("roster_profile_reads_not_compared_total");
        figure("reads-left-out", "not compared, for want of room", left_out);
        let late = sum("roster_profile_reads_fallen_back_total");
        let title = "answered by Roster, since the legacy store was late";
        figure("reads-fallen-back", title, late);
        Ok(())
    }
}
