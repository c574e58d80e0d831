//! Where settings come from: the reference, a file, the environment. Each value is laid over those before it by itself, so that everything
//! that can't be read is told at once, and what is wrong with the others too.

use super::{Config, DEFAULTS};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use toml::{Table, Value};

const PREFIX: &str = "ROSTER__";
/// Stands between the names of sections in a variable.
const BETWEEN: &str = "__";

/// Settings as they are laid one over the other.
pub(super) struct Layers {
    reference: Table,
    good: Table,
    faults: Vec<String>,
}

impl Layers {
    /// Begins with the reference.
    ///
    /// # Errors
    /// Never: the reference is compiled in, and tests read it.
    pub fn new() -> Result<Self, String> {
        let reference: Table = DEFAULTS.parse().map_err(told)?;
        Ok(Self {
            good: reference.clone(),
            reference,
            faults: Vec::new(),
        })
    }

    /// Lays a file over what is there.
    ///
    /// # Errors
    /// Where not even its lines can be read.
    pub fn add_file(&mut self, path: &Path) -> Result<(), String> {
        let named = |what: String| format!("{}: {what}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        let table: Table = text.parse().map_err(|error| named(placed(&text, &error)))?;
        leaves(table).into_iter().for_each(|leaf| self.add(leaf));
        Ok(())
    }

    /// Lays the variables that are settings over what is there. A text becomes what the reference has in its place: a number, a boolean;
    /// else, and where it is none, it stays the text it is.
    pub fn add_environment(&mut self, environment: &HashMap<String, String>) {
        let ours = environment
            .iter()
            .filter_map(|(name, text)| Some((name.strip_prefix(PREFIX)?.to_lowercase(), text)));
        for (name, text) in ours.collect::<BTreeMap<_, _>>() {
            let value = typed(text, at(&self.reference, &name));
            self.add(nested(&name, value));
        }
    }

    /// The settings, and what of them can't be read.
    ///
    /// # Errors
    /// As `new`.
    pub fn read(self) -> Result<(Config, Vec<String>), String> {
        let config = self.good.try_into().map_err(told)?;
        Ok((config, self.faults))
    }

    fn add(&mut self, leaf: Table) {
        let mut tried = self.good.clone();
        lay(leaf, &mut tried);
        match tried.clone().try_into::<Config>() {
            Ok(_) => self.good = tried,
            Err(fault) => self.faults.push(told(fault)),
        }
    }
}

/// A fault on one line.
fn told(fault: toml::de::Error) -> String {
    fault.to_string().trim_end().replace('\n', " ")
}

/// Where a file can't be read, and why, without the line itself: it may hold a secret.
fn placed(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}: {}", error.message())
}

/// A table of its own for each value of a table and of those within it.
fn leaves(table: Table) -> Vec<Table> {
    let of_one = |(name, value): (String, Value)| match value {
        Value::Table(inner) if !inner.is_empty() => {
            let inner = leaves(inner).into_iter();
            inner.map(|leaf| alone(&name, Value::Table(leaf))).collect()
        }
        value => vec![alone(&name, value)],
    };
    table.into_iter().flat_map(of_one).collect()
}

fn alone(name: &str, value: Value) -> Table {
    Table::from_iter([(name.to_owned(), value)])
}

/// A table of its own for a value by a variable's name.
fn nested(name: &str, value: Value) -> Table {
    match name.split_once(BETWEEN) {
        Some((section, rest)) => alone(section, Value::Table(nested(rest, value))),
        None => alone(name, value),
    }
}

/// What a table has by a variable's name.
fn at<'a>(table: &'a Table, name: &str) -> Option<&'a Value> {
    let mut parts = name.split(BETWEEN);
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// A text that is no number where one belongs stays a text: it is refused with the setting's name.
fn typed(text: &str, default: Option<&Value>) -> Value {
    let read = match default {
        Some(Value::Boolean(_)) => text.to_lowercase().parse().map(Value::Boolean).ok(),
        Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
        Some(Value::Float(_)) => text.parse().map(Value::Float).ok(),
        _ => None,
    };
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Lays a table over another one: what stands in both is the upper one's.
fn lay(upper: Table, lower: &mut Table) {
    for (name, value) in upper {
        match (lower.get_mut(&name), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => lay(value, inner),
            (_, value) => drop(lower.insert(name, value)),
        }
    }
}
