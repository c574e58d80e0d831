//! What a run needs around it: a database with people in it, and a service of its own.

use super::bodies;
use super::http::Connection;
use super::machine::{self, Processes};
use super::plan::Settings;
use super::raw;
use crate::config::Config;
use crate::embedded::Embedded;
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// People of each further project.
pub const NEIGHBOURS_PEOPLE: u32 = 10_000;
/// People made by one statement.
const PEOPLE_AT_ONCE: u32 = 20_000;

const MAKE_PEOPLE: &str = "-- bench_make_people
WITH person AS MATERIALIZED (
    SELECT n, gen_random_uuid() AS profile_id FROM generate_series($2::INT4, $3::INT4 - 1) AS n
), born AS (
    INSERT INTO profile (project_id, profile_id, traits, stamps, version, created_at, updated_at)
    SELECT $1::INT4, profile_id, $4::TEXT::JSONB, '{\"base\":0}'::JSONB, 1, now(), now() FROM person
    RETURNING profile_id -- CockroachDB refuses a CTE that returns nothing
)
INSERT INTO identity (project_id, kind, value, profile_id, first_seen)
SELECT $1::INT4, 'user_id', 'user-' || lpad(n::TEXT, 7, '0'), profile_id, now() FROM person";

/// A migration that marks; without a store to publish to no relay reads it.
const MIRROR: &str = "-- bench_mirror
INSERT INTO migration (project_id, state, version, mirrors, document_kind, settings, changed_at)
VALUES ($1::INT4, 'mirror', 1, TRUE, 'user_id', '{}'::JSONB, now())";

/// A database, and the folder that goes with it.
pub struct Database {
    pub url: String,
    folder: PathBuf,
    embedded: Option<Embedded>,
}

impl Database {
    /// Lets something be measured on a database, and stops it whatever becomes of that, Ctrl-C included. Who has more than a database to
    /// remove at the end (topics) starts and stops it himself.
    pub async fn lend<T>(
        config: &Config,
        measure: impl AsyncFnOnce(&str) -> Result<T>,
    ) -> Result<T> {
        let database = Self::start(config).await?;
        let measured = tokio::select! {
            measured = measure(&database.url) => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        database.stop().await?;
        measured
    }

    /// The configured one, or a private one in a temporary folder.
    pub async fn start(config: &Config) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("roster-bench-{}", std::process::id()));
        if !config.is_embedded() {
            let url = config.database.url.reveal().to_owned();
            return Ok(Self {
                url,
                folder,
                embedded: None,
            });
        }
        let embedded = Embedded::start(&folder).await?;
        Ok(Self {
            url: embedded.database_url().to_owned(),
            folder,
            embedded: Some(embedded),
        })
    }

    /// Stops and removes what was started here.
    pub async fn stop(self) -> Result<()> {
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
            std::fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }
}

/// A running `roster serve` with a project of its own.
pub struct Service {
    pub address: SocketAddr,
    pub key: String,
    pub project: i32,
    pub processes: Processes,
    pub client: Client,
    child: Child,
}

impl Service {
    /// Starts the service over a database and fills a fresh project with people.
    pub async fn start(settings: &Settings, url: &str, tasks: &mut JoinSet<()>) -> Result<Self> {
        let service = Self::start_with(settings.people, url, (&new_name(), &[]), tasks).await?;
        if settings.mirrored {
            service.client.execute(MIRROR, &[&service.project]).await?;
        }
        Ok(service)
    }

