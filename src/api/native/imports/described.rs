//! A file that is described in JSON: one object, read without a tree. A body of some kilobytes could come to a gigabyte as one.

use super::headers::invalid;
use crate::api::State;
use crate::api::body;
use crate::api::error::ApiError;
use crate::domain::{Json, ProjectId};
use crate::ingest::Reservation;
use actix_web::HttpRequest;
use actix_web::web::Payload;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Bytes of a description: those of a mapping and of the names of columns, however JSON spells them.
const MOST_BYTES: usize = 1 << 20;
/// Members: those that a layout has, and one for each column of what is said of its empty cells.
const MOST_MEMBERS: usize = 2_100;

/// What is said, each member as it stands there.
pub struct Described {
    members: BTreeMap<String, Json>,
    /// Held while they are.
    _room: Option<Reservation>,
}

impl Described {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// As `body::read`; `InvalidJson`, `InvalidParameter` where it says too much.
    pub async fn read(
        request: &HttpRequest,
        payload: Payload,
        state: &State,
        project_id: ProjectId,
    ) -> Result<Self, ApiError> {
        let most = (Some(project_id), MOST_BYTES);
        let body = body::read_at_most(request, payload, state, most).await?;
        let members = members(&body.bytes)?;
        Ok(Self {
            members,
            _room: body.room,
        })
    }

    /// Takes a text out, if it is there. Clients write null for what they do not say.
    ///
    /// # Errors
    /// `InvalidParameter` where it is no text.
    pub fn take_text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let text = |value: Json| value.as_text().ok_or_else(|| invalid(name, "is no text"));
        let said = self.members.remove(name).filter(|value| !value.is_null());
        said.map(text).transpose()
    }

    /// The members that are left.
    pub fn members(&self) -> &BTreeMap<String, Json> {
        &self.members
    }
}

/// The members of the one object that a body is.
fn members(body: &Bytes) -> Result<BTreeMap<String, Json>, ApiError> {
    let raw: &RawValue =
        serde_json::from_slice(body).map_err(|error| ApiError::InvalidJson(error.to_string()))?;
    let found = Json::slice_of(body, raw).first_members(MOST_MEMBERS, 0);
    match found {
        Some((members, 0, _)) => Ok(members),
        Some(_) => {
            let reason = format!("has more than {MOST_MEMBERS} members");
            Err(invalid("body", reason))
        }
        None => Err(ApiError::InvalidJson("it is no object".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_one_object_of_not_too_many_members() {
        let of = |text: &str| members(&Bytes::copy_from_slice(text.as_bytes()));
        let found = of(r#" {"name":"a","length":7} "#).unwrap();
        assert_eq!(
            (found["name"].as_str(), found["length"].as_str()),
            ("\"a\"", "7")
        );
        for wrong in ["", "[1]", "7", r#"{"a":1}{"b":2}"#, r#"{"a":"#] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..=MOST_MEMBERS)
            .map(|number| format!("\"{number}\":0"))
            .collect();
        let refused = of(&format!("{{{}}}", many.join(","))).unwrap_err();
        assert!(refused.to_string().contains("members"), "{refused}");
    }
}
