//! The private PostgreSQL that `roster serve` runs when no database is configured.
//!
//! Finds the programs, initialises a cluster in the data directory, starts it or takes over one that still runs, and
//! stops it. One service at a time holds a data directory. The server listens only on a Unix socket in a directory that
//! nobody but its owner can enter, which is what makes `trust` authentication safe and lets many stand side by side.
//! What was acknowledged survives: fsync stays on, and a server killed at any point recovers at the next start.
//! PostgreSQL refuses to run as root; then it runs as the cluster's owner, at first the system user `postgres`.
//! Schema and pooling belong to `store`.

mod place;
mod programs;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use tokio_postgres::{Error as SqlError, NoTls, Row};

use self::place::{Place, create_data_dir, private_dir};
use self::programs::{find_programs, has_statement_statistics};

const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Between two starts of a server that does not come up.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Fast shutdown writes a checkpoint and may take a while; immediate shutdown leaves that to the next start.
const STOP_STEPS: [(Signal, Duration); 2] = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGQUIT, Duration::from_secs(10)),
];
const SETTINGS: [&str; 14] = [
    "listen_addresses=",
    "port=5432", // names the socket; said here so that PGPORT cannot change it
    "unix_socket_permissions=0700",
    "max_connections=100",
    // Holds the hot index pages of a small machine's data; the kernel caches the rest, and the service needs some.
    "shared_buffers=256MB",
    "max_wal_size=2GB", // fewer checkpoints, so fewer full-page images under steady writing
    "synchronous_commit=on",
    "fsync=on",
    "jit=off", // our statements are short: compiling them costs more than it saves
    "timezone=UTC",
    "log_timezone=UTC",
    // A failing statement would put people's keys and values into the log.
    "log_error_verbosity=terse",
    "log_min_error_statement=panic",
    "lc_messages=C", // `is_leaving` reads the log
];

const FIND_DATABASE: &str = "SELECT 1 FROM pg_database WHERE datname = 'roster'";
const CREATE_DATABASE: &str =
    "CREATE DATABASE roster TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'";

/// A running private PostgreSQL. Dropped without `stop`, the server runs on and the next start takes it over.
pub struct Embedded {
    place: Place,
    url: String,
    pid: Pid,
    child: Option<Child>, // none when the server was taken over
    _lock: File,
}

/// The address of the server that another process runs, or left running, in a data directory.
///
/// # Errors
/// When there is none.
pub fn running_url(data_dir: &Path) -> Result<String> {
    let data_dir = fs::canonicalize(data_dir)
        .with_context(|| format!("no database was ever started in {}", data_dir.display()))?;
    let place = Place::find(&data_dir)?;
    let running = place.recorded_pid().is_some_and(|pid| place.is_server(pid));
    ensure!(
        running,
        "no database is running in {}: start `roster serve` there",
        data_dir.display()
    );
    Ok(place.url())
}

impl Embedded {
    /// Brings up the server of a data directory and returns once it answers and has the database `roster`.
    pub async fn start(data_dir: &Path) -> Result<Embedded> {
        let place = Place::find(&create_data_dir(data_dir)?)?;
        let lock = place.lock(data_dir).await?;
        let programs = find_programs(&place.cluster).await?;
        place.initialise(&programs).await?;
        private_dir(&place.socket_dir, place.account)?;
        let child = place.raise_in_time(&programs).await?;
        place
            .create_database()
            .await
            .context("cannot create the database roster")?;
        Embedded::hold(place, child, lock)
    }

    fn hold(place: Place, child: Option<Child>, lock: File) -> Result<Embedded> {
        let (pid, child) = place.identify(child)?;
        let started = child.is_some();
        tracing::info!(pid = pid.as_raw(), started, "embedded database is ready");
        Ok(Embedded {
            url: place.url(),
            place,
            pid,
            child,
            _lock: lock,
        })
    }

    /// The address of the database `roster`, for tokio-postgres and for psql.
    pub fn database_url(&self) -> &str {
        &self.url
    }

    /// Starts the server again whenever it ends, for as long as this is waited for. One that does not come up is tried again, more
    /// and more slowly, and said once.
    pub async fn keep_alive(&mut self) {
        loop {
            self.gone().await;
            let reason = self.place.last_words();
            tracing::error!(%reason, "the embedded database has ended; it is started again");
            self.until_raised().await;
            tracing::info!(pid = self.pid.as_raw(), "embedded database is ready again");
        }
    }

