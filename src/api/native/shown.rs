//! How a person is shown, whoever said what is known of them.

use crate::api::error::ApiError;
use crate::domain::IdentityKind;
use crate::ingest::Reservation;
use crate::legacy_reads::{Answer, LegacyPerson};
use crate::store::{KnownIdentity, Profile};
use serde::Serialize;
use serde_json::value::RawValue;

/// A profile as it is shown.
#[derive(Serialize)]
pub struct Shown {
    /// `None` of somebody whom only the legacy store knows.
    id: Option<String>,
    traits: Box<RawValue>,
    identities: Vec<ShownIdentity>,
    version: i64,
    created_at: Option<String>,
    updated_at: Option<String>,
    first_seen: Option<String>,
    last_seen: Option<String>,
    /// The ids of the groups it belongs to.
    groups: Vec<String>,
    /// Who said so, where a project does not read from here alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip)]
    _room: Option<Reservation>,
}

#[derive(Serialize)]
struct ShownIdentity {
    kind: String,
    value: String,
    first_seen: Option<String>,
}

/// How a profile is shown.
pub fn shown(profile: Profile) -> Shown {
    Shown {
        id: Some(profile.id.to_string()),
        traits: profile.traits.to_raw(),
        identities: profile
            .identities
            .iter()
            .filter(|known| !is_shadow(known, &profile.identities))
            .map(shown_identity)
            .collect(),
        version: profile.version,
        created_at: Some(profile.created_at.to_string()),
        updated_at: Some(profile.updated_at.to_string()),
        first_seen: profile.first_seen.map(|time| time.to_string()),
        last_seen: profile.last_seen.map(|time| time.to_string()),
        groups: profile.groups,
        source: None,
        _room: None,
    }
}

fn shown_identity(known: &KnownIdentity) -> ShownIdentity {
    ShownIdentity {
        kind: known.identity.kind.as_str().to_owned(),
        value: known.identity.value.clone(),
        first_seen: Some(known.first_seen.to_string()),
    }
}

/// How an answer by source is shown, with the room that it holds; `None` where there is nobody.
///
/// # Errors
/// `LegacyUnreadable`.
pub fn shown_of(answer: Answer) -> Result<Option<Shown>, ApiError> {
    match answer {
        Answer::Nobody => Ok(None),
        Answer::Roster(profile) => Ok(Some(Shown {
            source: Some("roster"),
            ..shown(*profile)
        })),
        Answer::Legacy(person) => Ok(Some(of_legacy(*person))),
        Answer::Unreadable(reason) => Err(ApiError::LegacyUnreadable(reason)),
    }
}

/// What both know stands once; what only the legacy store knows has no time of its own.
fn of_legacy(person: LegacyPerson) -> Shown {
    let traits = person.traits.to_raw();
    let mut own = person.profile.map_or_else(nobody, shown);
    let at = person.at.map(|at| at.to_string());
    for identity in person.identities {
        let kind = identity.kind.as_str();
        let is_same = |own: &ShownIdentity| own.kind == kind && own.value == identity.value;
        if !own.identities.iter().any(is_same) {
            own.identities.push(ShownIdentity {
                kind: kind.to_owned(),
                value: identity.value,
                first_seen: None,
            });
        }
    }
    Shown {
        traits,
        updated_at: own.updated_at.take().or(at),
        source: Some("legacy"),
        ..own
    }
}

fn nobody() -> Shown {
    Shown {
        id: None,
        traits: RawValue::NULL.to_owned(),
        identities: Vec::new(),
        version: 0,
        created_at: None,
        updated_at: None,
        first_seen: None,
        last_seen: None,
        groups: Vec::new(),
        source: None,
        _room: None,
    }
}

impl Shown {
    /// Holds room until it is sent.
    pub fn within(self, room: Reservation) -> Self {
        let _room = Some(room);
        Self { _room, ..self }
    }
}

/// An alias claims its previous id both as a user id and as an anonymous one, since senders don't say which it was. The claim as
/// a user id, never older than the other, is not worth showing beside a real one.
pub fn is_shadow(known: &KnownIdentity, all: &[KnownIdentity]) -> bool {
    let is_user_id = |other: &KnownIdentity| other.identity.kind == IdentityKind::UserId;
    let is_same = |other: &KnownIdentity| other.identity.value == known.identity.value;
    let is_twin = |other: &KnownIdentity| {
        other.identity.kind == IdentityKind::AnonymousId
            && is_same(other)
            && other.first_seen <= known.first_seen
    };
    is_user_id(known)
        && all.iter().any(is_twin)
        && all.iter().any(|other| is_user_id(other) && !is_same(other))
}
