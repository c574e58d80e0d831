//! Runs what is due by the calendar: a job for a file, or one for each file of a folder that was not fetched before.

use super::calendar::Calendar;
use super::desk::Desk;
use super::listing::Unread;
use super::piece::{Failure, Look};
use super::reading::Listing;
use super::source::Source;
use crate::config::PullPlace;
use crate::domain::Timestamp;
use crate::imports::{Imports, NewJob, Stopped};
use crate::metric_names::PULL_RUNS;
use crate::store::{DueSchedule, Error, Run};
use crate::upkeep::frame::Turn;
use metrics::counter;
use sha2::{Digest, Sha256};
use std::time::Duration;
use uuid::{Builder, Uuid};

/// Schedules of one step: the others wait for the next.
const MOST: i64 = 10;
/// New files of a folder that one run begins with; the others wait for the next.
const MOST_FILES: usize = 1_000;
/// A store that does not answer is asked again so much later; after that a run comes to nothing.
const AGAIN: Duration = Duration::from_secs(60);
/// A run may be so late and is tried again; then it comes to nothing and the next has its time.
const LATE: Duration = Duration::from_secs(1_800);

/// Runs what is due. Missed times of a schedule are made up for by one run.
pub async fn run(desk: &Desk, imports: &Imports, turn: &Turn) -> Result<(), Error> {
    for due in turn.store.due_schedules(MOST).await? {
        turn.keep().await?;
        let now = turn.store.ping().await?;
        let schedule = &due.schedule;
        let calendar = Calendar::parse(&schedule.cron, &schedule.time_zone, schedule.id);
        let next = calendar.ok().and_then(|calendar| calendar.after(now));
        let (mut run, mut failed) = (Run::default(), None);
        if due.is_at_work {
            run.is_skipped = true;
        } else {
            match begin(desk, imports, turn, &due).await? {
                Ok(begun) => {
                    (run.job, run.reason) = (begun.job, begun.unread.told().unwrap_or_default());
                }
                Err(failure) => {
                    run.reason = failure.to_string();
                    failed = Some(failure);
                }
            }
        }
        let is_passing = matches!(failed, Some(Failure::Passing(_)));
        let again = now.plus(AGAIN);
        let next = next.unwrap_or(Timestamp::MAX);
        let is_late = schedule.due_at.plus(LATE) < now;
        let next = if is_passing && !is_late {
            next.min(again)
        } else {
            next
        };
        tell(&run, failed.is_some());
        turn.store
            .advance_schedule(turn.fence, &due, next, &run)
            .await?;
    }
    Ok(())
}

fn tell(run: &Run, has_failed: bool) {
    let outcome = match run {
        Run {
            is_skipped: true, ..
        } => "skipped",
        Run { .. } if has_failed => "failed",
        Run { job: None, .. } => "nothing_new",
        Run { .. } => "begun",
    };
    counter!(PULL_RUNS, "outcome" => outcome).increment(1);
}

/// What a run began: the last of its jobs, and files that can't be asked for.
#[derive(Default)]
struct Begun {
    job: Option<Uuid>,
    unread: Unread,
}

/// Begins the jobs of a run.
async fn begin(
    desk: &Desk,
    imports: &Imports,
    turn: &Turn,
    due: &DueSchedule,
) -> Result<Result<Begun, Failure>, Error> {
    let (source, place) = match desk.source(&due.project, &due.address) {
        Ok(found) => found,
        Err(told) => return Ok(Err(Failure::Refused(told))),
    };
    if source.is_folder() {
        return folder(desk, imports, turn, (due, &source, place)).await;
    }
    match desk.look(&source, place).await {
        Ok(look) => {
            let begun = file(imports, turn, due, (&source, &look)).await?;
            Ok(begun.map(|id| Begun {
                job: Some(id),
                ..Begun::default()
            }))
        }
        Err(failure) => Ok(Err(failure)),
    }
}

/// Begins with the files of a folder that were not there before, or are others by now.
async fn folder(
    desk: &Desk,
    imports: &Imports,
    turn: &Turn,
    (due, source, place): (&DueSchedule, &Source, &PullPlace),
) -> Result<Result<Begun, Failure>, Error> {
    let Listing { files, unread } = match desk.list(source, place).await {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    let named = files.iter().map(|one| {
        let version = &one.look.version;
        let tag = version.tag.clone().unwrap_or_else(|| version.shown());
        (one.source.name().to_owned(), tag)
    });
    let named: Vec<(String, String)> = named.collect();
    let known = turn.store.find_fetched(due, &named).await?;
    let all = files.iter().zip(&named).zip(known);
    let new = all.filter(|(_, is_known)| !is_known).take(MOST_FILES);
    let mut begun = Begun { job: None, unread };
    for ((one, named), _) in new {
        turn.keep().await?;
        match file(imports, turn, due, (&one.source, &one.look)).await? {
            Ok(id) => begun.job = Some(id),
            // Its name is none that a job may have.
            Err(Failure::Refused(_)) => {
                begun.unread.add(one.source.name());
                continue;
            }
            Err(failure) => return Ok(Err(failure)),
        }
        turn.store.remember_fetched(due, named).await?;
    }
    turn.store.forget_fetched(due).await?;
    Ok(Ok(begun))
}

/// Makes the job of a file. Its id follows from the run, so that a repeat after a crash finds it.
async fn file(
    imports: &Imports,
    turn: &Turn,
    due: &DueSchedule,
    (source, look): (&Source, &Look),
) -> Result<Result<Uuid, Failure>, Error> {
    let id = job_id(due, source);
    let job = NewJob {
        project_id: due.project_id,
        name: source.name().to_owned(),
        layout: serde_json::from_str(&due.layout).unwrap_or_default(),
        mapping: due.mapping.clone(),
        time: look.changed_at,
        length: None,
    };
    match imports.create_as(id, job).await {
        Ok(_) => {}
        Err(Stopped::Refused(why)) => return Ok(Err(Failure::Refused(why.to_string()))),
        Err(stopped) => return Ok(Err(Failure::Passing(stopped.to_string()))),
    }
    let (key, shown) = ((due.project_id, id), source.shown());
    turn.store.create_pull(key, &shown, source.secret()).await?;
    Ok(Ok(id))
}

/// A version 7 UUID of the time at which the run was due, so that lists show newer jobs first.
fn job_id(due: &DueSchedule, source: &Source) -> Uuid {
    let at = due.schedule.due_at.micros();
    let mut digest = Sha256::new();
    digest.update(due.schedule.id);
    digest.update(at.to_be_bytes());
    digest.update(source.url().as_str());
    let digest = digest.finalize();
    let mut drawn = [0; 10];
    drawn.copy_from_slice(&digest[..10]);
    let millis = u64::try_from(at / 1_000).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &drawn).into_uuid()
}
