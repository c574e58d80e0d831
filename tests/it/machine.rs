//! What the fault tests do to the machine under a service: a database of their own that can be killed, frozen and brought
//! back, ports, and what the kernel knows of a process.

use crate::harness::{public_dir, sql, store_at, wait_until};
use crate::java::free_port;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roster::embedded::Embedded;
use roster::store::Engine;
use std::fs;
use std::io::Result;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Whether the tests run on PostgreSQL. On another engine a test that asks ends, and says so: its name begins with `on_postgresql_`.
pub async fn is_postgresql(url: &str) -> bool {
    let engine = store_at(url).engine().await.expect("it answers");
    if engine != Engine::PostgreSql {
        eprintln!("PostgreSQL only");
    }
    engine == Engine::PostgreSql
}

/// Waits until one statement of a name waits for somebody's lock, as PostgreSQL tells.
pub async fn until_waiting(database_url: &str, statement: &str) {
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND query LIKE '-- {statement}%'"
    );
    let is_waiting = async || sql(database_url, &waits).await == ["1"];
    wait_until(
        &format!("{statement} waits"),
        Duration::from_secs(60),
        is_waiting,
    )
    .await;
}

/// An address that nobody listens on.
pub fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// A PostgreSQL of a test's own. Other tests' services do not notice what happens to it.
pub struct OwnDatabase {
    server: Option<Embedded>,
    data_dir: PathBuf,
    pub url: String,
}

impl OwnDatabase {
    pub async fn start() -> Self {
        let data_dir = public_dir("own");
        let server = Embedded::start(&data_dir).await.expect("PostgreSQL starts");
        let url = server.database_url().to_owned();
        Self {
            server: Some(server),
            data_dir,
            url,
        }
    }

    /// The number of the server's first process.
    pub fn pid(&self) -> Pid {
        let text = fs::read_to_string(self.cluster().join("postmaster.pid")).expect("it runs");
        let first = text.lines().next().expect("a line");
        Pid::from_raw(first.trim().parse().expect("a number"))
    }

    /// The folder with the server's settings.
    pub fn cluster(&self) -> PathBuf {
        fs::canonicalize(self.data_dir.join("postgres")).expect("it was made")
    }

    /// SIGINT: sessions are cut, what is committed is kept.
    pub async fn stop(&mut self) {
        let server = self.server.take().expect("it runs");
        server.stop().await.expect("it stops");
    }

    /// kill -9 of the server's first process; the others end when they notice.
    pub fn kill(&mut self) {
        kill(self.pid(), Signal::SIGKILL).expect("it runs");
        drop(self.server.take());
    }

    /// Starts again what was stopped or killed.
    pub async fn start_again(&mut self) {
        self.server = Some(Embedded::start(&self.data_dir).await.expect("starts again"));
    }

    /// Freezes every process of the server: connections stay open, and nothing is answered.
    pub fn freeze(&self) -> Frozen {
        let postmaster = self.pid();
        // The first process stops first, so that no new one appears.
        kill(postmaster, Signal::SIGSTOP).expect("it runs");
        let mut pids = children(postmaster);
        pids.push(postmaster);
        pids.iter().for_each(|pid| signal(*pid, Signal::SIGSTOP));
        Frozen(pids)
    }

    /// An address on loopback that leads to the server's socket, for what only TCP connections meet.
    pub async fn over_tcp(&self) -> String {
        self.at_a_distance(Duration::ZERO).await
    }

    /// The same, with so long a way back for every answer: what depends on a database's speed then does not depend on this machine's.
    pub async fn at_a_distance(&self, way_back: Duration) -> String {
        let (_, host) = self.url.split_once("host=").expect("a socket");
        let socket = format!("{host}/.s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.expect("it runs");
                tokio::spawn(async move { relay(&mut client, server, way_back).await });
            }
        });
        address
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        if self.server.is_some() {
            // SIGQUIT: at once, and it does end even where the test failed in the middle.
            signal(self.pid(), Signal::SIGQUIT);
        }
        // What is left of the files is under /tmp; the server may still be leaving.
        let _ = fs::remove_dir_all(&self.data_dir);
    }
}

