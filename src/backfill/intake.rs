//! One consumer at work: records into batches, batches into receipts, receipts into positions.
//!
//! Batches run side by side and are finished in the order in which they were begun, so that a position never passes what is not
//! done. Positions are written a few times a second: what a crash leaves unwritten comes again and changes nothing.

use super::arrival::{Arrival, Arrived, Failure};
use super::breaker::Breaker;
use super::letters::Letters;
use super::missed;
use super::place::{Admittance, Place};
use super::reader::Reader;
use super::taking::{Outcome, Taken, Taker};
use crate::ingest::Tempo;
use crate::metric_names::{BACKFILL_LAG, BACKFILL_LOST, BACKFILL_PACE, BACKFILL_RECORDS};
use crate::store::{PartitionMove, Refusal};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use metrics::{counter, gauge};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{mpsc::error::TryRecvError, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use uuid::Uuid;

/// How often positions are written and the pace is judged.
const TICK: Duration = Duration::from_millis(400);
/// How often it is asked whether the source is to pause or to go on.
const LOOK: Duration = Duration::from_secs(2);
/// How long what is under way is waited for before it is left to whoever comes next.
const FAREWELL: Duration = Duration::from_secs(4);
/// A thread that has not gone round for so long is stuck.
const STUCK: Duration = Duration::from_secs(90);
/// Bytes after which a batch is full.
const BATCH_BYTES: usize = 1 << 20;

/// Why a consumer's work ended.
pub(super) enum End {
    Failed(Failure),
    /// The source was paused, or goes on.
    Changed,
    /// The service stops.
    Stopped,
}

/// The work.
pub(super) struct Intake {
    taker: Arc<Taker>,
    reader: Reader,
    letters: Option<Letters>,
    places: HashMap<i32, Place>,
    work: FuturesOrdered<BoxFuture<'static, Vec<Taken>>>,
    posted: FuturesUnordered<BoxFuture<'static, ()>>,
    /// What arrived behind a batch and is no record.
    next: VecDeque<Arrival>,
    breaker: Breaker,
    pace: Tempo,
    is_paused: bool,
    looked: Instant,
    rounds: (u64, Instant),
    passed: (u64, Instant),
    rate: f64,
}

impl Intake {
    pub fn new(
        taker: Arc<Taker>,
        reader: Reader,
        letters: Option<Letters>,
        pace: Tempo,
        is_paused: bool,
    ) -> Self {
        let settings = &taker.source.settings;
        Self {
            breaker: Breaker::new(
                settings.max_rejected_percent,
                settings.rejected_window_records,
            ),
            pace,
            reader,
            letters,
            taker,
            places: HashMap::new(),
            work: FuturesOrdered::new(),
            posted: FuturesUnordered::new(),
            next: VecDeque::new(),
            is_paused,
            looked: Instant::now(),
            rounds: (0, Instant::now()),
            passed: (0, Instant::now()),
            rate: 0.0,
        }
    }

    /// Goes on until something has to change; gives back the pace that it had found.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> (End, Tempo) {
        let end = self.go(&mut stop).await;
        if matches!(end, End::Changed | End::Stopped) {
            // What is not done then comes again.
            let _ = self.settle().await;
        }
        (end, self.pace)
    }

    async fn go(&mut self, stop: &mut watch::Receiver<bool>) -> End {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let most = self.taker.source.settings.parallel_batches;
        loop {
            let may_begin = self.work.len() < most && Instant::now() >= self.pace.next();
            let waits = self.work.len() < most && !may_begin;
            let step = tokio::select! {
                biased;
                _ = stop.changed() => return End::Stopped,
                _ = ticks.tick() => self.tick().await,
                Some(taken) = self.work.next(), if !self.work.is_empty() => self.finish(taken).await,
                Some(()) = self.posted.next(), if !self.posted.is_empty() => Ok(()),
                () = sleep_until(self.pace.next()), if waits => Ok(()),
                arrival = next_arrival(&mut self.next, &mut self.reader), if may_begin => {
                    self.arrive(arrival).await
                }
            };
            match step {
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    async fn arrive(&mut self, arrival: Option<Arrival>) -> Result<(), End> {
        match arrival {
            Some(Arrival::Record(first)) => self.begin(first),
            Some(Arrival::Assigned { owner, partitions }) => {
                let topic = &self.taker.source.topic;
                tracing::info!(source = %self.taker.source.name, %topic, partitions = partitions.len(), "partitions assigned");
                missed::look(&self.taker.clone(), &partitions, owner).await;
                for taken in partitions {
                    self.places
                        .insert(taken.partition.1, Place::new(owner, taken));
                }
                Ok(())
            }
            Some(Arrival::Revoked(partitions, done)) => {
                // What is left undone of other partitions would not come again: then the consumer is made anew.
                self.settle().await?;
                for partition in partitions {
                    self.places.remove(&partition);
                }
                drop(done);
                Ok(())
            }
            Some(Arrival::Idle(idle)) => {
                let place = self.places.get_mut(&idle.partition);
                if let Some(place) = place.filter(|place| place.owner == idle.owner) {
                    place.pass_marks(idle.end);
                }
                Ok(())
            }
            Some(Arrival::Failed(failure)) => Err(End::Failed(failure)),
            None => Err(End::Failed(Failure::Passing(
                "the thread that reads has ended".to_owned(),
            ))),
        }
    }

    /// Begins a batch with a record and what has arrived behind it.
    fn begin(&mut self, first: Arrived) -> Result<(), End> {
        let most = self.taker.source.settings.batch_records;
        let most = most.min(self.pace.batch());
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut record = Some(first);
        while let Some(mut arrived) = record.take() {
            if self.admits(&mut arrived)? {
                bytes += arrived.bytes();
                batch.push(arrived);
            }
            if batch.len() >= most || bytes >= BATCH_BYTES {
                break;
            }
            match self.reader.arrivals.try_recv() {
                Ok(Arrival::Record(arrived)) => record = Some(arrived),
                Ok(other) => self.next.push_back(other),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
            }
        }
        if !batch.is_empty() {
            self.pace.begin(batch.len(), bytes);
            self.work
                .push_back(Box::pin(self.taker.clone().take(batch)));
        }
        Ok(())
    }

    fn admits(&mut self, arrived: &mut Arrived) -> Result<bool, End> {
        // Records of an assignment that is over are somebody else's now.
        let place = self.places.get_mut(&arrived.partition);
        let Some(place) = place.filter(|place| place.owner == arrived.owner) else {
            return Ok(false);
        };
        match place.admit(arrived) {
            Admittance::Take => Ok(true),
            Admittance::Skip => Ok(false),
            Admittance::Replaced => Err(End::Failed(Failure::Lasting(format!(
                "the topic {} was replaced: at partition {}, offset {} stands another record than the one that was taken; `roster backfill restart {}` takes the new one from its beginning",
                self.taker.source.topic, arrived.partition, arrived.offset, self.taker.source.name
            )))),
        }
    }

    /// A batch is done: lists what was refused, then passes its records.
    async fn finish(&mut self, batch: Vec<Taken>) -> Result<(), End> {
        let refusals = batch.iter().map(|taken| taken.outcome.complaint());
        if let Some(reason) = self.breaker.judge(refusals) {
            return Err(End::Failed(Failure::Lasting(reason)));
        }
        let refused: Vec<Refusal> = batch
            .iter()
            .filter_map(|taken| taken.refusal(&self.taker.source))
            .collect();
        if !refused.is_empty()
            && let Err(error) = self.taker.store.record_refusals(refused).await
        {
            return Err(End::Failed(Failure::Passing(error.full_text())));
        }
        fail::fail_point!("between-commit-and-offsets");
        self.count(&batch);
        let mut truncated = None;
        for taken in &batch {
            if let (Some(letters), Some(rejection)) = (&self.letters, taken.outcome.complaint()) {
                self.posted.extend(letters.send(&taken.arrived, rejection));
            }
            if let Outcome::Truncated(rejection) = &taken.outcome {
                truncated = Some(rejection.to_string());
            }
            let place = self.places.get_mut(&taken.arrived.partition);
            if let Some(place) = place.filter(|place| place.owner == taken.arrived.owner) {
                place.pass(taken);
            }
        }
        self.passed.0 += batch.len() as u64;
        match truncated {
            Some(reason) => {
                self.write_positions().await;
                Err(End::Failed(Failure::Lasting(reason)))
            }
            None => Ok(()),
        }
    }

    /// Once for a batch: a counter is found by its labels each time.
    fn count(&self, batch: &[Taken]) {
        let mut counts = BTreeMap::<&str, u64>::new();
        for taken in batch {
            *counts.entry(taken.outcome.as_str()).or_default() += 1;
        }
        for (outcome, count) in counts {
            let source = self.taker.source.name.clone();
            counter!(BACKFILL_RECORDS, "source" => source, "outcome" => outcome).increment(count);
        }
    }

    /// Finishes what is under way, and writes how far it has got.
    ///
    /// # Errors
    /// Where something was left undone: after a while, or because a batch says why.
    async fn settle(&mut self) -> Result<(), End> {
        let finishing = async {
            while let Some(batch) = self.work.next().await {
                self.finish(batch).await?;
            }
            Ok(())
        };
        let finished = timeout(FAREWELL, finishing).await.unwrap_or_else(|_| {
            let reason = "what was under way did not end in time".to_owned();
            Err(End::Failed(Failure::Passing(reason)))
        });
        self.write_positions().await;
        finished
    }

    async fn tick(&mut self) -> Result<(), End> {
        self.pace.look(self.taker.ingest.live_time());
        let seconds = self.passed.1.elapsed().as_secs_f64();
        if seconds >= 2.0 {
            self.rate = self.passed.0 as f64 / seconds;
            self.passed = (0, Instant::now());
        }
        self.write_positions().await;
        self.tell();
        self.watch()?;
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        match self.taker.store.load_source(&self.taker.source.name).await {
            Ok(Some(row)) if row.is_paused != self.is_paused => Err(End::Changed),
            _ => Ok(()),
        }
    }

    /// Notices what has come to a stop by itself.
    fn watch(&mut self) -> Result<(), End> {
        let rounds = self.reader.seen.rounds.load(Relaxed);
        if rounds != self.rounds.0 {
            self.rounds = (rounds, Instant::now());
        } else if self.rounds.1.elapsed() > STUCK {
            let reason = "the thread that reads is stuck".to_owned();
            return Err(End::Failed(Failure::Passing(reason)));
        }
        let is_excused = self.is_paused
            || !self.work.is_empty()
            || self.reader.seen.is_without_brokers.load(Relaxed)
            || Instant::now() < self.pace.next();
        let patience = Duration::from_secs(self.taker.source.settings.stalled_seconds);
        for (partition, place) in &mut self.places {
            let end = self.reader.seen.end(*partition);
            if is_excused {
                place.excuse();
            } else if end.is_some_and(|(end, _)| place.is_stalled(end, patience)) {
                let reason = format!("partition {partition} stands still with records left");
                return Err(End::Failed(Failure::Passing(reason)));
            }
        }
        Ok(())
    }

    fn tell(&self) {
        let source = || self.taker.source.name.clone();
        gauge!(BACKFILL_PACE, "source" => source()).set(self.pace.rate());
        let ends = self.places.iter();
        let lag = ends.filter_map(|(partition, place)| {
            let (end, _) = self.reader.seen.end(*partition)?;
            Some((end - place.done().unwrap_or(0)).max(0))
        });
        gauge!(BACKFILL_LAG, "source" => source()).set(lag.sum::<i64>() as f64);
    }

    /// Writes how far the partitions have got, then tells Kafka. One that is somebody else's by now is let go.
    async fn write_positions(&mut self) {
        let rate = self.rate / self.places.len().max(1) as f64;
        let mut by_owner = HashMap::<Uuid, Vec<PartitionMove>>::new();
        for (partition, place) in &self.places {
            let (end, all) = self.reader.seen.end(*partition).unwrap_or((-1, -1));
            let mut held = self.pace.held_by.clone();
            if all > end {
                let behind = all - end;
                held = format!("{behind} records behind an open transaction; {held}");
            }
            if let Some(mut step) = place.step(end, held.trim_end_matches("; ")) {
                step.records_per_second = rate;
                // Who is paused asks for nothing, and hears of no end.
                step.is_read &= !self.is_paused;
                by_owner.entry(place.owner).or_default().push(step);
            }
        }
        for (owner, steps) in by_owner {
            let source = &self.taker.source.name;
            let moved = self.taker.store.move_partitions(source, owner, &steps);
            match moved.await {
                Ok(moved) => self.stepped(&steps, &moved),
                // They are written with the next ones.
                Err(error) => tracing::warn!(reason = %error.full_text(), "positions wait"),
            }
        }
    }

    fn stepped(&mut self, steps: &[PartitionMove], moved: &[(String, i32)]) {
        let mut offsets = Vec::new();
        for step in steps {
            let number = step.partition.1;
            if !moved.contains(&step.partition) {
                self.places.remove(&number);
                let source = self.taker.source.name.clone();
                counter!(BACKFILL_LOST, "source" => source).increment(1);
            } else if let Some(place) = self.places.get_mut(&number) {
                place.stepped(step);
                if step.next_offset >= 0 {
                    offsets.push((number, step.next_offset));
                }
            }
        }
        if !offsets.is_empty() {
            self.reader.commit(offsets);
        }
    }
}

async fn next_arrival(next: &mut VecDeque<Arrival>, reader: &mut Reader) -> Option<Arrival> {
    match next.pop_front() {
        Some(arrival) => Some(arrival),
        None => reader.arrivals.recv().await,
    }
}
