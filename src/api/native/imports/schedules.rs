//! `/v1/imports/schedules`: files that are fetched by the calendar.

use super::described::Described;
use super::pulls::{allowed, looked};
use super::said::Said;
use super::{headers, reader, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::native::{answer_of, segment};
use crate::domain::{ProjectId, Timestamp};
use crate::store::{MOST_SCHEDULES, NewSchedule, Schedule};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use uuid::Uuid;

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

fn shown(schedule: &Schedule) -> Shown {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    Shown {
        id: schedule.id.to_string(),
        cron: schedule.cron.clone(),
        time_zone: schedule.time_zone.clone(),
        source: schedule.source.clone(),
        created_at: schedule.created_at.to_string(),
        due_at: schedule.due_at.to_string(),
        last_at: text(schedule.last_at),
        last_import: schedule.last_job.map(|id| id.to_string()),
        runs: schedule.runs,
        skipped: schedule.skipped,
        reason: schedule.reason.clone(),
    }
}

/// Lists a project's schedules.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let listing = async {
        let project_id = reader(&request, &state).await?.project_id;
        let all = answer_of(&state, state.store.load_schedules(project_id)).await?;
        let schedules = all.iter().map(shown).collect();
        Ok(Schedules { schedules })
    };
    reply::json(&request, &state, listing.await)
}

/// Ends a schedule; imports that it began go on.
pub async fn end(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let ending = async {
        let project_id = reader(&request, &state).await?.project_id;
        let id = Uuid::try_parse(&segment(&request, 4)?).map_err(|_| ApiError::NotFound)?;
        let is_gone = answer_of(&state, state.store.delete_schedule(project_id, id)).await?;
        if is_gone {
            Ok(())
        } else {
            Err(ApiError::NotFound)
        }
    };
    match ending.await {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(error) => reply::problem(&error),
    }
}

/// Begins a schedule.
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    match created(&request, payload, &state).await {
        Ok(shown) => HttpResponse::Created()
            .content_type("application/json")
            .body(reply::text_of(&shown)),
        Err(error) => reply::problem(&error),
    }
}

async fn created(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<Shown, ApiError> {
    let project_id = reader(request, state).await?.project_id;
    let document = Described::read(request, payload, state, project_id).await?;
    let new = read(state, project_id, document).await?;
    if !answer_of(state, state.store.create_schedule(&new)).await? {
        let told = format!("a project has at most {MOST_SCHEDULES} schedules");
        return Err(ApiError::StepRefused(told));
    }
    let all = answer_of(state, state.store.load_schedules(project_id)).await?;
    let own = all.iter().find(|schedule| schedule.id == new.id);
    own.map(shown).ok_or(ApiError::NotFound)
}

/// Holds what is said against the settings, the store and the calendar.
async fn read(
    state: &Data<State>,
    project_id: ProjectId,
    mut document: Described,
) -> Result<NewSchedule, ApiError> {
    let source = document.take_text("source")?;
    let source = source.ok_or_else(|| headers::invalid("source", "is missing"))?;
    let cron = document.take_text("cron")?;
    let cron = cron.ok_or_else(|| headers::invalid("cron", "is missing"))?;
    let time_zone = document.take_text("time_zone")?;
    let time_zone = time_zone.unwrap_or_else(|| "UTC".to_owned());
    let id = Uuid::now_v7();
    let calendar = state.pulls.calendar(&cron, &time_zone, id);
    let calendar = calendar.map_err(|(name, told)| headers::invalid(name, told))?;
    let (source, place) = allowed(state, project_id, &source).await?;
    looked(state, &source, &place).await?;
    let document = document.members();
    for name in ["name", "time", "length"] {
        if document.contains_key(name) {
            return Err(headers::invalid(name, "is each file's own"));
        }
    }
    if source.is_folder() && !document.contains_key("format") {
        return Err(headers::invalid(
            "format",
            "is missing: the files of a folder are read alike",
        ));
    }
    let mut said = Said::of_document(document)?;
    source.name().clone_into(&mut said.name);
    let job = said.job(project_id, None);
    state.imports.check(&job)?;
    let now = answer_of(state, state.store.ping()).await?;
    let due_at = calendar
        .after(now)
        .ok_or_else(|| headers::invalid("cron", "never comes"))?;
    Ok(NewSchedule {
        project_id,
        id,
        cron,
        time_zone,
        address: source.secret().map(str::to_owned),
        source: source.shown(),
        layout: serde_json::to_string(&job.layout).unwrap_or_default(),
        mapping: job.mapping,
        due_at,
    })
}
