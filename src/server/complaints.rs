//! What is wrong with what settings lead to: files, topics, places. `serve` does not start with it, and `config check` tells it.

use super::backfill::source;
use crate::config::{Config, Pulls};
use crate::legacy::Client;
use crate::pulls::Desk;

/// All of it. Nothing is asked over a network.
pub fn complaints(config: &Config) -> Vec<String> {
    let sources = config.backfill.sources.iter();
    let of_sources = sources.filter_map(|own| source(config, own).err());
    let places = config.imports.pulls.places.iter();
    let of_places = places.filter_map(|place| {
        let alone = Pulls {
            parallel: 1,
            places: vec![place.clone()],
        };
        Desk::new(&alone).err()
    });
    of_sources
        .chain(of_places)
        .chain(of_legacy_store(config))
        .collect()
}

/// What is wrong with its address the settings tell themselves.
fn of_legacy_store(config: &Config) -> Option<String> {
    let is_set = !config.legacy.url.is_empty();
    let fault = is_set.then(|| Client::new(&config.legacy).err()).flatten();
    fault.filter(|text| !text.starts_with("legacy.url"))
}
