//! Files through `/v1/imports`, sent by `roster import` as anybody sends them: events of known people and a table of new ones in turns with
//! the ideal client, then events beside live requests.

use super::beside::{Live, half_of_the_peak, measure};
use super::{Answered, finish};
use crate::bench::bodies;
use crate::bench::kind::Kind;
use crate::bench::legacy;
use crate::bench::report::{Line, Part};
use crate::bench::request::{Habit, Template};
use crate::bench::settings::Settings;
use crate::bench::stage::{Service, new_name};
use crate::bench::tally::Tally;
use crate::bench::turn::{counted, take_rounds};
use crate::bench::work::{scripts, take};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::process::Command;

const KINDS: [Kind; 2] = [Kind::ImportEvents, Kind::ImportProfiles];
/// Records of a file for each second of a turn: about what two cores take in.
const RECORDS_PER_SECOND: u64 = 40_000;
/// Lines that are written at once; they differ in what they say.
const LINES: u64 = 1_000;

/// Numbers the people of all tables.
static LISTED: AtomicU64 = AtomicU64::new(0);

/// Files in a folder that goes with them.
struct Files {
    folder: PathBuf,
    events: PathBuf,
    records: u64,
}

/// What `roster import` says of a file.
#[derive(Deserialize)]
struct Job {
    stored: u64,
    rejected: u64,
}

/// Turns, then live requests beside imports.
pub async fn run(settings: &Settings, service: &Service) -> Result<Part> {
    let files = Files::write(settings, service)?;
    let measured = with_files(settings, service, &files).await;
    std::fs::remove_dir_all(&files.folder)?;
    measured
}

async fn with_files(settings: &Settings, service: &Service, files: &Files) -> Result<Part> {
    let all = Kind::with_limits(&KINDS);
    let turns = take_rounds(settings, &service.progress, &all, async |kind, round| {
        let path = match kind {
            Kind::ImportEvents => files.events_anew()?,
            Kind::ImportProfiles => files.table()?,
            _ => return take(settings, service, kind, round).await,
        };
        let work = async || files.send(service, &path, kind == Kind::ImportEvents).await;
        let turn = service.turn((kind, round), work).await?;
        std::fs::remove_file(&path)?;
        Ok(turn)
    })
    .await?;
    let mut answered = Answered::of(&turns);
    let mut part = Part {
        lines: Line::all(&all, &counted(settings, turns)),
        ..Part::default()
    };
    if settings.live.live_turns > 0 {
        let (beside, then) = beside_live(settings, service, files).await?;
        part.lines.extend(beside.lines);
        part.figures.extend(beside.figures);
        answered = answered.and(then);
    }
    answered.check(service).await?;
    finish(&mut part, service, "import");
    Ok(part)
}

/// Live requests at half of their peak; one file after the other beside them.
async fn beside_live(
    settings: &Settings,
    service: &Service,
    files: &Files,
) -> Result<(Part, Answered)> {
    let (rate, until_known) = half_of_the_peak(settings, service).await?;
    let live = Live {
        name: "import-live",
        title: "live requests at half of their peak",
        rate,
        turns: settings.live.live_turns,
        time: Duration::from_secs(settings.live.live_seconds),
        scripts: || scripts(settings, service, Kind::Single),
    };
    let felt = measure(service, live, async |time| {
        let (mut all, begun) = (Tally::default(), Instant::now());
        while begun.elapsed() < time {
            let path = files.events_anew()?;
            all.absorb(&files.send(service, &path, true).await?, true);
            std::fs::remove_file(&path)?;
        }
        Ok(all)
    })
    .await?;
    let mut part = felt.part;
    let title = "events imported beside live requests";
    part.figure(("import-live-rate", title), felt.heavy_rate, "a second");
    Ok((part, until_known.and(felt.answered)))
}

impl Files {
    fn write(settings: &Settings, service: &Service) -> Result<Self> {
        let folder = std::env::temp_dir().join(new_name());
        std::fs::create_dir(&folder)?;
        let files = Self {
            events: folder.join("events"),
            folder,
            records: settings.seconds * RECORDS_PER_SECOND,
        };
        service.progress.begin("a file of events");
        let lines = (0..LINES as usize).map(|index| bodies::line(&bodies::track(index)));
        let lines = lines.map(|text| (text, Habit::New));
        let mut template = Template::new(("", "\n"), "\n", lines);
        let mut file = BufWriter::new(File::create(&files.events)?);
        for _ in 0..files.records / LINES {
            template.renew(service.people);
            file.write_all(template.bytes())?;
        }
        file.flush()?;
        Ok(files)
    }

    /// The events under a new name, from which new ids follow.
    fn events_anew(&self) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.ndjson", new_name()));
        std::fs::hard_link(&self.events, &path)?;
        Ok(path)
    }

    /// A table of people whom nobody has seen before.
    fn table(&self) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.csv", new_name()));
        let mut file = BufWriter::new(File::create(&path)?);
        writeln!(file, "{}", legacy::TABLE_HEADER)?;
        let first = LISTED.fetch_add(self.records, Relaxed);
        for index in first..first + self.records {
            writeln!(file, "{}", legacy::table_row(index))?;
        }
        file.flush()?;
        Ok(path)
    }

    /// Lets this program import a file.
    async fn send(&self, service: &Service, path: &Path, are_events: bool) -> Result<Tally> {
        let output = Command::new(std::env::current_exe()?)
            .arg("import")
            .arg(path)
            .args(["--url", &format!("http://{}", service.target.socket)])
            .env("ROSTER_KEY", &service.server_key)
            .kill_on_drop(true)
            .output()
            .await?;
        let told = || String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "roster import: {}", told());
        let job: Job = serde_json::from_slice(&output.stdout).context("an import tells a job")?;
        ensure!(
            (job.stored, job.rejected) == (self.records, 0),
            "of {} records {} were stored and {} refused",
            self.records,
            job.stored,
            job.rejected
        );
        Ok(Tally::of(
            job.stored,
            if are_events { job.stored } else { 0 },
        ))
    }
}
