//! A request of which the key is known and the body can be read.

use super::fields::Fields;
use super::jwt;
use super::refusal::{Failure, Refusal};
use super::reply;
use crate::api::State;
use crate::api::body;
use crate::api::charge::grow;
use crate::api::credentials::query_value;
use crate::api::document::Document;
use crate::api::error::ApiError;
use crate::api::lane::Lane;
use crate::api::reads::note_asker;
use crate::api::work::{by, deadline, work};
use crate::domain::loose_time::Claim;
use crate::domain::{Caller, Json, KeyKind, Signer, Timestamp};
use crate::ingest::Reservation;
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::web::{Data, Payload};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::time::Duration;

/// What one member of a request holds until it is written, beside its names.
const MEMBER: usize = 1_536;
/// Of that, what goes on beside its item: whom it names, and what became of it.
const KEPT_OF_A_MEMBER: usize = 256;

/// Whose key an endpoint takes (contract section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Any, with a token where the key needs one: what apps and pages say about their users.
    Apps,
    /// Any, without a token: what SDKs call before they have one, or after.
    Open,
    /// A server key's alone.
    Servers,
    /// A server key's, or one's that only reads.
    Readers,
}

impl Access {
    /// True of a key that reaches this. One that only reads also gets what is answered to everybody and changes nothing; one that would
    /// need tokens and can't have any reaches nothing of its users.
    fn lets_in(self, caller: &Caller, method: &Method) -> bool {
        let kind = caller.kind;
        let has_word = caller.speaks_for_all() || caller.secret.is_some();
        match self {
            Self::Apps => kind.may_write() && has_word,
            Self::Open => kind.may_write() || method.is_safe(),
            Self::Servers => kind == KeyKind::Server,
            Self::Readers => kind.may_read(),
        }
    }
}

/// Who asks, and for what.
pub struct Asked {
    pub state: Data<State>,
    pub caller: Caller,
    /// Who calls, where a token says so.
    pub signed: Option<Signer>,
    pub received_at: Timestamp,
    /// The header `Sent-At`, by the sender's clock.
    pub sent_at: Option<Timestamp>,
    /// As in messages: `/api/users/update`.
    pub endpoint: String,
    pub request: HttpRequest,
}

/// A body that is a JSON object, and what it holds.
pub struct Readable {
    pub fields: Fields,
    pub bytes: Bytes,
    pub room: Option<Reservation>,
    /// Of it, what is held for members until their items are made.
    pub for_members: usize,
    pub lane: Lane,
    /// Depth and numbers of all values are known to keep the limits.
    pub is_measured: bool,
}

impl Readable {
    /// Takes more room, for what is read of so many members and for copies of their texts: of names, and of data that is written anew,
    /// whose place the items take.
    ///
    /// # Errors
    /// As `charge::grow`.
    pub fn hold(&mut self, members: usize, (names, data): (usize, usize)) -> Result<(), ApiError> {
        let room = match self.room.take() {
            Some(room) => Some(room),
            None => self.lane.room.try_reserve(0),
        };
        let mut room = room.ok_or(ApiError::Overloaded)?;
        let is_held = grow(&mut room, members * MEMBER + names + data);
        self.room = Some(room);
        self.for_members += members * (MEMBER - KEPT_OF_A_MEMBER) + data;
        is_held
    }
}

impl Asked {
    /// Finds out who asks, before a byte of the body is read.
    ///
    /// # Errors
    /// `MissingKey`, `UnknownKey`, `TooManyRequests`, `Unavailable`; 401 `BadApiKey` where the key does not reach this; what is wrong
    /// with a token.
    pub async fn new(
        request: HttpRequest,
        state: Data<State>,
        access: Access,
    ) -> Result<Self, Failure> {
        let key = key_of(&request).ok_or(ApiError::MissingKey)?;
        let finding = async {
            let found = state.keys.find(&key).await;
            found.map_err(|_| ApiError::Unavailable)
        };
        let caller = by(deadline(&state), finding).await?;
        let caller = caller.ok_or(ApiError::UnknownKey)?;
        state.rates.check(caller.project_id, &key)?;
        if !access.lets_in(&caller, request.method()) {
            return Err(reply::insufficient(&request, &key, caller.kind).into());
        }
        note_asker(&request, caller.project_id);
        let received_at = state.clock.now();
        let signed = match access {
            Access::Apps if !caller.speaks_for_all() => {
                Some(jwt::signed(&state, request.headers(), &caller, received_at).await?)
            }
            _ => None,
        };
        Ok(Self {
            received_at,
            signed,
            sent_at: sent_at(request.headers()),
            endpoint: request.path().to_owned(),
            state,
            caller,
            request,
        })
    }

