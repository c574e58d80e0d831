//! How a process ends that somebody tells to end, whenever that is; what it started itself ends with it.

use crate::harness::{ROSTER, Service, alone, public_dir, shared};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_time_to_finish_begins_behind_the_delay() {
    let settings = [
        ("ROSTER__SERVER__DRAIN_DELAY_MS", "6000"),
        ("ROSTER__SERVER__SHUTDOWN_TIMEOUT_MS", "5000"),
    ];
    let service = Service::start(&shared().await.database_url, &settings).await;
    assert!(service.terminate().await.success());
}

/// Starts the program on a private database.
fn start(words: &str, data_dir: &Path) -> Child {
    let mut command = Command::new(ROSTER);
    command.args(words.split(' ')).kill_on_drop(true);
    command
        .env("ROSTER__DATA_DIR", data_dir)
        .env("ROSTER__SERVER__LISTEN", "127.0.0.1:0");
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.stdin(Stdio::null()).spawn().expect("it runs")
}

/// Waits for a line; what is read from has to stay open.
async fn until_said<R: AsyncRead + Unpin>(from: R, part: &str) -> Lines<BufReader<R>> {
    let mut lines = BufReader::new(from).lines();
    let reading = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            if line.contains(part) {
                return;
            }
        }
        panic!("it never said {part:?}");
    };
    timeout(PATIENCE, reading)
        .await
        .expect("it said so in time");
    lines
}

/// Sends a signal, and waits for the end.
async fn ended_by(signal: Signal, mut child: Child) -> ExitStatus {
    let pid = child.id().expect("it runs").cast_signed();
    kill(Pid::from_raw(pid), signal).expect("it runs");
    let ending = timeout(PATIENCE, child.wait()).await;
    ending.expect("it ended in time").expect("it ended")
}

fn must_have_stopped(data_dir: PathBuf) {
    let left = data_dir.join("postgres/postmaster.pid");
    assert!(!left.exists(), "the database still runs");
    fs::remove_dir_all(data_dir).expect("its database has stopped");
}

#[tokio::test]
async fn a_signal_before_it_serves_stops_the_database_too() {
    let _alone = alone().await;
    let data_dir = public_dir("early");
    let mut child = start("serve", &data_dir);
    let said = child.stderr.take().expect("piped");
    let _open = until_said(said, "embedded database is ready").await;
    let status = ended_by(Signal::SIGTERM, child).await;
    assert!(status.success(), "{status}");
    must_have_stopped(data_dir);
}

#[tokio::test]
async fn ctrl_c_of_a_verb_stops_the_database_that_it_started() {
    let _alone = alone().await;
    let data_dir = public_dir("watched");
    let mut child = start("backfill status --watch", &data_dir);
    let said = child.stdout.take().expect("piped");
    let _open = until_said(said, "[").await;
    let status = ended_by(Signal::SIGINT, child).await;
    assert_eq!(status.code(), Some(1), "{status}");
    must_have_stopped(data_dir);
}
