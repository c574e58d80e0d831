//! A person as this dialect shows one (contract section 2.2), and dates as it writes them.

use super::names::PLACEHOLDER_DOMAIN;
use super::saying::BY_TOKEN;
use super::subscriptions::LISTS;
use crate::domain::elements::LISTS as STATIC_LISTS;
use crate::domain::{Identity, IdentityKind, Json, ProjectType, Timestamp, plain_date};
use crate::store::{KnownIdentity, Profile};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// `{"user":…}`.
#[derive(Serialize)]
pub struct Found {
    user: User,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    /// Clients hold it to be a text: it is empty where there is none.
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    data_fields: DataFields,
}

/// Each as it is stored: a tree of them would hold some hundred times as much.
type DataFields = BTreeMap<String, Box<RawValue>>;

/// How a profile is shown.
pub fn found(profile: &Profile, project: ProjectType) -> Found {
    let (email, user_id) = names_of(profile);
    let mut fields = fields(&profile.traits);
    let given = [("email", &email), ("userId", &user_id)];
    for (name, value) in given {
        if let Some(value) = value {
            fields.insert(name.to_owned(), Json::of(value));
        }
    }
    add_made(&mut fields, profile, email.as_deref());
    if let Some(lists) = fields.remove(STATIC_LISTS) {
        fields.insert(static_lists(project).to_owned(), lists);
    }
    let fields = fields.into_iter();
    let user = User {
        email: email.unwrap_or_default(),
        user_id,
        data_fields: fields.map(|(name, value)| (name, value.to_raw())).collect(),
    };
    Found { user }
}

/// How the field of static lists is called.
pub fn static_lists(project: ProjectType) -> &'static str {
    match project {
        ProjectType::Email => STATIC_LISTS,
        ProjectType::Hybrid | ProjectType::UserId => "userListIds",
    }
}

/// The email and the user id of a person: what was stated last, else the names in the order in which they came.
pub fn names_of(profile: &Profile) -> (Option<String>, Option<String>) {
    let text = |name: &str| profile.traits.member(name)?.as_text();
    let email = text("email").map(|email| email.to_lowercase());
    (
        email.or_else(|| first(&profile.identities, &IdentityKind::Email)),
        text("userId").or_else(|| first(&profile.identities, &IdentityKind::UserId)),
    )
}

fn first(known: &[KnownIdentity], kind: &IdentityKind) -> Option<String> {
    let own = known.iter().filter(|known| known.identity.kind == *kind);
    let is_placeholder = |identity: &Identity| identity.value.ends_with(PLACEHOLDER_DOMAIN);
    let first = own.min_by_key(|known| (is_placeholder(&known.identity), known.first_seen));
    first.map(|known| known.identity.value.clone())
}

/// What the original adds by itself.
fn add_made(fields: &mut BTreeMap<String, Json>, profile: &Profile, email: Option<&str>) {
    let (created, updated) = (written(profile.created_at), written(profile.updated_at));
    let domain = email.and_then(|email| email.rsplit_once('@'));
    let domain = domain.map_or("", |(_, domain)| domain);
    let made = [
        ("signupDate", Json::of(&created)),
        ("signupSource", Json::of(&"API")),
    ];
    for (name, value) in made {
        fields.entry(name.to_owned()).or_insert(value);
    }
    // One that was sent is what somebody read here before, and has no bearing on it.
    fields.insert("profileUpdatedAt".to_owned(), Json::of(&updated));
    for name in LISTS {
        let none = || Json::of(&json!([]));
        fields.entry(name.to_owned()).or_insert_with(none);
    }
    let internal =
        json!({"documentCreatedAt": created, "documentUpdatedAt": updated, "emailDomain": domain});
    fields.insert("itblInternal".to_owned(), Json::of(&internal));
    let id = Json::of(&profile.id.to_string());
    fields.insert("itblUserId".to_owned(), id);
}

/// Traits as data fields: dates as they are written there, what is kept by token as a list.
fn fields(traits: &Json) -> BTreeMap<String, Json> {
    let mut fields = with_dates(traits).members().unwrap_or_default();
    for name in BY_TOKEN {
        if let Some(tokens) = fields.get(name).and_then(Json::members) {
            let tokens: Vec<&str> = tokens.values().map(Json::as_str).collect();
            let list = format!("[{}]", tokens.join(","));
            fields.insert(name.to_owned(), Json::from_database(list));
        }
    }
    fields
}

/// A value in which each text that is a date is written as one.
pub fn with_dates(value: &Json) -> Json {
    value.with_texts(|text| plain_date(text).map(written))
}

/// `2021-02-02 21:50:47 +00:00`.
pub fn written(at: Timestamp) -> String {
    at.instant()
        .strftime("%Y-%m-%d %H:%M:%S +00:00")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ProfileId;

    #[test]
    fn what_was_read_and_is_written_back_stands_still_but_for_the_time_of_the_update() {
        let at = |text: &str| Timestamp::parse(text).expect(text);
        let sent = json!({"profileUpdatedAt": "2020-01-01", "signupDate": "2020-01-01"});
        let profile = Profile {
            id: ProfileId(uuid::Uuid::nil()),
            traits: Json::of(&sent),
            identities: Vec::new(),
            version: 1,
            created_at: at("2026-01-01"),
            updated_at: at("2026-01-02"),
            first_seen: None,
            last_seen: None,
            groups: Vec::new(),
        };
        let fields = found(&profile, ProjectType::Hybrid).user.data_fields;
        let text = |name: &str| fields[name].get().trim_matches('"').to_owned();
        assert_eq!(text("profileUpdatedAt"), "2026-01-02 00:00:00 +00:00");
        assert_eq!(text("signupDate"), "2020-01-01 00:00:00 +00:00");
    }

    #[test]
    fn dates_are_written_as_the_original_does() {
        for (text, date) in [
            ("2020-08-19T20:50:04.000Z", "2020-08-19 20:50:04 +00:00"),
            ("2006-01-02", "2006-01-02 00:00:00 +00:00"),
            ("2006-01-02 15:04:05", "2006-01-02 15:04:05 +00:00"),
            ("2006-01-02 15:04:05 +02:00", "2006-01-02 13:04:05 +00:00"),
            (
                "2006-01-02T15:04:05.000-07:00",
                "2006-01-02 22:04:05 +00:00",
            ),
        ] {
            assert_eq!(
                with_dates(&Json::of(&json!({"a": [text]}))),
                Json::of(&json!({"a": [date]})),
                "{text}"
            );
        }
        for text in [
            "2020-04-13 14:04:09.000",
            "2020-13-01",
            "20200102",
            "",
            "2020-01-02é",
            "1577934245",
        ] {
            assert_eq!(with_dates(&Json::of(&text)), Json::of(&text));
        }
    }
}
