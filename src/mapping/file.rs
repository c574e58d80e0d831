//! The mapping file: TOML, with every complaint at once.

use super::document::{Delete, Document, GroupAt, Time};
use super::envelope::Envelope;
use super::file_event;
use super::file_types::{formats, typed};
use super::moment::Moments;
use super::names::{self, Sought};
use super::place::{Place, Pointer};
use super::section::Section;
use super::shape::{Dots, Shape};
use super::{Form, Mapping, Tenant, debezium};
use serde_json::{Map, Value as Json};
use toml::{Table, Value};

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str) -> Result<Mapping, Vec<String>> {
    let table: Table = text
        .parse()
        .map_err(|error| vec![format!("it is no TOML: {error}")])?;
    let mut file = Section {
        name: String::new(),
        left: table,
        complaints: Vec::new(),
    };
    let preset = file.text("preset");
    let tenant = tenant(&mut file);
    let form = match preset.as_deref() {
        Some("roster") => Form::Own,
        Some("tracking") => Form::Calls,
        Some("messages") => Form::Messages,
        Some("columns") => Form::Columns,
        name => {
            let defaults = defaults(name).unwrap_or_else(|| {
                let known = "roster, tracking, messages, columns, elasticsearch or debezium";
                file.complain(format!(
                    "preset {:?} is none of {known}",
                    name.unwrap_or_default()
                ));
                Document::default()
            });
            Form::Document(Box::new(document(&mut file, defaults)))
        }
    };
    let complaints = file.finished();
    let project = tenant;
    if complaints.is_empty() {
        Ok(Mapping { form, project })
    } else {
        Err(complaints)
    }
}

/// What holds where a file says nothing.
fn defaults(preset: Option<&str>) -> Option<Document> {
    let places = |texts: &[&str]| {
        texts
            .iter()
            .filter_map(|text| Place::parse(text).ok())
            .collect()
    };
    let identities = |texts: &[&str]| Sought(vec![("user_id".to_owned(), places(texts))]);
    let delete = |mark: &[&str]| Delete {
        mark: places(mark),
        values: vec!["true".to_owned()],
        ..Delete::default()
    };
    let bare = Document {
        delete: delete(&[]),
        ..Document::default()
    };
    match preset {
        None => Some(bare),
        Some("elasticsearch") => Some(Document {
            envelope: Envelope::Elasticsearch,
            identities: identities(&["record:/_id", "key:"]),
            time: Time {
                sequence: places(&["record:/_version", "record:/_seq_no"]),
                ..Time::default()
            },
            ..bare
        }),
        Some("debezium") => Some(Document {
            envelope: Envelope::Debezium,
            identities: identities(&["/id", "/_id"]),
            time: Time {
                sequence: places(&debezium::SEQUENCES),
                ..Time::default()
            },
            delete: delete(&["/__deleted"]),
            shape: Shape {
                extended_json: true,
                drop_prefixes: vec!["__".to_owned()],
                placeholders: debezium::PLACEHOLDERS.map(str::to_owned).to_vec(),
                ..Shape::default()
            },
            ..bare
        }),
        Some(_) => None,
    }
}

fn tenant(file: &mut Section) -> Option<Tenant> {
    let mut section = file.section("project")?;
    let header = section
        .text("header")
        .map(|name| Tenant::At(Place::Header(name)));
    let prefix = section.text("key_prefix").filter(|text| !text.is_empty());
    let prefix = prefix.map(Tenant::KeyPrefix);
    let field = section
        .text("field")
        .and_then(|text| section.place("field", &text));
    let mut ways: Vec<Tenant> = header
        .into_iter()
        .chain(prefix)
        .chain(field.map(Tenant::At))
        .collect();
    if ways.len() != 1 {
        section.complain("it needs one of header, key_prefix and field");
    }
    file.take_in(section);
    ways.pop()
}

fn document(file: &mut Section, mut document: Document) -> Document {
    if let Some(section) = file.section("identities") {
        (document.identities, document.splits) = identities(file, section);
    }
    if document.identities.0.is_empty() {
        file.complain("[identities] names nobody: it needs a kind, like user_id = \"/id\"");
    }
    if let Some(mut section) = file.section("time") {
        time(&mut section, &mut document.time);
        file.take_in(section);
    }
    if let Some(mut section) = file.section("delete") {
        delete(&mut section, &mut document.delete);
        file.take_in(section);
    }
    if let Some(mut section) = file.section("traits") {
        traits(&mut section, &mut document.shape, &document.time.moments);
        file.take_in(section);
    }
    if let Some(mut section) = file.section("event") {
        document.event = file_event::event(&mut section, &document.time.moments);
        file.take_in(section);
    }
    if let Some(mut section) = file.section("group") {
        document.group = group(&mut section);
        file.take_in(section);
    }
    document.choose();
    if document.shape.whole && !document.time.traits.is_empty() {
        file.complain("[time] traits: a whole document is true as of its own time, so its traits have none of their own");
    }
    document
}

