//! Settings of which some can't be read: each is tried by itself, so that all of them are told at once, and what is wrong with the
//! others too.

use super::{Config, DEFAULTS, environment_source};
use config::builder::DefaultState;
use config::{Config as Source, ConfigBuilder, ConfigError, File, FileFormat};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use toml::{Table, Value};

/// Settings that were read one by one.
struct Pieces {
    good: ConfigBuilder<DefaultState>,
    faults: Vec<String>,
}

/// The settings without those that can't be read, and what is wrong with these. Of a value that is wrong in one place, and right in one
/// that wins, it is told as well; so is what is wrong with the `whole` where no piece of it is.
///
/// # Errors
/// Where not even the file can be read.
pub(super) fn read(
    file: Option<&Path>,
    ours: HashMap<String, String>,
    whole: &ConfigError,
) -> Result<(Config, Vec<String>), ConfigError> {
    let mut pieces = Pieces {
        good: Source::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml)),
        faults: Vec::new(),
    };
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|error| foreign(&error))?;
        let table: Table = text.parse().map_err(|error| foreign(&error))?;
        for leaf in leaves(table) {
            let text = leaf.to_string();
            pieces.add(|good| good.add_source(File::from_str(&text, FileFormat::Toml)));
        }
    }
    for (key, value) in ours.into_iter().collect::<BTreeMap<_, _>>() {
        let one = HashMap::from([(key, value)]);
        pieces.add(|good| good.add_source(environment_source(one)));
    }
    let config = pieces.good.build()?.try_deserialize()?;
    if pieces.faults.is_empty() {
        pieces.faults.push(whole.to_string());
    }
    Ok((config, pieces.faults))
}

impl Pieces {
    fn add(
        &mut self,
        more: impl FnOnce(ConfigBuilder<DefaultState>) -> ConfigBuilder<DefaultState>,
    ) {
        let tried = more(self.good.clone());
        let read = |tried: ConfigBuilder<DefaultState>| tried.build()?.try_deserialize::<Config>();
        match read(tried.clone()) {
            Ok(_) => self.good = tried,
            Err(fault) => self.faults.push(fault.to_string()),
        }
    }
}

/// A table of its own for each value of a table and of those within it.
fn leaves(table: Table) -> Vec<Table> {
    let alone = |name: &str, value| Table::from_iter([(name.to_owned(), value)]);
    let of_one = |(name, value): (String, Value)| match value {
        Value::Table(inner) => {
            let inner = leaves(inner).into_iter();
            inner.map(|leaf| alone(&name, Value::Table(leaf))).collect()
        }
        value => vec![alone(&name, value)],
    };
    table.into_iter().flat_map(of_one).collect()
}

fn foreign(error: &dyn std::error::Error) -> ConfigError {
    ConfigError::Message(error.to_string())
}
