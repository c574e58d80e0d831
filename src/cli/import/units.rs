//! What is sent by itself: a file, or a part of one.

use super::asked::Upload;
use super::parts::{Cutter, Part};
use super::upload::{Job, Service};
use anyhow::{Context, Result};
use futures_util::{Stream, stream};
use std::collections::BTreeMap;

/// A file, or a part of one; or why the rest of a file can't be had.
pub struct Unit<'a> {
    pub upload: &'a Upload,
    pub part: Result<Option<Part>>,
}

impl Unit<'_> {
    /// Nothing of its file follows.
    pub fn is_last(&self) -> bool {
        !matches!(&self.part, Ok(Some(part)) if !part.is_last())
    }
}

enum Cutting {
    Begins,
    Goes(Box<Cutter>),
    IsOver,
}

/// The units of a file, each as soon as it is asked for; `size` is that of parts, where files are cut.
pub fn units<'a>(
    service: &'a Service,
    upload: &'a Upload,
    size: Option<u64>,
) -> impl Stream<Item = Unit<'a>> {
    stream::unfold(Cutting::Begins, move |cutting| async move {
        let cutter = match cutting {
            Cutting::IsOver => return None,
            Cutting::Goes(cutter) => Ok(Some(cutter)),
            Cutting::Begins => cutter(service, upload, size).await,
        };
        let (part, next) = match cutter {
            Ok(Some(cutter)) => next(cutter).await?,
            Ok(None) => (Ok(None), Cutting::IsOver),
            Err(error) => (Err(error), Cutting::IsOver),
        };
        Some((Unit { upload, part }, next))
    })
}

/// What cuts a file; nothing where it is sent as one, or was begun as one and is open still.
async fn cutter(
    service: &Service,
    upload: &Upload,
    size: Option<u64>,
) -> Result<Option<Box<Cutter>>> {
    let Some(size) = size else {
        return Ok(None);
    };
    let Some(mut cutter) = Cutter::new(upload, size)? else {
        return Ok(None);
    };
    // A service that does not answer is asked again by whoever sends.
    let mut jobs = service.jobs(&upload.name).await.unwrap_or_default();
    jobs.retain(|job| job.time == upload.time);
    let is_whole = |job: &Job| job.first_line.is_none() && job.length == Some(cutter.length());
    if jobs.iter().any(|job| job.is_open() && is_whole(job)) {
        return Ok(None);
    }
    if done_bytes(&jobs) >= cutter.length() {
        cutter.begin_anew();
    }
    Ok(Some(Box::new(cutter)))
}

/// Bytes of the parts of a file whose last jobs are done; `jobs` has the newest first.
fn done_bytes(jobs: &[Job]) -> u64 {
    let mut done = BTreeMap::new();
    for job in jobs {
        let length = job.length.filter(|_| job.is_done());
        done.entry(job.first_line)
            .or_insert(length.unwrap_or_default());
    }
    done.values().sum()
}

/// The next part; nothing behind the last.
async fn next(mut cutter: Box<Cutter>) -> Option<(Result<Option<Part>>, Cutting)> {
    let cut = tokio::task::spawn_blocking(move || (cutter.part(), cutter));
    let (part, cutter) = match cut.await.context("the file can't be cut") {
        Ok(done) => done,
        Err(error) => return Some((Err(error), Cutting::IsOver)),
    };
    match part {
        Ok(None) => None,
        Ok(part) => Some((Ok(part), Cutting::Goes(cutter))),
        Err(error) => Some((Err(error), Cutting::IsOver)),
    }
}
