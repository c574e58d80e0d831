//! `GET /v1/profiles/{reference}/export`: all that is held about a person, one JSON object a line.
//!
//! A page of rows is in memory at a time. Where the database fails half-way the connection is cut: a part must not pass for the
//! whole.

use super::{answer_of, conflicts, events, profiles, reader, reference, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::domain::{ProjectId, Timestamp};
use crate::store::{Person, Reference, TimelineQuery};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, stream};
use serde::Serialize;
use uuid::Uuid;

/// Rows of one page: at the largest, some megabytes.
const PAGE: i64 = 200;

/// What comes next.
enum Next {
    Profile,
    Events(Option<(Timestamp, Uuid)>),
    Conflicts(Uuid),
    Nothing,
}

struct Export {
    state: Data<State>,
    project_id: ProjectId,
    person: Person,
    next: Next,
}

/// Streams a person's data.
pub async fn export(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match find(&request, &state).await {
        Ok(export) => HttpResponse::Ok()
            .content_type("application/x-ndjson")
            .streaming(pages(export)),
        Err(error) => reply::problem(&error),
    }
}

async fn find(request: &HttpRequest, state: &Data<State>) -> Result<Export, ApiError> {
    let caller = reader(request, state).await?;
    let referred = reference::of_path(request, &caller)?;
    let person = reference::person(&referred, state, &caller).await?;
    Ok(Export {
        state: state.clone(),
        project_id: caller.project_id,
        person,
        next: Next::Profile,
    })
}

fn pages(export: Export) -> impl Stream<Item = Result<Bytes, ApiError>> {
    stream::try_unfold(export, async |mut export| {
        let page = export.page().await?;
        Ok(page.map(|text| (Bytes::from(text), export)))
    })
}

impl Export {
    async fn page(&mut self) -> Result<Option<String>, ApiError> {
        match self.next {
            Next::Profile => self.profile().await.map(Some),
            Next::Events(after) => self.events(after).await.map(Some),
            Next::Conflicts(after) => self.conflicts(after).await.map(Some),
            Next::Nothing => Ok(None),
        }
    }

    async fn profile(&mut self) -> Result<String, ApiError> {
        let reference = Reference::Id(self.person.id);
        let reading = self.state.store.load_profile(self.project_id, &reference);
        let found = answer_of(&self.state, reading).await?;
        self.next = Next::Events(None);
        let profile = found.ok_or(ApiError::NoSuchProfile)?;
        Ok(lines("profile", [profiles::shown(profile)]))
    }

    async fn events(&mut self, after: Option<(Timestamp, Uuid)>) -> Result<String, ApiError> {
        let query = TimelineQuery {
            name: None,
            event_type: None,
            from: None,
            to: None,
            after,
            limit: PAGE,
        };
        let store = &self.state.store;
        let reading = store.load_timeline(self.project_id, &self.person, &query);
        let page = answer_of(&self.state, reading).await?;
        self.next = match page.last() {
            Some(last) => Next::Events(Some((last.occurred_at, last.id.0))),
            None => Next::Conflicts(Uuid::nil()),
        };
        Ok(lines("event", page.into_iter().map(events::shown)))
    }

    async fn conflicts(&mut self, after: Uuid) -> Result<String, ApiError> {
        let store = &self.state.store;
        let reading = store.load_conflicts_of(&self.person, after, PAGE);
        let page = answer_of(&self.state, reading).await?;
        self.next = page
            .last()
            .map_or(Next::Nothing, |last| Next::Conflicts(last.id));
        Ok(lines("conflict", page.into_iter().map(conflicts::shown)))
    }
}

/// One line for each object, which says first what it is.
fn lines(record: &str, objects: impl IntoIterator<Item = impl Serialize>) -> String {
    let line = |object| {
        let text = serde_json::to_string(&object).expect("plain texts always serialise");
        format!("{{\"record\":\"{record}\",{}\n", &text[1..])
    };
    objects.into_iter().map(line).collect()
}
