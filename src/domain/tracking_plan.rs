//! A project's tracking plan: which fields its profiles and events have, and of which types. The first value of a field fixes its
//! type; what comes later is held against that.
//!
//! Pure: what a node knows of a plan comes in as `Types`, and what is new goes out, for the database to say who was first.

use super::field_type::FieldType;
use super::json::Json;
use super::sizes::beginning;
use super::stated::Stated;
use std::collections::BTreeMap;

/// Bytes of a value that is told: enough to see what it is.
const TOLD_BYTES: usize = 256;
/// Bytes of an event's name. Events with longer ones are in no plan: a key of an index has to hold one.
const LONGEST_NAME: usize = 512;
/// Members of a profile that are no fields of a plan: names of its person, and objects whose keys are data.
pub(super) const APART: [&str; 4] = ["email", "userId", "devices", "browserTokens"];
/// Fields whose types are fixed before there is a value. Prices are written whole where they are; what subscriptions write themselves is
/// not to be barred by what somebody else called so first.
const GIVEN: [(&str, &str, FieldType); 10] = [
    ("user", "signupDate", FieldType::Date),
    ("user", "profileUpdatedAt", FieldType::Date),
    ("user", "emailListIds", FieldType::Long),
    ("user", "unsubscribedChannelIds", FieldType::Long),
    ("user", "unsubscribedMessageTypeIds", FieldType::Long),
    ("user", "subscribedMessageTypeIds", FieldType::Long),
    ("user", "shoppingCartItems.price", FieldType::Double),
    ("event:purchase", "total", FieldType::Double),
    (
        "event:purchase",
        "shoppingCartItems.price",
        FieldType::Double,
    ),
    (
        "event:updateCart",
        "updatedShoppingCartItems.price",
        FieldType::Double,
    ),
];

/// Whose fields they are: each has a plan of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// Of people.
    User,
    /// Of groups.
    Group,
    /// Of the events of that name.
    Event(String),
}

impl Category {
    /// Of events; `None` where the name is too long for a plan.
    pub fn of_event(name: &str) -> Option<Self> {
        (name.len() <= LONGEST_NAME).then(|| Self::Event(name.to_owned()))
    }

    /// The text in rows.
    pub fn to_row(&self) -> String {
        match self {
            Self::User => "user".to_owned(),
            Self::Group => "group".to_owned(),
            Self::Event(name) => format!("event:{name}"),
        }
    }

    /// Reads the text of a row.
    pub fn of_row(text: &str) -> Option<Self> {
        match text {
            "user" => Some(Self::User),
            "group" => Some(Self::Group),
            other => other
                .strip_prefix("event:")
                .map(|name| Self::Event(name.to_owned())),
        }
    }

    /// What people call it: `user`, `group`, the event's name.
    pub fn shown(&self) -> &str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Event(name) => name,
        }
    }
}

/// The fields of one category that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types {
    fields: BTreeMap<String, FieldType>,
    /// How many of them were there before any value.
    given: usize,
}

impl Types {
    /// What is known of a category before there is a value.
    pub fn given(category: &Category) -> Self {
        let row = category.to_row();
        let own = GIVEN.iter().filter(|(of, ..)| *of == row);
        let own = own.map(|(_, path, its_type)| ((*path).to_owned(), *its_type));
        let fields: BTreeMap<String, FieldType> = own.collect();
        Self {
            given: fields.len(),
            fields,
        }
    }

    /// Adds what the database says. What is given stays.
    pub fn learn(&mut self, path: String, its_type: FieldType) {
        self.fields.entry(path).or_insert(its_type);
    }

    /// The type of a field.
    pub fn get(&self, path: &str) -> Option<FieldType> {
        self.fields.get(path).copied()
    }

    /// All fields.
    pub fn all(&self) -> impl Iterator<Item = (&str, FieldType)> {
        let fields = self.fields.iter();
        fields.map(|(path, its_type)| (path.as_str(), *its_type))
    }

    /// How many fields there are but for those that are given.
    pub fn count(&self) -> usize {
        self.fields.len() - self.given
    }

    /// What they hold in memory.
    pub fn bytes(&self) -> usize {
        /// A path's own header, its place in the tree, and the type.
        const ENTRY: usize = 48;
        self.fields.keys().map(|path| path.len() + ENTRY).sum()
    }
}

/// A field whose value is not of the type that the plan says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub category: Category,
    pub path: String,
    pub expected: FieldType,
    pub incoming: FieldType,
    /// As it came, or the beginning of its text where it is long.
    pub value: Json,
}

impl Mismatch {
    /// What the value could be: a text is one for searching and for sorting.
    pub fn incoming_types(&self) -> &'static [&'static str] {
        match self.incoming {
            FieldType::String => &["string", "keyword"],
            FieldType::Date => &["date"],
            FieldType::Long => &["long"],
            FieldType::Double => &["double"],
            FieldType::Boolean => &["boolean"],
            FieldType::GeoLocation => &["geo_location"],
            FieldType::Object => &["object"],
            FieldType::Nested => &["nested"],
        }
    }
}

/// What became of an object that was held against a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    pub mismatches: Vec<Mismatch>,
    /// Fields that the plan does not have.
    pub unknown: Vec<(String, FieldType)>,
}

impl Judged {
    /// True of nearly all objects: every field is known, and is what it has to be.
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty() && self.unknown.is_empty()
    }
}

impl Judged {
    /// What lies within a field that does not fit is not looked at: no plan learns from it.
    fn forget_what_lies_below(&mut self) {
        let wrong = self.mismatches.iter();
        let wrong: Vec<String> = wrong.map(|one| format!("{}.", one.path)).collect();
        let is_below = |path: &str| wrong.iter().any(|above| path.starts_with(above));
        self.mismatches.retain(|one| !is_below(&one.path));
        self.unknown.retain(|(path, _)| !is_below(path));
    }
}

/// Holds fields against what is known of their category.
pub fn judge(
    category: &Category,
    stated: &Stated,
    types: impl Fn(&str) -> Option<FieldType>,
) -> Judged {
    let mut judged = Judged::default();
    for (path, field) in stated.iter() {
        match types(path) {
            None => judged.unknown.push((path.to_owned(), field.its_type)),
            Some(expected) if expected.takes(field.its_type) => {}
            Some(expected) => judged.mismatches.push(Mismatch {
                category: category.clone(),
                path: path.to_owned(),
                expected,
                incoming: field.its_type,
                value: told(&field.value),
            }),
        }
    }
    judged.forget_what_lies_below();
    judged
}

fn told(value: &Json) -> Json {
    let text = value.as_str();
    if text.len() <= TOLD_BYTES {
        // A copy: it may outlive the body that it is a view of.
        return Json::from_database(text.to_owned());
    }
    let whole = value.as_text();
    Json::of(&beginning(whole.as_deref().unwrap_or(text), TOLD_BYTES))
}

#[cfg(test)]
#[path = "tracking_plan_tests.rs"]
mod tests;
