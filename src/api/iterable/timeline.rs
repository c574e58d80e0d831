//! Events of a user, read: as many as were asked for, however large, a page in memory at a time.

use super::reads::{email_name, finds_nobody, profile};
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::Asked;
use super::show::{names_of, with_dates, written};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::reading::{answer_of, segment};
use crate::api::stream::{self, Pages};
use crate::domain::{Identity, IdentityKind, ProjectId};
use crate::store::{Person, StoredEvent, TimelinePage, TimelineQuery};
use actix_web::web::Data;
use serde_json::{Map, Value, json};

const DEFAULT_EVENTS: i64 = 30;
const MOST_EVENTS: i64 = 200;
/// Events are shown through a tree of their values, which holds so much more than their text that fewer of them are read at once.
const TREE: usize = 8;
const JSON: &str = "application/json";

/// The names that are shown with each event.
type Names = (Option<String>, Option<String>);

struct Timeline {
    state: Data<State>,
    project_id: ProjectId,
    person: Person,
    names: Names,
    /// What is read next; `limit` is how many are left.
    query: TimelineQuery,
    /// A piece that was read and not sent yet.
    ahead: Option<String>,
    is_begun: bool,
    is_done: bool,
}

/// `events/{email}`.
pub async fn by_email(asked: Asked) -> Result<Answer, Failure> {
    let email = segment(&asked.request, 3)?;
    events(&asked, email_name(&email)?).await
}

/// `events/byUserId/{userId}`.
pub async fn by_user_id(asked: Asked) -> Result<Answer, Failure> {
    let user_id = segment(&asked.request, 4)?;
    events(&asked, Identity::new(IdentityKind::UserId, &user_id)).await
}

async fn events(asked: &Asked, name: Identity) -> Result<Answer, Failure> {
    let limit = limit(asked)?;
    let Some((person, names)) = found(asked, name).await? else {
        return Ok(Answer::document(&json!({ "events": [] })));
    };
    let mut timeline = Timeline {
        state: asked.state.clone(),
        project_id: asked.caller.project_id,
        person,
        names,
        query: TimelineQuery {
            name: None,
            event_type: None,
            from: None,
            to: None,
            after: None,
            limit,
        },
        ahead: None,
        is_begun: false,
        is_done: false,
    };
    timeline.ahead = timeline.next().await?;
    if timeline.is_done {
        return Ok(Answer::Document(timeline.ahead.unwrap_or_default()));
    }
    let answer = stream::answer(&asked.state, JSON, timeline).await?;
    Ok(Answer::Ready(answer))
}

/// Whom a name leads to, and how they are shown.
async fn found(asked: &Asked, name: Identity) -> Result<Option<(Person, Names)>, ApiError> {
    if finds_nobody(asked, &name) {
        return Ok(None);
    }
    let _room = asked.state.reads.room(asked.caller.project_id).await?;
    let Some(profile) = profile(asked, name.clone()).await? else {
        return Ok(None);
    };
    let names = names_of(&profile, asked.caller.kinds.rules.iterable);
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    let person = answer_of(state, state.store.find_person(project_id, &name)).await?;
    Ok(person.map(|person| (person, names)))
}

impl Pages for Timeline {
    type Page = String;

    fn project_id(&self) -> ProjectId {
        self.project_id
    }

    async fn next(&mut self) -> Result<Option<String>, ApiError> {
        if self.ahead.is_some() || self.is_done {
            return Ok(self.ahead.take());
        }
        let state = &self.state;
        let _room = state.reads.room(self.project_id).await?;
        let bytes = state.reads.page_bytes / TREE;
        let reading = state
            .store
            .load_timeline(self.project_id, &self.person, &self.query, bytes);
        let page = answer_of(state, reading).await?;
        Ok(Some(self.text(&page)))
    }
}

impl Timeline {
    /// A page as its piece of the answer.
    fn text(&mut self, page: &TimelinePage) -> String {
        let mut text = String::new();
        for event in &page.events {
            text += if self.is_begun { "," } else { "{\"events\":[" };
            text += &event_of(event, &self.names).to_string();
            self.is_begun = true;
        }
        self.query.after = page.next;
        self.query.limit -= page.events.len() as i64;
        self.is_done = page.next.is_none() || self.query.limit == 0;
        match (self.is_done, self.is_begun) {
            (true, true) => text + "]}",
            (true, false) => json!({ "events": [] }).to_string(),
            (false, _) => text,
        }
    }
}

/// A page of the events of whom a name leads to. Whoever asks holds room of reads meanwhile.
pub async fn events_of(
    asked: &Asked,
    name: &Identity,
    query: &TimelineQuery,
) -> Result<TimelinePage, ApiError> {
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    let person = answer_of(state, state.store.find_person(project_id, name)).await?;
    let Some(person) = person else {
        return Ok(TimelinePage::default());
    };
    let bytes = state.reads.page_bytes / TREE;
    let reading = state.store.load_timeline(project_id, &person, query, bytes);
    answer_of(state, reading).await
}

fn limit(asked: &Asked) -> Result<i64, Refusal> {
    let Some(text) = asked.parameter("limit") else {
        return Ok(DEFAULT_EVENTS);
    };
    let limit = text.parse::<i64>().ok().filter(|limit| *limit > 0);
    let limit = limit.ok_or_else(|| Refusal::params("limit is no positive number"))?;
    Ok(limit.min(MOST_EVENTS))
}

/// An event of any dialect. What came by another has no type of this one's: it is a custom event.
fn event_of(event: &StoredEvent, (email, user_id): &Names) -> Value {
    let mut shown = Map::new();
    let context: Value = serde_json::from_slice(event.context.as_bytes()).unwrap_or_default();
    if let Value::Object(own) = &context["iterable"] {
        shown.extend(own.clone());
    }
    let event_type = shown.remove("eventType");
    let event_type = event_type.unwrap_or_else(|| json!("customEvent"));
    let name = event.name.as_deref().unwrap_or(&event.event_type);
    let fields = with_dates(&event.properties);
    let fields: Value = serde_json::from_slice(fields.as_bytes()).unwrap_or_default();
    if event_type == "customEvent" {
        shown.insert("eventName".to_owned(), json!(name));
        shown.insert(
            "eventUpdatedAt".to_owned(),
            json!(written(event.received_at)),
        );
    }
    let more = [
        ("_id", json!(event.message_id)),
        ("eventType", event_type),
        ("createdAt", json!(written(event.occurred_at))),
        ("email", json!(email)),
        ("userId", json!(user_id)),
        ("dataFields", fields),
        (
            "itblInternal",
            json!({
                "documentCreatedAt": written(event.received_at),
                "documentUpdatedAt": written(event.received_at),
            }),
        ),
    ];
    let more = more.into_iter().filter(|(_, value)| !value.is_null());
    shown.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(shown)
}