    /// The same with a name for the project, and arguments for the service.
    pub async fn start_with(
        people: u32,
        url: &str,
        (name, arguments): (&str, &[&str]),
        tasks: &mut JoinSet<()>,
    ) -> Result<Self> {
        let address = free_address()?;
        let child = command(url)?
            .args(["serve", "--listen", &address.to_string()])
            .args(arguments)
            .env("ROSTER__LOG__LEVEL", "warn")
            .kill_on_drop(true)
            .spawn()?;
        wait_until_ready(address).await?;
        ask(url, &["project", "create", name]).await?;
        let key = ask(
            url,
            &["key", "create", "--project", name, "--kind", "write"],
        )
        .await?;
        let client = raw::connect(url, tasks).await?;
        let project = client
            .query_one("SELECT project_id FROM project WHERE name = $1", &[&name])
            .await?
            .get(0);
        make_people(&client, project, people).await?;
        let processes = Processes {
            roster: child.id().context("the service has ended")?,
            database: postmaster(&client).await?,
        };
        Ok(Self {
            address,
            key,
            project,
            processes,
            client,
            child,
        })
    }

    /// Makes one more project with the same people; its write key.
    pub async fn another_project(&self, url: &str) -> Result<String> {
        let name = new_name();
        ask(url, &["project", "create", &name]).await?;
        let sql = "SELECT project_id FROM project WHERE name = $1";
        let project: i32 = self.client.query_one(sql, &[&name]).await?.get(0);
        make_people(&self.client, project, NEIGHBOURS_PEOPLE).await?;
        let of_project = ["key", "create", "--project", &name, "--kind", "write"];
        ask(url, &of_project).await
    }

    /// Events in the project.
    pub async fn events(&self) -> Result<u64> {
        self.count("SELECT count(*) FROM event WHERE project_id = $1")
            .await
    }

    /// Profiles in the project.
    pub async fn profiles(&self) -> Result<u64> {
        self.count("SELECT count(*) FROM profile WHERE project_id = $1")
            .await
    }

    async fn count(&self, sql: &str) -> Result<u64> {
        let count: i64 = self.client.query_one(sql, &[&self.project]).await?.get(0);
        Ok(count.unsigned_abs())
    }

    /// Stops the service, which has to end well.
    pub async fn stop(mut self) -> Result<()> {
        let process = Pid::from_raw(self.processes.roster.cast_signed());
        kill(process, Signal::SIGTERM)?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        ensure!(status.success(), "the service ended with {status}");
        Ok(())
    }
}

/// A name that nothing else has.
pub fn new_name() -> String {
    format!("bench-{}", bodies::event_id().simple())
}

/// This program again, over the same database.
fn command(url: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--database-url", url]);
    Ok(command)
}

/// Lets this program do something, and tells what it says.
pub async fn ask(url: &str, args: &[&str]) -> Result<String> {
    let output = command(url)?.args(args).output().await?;
    ensure!(
        output.status.success(),
        "roster {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn wait_until_ready(address: SocketAddr) -> Result<()> {
    let ready = async {
        loop {
            if let Ok(mut connection) = Connection::open(address).await {
                let question = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
                if connection.exchange(question).await.is_ok() {
                    return;
                }
            }
            sleep(POLL).await;
        }
    };
    if timeout(PATIENCE, ready).await.is_err() {
        bail!("the service did not become ready");
    }
    Ok(())
}

/// Fills a project with so many people.
pub async fn make_people(client: &Client, project: i32, people: u32) -> Result<()> {
    let traits = bodies::traits(0, "2026-01-05T08:00:00.000Z");
    let mut first = 0;
    while first < people {
        let last = people.min(first + PEOPLE_AT_ONCE);
        let (from, to) = (first.cast_signed(), last.cast_signed());
        client
            .execute(MAKE_PEOPLE, &[&project, &from, &to, &traits])
            .await?;
        first = last;
    }
    Ok(())
}

/// The database's first process, where it runs on this machine.
async fn postmaster(client: &Client) -> Result<Option<u32>> {
    let backend: i64 = client
        .query_one("SELECT pg_backend_pid()::INT8", &[])
        .await?
        .get(0);
    let name = std::fs::read_to_string(format!("/proc/{backend}/comm")).unwrap_or_default();
    Ok(name
        .starts_with("postgres")
        .then(|| machine::parent(u32::try_from(backend).ok()?))
        .flatten())
}
