//! `POST /v1/profiles/lookup`: many profiles by one request, loaded and sent in pieces.

use super::profiles::{invalid, json_body};
use super::shown::{Shown, shown, shown_of};
use super::texts::Texts;
use super::{answer_of, by_source, reader, reference, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::stream::Pages;
use crate::domain::sizes::beginning;
use crate::domain::{Caller, ProjectId};
use crate::ingest::Reservation;
use crate::legacy_reads::Asked;
use crate::store::{Profile, Reference};
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
    references: Texts<MOST_REFERENCES>,
}

/// `{"profiles":[…]}`: one for each reference, in their order; `null` where there is nobody, a problem where nobody can tell.
struct Lookup {
    state: Data<State>,
    caller: Caller,
    references: Vec<Reference>,
    done: usize,
    is_closed: bool,
}

/// Shows many profiles at once.
pub async fn lookup(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let asked = asked(&request, payload, &state).await;
    reply::streamed(&state, "application/json", asked).await
}

async fn asked(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<Lookup, ApiError> {
    let caller = reader(request, state).await?;
    let body: LookupBody = json_body(request, payload, state, &caller).await?;
    let Texts { first, count } = body.references;
    if count > MOST_REFERENCES {
        let reason = format!("has {count} entries, over the limit of {MOST_REFERENCES}");
        return Err(invalid("references", &reason));
    }
    let read = |(place, text): (usize, &String)| {
        let error = |error| at_fault(place, text, error);
        reference::parse(text, &caller).map_err(error)
    };
    Ok(Lookup {
        state: state.clone(),
        references: first
            .iter()
            .enumerate()
            .map(read)
            .collect::<Result<_, _>>()?,
        caller,
        done: 0,
        is_closed: false,
    })
}

/// What is wrong with one of many references, with its place and its text.
fn at_fault(place: usize, text: &str, error: ApiError) -> ApiError {
    match error {
        ApiError::InvalidParameter { reason, .. } => {
            let shown = beginning(text, reference::MOST_SHOWN);
            invalid(
                &format!("references[{place}]"),
                &format!("{reason}: {shown:?}"),
            )
        }
        other => other,
    }
}

impl Pages for Lookup {
    type Page = String;

    fn project_id(&self) -> ProjectId {
        self.caller.project_id
    }

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
        let room = state.reads.room(self.caller.project_id).await?;
        let end = self.references.len().min(self.done + STEP);
        let asked = &self.references[self.done..end];
        let (store, bytes) = (&state.store, state.reads.page_bytes);
        let reading = store.load_profiles(self.caller.project_id, asked, bytes);
        let profiles = answer_of(&state, reading).await?;
        for shown in self.by_source(&state, asked, profiles, room).await? {
            if self.done > 0 {
                text.push(',');
            }
            let entry = shown.map(|shown| reply::text_of(&shown));
            text.push_str(&entry.unwrap_or_else(|error| reply::problem_text(&error)));
            self.done += 1;
        }
        Ok(())
    }

    /// The people of a piece, each from where they are read.
    async fn by_source(
        &self,
        state: &Data<State>,
        asked: &[Reference],
        profiles: Vec<Option<Profile>>,
        room: Reservation,
    ) -> Result<Vec<Result<Option<Shown>, ApiError>>, ApiError> {
        let Some(leaving) = by_source::leaving(state, &self.caller)? else {
            let profiles = profiles.into_iter();
            return Ok(profiles.map(|own| Ok(own.map(shown))).collect());
        };
        // Whoever waits for the legacy store must not keep others from what they can read here.
        drop(room);
        let asked = asked.iter().cloned().zip(profiles);
        let asked = asked.map(|(reference, profile)| Asked { reference, profile });
        let reading = by_source::by_source(state, &self.caller, &leaving, asked.collect());
        let (answers, _room) = reading.await?;
        Ok(answers.into_iter().map(shown_of).collect())
    }
}
