//! What people ask of pulls: to fetch a file now, to say where it is by now, to fetch by the calendar.

use super::calendar::{Calendar, Complaint};
use super::piece::{Failure, Look};
use super::places::Places;
use super::reading::{Listing, Reading, list};
use super::source::Source;
use super::web::Ways;
use crate::config::{PullPlace, Pulls as Settings};
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// A first look answers a request: what takes longer is for the worker.
const LOOK_TIME: Duration = Duration::from_secs(12);

/// Where files may be fetched from, and the ways there.
#[derive(Clone, Debug)]
pub struct Desk {
    places: Places,
    ways: Ways,
}

impl Desk {
    /// Reads the settings; nothing is asked yet.
    ///
    /// # Errors
    /// One sentence that names the setting.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            places: Places::new(settings)?,
            ways: Ways::new()?,
        })
    }

    /// Where a file of a project is, if that project may have it.
    ///
    /// # Errors
    /// One sentence for whoever named it.
    pub fn source(&self, project: &str, text: &str) -> Result<(Source, &PullPlace), String> {
        let source = Source::parse(text)?;
        let place = self.places.of(project, &source)?;
        Ok((source, place))
    }

    /// Opens a file.
    pub async fn open(&self, source: &Source, place: &PullPlace) -> Result<Reading, Failure> {
        Reading::open(&self.ways, source, place).await
    }

    /// What a file is, or whether a folder can be listed, within the time of a request.
    pub async fn look(&self, source: &Source, place: &PullPlace) -> Result<Look, Failure> {
        let looking = async {
            if source.is_folder() {
                list(&self.ways, source, place)
                    .await
                    .map(|_| Look::default())
            } else {
                self.open(source, place).await?.look().await
            }
        };
        let slow = || Failure::Passing("the source does not answer in time".to_owned());
        timeout(LOOK_TIME, looking)
            .await
            .unwrap_or_else(|_| Err(slow()))
    }

    /// The files of a folder, by their names.
    pub async fn list(&self, source: &Source, place: &PullPlace) -> Result<Listing, Failure> {
        list(&self.ways, source, place).await
    }

    /// The times of a schedule.
    ///
    /// # Errors
    /// What of it can't be.
    pub fn calendar(&self, cron: &str, zone: &str, schedule: Uuid) -> Result<Calendar, Complaint> {
        Calendar::parse(cron, zone, schedule)
    }
}
