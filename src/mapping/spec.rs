//! The mapping file: TOML, checked as a whole before anything is read by it.

use super::Record;
use super::convert::{TimeFormat, Type, text_of};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a preset knows of a dialect. The file's own keys go before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Preset {
    /// Roster's own format.
    #[default]
    Roster,
    Json,
    Elasticsearch,
    Debezium,
}

/// Where something stands in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pointer {
    /// RFC 6901, in the value.
    Value(String),
    /// The same in the key; empty for all of it.
    Key(String),
    Header(String),
}

/// A checked mapping.
#[derive(Clone, Debug, Default)]
pub(super) struct Spec {
    pub preset: Preset,
    pub identities: Vec<(String, Pointer)>,
    pub time: Option<Pointer>,
    pub formats: Vec<TimeFormat>,
    pub zone: Option<TimeZone>,
    pub sequence: Option<Pointer>,
    pub deletion: Option<(Pointer, Vec<String>)>,
    pub tombstones_delete: bool,
    pub root: String,
    pub is_whole: bool,
    pub rename: BTreeMap<String, String>,
    pub drop: BTreeSet<String>,
    pub types: BTreeMap<String, Type>,
    pub expand_dots: bool,
    pub placeholders: Vec<String>,
    pub defaults: serde_json::Map<String, Value>,
    pub project: Option<Whose>,
    /// The state within a Debezium envelope is JSON in a text (MongoDB).
    pub json_text: bool,
}