    /// Makes room for the order of so many calls of a request: they are a microsecond apart, and none is from before its receipt, so that
    /// each is later than what was answered before.
    pub fn spread(&mut self, calls: usize) {
        let apart = Duration::from_micros(calls as u64);
        self.received_at = self.received_at.plus(apart);
    }

    /// Reads the body, which has to be a JSON object.
    ///
    /// # Errors
    /// Everything that keeps a body from being read; `BadJsonBody` where it is something else.
    pub async fn read(&self, payload: Payload) -> Result<Readable, Failure> {
        let (state, project_id) = (&self.state, self.caller.project_id);
        let body = body::read(&self.request, payload, state, Some(project_id)).await?;
        let (size, limit) = (body.bytes.len(), state.server.max_body_bytes);
        let (lane, endpoint) = (body.lane.clone(), self.endpoint.clone());
        let depth = state.limits.depth;
        let decoders = lane.decoders.clone();
        let reading = work(&decoders, size, move || {
            let mut document = Document::new(body, limit)?;
            let text = document.text()?;
            let raw: &RawValue = serde_json::from_str(text)
                .map_err(|error| ApiError::InvalidJson(error.to_string()))?;
            if !raw.get().starts_with('{') {
                return Err(ApiError::NotAnObject);
            }
            Ok(Readable {
                fields: Fields::of_body(Json::slice_of(&document.bytes, raw), &endpoint),
                is_measured: document.is_within(depth),
                room: document.room.take(),
                for_members: 0,
                bytes: document.bytes,
                lane,
            })
        });
        Ok(by(deadline(state), reading).await?)
    }

    /// What stands for the body of a request that says all in its path.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn without_body(&self) -> Result<Readable, ApiError> {
        let lane = self.state.lanes.known.of(self.caller.project_id);
        let room = lane.room.try_reserve(0).ok_or(ApiError::Overloaded)?;
        Ok(Readable {
            fields: Fields::of_body(Json::empty_object(), &self.endpoint),
            bytes: Bytes::new(),
            room: Some(room),
            for_members: 0,
            lane,
            is_measured: true,
        })
    }

    /// The caller may join people who are known both (`docs/KEYS.md`).
    pub fn may_join(&self) -> bool {
        let is_believed = self.caller.kinds.rules.write_keys_join && self.caller.speaks_for_all();
        self.caller.kind == KeyKind::Server || is_believed
    }

    /// Who calls, where that has to be signed though the path needs no token.
    ///
    /// # Errors
    /// As `new`, of a token.
    pub async fn signer(&self) -> Result<Option<Signer>, Failure> {
        if self.caller.speaks_for_all() {
            return Ok(None);
        }
        let headers = self.request.headers();
        let signed = jwt::signed(&self.state, headers, &self.caller, self.received_at).await?;
        Ok(Some(signed))
    }

    /// A parameter of the query. A plus that was not encoded is one of an address.
    pub fn parameter(&self, name: &str) -> Option<String> {
        query_value(self.request.query_string(), name).filter(|value| !value.is_empty())
    }

    /// A parameter that has to be there.
    pub fn needed_parameter(&self, name: &str) -> Result<String, Refusal> {
        let missing = || Refusal::params(format!("Missing required parameter {name}"));
        self.parameter(name).ok_or_else(missing)
    }
}

/// `Api-Key`, `Api_Key` and `api_key`: names of headers have no case here. Old clients put it into the query.
fn key_of(request: &HttpRequest) -> Option<String> {
    let names = ["api-key", "api_key"];
    let values = names
        .into_iter()
        .filter_map(|name| request.headers().get(name));
    let mut texts = values.filter_map(|value| value.to_str().ok());
    let in_header = texts.find(|text| !text.trim().is_empty());
    let in_query = || query_value(request.query_string(), "api_key");
    in_header
        .map(|text| text.trim().to_owned())
        .or_else(in_query)
}

fn sent_at(headers: &HeaderMap) -> Option<Timestamp> {
    match Claim::of_text(headers.get("sent-at")?.to_str().ok()?) {
        Claim::At(at) | Claim::Odd(at) => Some(at),
        Claim::Nothing | Claim::Unreadable => None,
    }
}
