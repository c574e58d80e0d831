//! Items that will not be written: about people who were erased, and events that are there already. What they say must not become known:
//! it fixes no type of a field (`field_types.rs`).
//!
//! It is a look before the write, at the few items that state something new. The write looks again; what is erased between the two, and
//! what the write refuses for another reason, is not seen here.

use super::known::{asked, known};
use super::tools::Key;
use crate::domain::plan::Known;
use crate::domain::{Command, IdentityKey, Item};
use crate::store::{Error, Store};
use std::collections::{BTreeSet, HashSet};

/// Which of the items at these places will not be written. Of copies in one request only the first counts.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn unwritten(
    store: &Store,
    items: &[Item],
    places: &BTreeSet<usize>,
) -> Result<BTreeSet<usize>, Error> {
    let copies = copies(items);
    let all = places
        .iter()
        .filter_map(|place| Some((*place, items[*place].command()?)));
    let commands: Vec<(usize, &Command)> = all.collect();
    let with_events = commands
        .iter()
        .filter(|(_, command)| command.event().is_some());
    let events: Vec<Key> = with_events.map(|(_, command)| command.key()).collect();
    let own: Vec<&Command> = commands.iter().map(|(_, command)| *command).collect();
    // Nobody's traits are asked for.
    let names = asked(&own).into_iter().map(|(key, _)| (key, false));
    let asked: Vec<(IdentityKey, bool)> = names.collect();
    let found = store.resolve_identities(&asked, &events).await?;
    let there: HashSet<Key> = found.events.iter().map(|index| events[*index]).collect();
    let (mut known, _) = known(&asked, found.identities);
    learn_erased(store, &asked, &mut known).await?;
    let is_unwritten = |(place, command): &(usize, &Command)| {
        copies.contains(place)
            || there.contains(&command.key())
            || command
                .subjects()
                .any(|subject| known.barred_by(&subject).is_some())
    };
    let unwritten = commands.into_iter().filter(is_unwritten);
    Ok(unwritten.map(|(place, _)| place).collect())
}

/// The places of items that another one before them is a copy of.
fn copies(items: &[Item]) -> HashSet<usize> {
    let mut seen = HashSet::new();
    let mut is_copy = |item: &Item| item.command().is_some_and(|own| !seen.insert(own.key()));
    let places = items.iter().enumerate();
    let copies = places.filter(|(_, item)| is_copy(item));
    copies.map(|(place, _)| place).collect()
}

/// Learns which of the names that nobody has were an erased person's.
async fn learn_erased(
    store: &Store,
    asked: &[(IdentityKey, bool)],
    known: &mut Known,
) -> Result<(), Error> {
    let names = asked.iter().map(|(key, _)| key);
    let unknown: Vec<&IdentityKey> = names
        .filter(|key| !known.owners.contains_key(key))
        .collect();
    if !unknown.is_empty() {
        known.erased.extend(store.load_erased(&unknown).await?);
    }
    Ok(())
}
