//! A person as this dialect shows one (contract section 2.2), and dates as it writes them.

use super::names::PLACEHOLDER_DOMAIN;
use super::saying::BY_TOKEN;
use crate::domain::elements::LISTS as STATIC_LISTS;
use crate::domain::{Identity, IdentityKind, Json, ProjectType, Timestamp, plain_date};
use crate::store::{KnownIdentity, Profile};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The lists of numbers that a person has.
pub const LISTS: [&str; 4] = [
    STATIC_LISTS,
    "unsubscribedChannelIds",
    "unsubscribedMessageTypeIds",
    "subscribedMessageTypeIds",
];

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
    let (email, user_id) = names_of(profile, project);
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

/// The email and the user id of a person: what was stated last, else the names in the order in which they came. What several may share is
/// a trait (`ProjectType`); elsewhere what leads to nobody, or to somebody else, is shown of nobody.
pub fn names_of(profile: &Profile, project: ProjectType) -> (Option<String>, Option<String>) {
    let known = &profile.identities;
    let is_name = |name: &Identity| known.iter().any(|known| known.identity == *name);
    let stated = |name: &str, kind: &IdentityKind, is_shared: bool| {
        let text = profile.traits.member(name)?.as_text()?;
        let name = Identity::new(kind.clone(), &text);
        let is_shown = !name.value.is_empty() && (is_shared || is_name(&name));
        is_shown.then_some(name.value)
    };
    let (email, user_id) = (IdentityKind::Email, IdentityKind::UserId);
    (
        stated("email", &email, project == ProjectType::UserId).or_else(|| first(known, &email)),
        stated("userId", &user_id, project == ProjectType::Email)
            .or_else(|| first(known, &user_id)),
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
    use serde_json::Value;

    fn profile(traits: &Value, names: &[(IdentityKind, &str)]) -> Profile {
        let at = Timestamp::parse("2026-01-01").expect("a date");
        let known = |(kind, value): &(IdentityKind, &str)| KnownIdentity {
            identity: Identity::new(kind.clone(), value),
            first_seen: at,
        };
        Profile {
            id: ProfileId(uuid::Uuid::nil()),
            traits: Json::of(traits),
            identities: names.iter().map(known).collect(),
            version: 1,
            created_at: at,
            updated_at: Timestamp::parse("2026-01-02").expect("a date"),
            first_seen: None,
            last_seen: None,
            groups: Vec::new(),
        }
    }

    #[test]
    fn a_trait_is_shown_as_a_name_where_it_leads_to_its_person_or_is_no_name_at_all() {
        use IdentityKind::{Email, UserId};
        let own = [
            (UserId, "ada"),
            (Email, "ada@x.test"),
            (Email, "new@x.test"),
        ];
        let shown = |email: &str, id: &str, project| {
            let traits = json!({"email": email, "userId": id});
            let (email, user_id) = names_of(&profile(&traits, &own), project);
            (email.unwrap_or_default(), user_id.unwrap_or_default())
        };
        let pair = |email: &str, id: &str| (email.to_owned(), id.to_owned());
        let (email, id) = (" New@x.test ", "other");
        assert_eq!(
            shown(email, id, ProjectType::Hybrid),
            pair("new@x.test", "ada")
        );
        assert_eq!(
            shown(email, id, ProjectType::Email),
            pair("new@x.test", "other")
        );
        let (email, id) = ("Bob@x.test", "");
        assert_eq!(
            shown(email, id, ProjectType::Hybrid),
            pair("ada@x.test", "ada")
        );
        assert_eq!(
            shown(email, id, ProjectType::UserId),
            pair("bob@x.test", "ada")
        );
    }

    #[test]
    fn what_was_read_and_is_written_back_stands_still_but_for_the_time_of_the_update() {
        let sent = json!({"profileUpdatedAt": "2020-01-01", "signupDate": "2020-01-01"});
        let fields = found(&profile(&sent, &[]), ProjectType::Hybrid);
        let fields = fields.user.data_fields;
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
