//! `roster import`: files of this machine into a service, wherever that is.

mod asked;
mod content;
mod inflated;
mod outgoing;
mod parts;
mod patience;
mod pattern;
mod progress;
mod rejections;
mod sending;
mod total;
mod trial;
mod units;
mod upload;

use crate::domain::Timestamp;
use crate::files::Format;
use crate::output;
use anyhow::{Context, Result, anyhow};
use asked::Upload;
use clap::Args;
use futures_util::{StreamExt, stream};
use progress::Screen;
use rejections::Rejections;
use sending::Taken;
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
        let (to, shown) = (&service, (&Taken::default(), &screen));
        let size = (self.parallel > 1).then_some(self.part_mib << 20);
        let units = uploads.iter().map(|upload| units(to, upload, size));
        let sending = stream::iter(units).flatten().map(|unit| async move {
            let ended = match &unit.part {
                Ok(part) => sending::send(to, (unit.upload, part.as_ref()), shown, patience).await,
                Err(error) => Err(anyhow!("{error:#}")),
            };
            (unit.upload, unit.is_last(), ended)
        });
        let mut all = std::pin::pin!(sending.buffered(self.parallel.into()));
        while let Some((upload, is_last, ended)) = all.next().await {
            outcome.take(&upload.name, ended);
            if is_last {
                outcome.tell(&upload.name, &service, patience).await?;
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
                if !job.is_done() {
                    let reason = job.reason.iter().map(|reason| format!(": {reason}"));
                    let reason: String = reason.collect();
                    eprintln!("roster: {name}: the import is {}{reason}", job.state);
                }
                self.has_rejected |= job.rejected > 0;
                self.total.add(job);
            }
            Err(error) => {
                self.has_failed = true;
                eprintln!("roster: {name}: {error:#}");
                self.total.fail(format!("{error:#}"));
            }
        }
    }

    /// Prints what became of a file, and writes down what of it was refused. A list that can't be had costs the other files nothing.
    async fn tell(&mut self, name: &str, service: &Service, patience: Duration) -> Result<()> {
        let total = std::mem::take(&mut self.total).closed();
        if !total.jobs.is_empty() {
            output::line(serde_json::to_string(&total)?)?;
        }
        let Some(to) = &mut self.rejections else {
            return Ok(());
        };
        let refused: Vec<&Job> = total.jobs.iter().filter(|job| job.rejected > 0).collect();
        for job in &refused {
            if let Err(error) = to.take(service, job, patience).await {
                self.has_failed = true;
                eprintln!("roster: {name}: {error:#}");
            }
        }
        if let Some(time) = refused.first().and_then(|job| job.time.as_ref()) {
            let path = to.path().display();
            eprintln!(
                "roster: {path} has what was refused; mended, send it with --time {time}, or it counts as new"
            );
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
