//! The types of a mapping file: by their names, or as tables with more about them.

use super::kind::{Kind, Words};
use super::moment::Moments;
use super::place::Pointer;
use super::section::Section;
use toml::Value;

const NO_TYPE: &str =
    "a type is text, number, integer, boolean, time, decimal(SCALE), json_text, json, list or geo";

/// The formats and the zone of a section.
pub(super) fn formats(section: &mut Section, default: &Moments) -> Moments {
    let written = section.texts("format");
    let zone = section.text("zone");
    if written.is_none() && zone.is_none() {
        return default.clone();
    }
    match Moments::of(&written.unwrap_or_default(), zone.as_deref()) {
        Ok(moments) => moments,
        Err(complaints) => {
            for complaint in complaints {
                section.complain(complaint);
            }
            Moments::default()
        }
    }
}

/// Values by their pointers.
pub(super) fn typed(section: &mut Section, moments: &Moments) -> Vec<(Pointer, Kind)> {
    let names: Vec<String> = section.left.keys().cloned().collect();
    let pairs = names.into_iter().filter_map(|name| {
        let kind = kind(section, &name, moments)?;
        Some((section.trait_at(&name, &name)?, kind))
    });
    pairs.collect()
}

fn kind(section: &mut Section, name: &str, moments: &Moments) -> Option<Kind> {
    if section.left.get(name).is_some_and(Value::is_table) {
        let mut inner = section.section(name)?;
        let kind = in_table(&mut inner, moments);
        if kind.is_none() {
            inner.complain(NO_TYPE);
        }
        section.take_in(inner);
        return kind;
    }
    let text = section.text(name)?;
    let (word, scale) = match text
        .strip_prefix("decimal(")
        .and_then(|rest| rest.strip_suffix(')'))
    {
        Some(scale) => ("decimal", scale.trim().parse().ok()),
        None => (text.as_str(), None),
    };
    let kind = named(word, moments.clone(), scale);
    if kind.is_none() {
        section.complain(format!("{name}: {text:?} is no type; {NO_TYPE}"));
    }
    kind
}

fn in_table(inner: &mut Section, moments: &Moments) -> Option<Kind> {
    let text = inner.text("type");
    let own = formats(inner, moments);
    let scale = inner
        .left
        .remove("scale")
        .and_then(|scale| usize::try_from(scale.as_integer()?).ok());
    let (yes, no) = (inner.texts("true"), inner.texts("false"));
    let split = inner.text("split").filter(|text| !text.is_empty());
    match (text.as_deref()?, split) {
        ("boolean", None) if yes.is_some() || no.is_some() => Some(Kind::Words(Words::of(yes, no))),
        ("list", Some(split)) => Some(Kind::Split(split)),
        (text, None) if yes.is_none() && no.is_none() => named(text, own, scale),
        _ => None,
    }
}

fn named(word: &str, moments: Moments, scale: Option<usize>) -> Option<Kind> {
    match word {
        "text" => Some(Kind::Text),
        "number" => Some(Kind::Number),
        "integer" => Some(Kind::Integer),
        "boolean" => Some(Kind::Boolean),
        "time" => Some(Kind::Time(moments)),
        "decimal" => scale.map(Kind::Decimal),
        "json_text" => Some(Kind::JsonText),
        "json" => Some(Kind::Json),
        "list" => Some(Kind::List),
        "geo" => Some(Kind::Geo),
        _ => None,
    }
}
