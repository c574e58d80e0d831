//! One file on its way: begun or gone on with, sent piece by piece, and waited for.

use super::asked::Upload;
use super::content::Content;
use super::parts::Part;
use super::patience::Patience;
use super::progress::{Screen, Shown};
use super::upload::{Job, Service, Trouble};
use anyhow::{Result, bail};
use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::sleep;

/// Between two looks at a job that is to end, and how often it is looked at before it is asked to.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: u32 = 10;

/// The jobs that this command sends, or has sent: another file of the same name never goes on with one of them.
#[derive(Debug, Default)]
pub struct Taken(RefCell<HashSet<String>>);

impl Taken {
    /// Takes a job; `false` where it was taken before.
    fn take(&self, id: &str) -> bool {
        self.0.borrow_mut().insert(id.to_owned())
    }
}

/// Sends a file or a part of one; the job as it ended.
///
/// # Errors
/// Where it does not go on. The same command again goes on from there.
pub async fn send(
    service: &Service,
    (upload, part): (&Upload, Option<&Part>),
    (taken, screen): (&Taken, &Screen),
    patience: Duration,
) -> Result<Job> {
    let content = match (&upload.path, part) {
        (Some(path), Some(part)) => Content::part(path, part)?,
        (Some(path), None) => Content::open(path)?,
        (None, _) => Content::standard_input()?,
    };
    let name = match part {
        Some(part) => format!("{} from line {}", upload.name, part.line),
        None => upload.name.clone(),
    };
    let shown = screen.file(&name, content.length);
    let mut sending = Sending {
        service,
        upload,
        part,
        taken,
        offset: 0,
        is_sure: true,
        shown: &shown,
        patience: Patience::new(patience),
    };
    let ended = sending.all(content).await;
    shown.end();
    ended
}

struct Sending<'a> {
    service: &'a Service,
    upload: &'a Upload,
    part: Option<&'a Part>,
    taken: &'a Taken,
    /// So many bytes the service has.
    offset: u64,
    /// They are this file's. After trouble somebody else may have sent some: then the service holds them against the file's.
    is_sure: bool,
    shown: &'a Shown,
    patience: Patience,
}