/// Kinds with their places, and what stands between the values of a kind that has several in one text.
fn identities(file: &mut Section, mut section: Section) -> (Sought, Vec<(String, String)>) {
    let kinds: Vec<String> = section.left.keys().cloned().collect();
    let (mut all, mut splits) = (Vec::new(), Vec::new());
    for kind in kinds {
        if let Some(complaint) = names::complaint(&kind) {
            section.complain(complaint);
        }
        let places = if section.left.get(&kind).is_some_and(Value::is_table)
            && let Some(mut inner) = section.section(&kind)
        {
            let split = inner.text("split").filter(|text| !text.is_empty());
            splits.extend(split.map(|split| (kind.clone(), split)));
            let places = inner.places("at");
            section.take_in(inner);
            places
        } else {
            section.places(&kind)
        };
        all.push((kind, places.unwrap_or_default()));
    }
    file.take_in(section);
    (Sought(all), splits)
}

fn time(section: &mut Section, time: &mut Time) {
    time.at = section.places("at").unwrap_or_default();
    if let Some(places) = section.places("sequence") {
        time.sequence = places;
    }
    time.moments = formats(section, &Moments::default());
    time.is_lenient = section.flag("lenient").unwrap_or_default();
    let Some(mut traits) = section.section("traits") else {
        return;
    };
    let names: Vec<String> = traits.left.keys().cloned().collect();
    for name in names {
        let text = traits.text(&name);
        let place = text.and_then(|text| traits.place(&name, &text));
        time.traits.extend(place.map(|place| (name, place)));
    }
    section.take_in(traits);
}

fn delete(section: &mut Section, delete: &mut Delete) {
    if let Some(mark) = section.places("mark") {
        delete.mark = mark;
    }
    if let Some(value) = section.left.remove("values") {
        match values(value) {
            Some(values) => delete.values = values,
            None => section.complain("values is a list of texts, numbers and booleans"),
        }
    }
    delete.tombstones = section.flag("tombstones").unwrap_or_default();
    delete.at = section.places("at").unwrap_or_default();
}

/// As texts, since marks are compared so.
fn values(value: Value) -> Option<Vec<String>> {
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Value::Array(all) => all.into_iter().map(text).collect(),
        other => text(other).map(|text| vec![text]),
    }
}

fn traits(section: &mut Section, shape: &mut Shape, moments: &Moments) {
    if let Some(root) = section.text("root").filter(|root| root != "/") {
        match Pointer::parse(&root) {
            Some(pointer) => shape.root = pointer,
            None => section.complain(format!("root: {root:?} is no JSON pointer")),
        }
    }
    shape.whole = section.flag("whole").unwrap_or(shape.whole);
    shape.is_strict = section.flag("strict").unwrap_or_default();
    shape.chosen.only = section.texts("only");
    shape.extended_json = section.flag("extended_json").unwrap_or(shape.extended_json);
    if let Some(placeholders) = section.texts("placeholder") {
        shape.placeholders = placeholders;
    }
    for text in section.texts("drop").unwrap_or_default() {
        match text
            .strip_suffix('*')
            .filter(|prefix| !prefix.starts_with('/'))
        {
            Some(prefix) => shape.drop_prefixes.push(prefix.to_owned()),
            None => shape.drop.extend(section.trait_at("drop", &text)),
        }
    }
    shape.dots = dots(section);
    if let Some(mut renames) = section.section("rename") {
        shape.rename = renamed(&mut renames);
        section.take_in(renames);
    }
    if let Some(mut types) = section.section("types") {
        shape.types = typed(&mut types, moments);
        section.take_in(types);
    }
    if let Some(defaults) = section.section("defaults") {
        shape.defaults = defaults
            .left
            .into_iter()
            .map(|(name, value)| (name, json(value)))
            .collect();
    }
}

fn dots(section: &mut Section) -> Dots {
    let expand = section.flag("expand_dots").unwrap_or_default();
    let flatten = section.flag("flatten").unwrap_or_default();
    match (expand, flatten) {
        (true, true) => {
            section.complain("expand_dots and flatten exclude each other");
            Dots::Keep
        }
        (true, false) => Dots::Expand,
        (false, true) => Dots::Flatten,
        (false, false) => Dots::Keep,
    }
}

fn renamed(section: &mut Section) -> Vec<(Pointer, Pointer)> {
    let names: Vec<String> = section.left.keys().cloned().collect();
    let pairs = names.into_iter().filter_map(|from| {
        let to = section.text(&from)?;
        Some((
            section.trait_at(&from, &from)?,
            section.trait_at(&from, &to)?,
        ))
    });
    pairs.collect()
}

fn group(section: &mut Section) -> Option<GroupAt> {
    let id = section
        .text("id")
        .and_then(|text| section.place("id", &text));
    if id.is_none() {
        section.complain("id says where the group's id stands");
    }
    let traits = section.text("traits").and_then(|text| {
        let pointer = Pointer::parse(&text);
        if pointer.is_none() {
            section.complain(format!("traits: {text:?} is no JSON pointer"));
        }
        pointer
    });
    Some(GroupAt { id: id?, traits })
}

fn json(value: Value) -> Json {
    match value {
        Value::String(text) => Json::String(text),
        Value::Integer(number) => Json::from(number),
        Value::Float(number) => {
            serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number)
        }
        Value::Boolean(flag) => Json::Bool(flag),
        Value::Datetime(at) => Json::String(at.to_string()),
        Value::Array(all) => Json::Array(all.into_iter().map(json).collect()),
        Value::Table(members) => {
            let members = members.into_iter().map(|(name, value)| (name, json(value)));
            Json::Object(members.collect::<Map<_, _>>())
        }
    }
}
