//! The file in which refused records are written down, to be mended and sent again.

use super::asked::Upload;
use super::patience::Patience;
use super::upload::{Job, Service, Trouble};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where refused records go.
pub struct Rejections {
    path: PathBuf,
    file: File,
    format: &'static str,
}

impl Rejections {
    /// Empties the file, which is none of those that are to be read.
    ///
    /// # Errors
    /// Where it is, or can't be written.
    pub fn new(path: PathBuf, uploads: &[Upload]) -> Result<Self> {
        let is_it = |upload: &Upload| {
            upload
                .path
                .as_deref()
                .is_some_and(|own| is_same(own, &path))
        };
        if uploads.iter().any(is_it) {
            bail!(
                "{} is to be read: refused records go to another file",
                path.display()
            );
        }
        let told = || format!("{} can't be written", path.display());
        let is_csv = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let file = File::create(&path).with_context(told)?;
        let format = if is_csv { "csv" } else { "ndjson" };
        Ok(Self { path, file, format })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down what of a job was refused, however often it takes to have the list.
    ///
    /// # Errors
    /// Where the file can't be written, or the list not be had; then nothing of it is there.
    pub async fn take(&mut self, service: &Service, job: &Job, patience: Duration) -> Result<()> {
        let path = self.path.clone();
        let told = || format!("{} can't be written", path.display());
        let begin = self.file.stream_position().with_context(told)?;
        let mut patience = Patience::new(patience);
        loop {
            match self.written(service, job, begin > 0).await {
                Ok(written) => return written.with_context(told),
                Err(trouble) => {
                    self.file.set_len(begin).with_context(told)?;
                    self.file.seek(SeekFrom::Start(begin)).with_context(told)?;
                    let say = |text: &str| eprintln!("roster: {}: {text}", job.name);
                    let waited = patience.wait(trouble, say).await;
                    waited.context("the list of refused records can't be had")?;
                }
            }
        }
    }

    /// One header is enough for all jobs.
    async fn written(
        &mut self,
        service: &Service,
        job: &Job,
        has_header: bool,
    ) -> Result<std::io::Result<()>, Trouble> {
        let mut is_header = has_header && self.format == "csv";
        let file = &mut self.file;
        let take = |bytes: &[u8]| {
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
            let skipped = if is_header { end } else { 0 };
            is_header &= !bytes[..end].ends_with(b"\n");
            file.write_all(&bytes[skipped..])
        };
        service.rejections(&job.id, self.format, take).await
    }
}

/// True of two names of one file.
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let file = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino()));
    file(one).is_ok_and(|one| file(other).is_ok_and(|other| one == other))
}