impl Sending<'_> {
    async fn all(&mut self, mut content: Content) -> Result<Job> {
        let id = self.begun(&mut content).await?;
        let begun = self.offset;
        let mut is_over = self.part.is_some() && content.length == Some(begun);
        loop {
            if is_over {
                if let Some(job) = self.ended(&id).await? {
                    return Ok(job);
                }
                let open = "the service has all of it, and the import has not ended";
                self.go_on(&id, Trouble::Passing(open.to_owned(), None))
                    .await?;
            }
            let length = content.length;
            is_over = self.piece(&id, &mut content, begun).await?;
            self.shown.at(self.offset, begun, length);
        }
    }

    /// Sends the next bytes, or that there are none; `true` where the service has all, or takes no more.
    async fn piece(&mut self, id: &str, content: &mut Content, begun: u64) -> Result<bool> {
        let (from, length) = (self.offset, content.length);
        let mut outgoing = content.next(from)?;
        if !self.is_sure {
            outgoing.done = Some(content.checksum(from)?);
        }
        let (end, is_last) = (outgoing.end, outgoing.is_last);
        let given = |bytes| self.shown.at(from + bytes, begun, length);
        let taken = match self.service.send(id, from, outgoing, given).await {
            Ok(taken) if taken > from || is_last => taken,
            Ok(taken) => bail!("the service stands still at byte {taken}"),
            Err(trouble) => return self.go_on(id, trouble).await,
        };
        if taken > from {
            self.patience.renew();
        }
        (self.offset, self.is_sure) = (taken, true);
        Ok(is_last && taken == end)
    }

    /// After trouble it goes on where the service is by now; `true` where the job is over.
    async fn go_on(&mut self, id: &str, trouble: Trouble) -> Result<bool> {
        self.is_sure = false;
        let place = self.again(id, trouble).await?;
        self.offset = place.unwrap_or(self.offset);
        Ok(place.is_none())
    }

    /// The job that goes on, or a new one.
    async fn begun(&mut self, content: &mut Content) -> Result<String> {
        let length = content.length;
        if let Some(job) = self.left(length).await? {
            if content.checksum(job.offset)?.to_text() != job.checksum {
                bail!(
                    "the file is not the one of import {}, which is at byte {}; cancel that one to begin anew",
                    job.id,
                    job.offset
                );
            }
            let offset = job.offset;
            self.shown.say(&format!(
                "goes on at byte {offset}, with the mapping and the options that it began with"
            ));
            self.offset = offset;
            return Ok(job.id);
        }
        let said = self.said();
        loop {
            match self.service.create(&said, length).await {
                Ok(id) => {
                    self.taken.take(&id);
                    return Ok(id);
                }
                Err(trouble) => self.wait(trouble).await?,
            }
        }
    }

    /// A job of the same file that did not come to its end. What comes through the standard input is never known again.
    async fn left(&mut self, length: Option<u64>) -> Result<Option<Job>> {
        if self.upload.path.is_none() {
            return Ok(None);
        }
        let jobs = loop {
            match self.service.jobs(&self.upload.name).await {
                Ok(jobs) => break jobs,
                Err(trouble) => self.wait(trouble).await?,
            }
        };
        let is_ours = |job: &&Job| {
            let fits = job.length.is_none() || length.is_none() || job.length == length;
            let is_same = fits && job.first_line == self.first_line();
            is_same && job.time == self.upload.time && (job.is_open() || self.is_passed(job))
        };
        let mut ours = jobs.iter().filter(is_ours);
        Ok(ours.find(|job| self.taken.take(&job.id)).cloned())
    }

    /// A part that is done is not sent again while other parts of its file are not.
    fn is_passed(&self, job: &Job) -> bool {
        let is_left = self.part.is_some_and(|part| !part.is_of_new_run);
        is_left && job.is_done()
    }

    /// The line with which a part begins, where that is not the first of its file.
    fn first_line(&self) -> Option<u64> {
        self.part.map(|part| part.line).filter(|line| *line > 1)
    }

    fn said(&self) -> Vec<(String, String)> {
        let mut said = self.upload.said.clone();
        if let Some(part) = self.part {
            said.push(("first_line".to_owned(), part.line.to_string()));
            said.push(("first_record".to_owned(), part.record.to_string()));
        }
        said
    }

    /// After trouble: from where to go on, nowhere where the job has ended.
    async fn again(&mut self, id: &str, trouble: Trouble) -> Result<Option<u64>> {
        if let Trouble::Lasting(..) = trouble {
            let job = self.service.job(id).await;
            // The job says better than the answer why it does not go on.
            return match job {
                Ok(job) if !job.is_open() => Ok(None),
                _ => Err(trouble.into_error()),
            };
        }
        self.wait(trouble).await?;
        self.offset(id).await
    }

    async fn offset(&mut self, id: &str) -> Result<Option<u64>> {
        loop {
            match self.service.offset(id).await {
                Ok(offset) => return Ok(offset),
                Err(trouble) => self.wait(trouble).await?,
            }
        }
    }

    /// The job when it is over; nothing where it does not end by itself.
    async fn ended(&mut self, id: &str) -> Result<Option<Job>> {
        let mut looks = 0;
        while looks < LOOKS {
            match self.service.job(id).await {
                Ok(job) if !job.is_open() => return Ok(Some(job)),
                Ok(_) => {
                    looks += 1;
                    sleep(LOOK).await;
                }
                Err(trouble) => self.wait(trouble).await?,
            }
        }
        Ok(None)
    }

    async fn wait(&mut self, trouble: Trouble) -> Result<()> {
        let shown = self.shown;
        self.patience.wait(trouble, |text| shown.say(text)).await
    }
}
