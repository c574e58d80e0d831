//! One file on its way: begun or gone on with, sent piece by piece, and waited for.

use super::content::Content;
use super::progress::{Screen, Shown};
use super::upload::{Job, Service, Trouble};
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// After trouble it is tried again so much later at first, and twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Between two looks at a job that is to end.
const LOOK: Duration = Duration::from_millis(200);

/// A file to send.
pub struct Upload {
    /// Without one it is the standard input.
    pub path: Option<PathBuf>,
    pub name: String,
    pub time: Option<String>,
    /// All that is said at the beginning.
    pub said: Vec<(String, String)>,
}

/// Sends a file; the job as it ended.
///
/// # Errors
/// Where it does not go on. The same command again goes on from there.
pub async fn send(
    service: &Service,
    upload: &Upload,
    screen: &Screen,
    patience: Duration,
) -> Result<Job> {
    let content = match &upload.path {
        Some(path) => Content::open(path)?,
        None => Content::standard_input()?,
    };
    let shown = screen.file(&upload.name, content.length);
    let mut sending = Sending {
        service,
        upload,
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
    shown: &'a Shown,
    patience: Patience,
}

impl Sending<'_> {
    async fn all(&mut self, mut content: Content) -> Result<Job> {
        let (id, mut offset) = self.begun(&mut content).await?;
        let begun = offset;
        loop {
            let (bytes, is_last) = content.piece(offset)?;
            let end = offset + bytes.len() as u64;
            let length = is_last.then_some(end);
            let piece = (offset, bytes.to_vec());
            match self.service.send(&id, piece, length).await {
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
            self.shown.say(&format!("goes on at byte {}", job.offset));
            return Ok((job.id, job.offset));
        }
        loop {
            match self.service.create(&self.upload.said, length).await {
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
            job.is_open() && job.time == self.upload.time && fits
        };
        Ok(jobs.iter().find(is_ours).cloned())
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
