//! What a run needs around it: a database with people in it, and a service of its own.

use super::bodies;
use super::cost::{Meter, Reading};
use super::http::Connection;
use super::kind::Kind;
use super::machine::{Cpu, Processes, postmaster};
use super::people::{make_events, make_people, send_people};
use super::progress::Progress;
use super::raw;
use super::settings::Settings;
use super::tally::Tally;
use super::target::Target;
use super::turn::Turn;
use crate::config::Config;
use crate::embedded::Embedded;
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// A migration that marks; without a store to publish to no relay reads it.
const MIRROR: &str = "-- bench_mirror
INSERT INTO migration (project_id, state, version, mirrors, document_kind, settings, changed_at)
VALUES ($1::INT4, 'mirror', 1, TRUE, 'user_id', '{}'::JSONB, now())";

/// A database; a private one with its folder.
pub struct Database {
    pub url: String,
    private: Option<(Embedded, PathBuf)>,
}

impl Database {
    /// Lets something be done with a database, and stops it whatever becomes of that.
    pub async fn lend<T>(
        settings: &Settings,
        config: &Config,
        act: impl AsyncFnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let database = Self::start(settings, config).await?;
        let done = act(&database).await;
        database.stop().await?;
        done
    }

    /// None beside a service that runs somewhere; the configured one; or a private one in a temporary folder.
    async fn start(settings: &Settings, config: &Config) -> Result<Self> {
        if settings.against.is_some() || !config.is_embedded() {
            return Ok(Self {
                url: config.database.url.reveal().to_owned(),
                private: None,
            });
        }
        let folder = std::env::temp_dir().join(format!("roster-bench-{}", std::process::id()));
        let embedded = Embedded::start(&folder).await?;
        Ok(Self {
            url: embedded.database_url().to_owned(),
            private: Some((embedded, folder)),
        })
    }

    const fn is_own(&self) -> bool {
        self.private.is_some()
    }

    /// Stops and removes what was started here.
    async fn stop(self) -> Result<()> {
        if let Some((embedded, folder)) = self.private {
            embedded.stop().await?;
            std::fs::remove_dir_all(&folder)?;
        }
        Ok(())
    }
}

/// What is measured: a `roster serve` of this program's own over a database, or a service that runs somewhere.
pub struct Service {
    /// Its address with a key that sends events.
    pub target: Target,
    /// A key that administers.
    pub server_key: String,
    pub people: u32,
    pub progress: Progress,
    own: Option<Own>,
}

/// What is known of a service that was started here.
pub struct Own {
    pub database_url: String,
    /// What the database calls itself.
    pub database: String,
    pub project: i32,
    pub processes: Processes,
    pub client: Client,
    meter: Option<Meter>,
    stored_before: u64,
    child: Child,
    connections: JoinSet<()>,
}

/// How a service is started.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    pub project: &'a str,
    pub arguments: &'a [&'a str],
}

impl Service {
    /// Lets something be measured on a service, which is stopped whatever becomes of that, Ctrl-C included.
    pub async fn lend<T>(
        settings: &Settings,
        progress: &Progress,
        database: &Database,
        start: Start<'_>,
        measure: impl AsyncFnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let lent = async {
            progress.begin("a service and its people");
            let service = Self::start(settings, progress, database, start).await?;
            let measured = measure(&service).await?;
            service.stop().await?;
            Ok(measured)
        };
        tokio::select! {
            measured = lent => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
            never = progress.show() => match never {},
        }
    }

    async fn start(
        settings: &Settings,
        progress: &Progress,
        database: &Database,
        start: Start<'_>,
    ) -> Result<Self> {
        if let Some(url) = &settings.against {
            return Self::running(settings, progress, url).await;
        }
        let (url, address) = (&database.url, free_address()?);
        let child = serve(url, address, start.arguments)?;
        wait_until_ready(address).await?;
        ask(url, &["project", "create", start.project]).await?;
        let key = create_key(url, start.project, "write").await?;
        let server_key = create_key(url, start.project, "server").await?;
        let own = Own::of(settings, database, start.project, child).await?;
        make_people(&own.client, own.project, settings.people).await?;
        let events = (settings.people, settings.stored);
        make_events(&own.client, own.project, events).await?;
        if settings.mirrored {
            own.client.execute(MIRROR, &[&own.project]).await?;
        }
        Ok(Self {
            target: Target::local(address, &key),
            server_key,
            people: settings.people,
            progress: progress.clone(),
            own: Some(own),
        })
    }

    /// A service that runs somewhere, filled with people by its own API.
    async fn running(settings: &Settings, progress: &Progress, url: &str) -> Result<Self> {
        let key = settings.key.clone().context("--against needs a --key")?;
        let service = Self {
            target: Target::at(url, &key).await?,
            server_key: key,
            people: settings.people,
            progress: progress.clone(),
            own: None,
        };
        send_people(&service.target, settings.people).await?;
        Ok(service)
    }

