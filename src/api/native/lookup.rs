//! `POST /v1/profiles/lookup`: many profiles by one request, loaded and sent in pieces.

use super::profiles::{invalid, json_body, shown};
use super::stream::{self, Pages};
use super::{answer_of, reader, reference, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::domain::ProjectId;
use crate::store::Reference;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

/// References of one look-up.
const MOST_REFERENCES: usize = 1_000;
/// References of one statement.
const STEP: usize = 100;

#[derive(Deserialize)]
struct LookupBody {
    /// `{kind}:{value}` or `id:{uuid}`.
    references: Vec<String>,
}

/// `{"profiles":[…]}`: one for each reference, in their order; `null` where there is nobody.
struct Lookup {
    state: Data<State>,
    project_id: ProjectId,
    references: Vec<Reference>,
    done: usize,
    is_closed: bool,
}

/// Shows many profiles at once.
pub async fn lookup(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let asked = asked(&request, payload, &state).await;
    stream::answer(&state, "application/json", asked).await
}

async fn asked(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<Lookup, ApiError> {
    let caller = reader(request, state).await?;
    let body: LookupBody = json_body(request, payload, state, &caller).await?;
    if body.references.len() > MOST_REFERENCES {
        let count = body.references.len();
        let reason = format!("has {count} entries, over the limit of {MOST_REFERENCES}");
        return Err(invalid("references", &reason));
    }
    let references = body.references.iter();
    Ok(Lookup {
        state: state.clone(),
        project_id: caller.project_id,
        references: references
            .map(|text| reference::parse(text, &caller))
            .collect::<Result<_, _>>()?,
        done: 0,
        is_closed: false,
    })
}

impl Pages for Lookup {
    async fn next(&mut self) -> Result<Option<String>, ApiError> {
        if self.is_closed {
            return Ok(None);
        }
        let mut text = if self.done == 0 {
            "{\"profiles\":["
        } else {
            ""
        }
        .to_owned();
        if self.done < self.references.len() {
            self.piece(&mut text).await?;
        }
        if self.done == self.references.len() {
            text.push_str("]}");
            self.is_closed = true;
        }
        Ok(Some(text))
    }
}

impl Lookup {
    async fn piece(&mut self, text: &mut String) -> Result<(), ApiError> {
        let state = self.state.clone();
        let _room = state.reads.room().await?;
        let end = self.references.len().min(self.done + STEP);
        let asked = &self.references[self.done..end];
        let (store, bytes) = (&state.store, state.reads.page_bytes);
        let reading = store.load_profiles(self.project_id, asked, bytes);
        for profile in answer_of(&state, reading).await? {
            if self.done > 0 {
                text.push(',');
            }
            text.push_str(&reply::text_of(&profile.map(shown)));
            self.done += 1;
        }
        Ok(())
    }
}
