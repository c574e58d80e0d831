//! `GET /v1/profiles/{reference}/export`: all that is held about a person, one JSON object a line.
//!
//! First the profile, then the events, newest first, then the conflicts, then what is kept of merges, then what was refused or mended and is
//! listed; a page of rows is in memory at a time.

use super::shown::shown;
use super::{answer_of, conflicts, events, listed, reader, reference, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::stream::Pages;
use crate::domain::profile::Traits;
use crate::domain::{Identity, ProjectId, Timestamp};
use crate::store::{KeptMerge, ListOf, Person, Reference, TimelineQuery};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Rows of one page, if its bytes allow.
const PAGE: i64 = 200;

/// What comes next.
enum Next {
    Profile,
    Events(Option<(Timestamp, Uuid)>),
    Conflicts(Uuid),
    Merges,
    /// Of a list, what stands behind this key.
    Listed(ListOf, String),
    Nothing,
}

struct Export {
    state: Data<State>,
    project_id: ProjectId,
    person: Person,
    /// What is listed of the person is found by these.
    names: Vec<Identity>,
    next: Next,
}

/// Streams a person's data.
pub async fn export(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let export = find(&request, &state).await;
    reply::streamed(&state, "application/x-ndjson", export).await
}

async fn find(request: &HttpRequest, state: &Data<State>) -> Result<Export, ApiError> {
    let caller = reader(request, state).await?;
    let referred = reference::of_path(request, &caller)?;
    let person = reference::person(&referred, state, &caller).await?;
    Ok(Export {
        state: state.clone(),
        project_id: caller.project_id,
        person,
        names: Vec::new(),
        next: Next::Profile,
    })
}

impl Pages for Export {
    type Page = String;

    fn project_id(&self) -> ProjectId {
        self.project_id
    }

    async fn next(&mut self) -> Result<Option<String>, ApiError> {
        let state = self.state.clone();
        let _room = state.reads.room(self.project_id).await?;
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Profile => self.profile().await.map(Some),
            Next::Events(after) => self.events(after).await.map(Some),
            Next::Conflicts(after) => self.conflicts(after).await.map(Some),
            Next::Merges => self.merges().await.map(Some),
            Next::Listed(list, after) => self.listed(list, &after).await.map(Some),
            Next::Nothing => Ok(None),
        }
    }
}

impl Export {
    async fn profile(&mut self) -> Result<String, ApiError> {
        let reference = Reference::Id(self.person.id);
        let reading = self.state.store.load_profile(self.project_id, &reference);
        let found = answer_of(&self.state, reading).await?;
        self.next = Next::Events(None);
        let profile = found.ok_or(ApiError::NoSuchProfile)?;
        let names = profile.identities.iter();
        self.names = names.map(|known| known.identity.clone()).collect();
        Ok(lines("profile", [shown(profile)]))
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
        let bytes = self.state.reads.page_bytes;
        let reading = store.load_timeline(self.project_id, &self.person, &query, bytes);
        let page = answer_of(&self.state, reading).await?;
        self.next = match page.next {
            Some(last) => Next::Events(Some(last)),
            None => Next::Conflicts(Uuid::nil()),
        };
        Ok(lines("event", page.events.into_iter().map(events::shown)))
    }

    async fn conflicts(&mut self, after: Uuid) -> Result<String, ApiError> {
        let store = &self.state.store;
        let reading = store.load_conflicts_of(&self.person, after, PAGE);
        let page = answer_of(&self.state, reading).await?;
        self.next = page
            .last()
            .map_or(Next::Merges, |last| Next::Conflicts(last.id));
        Ok(lines("conflict", page.into_iter().map(conflicts::shown)))
    }

    async fn merges(&mut self) -> Result<String, ApiError> {
        self.next = Next::Listed(ListOf::ALL[0], String::new());
        let reading = self.state.store.load_merges(&self.person);
        let merges = answer_of(&self.state, reading).await?;
        let left_out = LeftOut {
            merges: merges.left_out,
        };
        let left_out = (left_out.merges > 0).then_some(left_out);
        let merges = merges.newest.into_iter().map(shown_merge);
        Ok(lines("merge", merges) + &lines("left_out", left_out))
    }

    async fn listed(&mut self, list: ListOf, after: &str) -> Result<String, ApiError> {
        let person = (self.project_id, &self.names[..]);
        let store = &self.state.store;
        let most = self.state.reads.page_bytes / list.most_bytes();
        let most = most.clamp(1, PAGE as usize) as i64;
        let reading = store.load_listed_of(list, person, after, most);
        let page = answer_of(&self.state, reading).await?;
        self.next = match page.last().filter(|_| page.len() as i64 == most) {
            Some(last) => Next::Listed(list, last.key.clone()),
            None => behind(list),
        };
        let shown = page.into_iter().map(|one| listed::shown(list, one));
        Ok(lines("listed", shown))
    }
}

/// What is kept and not shown.
#[derive(Serialize)]
struct LeftOut {
    merges: usize,
}

/// A merge as it is shown.
#[derive(Serialize)]
struct ShownMerge {
    /// Who was absorbed.
    profile_id: String,
    merged_at: String,
    /// Somebody asked for it.
    explicit: bool,
    identities: Vec<String>,
    /// What the absorbed one had.
    traits: Box<RawValue>,
    /// What of the survivor may have been replaced.
    before: Option<Box<RawValue>>,
}

fn shown_merge(merge: KeptMerge) -> ShownMerge {
    let name = |name: &Identity| format!("{}:{}", name.kind.as_str(), name.value);
    let raw = |traits: &Traits| traits.to_stored().0.to_raw();
    ShownMerge {
        profile_id: merge.absorbed.to_string(),
        merged_at: merge.merged_at.to_string(),
        explicit: merge.is_explicit,
        identities: merge.identities.iter().map(name).collect(),
        traits: raw(&merge.traits),
        before: merge.before.as_ref().map(raw),
    }
}

/// The list that comes after one.
fn behind(list: ListOf) -> Next {
    let mut lists = ListOf::ALL.into_iter().skip_while(|one| *one != list);
    let next = lists.nth(1);
    next.map_or(Next::Nothing, |next| Next::Listed(next, String::new()))
}

/// One line for each object, which says first what it is.
fn lines(record: &str, objects: impl IntoIterator<Item = impl Serialize>) -> String {
    let line = |object| {
        let text = serde_json::to_string(&object).expect("plain texts always serialise");
        format!("{{\"record\":\"{record}\",{}\n", &text[1..])
    };
    objects.into_iter().map(line).collect()
}
