//! `POST /v1/imports` with a `source`, `/v1/imports/{id}/source` and `/v1/imports/schedules`: files that the service fetches itself.

use super::imports::{said_of, shown_job};
use super::profiles::{invalid, json_body};
use super::{answer_of, reader, reply, segment};
use crate::api::State;
use crate::api::error::ApiError;
use crate::config::PullPlace;
use crate::domain::Caller;
use crate::imports::NewJob;
use crate::pulls::piece::{Failure, Look};
use crate::pulls::source::Source;
use crate::store::{MOST_SCHEDULES, NewSchedule, Schedule};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is said of a file that is to be fetched: its source, and the names that a query may have.
#[derive(Deserialize)]
struct Asked {
    source: String,
    cron: Option<String>,
    time_zone: Option<String>,
    #[serde(flatten)]
    said: BTreeMap<String, String>,
}

/// Where a file is by now.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    source: String,
}

/// A schedule as it is shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    cron: String,
    time_zone: String,
    source: String,
    created_at: String,
    due_at: String,
    last_at: Option<String>,
    last_import: Option<String>,
    runs: i64,
    skipped: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

#[derive(Serialize)]
struct Schedules {
    schedules: Vec<Shown>,
}
