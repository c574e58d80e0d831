//! Somebody else's sink on the same topic, into the same database: a program that is started, watched and ended.

use super::road::Road;
use crate::bench::kind::Kind;
use crate::bench::machine::Processes;
use crate::bench::settings::Settings;
use crate::bench::stage::{Own, new_name};
use crate::bench::tally::Tally;
use crate::bench::turn::Turn;
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Client;

/// Its table, made by itself.
const TABLE: &str = "bench_sink";
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(200);
/// A virtual machine compiles what it runs: it is measured once that is done.
const WARM_UP: Duration = Duration::from_secs(20);

/// One turn of it. It takes the topic from its beginning, as all rows are written over that are there.
pub async fn take(
    settings: &Settings,
    road: &Road<'_>,
    command: &Path,
    round: usize,
) -> Result<Turn> {
    let own = road.service.own()?;
    let client = &own.client;
    client
        .batch_execute(&format!("DROP TABLE IF EXISTS {TABLE}"))
        .await?;
    let mut child = start(road, own, command)?;
    let processes = Processes {
        roster: child.id().context("the sink has ended")?,
        ..own.processes
    };
    wait_for_rows(client, &mut child).await?;
    sleep(WARM_UP).await;
    let (before, cpu, started) = (rows(client).await?, processes.cpu(), Instant::now());
    sleep(settings.turn()).await;
    let (after, seconds) = (rows(client).await?, started.elapsed().as_secs_f64());
    let cpu = processes.cpu() - cpu;
    ensure!(
        after < road.topics.of(Kind::Sink).records,
        "the sink is at the topic's end: more --records"
    );
    end(child).await?;
    Ok(Turn {
        kind: Kind::Sink,
        round,
        tally: Tally::of(after - before, 0),
        seconds,
        cpu,
        spent: None,
    })
}

fn start(road: &Road<'_>, own: &Own, command: &Path) -> Result<Child> {
    let topics = road.topics;
    let folder = topics.folder.join("sink");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir(&folder)?;
    let child = Command::new(command)
        .env("ROSTER_SINK_BROKERS", &topics.brokers)
        .env("ROSTER_SINK_TOPIC", topics.of(Kind::Sink).name())
        .env("ROSTER_SINK_TABLE", TABLE)
        // A group of its own each time.
        .env("ROSTER_SINK_NAME", new_name())
        .env("ROSTER_SINK_DATABASE", &own.database_url)
        .env("ROSTER_SINK_FOLDER", &folder)
        .kill_on_drop(true)
        .spawn();
    child.with_context(|| format!("{} does not start", command.display()))
}

/// Waits until it writes.
async fn wait_for_rows(client: &Client, child: &mut Child) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            bail!("the sink ended with {status}: its log is in its folder");
        }
        if rows(client).await? > 0 {
            return Ok(());
        }
        sleep(POLL).await;
    }
    bail!("the sink writes nothing");
}

/// Rows that it has written, as the database counts them.
async fn rows(client: &Client) -> Result<u64> {
    let sql = "SELECT COALESCE(sum(n_tup_ins + n_tup_upd), 0)::INT8 FROM pg_stat_user_tables WHERE relname = $1";
    let count: i64 = client.query_one(sql, &[&TABLE]).await?.get(0);
    Ok(count.unsigned_abs())
}

async fn end(mut child: Child) -> Result<()> {
    if let Some(process) = child.id() {
        kill(Pid::from_raw(process.cast_signed()), Signal::SIGTERM)?;
    }
    timeout(PATIENCE, child.wait()).await??;
    Ok(())
}
