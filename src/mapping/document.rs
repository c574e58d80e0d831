//! A document by its mapping: names, time, deletion, traits.

use super::convert::{converted, text_of, time_of};
use super::envelope::text_or_truth;
use super::spec::Spec;
use super::{Kind, Parts, Reading, Record, Warning};
use crate::domain::{Code, Draft, Gate, IdentityKind, Json, Mode, Name, Rejection, Timestamp};
use serde_json::{Map, Value};

/// Reads a document.
pub(super) fn read(
    spec: &Spec,
    record: &Record<'_>,
    parts: Parts,
    gate: &Gate<'_>,
    start: Timestamp,
) -> Result<Reading, Rejection> {
    let names = names(spec, record, &parts, gate)?;
    let at = time(spec, record, &parts)?.unwrap_or(start);
    let mut warnings = Vec::new();
    let draft = match kind(spec, record, &parts) {
        Kind::Deletion => Draft {
            erases: true,
            ..Draft::at(at)
        },
        Kind::Rename => Draft::at(at),
        Kind::State => stated(spec, record, &parts, at, &mut warnings)?,
    };
    let command = gate.command(Draft { names, ..draft })?;
    Ok(Reading::Command { command, warnings })
}

fn kind(spec: &Spec, record: &Record<'_>, parts: &Parts) -> Kind {
    let Some((mark, values)) = spec.deletion.as_ref().filter(|_| parts.kind == Kind::State) else {
        return parts.kind;
    };
    let found = mark.of(&parts.key, &parts.value, record);
    let found = found.map(|value| text_or_truth(&value));
    if found.is_some_and(|text| {
        values
            .iter()
            .any(|value| value.to_ascii_lowercase() == text)
    }) {
        Kind::Deletion
    } else {
        Kind::State
    }
}

/// The names, of a change of keys those that it leads to as well. A field is looked for where the mapping says, and of a deletion,
/// which may have nothing but its key, also there.
fn names(
    spec: &Spec,
    record: &Record<'_>,
    parts: &Parts,
    gate: &Gate<'_>,
) -> Result<Vec<Name>, Rejection> {
    let mut names = Vec::new();
    for (kind, pointer) in &spec.identities {
        let is_known = !matches!(IdentityKind::parse(kind), IdentityKind::Custom(_))
            || gate.kinds.custom(kind).is_some();
        if !is_known {
            let message = format!("{kind:?} is no kind of identity of this project");
            return Err(Rejection::of(Code::InvalidField, "identities", message));
        }
        let of_key =
            || (parts.kind != Kind::State).then(|| pointer.of(&parts.key, &parts.key, record));
        let own = of_key().flatten();
        let own = own.or_else(|| pointer.of(&parts.key, &parts.value, record));
        let renamed = parts.renamed_to.as_ref();
        let renamed = renamed.and_then(|key| pointer.of(key, key, record));
        let found = [own, renamed].into_iter().flatten();
        names.extend(
            found.filter_map(|value| Some(gate.name(kind, &text_of(&value)?, "identities"))),
        );
    }
    if names.is_empty() {
        let looked: Vec<String> = spec
            .identities
            .iter()
            .map(|(kind, pointer)| format!("{kind} at {}", pointer.shown()))
            .collect();
        return Err(Rejection {
            code: Code::MissingIdentity,
            field: None,
            message: format!("the record names nobody: no {}", looked.join(", no ")),
        });
    }
    Ok(names)
}

/// The record's own time; `None` where it has none, and where it says 1970, which many a database writes for none.
fn time(spec: &Spec, record: &Record<'_>, parts: &Parts) -> Result<Option<Timestamp>, Rejection> {
    let stated = spec.time.as_ref();
    let stated = stated.and_then(|pointer| pointer.of(&parts.key, &parts.value, record));
    if let Some(value) = stated.filter(|value| !value.is_null() && !is_blank(value)) {
        let time = time_of(&value, &spec.formats, spec.zone.as_ref()).ok_or_else(|| {
            let pointer = spec.time.as_ref().map(super::spec::Pointer::shown);
            let message = "the time is in none of the formats of the mapping";
            Rejection::of(Code::InvalidTime, &pointer.unwrap_or_default(), message)
        })?;
        return Ok(Some(time).filter(|time| time.micros() != 0));
    }
    // When a snapshot was read says nothing about when its data was true.
    let of_source = parts
        .source_millis
        .filter(|millis| !parts.is_snapshot && *millis > 0);
    Ok(of_source.and_then(|millis| Timestamp::from_micros(millis.checked_mul(1_000)?)))
}

fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// What a state says.
fn stated(
    spec: &Spec,
    record: &Record<'_>,
    parts: &Parts,
    at: Timestamp,
    warnings: &mut Vec<Warning>,
) -> Result<Draft, Rejection> {
    let root = parts.value.pointer(&spec.root);
    let Some(Value::Object(root)) = root else {
        let message = "there is no object at traits.root";
        return Err(Rejection::of(Code::InvalidField, &spec.root, message));
    };
    let (traits, is_complete) = traits(spec, root, warnings);
    let sequence = spec.sequence.as_ref();
    let sequence = sequence.and_then(|pointer| pointer.of(&parts.key, &parts.value, record));
    let sequence = sequence.and_then(|value| text_of(&value)?.parse::<i64>().ok());
    let is_whole = spec.is_whole && is_complete;
    Ok(Draft {
        traits: Some(Json::of(&traits)),
        mode: if is_whole {
            Mode::Document
        } else {
            Mode::Single
        },
        sequence: sequence
            .filter(|number| *number < i64::MAX)
            .unwrap_or(i64::MIN),
        ..Draft::at(at)
    })
}

/// The traits, and whether all of the document could be seen: a placeholder hides a value that has not changed, so that nothing
/// can be said about what the document lacks.
fn traits(
    spec: &Spec,
    root: &Map<String, Value>,
    warnings: &mut Vec<Warning>,
) -> (Map<String, Value>, bool) {
    let mut is_complete = true;
    let mut traits = spec.defaults.clone();
    let expanded = spec.expand_dots.then(|| expand(root, warnings));
    for (name, value) in expanded.as_ref().unwrap_or(root) {
        if spec.drop.contains(name) {
            continue;
        }
        let hides = |text: &str| spec.placeholders.iter().any(|known| known == text);
        if value.as_str().is_some_and(hides) {
            traits.remove(name);
            is_complete = false;
            warnings.push(Warning {
                field: name.clone(),
                reason: "its value did not change and was left out by its source".to_owned(),
            });
            continue;
        }
        let shown = spec.rename.get(name).unwrap_or(name).clone();
        match spec.types.get(name) {
            None => drop(traits.insert(shown, value.clone())),
            Some(declared) => match converted(value.clone(), declared, spec.zone.as_ref()) {
                Some(value) => drop(traits.insert(shown, value)),
                None => {
                    // It is there, and can't be read: what a whole document says about it is not that it is gone.
                    is_complete = false;
                    warnings.push(Warning {
                        field: name.clone(),
                        reason: format!("its value is no {declared:?}"),
                    });
                }
            },
        }
    }
    (traits, is_complete)
}

/// Dotted names as objects within objects; where both forms are there the nested one stays.
fn expand(root: &Map<String, Value>, warnings: &mut Vec<Warning>) -> Map<String, Value> {
    let (dotted, plain): (Vec<_>, Vec<_>) = root.iter().partition(|(name, _)| name.contains('.'));
    let mut all: Map<String, Value> = plain
        .into_iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in dotted {
        if !place(&mut all, name, value) {
            warnings.push(Warning {
                field: name.clone(),
                reason: "the same stands there in a nested form too, which stays".to_owned(),
            });
        }
    }
    all
}

fn place(all: &mut Map<String, Value>, name: &str, value: &Value) -> bool {
    match name.split_once('.') {
        None if all.contains_key(name) => false,
        None => {
            all.insert(name.to_owned(), value.clone());
            true
        }
        Some((first, rest)) => {
            let inner = all
                .entry(first)
                .or_insert_with(|| Value::Object(Map::new()));
            inner
                .as_object_mut()
                .is_some_and(|inner| place(inner, rest, value))
        }
    }
}
