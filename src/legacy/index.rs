//! What the store says of its indices.

use super::{Client, Failure};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One index, as it is now. One made anew under the same name has another `uuid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    pub name: String,
    pub uuid: String,
    pub shards: u32,
    /// New documents show only when somebody asks for a refresh.
    pub is_never_refreshed: bool,
}

/// What documents an index gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    AsSent,
    /// Rebuilt from its fields: lists may be sorted and merged.
    Synthetic,
    /// Without some of its fields.
    Filtered,
    /// None.
    Off,
}

#[derive(Deserialize)]
struct Settings {
    settings: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Stats {
    indices: BTreeMap<String, IndexStats>,
}

#[derive(Deserialize)]
struct IndexStats {
    shards: BTreeMap<u32, Vec<Copy>>,
}

/// One copy of a shard.
#[derive(Deserialize)]
struct Copy {
    routing: Routing,
    seq_no: Sequence,
}

#[derive(Deserialize)]
struct Routing {
    primary: bool,
}

#[derive(Deserialize)]
struct Sequence {
    global_checkpoint: i64,
}

impl Client {
    /// The indices behind a name, an alias or a pattern.
    pub async fn indices(&self, expression: &str) -> Result<Vec<Index>, Failure> {
        let query = [("flat_settings", "true")];
        let path = [expression, "_settings"];
        let all: BTreeMap<String, Settings> = self.get(&path, &query).await?;
        let index = |(name, one): (String, Settings)| {
            let text = |key: &str| one.settings.get(key).and_then(Value::as_str);
            Index {
                uuid: text("index.uuid").unwrap_or_default().to_owned(),
                shards: text("index.number_of_shards")
                    .and_then(|number| number.parse().ok())
                    .unwrap_or(1),
                is_never_refreshed: text("index.refresh_interval")
                    .is_some_and(|interval| interval.starts_with('-')),
                name,
            }
        };
        Ok(all.into_iter().map(index).collect())
    }

    /// What an alias says that documents can't be kept up behind; `None` of an index, and of an alias that says no more than a name.
    pub async fn alias_fault(&self, alias: &str) -> Result<Option<&'static str>, Failure> {
        let all: BTreeMap<String, Value> = match self.get(&[alias, "_alias"], &[]).await {
            // Without the right to ask it is taken as it was planned; an index that is away is told of by whoever writes to it.
            Err(Failure::Lasting {
                status: 403 | 404, ..
            }) => return Ok(None),
            all => all?,
        };
        let own = all.values().map(|index| &index["aliases"][alias]);
        Ok(own.filter_map(fault).next())
    }

    /// Whether an index gives its documents back as they were sent.
    pub async fn source_of(&self, index: &str) -> Result<Source, Failure> {
        let mut all: BTreeMap<String, Value> = self.get(&[index, "_mapping"], &[]).await?;
        let mapping = all
            .pop_first()
            .map(|(_, mapping)| mapping)
            .unwrap_or_default();
        let query = [("flat_settings", "true")];
        let mut settings: BTreeMap<String, Settings> =
            self.get(&[index, "_settings"], &query).await?;
        let settings = settings.pop_first().map(|(_, one)| one.settings);
        let mode = settings.and_then(|mut all| all.remove("index.mapping.source.mode"));
        Ok(source(&mapping, mode.as_ref()))
    }

    /// The sequence number, by shard, up to which every operation is done on every copy.
    pub async fn checkpoints(&self, index: &Index) -> Result<Vec<i64>, Failure> {
        let (query, path) = ([("level", "shards")], [index.name.as_str(), "_stats"]);
        let stats: Stats = self.get(&path, &query).await?;
        let shards = stats.indices.get(&index.name).map(|one| &one.shards);
        (0..index.shards)
            .map(|number| {
                let copies = shards.and_then(|shards| shards.get(&number));
                let mut copies = copies.into_iter().flatten();
                let primary = copies.find(|copy| copy.routing.primary);
                primary
                    .map(|copy| copy.seq_no.global_checkpoint)
                    .ok_or_else(|| {
                        Failure::Passing(format!("shard {number} of {} is away", index.name))
                    })
            })
            .collect()
    }

    /// Lets everything that was written show.
    pub async fn refresh(&self, index: &str) -> Result<(), Failure> {
        self.post(&[index, "_refresh"], &[], None, 1 << 20)
            .await
            .map(drop)
    }

    /// Documents behind a name.
    pub async fn count(&self, expression: &str) -> Result<u64, Failure> {
        let answer: Value = self.get(&[expression, "_count"], &[]).await?;
        Ok(answer["count"].as_u64().unwrap_or_default())
    }

    /// The cluster's own id.
    pub async fn cluster(&self) -> Result<String, Failure> {
        let answer: Value = self.get(&[], &[]).await?;
        let uuid = answer["cluster_uuid"].as_str();
        uuid.map(str::to_owned).ok_or_else(|| {
            let address = self.address();
            Failure::Passing(format!("{address} does not answer as Elasticsearch does"))
        })
    }
}

fn fault(alias: &Value) -> Option<&'static str> {
    let routings = ["index_routing", "search_routing"];
    if routings.iter().any(|routing| alias[routing].is_string()) {
        Some("an alias with a routing: documents stand in other shards than it writes to")
    } else if alias["filter"].is_object() {
        Some("an alias with a filter: documents by the ids that are written may be others'")
    } else if alias["is_write_index"] == Value::Bool(false) {
        Some("an alias that is not to be written to (is_write_index)")
    } else {
        None
    }
}

fn source(mapping: &Value, mode: Option<&Value>) -> Source {
    let own = &mapping["mappings"]["_source"];
    let is_list = |name: &str| own[name].as_array().is_some_and(|list| !list.is_empty());
    let modes = [own["mode"].as_str(), mode.and_then(Value::as_str)];
    if own["enabled"] == Value::Bool(false) || modes.contains(&Some("disabled")) {
        Source::Off
    } else if modes.contains(&Some("synthetic")) {
        Source::Synthetic
    } else if is_list("includes") || is_list("excludes") {
        Source::Filtered
    } else {
        Source::AsSent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_alias_that_is_more_than_a_name_is_told() {
        for (alias, part) in [
            (
                json!({"index_routing": "x", "search_routing": "x"}),
                "routing",
            ),
            (json!({"filter": {"term": {"tenant": "a"}}}), "filter"),
            (json!({"is_write_index": false}), "is_write_index"),
        ] {
            assert!(
                fault(&alias).is_some_and(|told| told.contains(part)),
                "{alias}"
            );
        }
        for alias in [json!({}), json!({"is_write_index": true}), Value::Null] {
            assert_eq!(fault(&alias), None, "{alias}");
        }
    }

    #[test]
    fn an_index_tells_what_documents_it_gives_back() {
        let of = |own: Value| source(&json!({"mappings": {"_source": own}}), None);
        assert_eq!(of(json!({"enabled": false})), Source::Off);
        assert_eq!(of(json!({"excludes": ["password"]})), Source::Filtered);
        assert_eq!(of(json!({"mode": "synthetic"})), Source::Synthetic);
        assert_eq!(source(&json!({"mappings": {}}), None), Source::AsSent);
        assert_eq!(
            source(&json!({}), Some(&json!("synthetic"))),
            Source::Synthetic
        );
    }
}
