//! Documents that Roster has not written yet, taken in like records before they are written over.
//!
//! Until all of the legacy store was taken in, a document may say what is newer than what Roster knows. The merge decides trait by trait, as
//! it does for a record, and only then does Roster's word lie over the document: nothing newer is undone there.

use super::Stop;
use super::entry::Entry;
use super::erased::Judge;
use crate::domain::versions::Versions;
use crate::domain::{Class, Item, ProfileId, Receipt};
use crate::ingest::{Ingest, Origin};
use crate::legacy::Found;
use std::collections::BTreeMap;

/// Whoever writes documents without end keeps nobody from being published: in one step a person's are taken in so often at most.
const MOST_TIMES: u8 = 3;

/// The way in for what documents say.
pub struct Intake<'a> {
    pub judge: Judge<'a>,
    pub ingest: &'a Ingest,
    /// Of whom documents were taken in since this step began, and how often.
    pub times: BTreeMap<ProfileId, u8>,
    /// Somebody of the page has changed by it: its people are to be read again.
    pub has_news: bool,
}

impl Intake<'_> {
    /// Takes in what documents say that their people do not have.
    ///
    /// `under`: the documents of the people, in their order, without those of whoever was erased.
    pub async fn take_in(
        &mut self,
        used: Versions,
        entries: &[Entry],
        under: &[Option<&Found>],
    ) -> Result<(), Stop> {
        if self.judge.mirror.is_whole {
            return Ok(());
        }
        let news = self.news(used, entries, under);
        if news.is_empty() {
            return Ok(());
        }
        let (ids, items): (Vec<ProfileId>, Vec<Item>) = news.into_iter().unzip();
        for id in ids {
            *self.times.entry(id).or_default() += 1;
        }
        let origin = Origin {
            project_id: self.judge.mirror.project_id,
            class: Class::Backfill,
        };
        // What is refused is told by the backfill, which has the same record; here it stays in its document.
        let taking = self.ingest.submit(origin, items, None);
        let told = |error| Stop::Other(format!("documents are not taken in yet: {error}"));
        let receipts = taking.await.map_err(told)?;
        self.has_news = receipts.iter().any(Receipt::is_stored);
        Ok(())
    }

    fn news(
        &self,
        used: Versions,
        entries: &[Entry],
        under: &[Option<&Found>],
    ) -> Vec<(ProfileId, Item)> {
        let mut under = under.iter();
        let mut news = Vec::new();
        for entry in entries {
            let own = under
                .by_ref()
                .take(self.judge.reverse.ids(&entry.person).len());
            let own: Vec<&Found> = own.copied().flatten().collect();
            if self.times.get(&entry.profile_id()) >= Some(&MOST_TIMES) {
                continue;
            }
            let foreign = own
                .into_iter()
                .filter(|found| !used.may_have(found.version));
            let said = foreign.filter_map(|found| self.judge.statement(found));
            let said = said.filter(|command| !entry.knows(command));
            news.extend(said.map(|command| (entry.profile_id(), Item::Command(command))));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::profile::Traits;
    use crate::domain::{
        Command, Gate, Json, KeyKind, Kinds, Limits, Mode, ProjectId, Stamp, Timestamp, TraitWrite,
    };
    use crate::mapping::{Mapping, Reading, Reverse};
    use crate::mirror::entry::sorted;
    use crate::store::{Mark, Marked, MarkedProfile};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};
    use std::collections::HashMap;
    use uuid::Uuid;

    const MAPPING: &str = "preset = \"elasticsearch\"\n[time]\nat = \"/at\"\nformat = [\"epoch_s\"]\n[traits]\ndrop = [\"at\"]\n";
    const BASE: i64 = 1_600_000_000;

    /// A trait, when it was said, and what; null removes it.
    type Said = (String, i64, Value);

    fn reverse() -> Reverse {
        let mapping = Mapping::parse(MAPPING).expect("a mapping");
        mapping.reverse(Some("user_id")).expect("of documents")
    }

    fn entry(traits: Traits) -> Entry {
        let (profile_id, mark) = (ProfileId(Uuid::nil()), Uuid::nil());
        let profile = MarkedProfile {
            identities: vec![("user_id".to_owned(), "7".to_owned())],
            traits: Marked::Read(traits),
        };
        let known = HashMap::from([(profile_id, profile)]);
        let mut sorted = sorted(vec![Mark { profile_id, mark }], known);
        sorted.entries.pop().expect("one")
    }

    fn command(reverse: &Reverse, document: &Value) -> Command {
        let gate = Gate {
            project_id: ProjectId(1),
            class: Class::Backfill,
            by: KeyKind::Server,
            kinds: &Kinds::default(),
            limits: &Limits::wide(),
            received_at: now(),
            is_measured: false,
        };
        let hit = json!({"_index": "people", "_id": "7", "_source": document});
        let (hit, source) = (hit.to_string().into(), document.to_string().into());
        match reverse.read(&hit, &source, &gate) {
            Ok(Reading::Command { command, .. }) => *command,
            other => panic!("{document}: {other:?}"),
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_micros((BASE + 1_000) * 1_000_000).expect("a time")
    }

    fn call((name, second, value): &Said) -> TraitWrite {
        TraitWrite {
            stamp: Stamp::live((BASE + second) * 1_000_000),
            mode: Mode::Single,
            traits: vec![(name.clone(), Json::of(value))],
            times: BTreeMap::new(),
        }
    }

    fn said() -> impl Strategy<Value = Said> {
        let name = prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
        let value = prop::sample::select(vec![json!(null), json!(1), json!("x"), json!([2])]);
        (name, 0_i64..10, value).prop_map(|(name, second, value)| (name, 2 * second, value))
    }

    proptest! {
        #[test]
        fn laws_of_intakes_a_document_says_the_newest_of_each_trait_and_roster_knows_it(calls in prop::collection::vec(said(), 0..8), there in prop::collection::btree_map("[abc]", 5_i64..9, 0..4), half in 0_i64..10) {
            let (reverse, at) = (reverse(), 2 * half + 1);
            let mut document: Map<String, Value> = there.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            document.insert("at".to_owned(), json!(BASE + at));
            let document = Value::Object(document);
            let command = command(&reverse, &document);
            let mut traits = Traits::default();
            for write in calls.iter().map(call) {
                traits.merge(&write);
            }
            for write in command.subjects().filter_map(|subject| subject.traits) {
                traits.merge(write);
            }
            let entry = entry(traits);
            prop_assert!(entry.knows(&command));
            let laid = reverse.document_of(&entry.person, Some(&document), false);
            let of_document = there.iter().map(|(name, value)| (name.clone(), at, json!(value)));
            let all: Vec<Said> = calls.iter().cloned().chain(of_document).collect();
            for name in ["a", "b", "c"] {
                let own = all.iter().filter(|said| said.0 == name);
                let newest = own.clone().map(|said| said.1).max();
                let newest: Vec<&Value> = own.filter(|said| Some(said.1) == newest).map(|said| &said.2).collect();
                let value = laid.get(name).unwrap_or(&Value::Null);
                let is_newest = newest.contains(&value) || newest.is_empty() && value.is_null();
                prop_assert!(is_newest, "{name}: {laid}");
            }
        }
    }
}
