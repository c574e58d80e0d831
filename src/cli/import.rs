//! `roster import`: files of this machine into a service, wherever that is.

mod asked;
mod content;
mod inflated;
mod outgoing;
mod parts;
mod pattern;
mod progress;
mod sending;
mod total;
mod trial;
mod units;
mod upload;

use crate::domain::Timestamp;
use crate::files::Format;
use crate::output;
use anyhow::{Context, Result, anyhow, bail};
use asked::Upload;
use clap::Args;
use futures_util::{StreamExt, stream};
use progress::Screen;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use total::Total;
use units::units;
use upload::{Job, Service};

/// Some of the records were refused.
const SOME_REJECTED: u8 = 2;

/// Which files go where, and how they are read.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Files, plain or compressed by gzip or zstd; names may have * and ? in them, and - is the standard input
    #[arg(required = true)]
    files: Vec<String>,
    /// Where the service is
    #[arg(long, env = "ROSTER_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A server key of the project
    #[arg(long, env = "ROSTER_KEY", hide_env_values = true)]
    key: Option<String>,
    /// ndjson, json or csv; by the end of the file's name where it is not said
    #[arg(long)]
    format: Option<String>,
    /// How records are read: a mapping file (docs/MAPPING.md)
    #[arg(long)]
    mapping: Option<PathBuf>,
    /// More about the format as NAME=VALUE, as often as needed: delimiter, encoding, … (docs/IMPORTS.md)
    #[arg(long = "option", value_parser = pair)]
    options: Vec<(String, String)>,
    /// The time of records that have none, as RFC 3339; else that of the file's last change
    #[arg(long)]
    time: Option<String>,
    /// The name of what comes through the standard input; ids of events are derived from it
    #[arg(long, default_value = "stdin")]
    name: String,
    /// Write refused records to this file: CSV where it is called so, NDJSON else
    #[arg(long)]
    rejections: Option<PathBuf>,
    /// Files that are sent side by side, and parts of a large file of plain lines
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    parallel: u8,
    /// MiB of a part, of a file that is sent in parts
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..))]
    part_mib: u64,
    /// Read and count, and send nothing
    #[arg(long, conflicts_with_all = ["rejections", "preview"])]
    dry_run: bool,
    /// The same with the first thousand records
    #[arg(long, conflicts_with = "rejections")]
    preview: bool,
    /// Seconds in which a service that is away may come back
    #[arg(long, default_value_t = 600)]
    patience_seconds: u64,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("an option is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl ImportArgs {
    /// Sends the files and says what became of them.
    ///
    /// # Errors
    /// With one sentence for the operator.
    pub fn run(self) -> Result<ExitCode> {
        if self.dry_run || self.preview {
            return self.look();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.send())
    }

    /// Says what would come of the files.
    fn look(&self) -> Result<ExitCode> {
        let mut rejected = 0;
        for upload in self.uploads()? {
            rejected += trial::run(&upload, self.preview)?;
        }
        Ok(if rejected > 0 {
            ExitCode::from(SOME_REJECTED)
        } else {
            ExitCode::SUCCESS
        })
    }

    async fn send(self) -> Result<ExitCode> {
        let uploads = self.uploads()?;
        let key = self.key.clone();
        let key = key.context("there is no key: say --key or set ROSTER_KEY")?;
        let service = Service::new(&self.url, key)?;
        let (screen, patience) = (Screen::new(), Duration::from_secs(self.patience_seconds));
        let mut outcome = Outcome::new(self.rejections, &uploads)?;
        let (to, screen) = (&service, &screen);
        let size = (self.parallel > 1).then_some(self.part_mib << 20);
        let units = uploads.iter().map(|upload| units(to, upload, size));
        let sending = stream::iter(units).flatten().map(|unit| async move {
            let ended = match &unit.part {
                Ok(part) => sending::send(to, (unit.upload, part.as_ref()), screen, patience).await,
                Err(error) => Err(anyhow!("{error:#}")),
            };
            (unit.upload, unit.is_last(), ended)
        });
        let mut all = std::pin::pin!(sending.buffered(self.parallel.into()));
        while let Some((upload, is_last, ended)) = all.next().await {
            outcome.take(&upload.name, ended);
            if is_last {
                outcome.tell(&service).await?;
            }
        }
        Ok(outcome.code())
    }

    /// What is to be sent, and what is said of each.
    fn uploads(&self) -> Result<Vec<Upload>> {
        asked::check(&self.options)?;
        let mut said = self.options.clone();
        if let Some(path) = &self.mapping {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("{} can't be read", path.display()))?;
            said.push(("mapping".to_owned(), text));
        }
        let time = self
            .time
            .as_deref()
            .map(|text| Timestamp::parse(text).with_context(|| format!("{text:?} is no time")));
        let time = time.transpose()?;
        let mut uploads = Vec::new();
        for text in &self.files {
            if text == "-" {
                uploads.push(self.upload(None, &said, time)?);
                continue;
            }
            for path in pattern::opened(text)? {
                uploads.push(self.upload(Some(path), &said, time)?);
            }
        }
        Ok(uploads)
    }

    fn upload(
        &self,
        path: Option<PathBuf>,
        said: &[(String, String)],
        time: Option<Timestamp>,
    ) -> Result<Upload> {
        let name = path.as_deref().and_then(Path::file_name);
        let name = name.map_or_else(
            || self.name.clone(),
            |name| name.to_string_lossy().into_owned(),
        );
        let time = match (&path, time) {
            (Some(path), None) => Some(changed_at(path)?),
            (_, time) => time,
        };
        let format = self.format.clone();
        let format = format.unwrap_or_else(|| Format::of_name(&name).as_str().to_owned());
        let mut said = said.to_vec();
        said.push(("filename".to_owned(), name.clone()));
        said.push(("format".to_owned(), format));
        if let Some(time) = time {
            said.push(("time".to_owned(), time.to_string()));
        }
        Ok(Upload {
            path,
            name,
            time: time.map(|time| time.to_string()),
            said,
        })
    }
}

