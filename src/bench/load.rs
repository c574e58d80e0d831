//! The one generator of requests, in two manners. *Closed*: each connection sends as soon as it was answered; its latency counts from
//! the sending. *Open*: each request has its moment, whether or not the ones before it were answered, and the next free connection
//! sends it; its latency counts from that moment, so that a service that stands still for a second is charged for all of that second.
//!
//! Refusals (429, 503) are counted; any other answer than 200 ends the run.

use super::http::Connection;
use super::request::Request;
use super::shape::Schedule;
use super::tally::{Answer, Tally};
use super::target::Target;
use anyhow::{Context, Result, bail};
use rustix::process::setpriority_process;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// Longest wait of a closed loop after it was told to come again: it does not obey.
const IMPATIENCE: Duration = Duration::from_millis(10);
/// As `nice` counts, of a thread as Linux does: from -20 to 19.
const PREFERRED: i32 = -15;

/// What one connection sends, again and again.
pub struct Script {
    pub target: Target,
    pub request: Request,
    /// People that it draws from.
    pub people: u32,
    /// Keys that take turns, where there are several: each request is the next project's.
    pub keys: Arc<[String]>,
    /// Each sending has events of its own; else the same is sent again, and a connection that is cut off meanwhile counts as a refusal.
    pub renews: bool,
    next: usize,
}

impl Script {
    pub fn new(target: &Target, request: Request, people: u32) -> Self {
        Self {
            target: target.clone(),
            request,
            people,
            keys: Arc::from([]),
            renews: true,
            next: 0,
        }
    }

    /// The same in the name of several projects, from the `first` on.
    pub fn of_many(mut self, keys: &Arc<[String]>, first: usize) -> Self {
        (self.keys, self.next) = (keys.clone(), first);
        self
    }

    /// The same again and again.
    pub fn repeated(mut self) -> Self {
        self.request.renew(self.people);
        self.renews = false;
        self
    }

    /// Makes the next request; how many new events it has.
    fn prepare(&mut self) -> u64 {
        if !self.keys.is_empty() {
            let key = &self.keys[self.next % self.keys.len()];
            self.request.address(key);
            self.next += 1;
        }
        if self.renews {
            self.request.renew(self.people)
        } else {
            0
        }
    }
}

/// Sends as fast as it is answered.
pub async fn closed(scripts: Vec<Script>, time: Duration) -> Result<Tally> {
    let line = Line::begin();
    let end = line.start + time;
    drive(scripts, &line, |sender| sender.closed(end)).await
}

/// Sends at the moments of a schedule, from a thread of its own that the system prefers where it may: what else goes on here must not
/// delay the clock that judges. Users sit at other machines.
pub async fn open(scripts: Vec<Script>, schedule: Schedule) -> Result<Tally> {
    let measured = tokio::task::spawn_blocking(move || -> Result<Tally> {
        let _first = Preferred::begin();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (seconds, schedule) = (schedule.seconds(), Arc::new(schedule));
        let mut tally = runtime.block_on(async {
            let line = Line::begin();
            drive(scripts, &line, |sender| sender.open(schedule.clone())).await
        })?;
        // A second in which nothing came back was one nevertheless.
        tally.slice(seconds.saturating_sub(1));
        Ok(tally)
    });
    measured.await?
}

/// While it is held this thread goes before others. Where that is not allowed, the report tells how late its clock was.
struct Preferred;

impl Preferred {
    fn begin() -> Self {
        let _ = setpriority_process(None, PREFERRED);
        Self
    }
}

impl Drop for Preferred {
    fn drop(&mut self) {
        let _ = setpriority_process(None, 0);
    }
}

/// What all connections share.
#[derive(Clone)]
struct Line {
    start: Instant,
    tally: Arc<Mutex<Tally>>,
    next: Arc<AtomicU64>,
}

impl Line {
    fn begin() -> Self {
        Self {
            start: Instant::now(),
            tally: Arc::default(),
            next: Arc::default(),
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn drive<F>(
    scripts: Vec<Script>,
    line: &Line,
    mut send: impl FnMut(Sender) -> F,
) -> Result<Tally>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut senders = JoinSet::new();
    for script in scripts {
        let sender = Sender {
            connection: Connection::open(script.target.socket).await?,
            script,
            line: line.clone(),
        };
        senders.spawn(send(sender));
    }
    while let Some(done) = senders.join_next().await {
        done.context("a connection broke off")??;
    }
    Ok(std::mem::take(&mut *line.tally()))
}

/// One connection.
struct Sender {
    connection: Connection,
    script: Script,
    line: Line,
}

impl Sender {
    async fn closed(mut self, end: Instant) -> Result<()> {
        loop {
            let events = self.script.prepare();
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            if !self.send(now, events).await? {
                sleep(IMPATIENCE).await;
            }
        }
    }

    async fn open(mut self, schedule: Arc<Schedule>) -> Result<()> {
        while let Some(due) = schedule.due(self.line.next.fetch_add(1, Relaxed)) {
            let due = self.line.start + due;
            let is_free = Instant::now() < due;
            sleep_until(due).await;
            let events = self.script.prepare();
            if is_free {
                let late = due.elapsed().as_micros() as u64;
                self.line.tally().late.saturating_record(late);
            }
            self.send(due, events).await?;
        }
        Ok(())
    }

    /// Sends what was prepared, and counts the answer from a moment on; false where it was refused.
    async fn send(&mut self, counted_from: Instant, events: u64) -> Result<bool> {
        let answer = self.connection.ask(self.script.request.bytes()).await;
        let status = match answer {
            Ok(status) => status,
            // A large body that is refused before it was read takes its connection along.
            Err(_) if !self.script.renews => {
                self.connection = Connection::open(self.script.target.socket).await?;
                self.line.tally().refused += 1;
                return Ok(true);
            }
            Err(error) => return Err(error).context("while measuring"),
        };
        self.count(status, counted_from, events)
    }

    fn count(&self, status: u16, counted_from: Instant, events: u64) -> Result<bool> {
        let mut tally = self.line.tally();
        match status {
            200 => tally.add(Answer {
                items: self.script.request.items,
                events,
                at: counted_from.duration_since(self.line.start),
                took: counted_from.elapsed(),
            }),
            429 | 503 => {
                tally.refused += 1;
                tally.without_retry_after += u64::from(self.connection.retry_after().is_none());
            }
            other => bail!(
                "a request was answered {other}: {}",
                String::from_utf8_lossy(self.connection.reply())
            ),
        }
        Ok(status == 200)
    }
}
