//! Static lists: made, filled, emptied and read.
//!
//! That somebody is in a list is an element of a list on the profile (`domain::elements`), so that calls about it converge as all that is
//! said of people does. The lists themselves have a table.

use super::fields::Fields;
use super::names::Strangers;
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::users::{self, members};
use crate::api::error::ApiError;
use crate::api::reading::{answer_of, segment};
use crate::api::work::{by, deadline};
use crate::domain::elements::{LISTS, elements};
use crate::domain::{Json, number_text};
use crate::store::{LARGEST_LIST_ID, ListKey, MOST_LISTS, StaticList};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Bytes of a list's name.
const LONGEST_NAME: usize = 255;

/// `GET lists`.
pub async fn show(asked: Asked) -> Result<Answer, Failure> {
    let state = &asked.state;
    let _room = state.reads.room(asked.caller.project_id).await?;
    let lists = answer_of(state, state.store.load_lists(asked.caller.project_id)).await?;
    let lists: Vec<Value> = lists.iter().map(shown).collect();
    Ok(Answer::document(&json!({ "lists": lists })))
}

fn shown(list: &StaticList) -> Value {
    json!({
        "id": list.id,
        "name": list.name,
        "createdAt": list.created_at.micros() / 1_000,
        "listType": "Standard",
    })
}

/// `POST lists`. A project that moves here brings its lists under the numbers that they had.
pub async fn create(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let body = &readable.fields;
    let name = body.needed_text("name")?;
    if name.trim().is_empty() || name.len() > LONGEST_NAME {
        let wants = format!("Text of 1 to {LONGEST_NAME} bytes expected");
        return Err(body.wrong("name", &wants).into());
    }
    let id = match body.value("listId") {
        Some(_) => Some(number(body, "listId")?),
        None => None,
    };
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    let making = state.store.create_list(project_id, id, name.trim());
    let made = answer_of(state, making).await?;
    let message = || match id {
        Some(id) => format!("List {id} exists or existed"),
        None => format!("A project has at most {MOST_LISTS} lists"),
    };
    let made = made.ok_or_else(|| Refusal::params(message()))?;
    Ok(Answer::document(&json!({ "listId": made })))
}

/// `DELETE lists/{id}`.
pub async fn delete(asked: Asked) -> Result<Answer, Failure> {
    let list = in_path(&asked, 3)?;
    let state = &asked.state;
    let is_deleted = answer_of(state, state.store.delete_list(list)).await?;
    if !is_deleted {
        return Err(no_list(list.1).into());
    }
    let (id, project) = (list.1, list.0.0);
    let message = format!("List {id} in Project {project} was successfully deleted.");
    Ok(Answer::told(message))
}

/// `POST lists/subscribe`.
pub async fn subscribe(mut asked: Asked, mut readable: Readable) -> Result<Answer, Failure> {
    let list = of_body(&asked, &readable.fields).await?;
    let existing_only = readable.fields.flag("updateExistingUsersOnly")?;
    let subscribers = members(&mut asked, &mut readable, "subscribers")?;
    let mut sayings = Vec::with_capacity(subscribers.len());
    for (place, user) in subscribers.iter().enumerate() {
        let mut saying = users::saying(&asked, user, subscribers.len() - place - 1)?;
        let own = saying.traits.unwrap_or_else(Json::empty_object);
        saying.traits = Some(change(list.1, true).with_defaults(&own));
        if existing_only {
            saying.strangers = Strangers::Refused;
        }
        sayings.push(saying);
    }
    users::reply(&asked, readable, sayings).await
}

/// `POST lists/unsubscribe`. A list has no channel here, so that none can be left with it.
pub async fn unsubscribe(mut asked: Asked, mut readable: Readable) -> Result<Answer, Failure> {
    let list = of_body(&asked, &readable.fields).await?;
    readable.fields.flag("channelUnsubscribe")?;
    readable.fields.number("campaignId")?;
    let subscribers = members(&mut asked, &mut readable, "subscribers")?;
    let mut sayings = Vec::with_capacity(subscribers.len());
    for (place, user) in subscribers.iter().enumerate() {
        let followers = subscribers.len() - place - 1;
        let left = Some(change(list.1, false));
        let mut saying = users::stating(&asked, user, left, followers)?;
        saying.strangers = Strangers::Refused;
        sayings.push(saying);
    }
    users::reply(&asked, readable, sayings).await
}

fn change(id: i32, is_in: bool) -> Json {
    let element = elements([(&Json::of(&id), is_in)]);
    Json::from_members(&BTreeMap::from([(LISTS.to_owned(), element)]))
}

/// `GET lists/{id}/size`: counted in pages, for as long as a request may take.
pub async fn size(asked: Asked) -> Result<Answer, Failure> {
    let list = in_path(&asked, 3)?;
    known(&asked, list).await?;
    let counting = async {
        let (mut count, mut after) = (0, Some(Uuid::nil()));
        while let Some(place) = after {
            let store = &asked.state.store;
            let page = answer_of(&asked.state, store.count_members(list, place)).await?;
            count += page.0;
            after = page.1;
        }
        Ok::<i64, ApiError>(count)
    };
    let count = by(deadline(&asked.state), counting).await?;
    Ok(Answer::Text(count.to_string()))
}

/// The list that a body names, which has to be there.
async fn of_body(asked: &Asked, body: &Fields) -> Result<ListKey, Failure> {
    let id = number(body, "listId")?;
    let list = (asked.caller.project_id, id);
    if is_there(asked, list).await? {
        return Ok(list);
    }
    Err(invalid(list).into())
}

/// A list that is named to be written to and is not there.
pub fn invalid((project_id, id): ListKey) -> Refusal {
    Refusal {
        params: json!({"projectId": project_id.0, "listId": id}),
        ..Refusal::params("Invalid email list id")
    }
}

/// True of a list that is there.
pub async fn is_there(asked: &Asked, list: ListKey) -> Result<bool, ApiError> {
    answer_of(&asked.state, asked.state.store.has_list(list)).await
}

/// A list that is read has to be there.
pub async fn known(asked: &Asked, list: ListKey) -> Result<(), Failure> {
    if is_there(asked, list).await? {
        return Ok(());
    }
    Err(no_list(list.1).into())
}

fn no_list(id: i32) -> Refusal {
    Refusal::params(format!("error.lists.invalidListId({id})"))
}

fn number(body: &Fields, name: &str) -> Result<i32, Refusal> {
    let number = body.number(name)?;
    let number = number.ok_or_else(|| body.wrong(name, "Missing required field"))?;
    let id = parsed(number_text(number.as_str()));
    id.ok_or_else(|| body.wrong(name, "Number value expected"))
}

/// The list whose number stands in the path.
fn in_path(asked: &Asked, place: usize) -> Result<ListKey, Failure> {
    let text = segment(&asked.request, place)?;
    let invalid = || Refusal::params(format!("error.lists.invalidListId({text})"));
    let id = parsed(&text).ok_or_else(invalid)?;
    Ok((asked.caller.project_id, id))
}

/// The number of a list, or of whatever else people subscribe to.
pub fn parsed(text: &str) -> Option<i32> {
    let number: i32 = text.parse().ok()?;
    (0..=LARGEST_LIST_ID).contains(&number).then_some(number)
}