    async fn until_raised(&mut self) {
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.raise_again().await {
            if pause == FIRST_PAUSE {
                let reason = format!("{error:#}");
                tracing::error!(%reason, "the embedded database does not start; trying on");
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn raise_again(&mut self) -> Result<()> {
        let programs = find_programs(&self.place.cluster).await?;
        private_dir(&self.place.socket_dir, self.place.account)?;
        let child = self.place.raise_in_time(&programs).await?;
        (self.pid, self.child) = self.place.identify(child)?;
        Ok(())
    }

    /// Shuts the server down, fast and then at once, and returns when it is gone.
    pub async fn stop(mut self) -> Result<()> {
        // A start that was given up in the middle left a server that only its own file knows.
        if let Some(pid) = self.place.recorded_pid().filter(|pid| *pid != self.pid) {
            (self.pid, self.child) = (pid, None);
        }
        for (signal, patience) in STOP_STEPS {
            // A child keeps its number until reaped; any other number may have passed to another program.
            if self.child.is_none() && !self.place.is_server(self.pid) {
                return Ok(());
            }
            match kill(self.pid, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error).context("cannot signal PostgreSQL"),
            }
            if timeout(patience, self.gone()).await.is_ok() {
                fs::remove_dir(&self.place.socket_dir).ok(); // empty now; it may stand under /tmp
                return Ok(());
            }
        }
        bail!(
            "PostgreSQL (pid {}) did not stop: {}",
            self.pid,
            self.place.last_words()
        );
    }

    async fn gone(&mut self) {
        if let Some(child) = &mut self.child {
            child.wait().await.ok();
            return;
        }
        while self.place.is_server(self.pid) {
            sleep(POLL).await;
        }
    }
}

impl Place {
    /// The number of the server that answers, and its handle where it was started here.
    fn identify(&self, child: Option<Child>) -> Result<(Pid, Option<Child>)> {
        let pid = self
            .recorded_pid()
            .context("PostgreSQL answers, but has no postmaster.pid")?;
        let is_it = |child: &Child| child.id().map(u32::cast_signed) == Some(pid.as_raw());
        Ok((pid, child.filter(is_it)))
    }

    fn url(&self) -> String {
        let host = self.socket_dir.display();
        format!("postgresql:///roster?user=roster&host={host}")
    }

    /// Gives up after a while but leaves the server running: if it is recovering, the next start finds it further on.
    async fn raise_in_time(&self, programs: &Path) -> Result<Option<Child>> {
        let Ok(raised) = timeout(START_LIMIT, self.raise(programs)).await else {
            let seconds = START_LIMIT.as_secs();
            bail!(
                "PostgreSQL did not answer within {seconds} s: {}",
                self.last_words()
            );
        };
        raised
    }

    /// Waits until the server answers; starts it when nobody listens, and returns it if it was started here.
    async fn raise(&self, programs: &Path) -> Result<Option<Child>> {
        let mut child: Option<Child> = None;
        let mut pause = POLL;
        loop {
            match (self.query("SELECT 1").await, &mut child) {
                (Ok(_), _) => return Ok(child),
                (Err(error), None) if error.as_db_error().is_none() => {
                    child = Some(self.spawn(programs)?);
                }
                (Err(_), None) => {} // a server is there, but still starting or already stopping
                (Err(_), Some(running)) => {
                    if let Some(status) = running.try_wait()? {
                        let words = self.last_words();
                        ensure!(
                            is_leaving(&words),
                            "PostgreSQL ended while starting ({status}): {words}"
                        );
                        child = None;
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(1)); // PostgreSQL logs every early question
        }
    }

    /// Starts the server in a process group of its own: Ctrl-C in the terminal must not stop it before our last flush.
    fn spawn(&self, programs: &Path) -> Result<Child> {
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.log)
            .with_context(|| format!("cannot open {}", self.log.display()))?;
        let mut server = self.command(&programs.join("postgres"));
        server
            .arg("-D")
            .arg(&self.cluster)
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        server.arg("-c").arg(format!(
            "unix_socket_directories={}",
            self.socket_dir.display()
        ));
        if has_statement_statistics(programs) {
            server.args(["-c", "shared_preload_libraries=pg_stat_statements"]);
        }
        // PostgreSQL takes any living program of its user for the server of a stale postmaster.pid, except this one.
        if let Some(pid) = self.recorded_pid().filter(|pid| self.is_stranger(*pid)) {
            server.env("PG_GRANDPARENT_PID", pid.to_string());
        }
        server
            .process_group(0)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot run postgres")
    }

    async fn create_database(&self) -> Result<()> {
        if self.query(FIND_DATABASE).await?.is_empty() {
            self.query(CREATE_DATABASE).await?;
        }
        Ok(())
    }

    /// Runs one statement on a connection of its own to the maintenance database.
    async fn query(&self, sql: &str) -> Result<Vec<Row>, SqlError> {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(&self.socket_dir)
            .user("roster")
            .dbname("postgres");
        let (client, connection) = config.connect(NoTls).await?;
        let work = async move { client.query(sql, &[]).await }; // the client ends with it, and so the connection
        tokio::join!(work, connection).0
    }

    fn recorded_pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.cluster.join("postmaster.pid")).ok()?;
        text.lines()
            .next()?
            .trim()
            .parse()
            .ok()
            .filter(|pid| *pid > 1)
            .map(Pid::from_raw)
    }

    fn is_server(&self, pid: Pid) -> bool {
        self.recorded_pid() == Some(pid) && kill(pid, None).is_ok() && !self.is_stranger(pid)
    }

    /// Whether a process certainly is another program: a server works in its cluster's directory.
    fn is_stranger(&self, pid: Pid) -> bool {
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|dir| dir != self.cluster)
    }

    fn last_words(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut log) = File::open(&self.log) {
            log.seek(SeekFrom::End(-4096)).ok(); // fails on a shorter file, which is then read whole
            log.read_to_end(&mut text).ok();
        }
        last_lines(&text)
    }
}

/// Whether a start failed only because processes of the killed or stopping server before it have not ended yet.
fn is_leaving(words: &str) -> bool {
    words.contains("pre-existing shared memory block")
        || words.contains("lock file \"postmaster.pid\" already exists")
}

fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<&str> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(3)
        .collect();
    lines.reverse();
    lines.join("; ")
}