    /// What is known of a service of this program's own.
    ///
    /// # Errors
    /// Where it is somebody else's.
    pub fn own(&self) -> Result<&Own> {
        let own = self.own.as_ref();
        own.context("this can't be measured on a service that runs somewhere")
    }

    /// Measures some work: how long it took, who used the processors, what the database did.
    pub async fn turn(
        &self,
        (kind, round): (Kind, usize),
        work: impl AsyncFnOnce() -> Result<Tally>,
    ) -> Result<Turn> {
        let reading = match &self.own {
            Some(own) => own.reading().await?,
            None => None,
        };
        let (before, started) = (self.cpu(), Instant::now());
        let tally = work().await?;
        let (seconds, cpu) = (started.elapsed().as_secs_f64(), self.cpu() - before);
        let spent = match (&self.own, reading) {
            (Some(own), Some((meter, reading))) => Some(meter.since(&own.client, &reading).await?),
            _ => None,
        };
        ensure!(tally.items > 0, "nothing was answered");
        Ok(Turn {
            kind,
            round,
            tally,
            seconds,
            cpu,
            spent,
        })
    }

    fn cpu(&self) -> Cpu {
        let own = self.own.as_ref();
        own.map_or_else(Cpu::default, |own| own.processes.cpu())
    }

    /// Makes one more project with so many people; its address with a key of a kind.
    pub async fn another_project(&self, people: u32, kind: &str) -> Result<Target> {
        let (own, name) = (self.own()?, new_name());
        ask(&own.database_url, &["project", "create", &name]).await?;
        let project = project_id(&own.client, &name).await?;
        make_people(&own.client, project, people).await?;
        let key = create_key(&own.database_url, &name, kind).await?;
        Ok(self.target.with_key(&key))
    }

    /// Stops the service, which has to end well.
    async fn stop(self) -> Result<()> {
        let Some(mut own) = self.own else {
            return Ok(());
        };
        let process = Pid::from_raw(own.processes.roster.cast_signed());
        kill(process, Signal::SIGTERM)?;
        let status = timeout(PATIENCE, own.child.wait()).await??;
        ensure!(status.success(), "the service ended with {status}");
        own.connections.abort_all();
        Ok(())
    }
}

impl Own {
    async fn of(
        settings: &Settings,
        database: &Database,
        project: &str,
        child: Child,
    ) -> Result<Self> {
        let mut connections = JoinSet::new();
        let client = raw::connect(&database.url, &mut connections).await?;
        // Filling and counting take as long as there are rows.
        client.batch_execute("SET statement_timeout = 0").await?;
        Ok(Self {
            database_url: database.url.clone(),
            database: version(&client).await?,
            project: project_id(&client, project).await?,
            processes: Processes {
                roster: child.id().context("the service has ended")?,
                database: postmaster(&client).await?,
            },
            meter: Meter::find(&client, database.is_own()).await,
            stored_before: settings.stored.into(),
            client,
            child,
            connections,
        })
    }

    async fn reading(&self) -> Result<Option<(Meter, Reading)>> {
        Ok(match self.meter {
            Some(meter) => Some((meter, meter.read(&self.client).await?)),
            None => None,
        })
    }

    /// Whether the database tells what a row costs.
    pub const fn tells_costs(&self) -> bool {
        self.meter.is_some()
    }

    /// Events in the project beside those that were there before.
    pub async fn events(&self) -> Result<u64> {
        let all = self.count("SELECT count(*) FROM event WHERE project_id = $1");
        Ok(all.await? - self.stored_before)
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
}

fn serve(url: &str, address: SocketAddr, arguments: &[&str]) -> Result<Child> {
    Ok(command(url)?
        .args(["serve", "--listen", &address.to_string()])
        .args(arguments)
        .env("ROSTER__LOG__LEVEL", "warn")
        .kill_on_drop(true)
        .spawn()?)
}

async fn version(client: &Client) -> Result<String> {
    let text: String = client.query_one("SELECT version()", &[]).await?.get(0);
    let name = text.split(" on ").next().unwrap_or_default();
    Ok(name.chars().take(60).collect())
}

async fn project_id(client: &Client, name: &str) -> Result<i32> {
    let sql = "SELECT project_id FROM project WHERE name = $1";
    Ok(client.query_one(sql, &[&name]).await?.get(0))
}

async fn create_key(url: &str, project: &str, kind: &str) -> Result<String> {
    ask(
        url,
        &["key", "create", "--project", project, "--kind", kind],
    )
    .await
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