/// How a record says whose it is.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    Header(String),
    Field(Pointer),
    /// The key up to this text.
    KeyPrefix(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    preset: Option<String>,
    #[serde(default)]
    json_text: bool,
    #[serde(default)]
    identities: BTreeMap<String, String>,
    #[serde(default)]
    time: Time,
    #[serde(default)]
    delete: Delete,
    #[serde(default)]
    traits: Traits,
    #[serde(default)]
    project: Option<Project>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Time {
    at: Option<String>,
    format: Option<Vec<String>>,
    zone: Option<String>,
    sequence: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Delete {
    mark: Option<String>,
    values: Option<Vec<String>>,
    tombstones: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Traits {
    root: Option<String>,
    whole: bool,
    rename: BTreeMap<String, String>,
    drop: BTreeSet<String>,
    types: BTreeMap<String, String>,
    expand_dots: bool,
    placeholders: Option<Vec<String>>,
    defaults: toml::Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Project {
    header: Option<String>,
    field: Option<String>,
    key_prefix: Option<String>,
}

impl Pointer {
    fn parse(text: &str) -> Option<Self> {
        let is_pointer = |text: &str| text.is_empty() || text.starts_with('/');
        if let Some(name) = text.strip_prefix("header:") {
            return (!name.is_empty()).then(|| Self::Header(name.to_owned()));
        }
        if let Some(pointer) = text.strip_prefix("key:") {
            return is_pointer(pointer).then(|| Self::Key(pointer.to_owned()));
        }
        text.starts_with('/').then(|| Self::Value(text.to_owned()))
    }

    /// What stands there.
    pub fn of(&self, key: &Value, value: &Value, record: &Record<'_>) -> Option<Value> {
        match self {
            Self::Value(pointer) => value.pointer(pointer).cloned(),
            Self::Key(pointer) => key.pointer(pointer).cloned(),
            Self::Header(name) => Some(Value::String(record.header(name)?.to_owned())),
        }
    }

    /// As the file spells it.
    pub fn shown(&self) -> String {
        match self {
            Self::Value(pointer) => pointer.clone(),
            Self::Key(pointer) => format!("key:{pointer}"),
            Self::Header(name) => format!("header:{name}"),
        }
    }
}

impl Whose {
    /// The project's name.
    pub fn of(&self, record: &Record<'_>) -> Option<String> {
        match self {
            Self::Header(name) => record.header(name).map(str::to_owned),
            Self::KeyPrefix(end) => {
                let key = std::str::from_utf8(record.key?).ok()?;
                key.split_once(end.as_str())
                    .map(|(name, _)| name.to_owned())
            }
            Self::Field(pointer) => {
                let value = super::bytes::value_of(record.value?).ok()?;
                let key = record.key.map_or(Value::Null, super::bytes::key_of);
                text_of(&pointer.of(&key, &value, record)?)
            }
        }
    }
}

impl Spec {
    /// True of Roster's own format.
    pub fn is_own(&self) -> bool {
        self.preset == Preset::Roster
    }

    /// Reads and checks a file.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.message().to_owned()])?;
        let mut complaints = Vec::new();
        let spec = Self::of(file, &mut complaints);
        if complaints.is_empty() {
            Ok(spec)
        } else {
            Err(complaints)
        }
    }

    fn of(file: File, complaints: &mut Vec<String>) -> Self {
        let preset = match file.preset.as_deref() {
            None | Some("json") => Preset::Json,
            Some("roster") => Preset::Roster,
            Some("elasticsearch" | "opensearch") => Preset::Elasticsearch,
            Some("debezium") => Preset::Debezium,
            Some(other) => {
                complaints.push(format!(
                    "preset: {other:?} is none of roster, json, elasticsearch, debezium"
                ));
                Preset::Json
            }
        };
        let mut pointer = |key: &str, text: &str| {
            let read = Pointer::parse(text);
            if read.is_none() {
                complaints.push(format!(
                    "{key}: {text:?} is no pointer: /a/b, key:, key:/a or header:NAME"
                ));
            }
            read
        };
        let identities = file.identities.iter();
        let identities: Vec<(String, Pointer)> = identities
            .filter_map(|(kind, text)| {
                Some((kind.clone(), pointer(&format!("identities.{kind}"), text)?))
            })
            .collect();
        let time = file
            .time
            .at
            .as_deref()
            .and_then(|text| pointer("time.at", text));
        let sequence = file
            .time
            .sequence
            .as_deref()
            .and_then(|text| pointer("time.sequence", text));
        let mark = file
            .delete
            .mark
            .as_deref()
            .and_then(|text| pointer("delete.mark", text));
        let project = file
            .project
            .and_then(|project| whose(project, &mut pointer));
        if preset != Preset::Roster && identities.is_empty() {
            complaints
                .push("identities: there is none, so no record would be about anybody".to_owned());
        }
        let root = file.traits.root.unwrap_or_else(|| match preset {
            Preset::Elasticsearch => "/_source".to_owned(),
            _ => String::new(),
        });
        if !root.is_empty() && !root.starts_with('/') {
            complaints.push(format!("traits.root: {root:?} is no pointer"));
        }
        let deletion_values = file
            .delete
            .values
            .unwrap_or_else(|| vec!["true".to_owned()]);
        let placeholders = file.traits.placeholders.unwrap_or_else(|| match preset {
            Preset::Debezium => vec!["__debezium_unavailable_value".to_owned()],
            _ => Vec::new(),
        });
        Self {
            preset,
            identities,
            time,
            formats: formats(file.time.format, complaints),
            zone: zone(file.time.zone, complaints),
            sequence: sequence.or_else(|| of_preset(preset)),
            deletion: mark.map(|mark| (mark, deletion_values)),
            tombstones_delete: file.delete.tombstones.unwrap_or(false),
            root: if root == "/" { String::new() } else { root },
            is_whole: file.traits.whole,
            rename: file.traits.rename,
            drop: file.traits.drop,
            types: types(file.traits.types, complaints),
            expand_dots: file.traits.expand_dots,
            placeholders,
            defaults: defaults(file.traits.defaults),
            project,
            json_text: file.json_text,
        }
    }
}

/// Where a preset has its second key.
fn of_preset(preset: Preset) -> Option<Pointer> {
    (preset == Preset::Elasticsearch).then(|| Pointer::Value("/_version".to_owned()))
}

fn whose(
    project: Project,
    pointer: &mut impl FnMut(&str, &str) -> Option<Pointer>,
) -> Option<Whose> {
    let field = project
        .field
        .and_then(|text| pointer("project.field", &text));
    let header = project.header.map(Whose::Header);
    let prefix = project.key_prefix.map(Whose::KeyPrefix);
    header.or(field.map(Whose::Field)).or(prefix)
}

fn formats(names: Option<Vec<String>>, complaints: &mut Vec<String>) -> Vec<TimeFormat> {
    let names = names.unwrap_or_else(|| vec!["rfc3339".to_owned()]);
    let mut formats = Vec::new();
    for name in names {
        match TimeFormat::parse(&name) {
            Some(format) => formats.push(format),
            None => complaints.push(format!(
                "time.format: {name:?} is none of rfc3339, epoch_days, epoch_s, epoch_ms, epoch_us, epoch_ns"
            )),
        }
    }
    formats
}

fn zone(name: Option<String>, complaints: &mut Vec<String>) -> Option<TimeZone> {
    let name = name?;
    match TimeZone::get(&name) {
        Ok(zone) => Some(zone),
        Err(_) => {
            complaints.push(format!(
                "time.zone: {name:?} is no time zone that this machine knows"
            ));
            None
        }
    }
}

fn types(
    declared: BTreeMap<String, String>,
    complaints: &mut Vec<String>,
) -> BTreeMap<String, Type> {
    let mut types = BTreeMap::new();
    for (name, text) in declared {
        match type_of(&text) {
            Some(declared) => drop(types.insert(name, declared)),
            None => complaints.push(format!(
                "traits.types.{name}: {text:?} is none of text, number, integer, boolean, list, json_text, decimal(N), time(FORMAT, …)"
            )),
        }
    }
    types
}

fn type_of(text: &str) -> Option<Type> {
    let argument = |name: &str| {
        text.strip_prefix(name)?
            .strip_prefix('(')?
            .strip_suffix(')')
    };
    Some(match text {
        "text" => Type::Text,
        "number" => Type::Number,
        "integer" => Type::Integer,
        "boolean" => Type::Boolean,
        "list" => Type::List,
        "json_text" => Type::JsonText,
        "time" => Type::Time(vec![TimeFormat::Text]),
        _ => {
            if let Some(scale) = argument("decimal") {
                return Some(Type::Decimal(scale.trim().parse().ok()?));
            }
            let formats = argument("time")?.split(',');
            Type::Time(
                formats
                    .map(|name| TimeFormat::parse(name.trim()))
                    .collect::<Option<_>>()?,
            )
        }
    })
}

fn defaults(table: toml::Table) -> serde_json::Map<String, Value> {
    let value = serde_json::to_value(table).unwrap_or(Value::Null);
    match value {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    }
}
