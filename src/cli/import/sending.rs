//! One file on its way: begun or gone on with, sent piece by piece, and waited for.

use super::asked::Upload;
use super::content::Content;
use super::parts::Part;
use super::progress::{Screen, Shown};
use super::upload::{Job, Service, Trouble};
use anyhow::{Result, bail};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// After trouble it is tried again so much later at first, and twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Between two looks at a job that is to end.
const LOOK: Duration = Duration::from_millis(200);

/// Sends a file or a part of one; the job as it ended.
///
/// # Errors
/// Where it does not go on. The same command again goes on from there.
pub async fn send(
    service: &Service,
    (upload, part): (&Upload, Option<&Part>),
    screen: &Screen,
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
    shown: &'a Shown,
    patience: Patience,
}

impl Sending<'_> {
    async fn all(&mut self, mut content: Content) -> Result<Job> {
        let (id, mut offset) = self.begun(&mut content).await?;
        let begun = offset;
        if self.part.is_some() && content.length == Some(offset) {
            return self.ended(&id).await;
        }
        loop {
            let outgoing = content.next(offset)?;
            let (end, is_last) = (outgoing.end, outgoing.is_last);
            let given = |bytes| self.shown.at(offset + bytes, begun, content.length);
            match self.service.send(&id, offset, outgoing, given).await {
                Ok(taken) if taken > offset || is_last => {
                    offset = taken;
                    self.patience.renew();
                }
                Ok(taken) => bail!("the service stands still at byte {taken}"),
                Err(trouble) => match self.again(&id, trouble).await? {
                    Some(place) => offset = place,
                    None => return self.ended(&id).await,
                },
            }
            self.shown.at(offset, begun, content.length);
            if is_last && offset == end {
                return self.ended(&id).await;
            }
        }
    }

    /// The job that goes on, or a new one, and how much of it is there.
    async fn begun(&mut self, content: &mut Content) -> Result<(String, u64)> {
        let length = content.length;
        if let Some(job) = self.left(length).await? {
            if content.passed(job.offset)?.to_text() != job.checksum {
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
            return Ok((job.id, job.offset));
        }
        let said = self.said();
        loop {
            match self.service.create(&said, length).await {
                Ok(id) => return Ok((id, 0)),
                Err(trouble) => self.patience.wait(trouble, self.shown).await?,
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
                Err(trouble) => self.patience.wait(trouble, self.shown).await?,
            }
        };
        let is_ours = |job: &&Job| {
            let fits = job.length.is_none() || length.is_none() || job.length == length;
            let is_same = fits && job.first_line == self.first_line();
            is_same && job.time == self.upload.time && (job.is_open() || self.is_passed(job))
        };
        Ok(jobs.iter().find(is_ours).cloned())
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
        self.patience.wait(trouble, self.shown).await?;
        self.offset(id).await
    }

    async fn offset(&mut self, id: &str) -> Result<Option<u64>> {
        loop {
            match self.service.offset(id).await {
                Ok(offset) => return Ok(offset),
                Err(trouble) => self.patience.wait(trouble, self.shown).await?,
            }
        }
    }

    /// The job when it is over.
    async fn ended(&mut self, id: &str) -> Result<Job> {
        loop {
            match self.service.job(id).await {
                Ok(job) if job.is_open() => sleep(LOOK).await,
                Ok(job) => return Ok(job),
                Err(trouble) => self.patience.wait(trouble, self.shown).await?,
            }
        }
    }
}

/// How long trouble may last.
struct Patience {
    most: Duration,
    since: Option<Instant>,
    pause: Duration,
}

impl Patience {
    const fn new(most: Duration) -> Self {
        Self {
            most,
            since: None,
            pause: FIRST_PAUSE,
        }
    }

    fn renew(&mut self) {
        (self.since, self.pause) = (None, FIRST_PAUSE);
    }

    async fn wait(&mut self, trouble: Trouble, shown: &Shown) -> Result<()> {
        let Trouble::Passing(text, again) = trouble else {
            return Err(trouble.into_error());
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.most {
            bail!("{text}; the same command again goes on from here");
        }
        shown.say(&format!("waits: {text}"));
        sleep(again.unwrap_or(self.pause).min(LONGEST_PAUSE)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