/// The time of a file's last change: what it says is as old as that.
fn changed_at(path: &Path) -> Result<Timestamp> {
    use std::os::unix::fs::MetadataExt;
    let told = || format!("{} can't be read", path.display());
    let metadata = std::fs::metadata(path).with_context(told)?;
    let micros = metadata.mtime() * 1_000_000 + metadata.mtime_nsec() / 1_000;
    Timestamp::from_micros(micros).with_context(told)
}

/// Where refused records go.
struct Rejections {
    path: PathBuf,
    file: File,
    format: &'static str,
}

impl Rejections {
    /// Empties the file, which is none of those that are to be read.
    fn new(path: PathBuf, uploads: &[Upload]) -> Result<Self> {
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
}

/// True of two names of one file.
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let file = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino()));
    file(one).is_ok_and(|one| file(other).is_ok_and(|other| one == other))
}

/// What became of all files.
struct Outcome {
    rejections: Option<Rejections>,
    /// Of the file whose parts are coming in.
    total: Total,
    has_rejected: bool,
    has_failed: bool,
}

impl Outcome {
    fn new(path: Option<PathBuf>, uploads: &[Upload]) -> Result<Self> {
        Ok(Self {
            rejections: path
                .map(|path| Rejections::new(path, uploads))
                .transpose()?,
            total: Total::default(),
            has_rejected: false,
            has_failed: false,
        })
    }

    /// Takes the job of a file, or of a part of one.
    fn take(&mut self, name: &str, ended: Result<Job>) {
        match ended {
            Ok(job) => {
                self.has_failed |= !job.is_done();
                if let Some(reason) = job.reason.as_ref().filter(|_| !job.is_done()) {
                    eprintln!("roster: {name}: the import is {}: {reason}", job.state);
                }
                self.has_rejected |= job.rejected > 0;
                self.total.add(job);
            }
            Err(error) => {
                self.has_failed = true;
                eprintln!("roster: {name}: {error:#}");
            }
        }
    }

    /// Prints what became of a file, and writes down what of it was refused.
    async fn tell(&mut self, service: &Service) -> Result<()> {
        let total = std::mem::take(&mut self.total);
        if !total.jobs.is_empty() {
            output::line(serde_json::to_string(&total)?)?;
        }
        let refused = total.jobs.iter().filter(|job| job.rejected > 0);
        for (place, job) in refused.enumerate() {
            let Some(to) = &mut self.rejections else {
                continue;
            };
            // One header is enough for all parts.
            let mut is_header = place > 0 && to.format == "csv";
            let take = |bytes: &[u8]| {
                let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
                let skipped = if is_header { end } else { 0 };
                is_header &= !bytes[..end].ends_with(b"\n");
                to.file.write_all(&bytes[skipped..])
            };
            let listed = service.rejections(&job.id, to.format, take).await;
            listed.context("the list of refused records can't be had")?;
            if let (0, Some(time)) = (place, &job.time) {
                let path = to.path.display();
                eprintln!(
                    "roster: {path} has what was refused; mended, send it with --time {time}, or it counts as new"
                );
            }
        }
        Ok(())
    }

    fn code(&self) -> ExitCode {
        match (self.has_failed, self.has_rejected) {
            (true, _) => ExitCode::FAILURE,
            (false, true) => ExitCode::from(SOME_REJECTED),
            (false, false) => ExitCode::SUCCESS,
        }
    }
}