async fn relay(client: &mut TcpStream, server: UnixStream, way_back: Duration) -> Result<()> {
    let ((mut questions, mut to_client), (mut answers, mut to_server)) =
        (client.split(), server.into_split());
    let asking = async {
        copy(&mut questions, &mut to_server).await?;
        to_server.shutdown().await
    };
    let answering = async {
        let mut some = vec![0; 64 * 1024];
        loop {
            let read = answers.read(&mut some).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            tokio::time::sleep(way_back).await;
            to_client.write_all(&some[..read]).await?;
        }
    };
    tokio::try_join!(asking, answering).map(drop)
}

/// Processes that stand still until this is dropped.
pub struct Frozen(Vec<Pid>);

impl Drop for Frozen {
    fn drop(&mut self) {
        self.0.iter().for_each(|pid| signal(*pid, Signal::SIGCONT));
    }
}

/// Freezes what a process has started.
pub fn freeze_children(parent: u32) -> Frozen {
    let pids = children(Pid::from_raw(parent.cast_signed()));
    pids.iter().for_each(|pid| signal(*pid, Signal::SIGSTOP));
    Frozen(pids)
}

/// A process that ended meanwhile needs no signal.
fn signal(pid: Pid, signal: Signal) {
    let _ = kill(pid, signal);
}

fn children(parent: Pid) -> Vec<Pid> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = fs::read_to_string(path).expect("it runs");
    text.split_whitespace()
        .map(|pid| Pid::from_raw(pid.parse().expect("a number")))
        .collect()
}

/// The most memory that a process ever held, in MiB.
pub fn peak_memory_mib(pid: Pid) -> u64 {
    memory_mib(pid, "VmHWM:")
}

/// What nothing that a client does may take a service beyond, at the default settings.
pub const MOST_MEMORY_MIB: u64 = 256;

/// The most memory that a service has held, printed and held against the bound.
pub fn judge_peak(attack: &str, pid: Pid) {
    let peak = peak_memory_mib(pid);
    eprintln!("{attack}: peak {peak} MiB");
    assert!(peak < MOST_MEMORY_MIB, "{attack}: {peak} MiB");
}

/// The memory that a process holds now, in MiB.
pub fn resident_memory_mib(pid: Pid) -> u64 {
    memory_mib(pid, "VmRSS:")
}

fn memory_mib(pid: Pid, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.expect("a size").parse::<u64>().expect("a number") / 1024
}

/// The processor time that a process has used so far.
pub fn processor_time(pid: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, after_name) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|number| number.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 10)
}

/// Raises this process's limit of open files; fails where the machine does not allow it.
pub fn allow_files(wanted: u64) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let hard = hard.max(wanted);
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(wanted), hard)
        .unwrap_or_else(|error| panic!("{wanted} open files are not allowed here: {error}"));
}

/// Waits until a service says of itself that it wants traffic, or that it wants none.
pub async fn until_ready_is(url: &str, wanted: bool, patience: Duration) {
    let what = format!("{url}/readyz says {wanted}");
    wait_until(&what, patience, async || {
        is_ready(url).await == Some(wanted)
    })
    .await;
}

/// What `/readyz` says; `None` where nobody answers.
pub async fn is_ready(url: &str) -> Option<bool> {
    let answer = crate::harness::fetch(format!("{url}/readyz")).await.ok()?;
    Some(answer.status().is_success())
}

/// The reason that `/readyz` gives.
pub async fn why_not_ready(url: &str) -> String {
    let answer = crate::harness::fetch(format!("{url}/readyz"));
    let said: serde_json::Value = answer.await.expect("an answer").json().await.expect("JSON");
    said["reason"].to_string()
}

/// The sum of a metric over all its labels.
pub async fn metric(url: &str, name: &str) -> f64 {
    let answer = crate::harness::fetch(format!("{url}/metrics"))
        .await
        .expect("an answer");
    let text = answer.text().await.expect("text");
    text.lines()
        .filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        })
        .map(|line| line.rsplit_once(' ').expect("a value").1)
        .map(|value| value.parse::<f64>().expect("a number"))
        .sum()
}
