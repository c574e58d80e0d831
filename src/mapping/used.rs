//! Which members of a row a mapping names: columns of a table that are not among them are not read at all.

use super::document::Document;
use super::event::EventAt;
use super::place::{Place, Pointer};

impl Document {
    /// Tells the shape which members have a meaning.
    pub(super) fn choose(&mut self) {
        let first = |pointer: &Pointer| pointer.first().map(str::to_owned);
        let typed = self.shape.types.iter().map(|(pointer, _)| pointer);
        let renamed = self.shape.rename.iter();
        // A type may be said of the new name.
        let old = renamed.clone().map(|(from, _)| from);
        self.shape.chosen.named = typed.chain(old).filter_map(first).collect();
        self.shape.chosen.is_event = self.event.is_some();
        self.shape.chosen.other = self.places().filter_map(member).collect();
        let prefix = self.event.as_ref().and_then(|event| event.prefix.clone());
        self.shape.chosen.prefix = prefix;
    }

    /// The columns of a table that are read.
    pub(super) fn columns(&self) -> Vec<String> {
        let chosen = &self.shape.chosen;
        let mut all: Vec<String> = self.places().filter_map(member).collect();
        all.extend(
            chosen
                .named
                .iter()
                .chain(chosen.only.iter().flatten())
                .cloned(),
        );
        if self
            .event
            .as_ref()
            .is_some_and(|event| event.prefix.is_some())
        {
            all.push("*".to_owned());
        }
        // What is dropped out of all columns is found in any case of letters, as what is read.
        if all.iter().any(|name| name == "*") {
            let dropped = self.shape.drop.iter().filter_map(Pointer::first);
            all.extend(dropped.map(str::to_owned));
        }
        let mut known = std::collections::HashSet::new();
        all.retain(|name| known.insert(name.clone()));
        all
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        let (time, delete) = (&self.time, &self.delete);
        let identities = self.identities.0.iter().flat_map(|(_, places)| places);
        let times = time
            .at
            .iter()
            .chain(&time.sequence)
            .chain(time.traits.iter().map(|(_, place)| place));
        let deleted = delete.mark.iter().chain(&delete.at);
        let group = self.group.iter().map(|group| &group.id);
        let event = self.event.iter().flat_map(EventAt::places);
        identities
            .chain(times)
            .chain(deleted)
            .chain(group)
            .chain(event)
    }
}

/// The member of the row in which a place lies.
fn member(place: &Place) -> Option<String> {
    match place {
        Place::Row(pointer) | Place::Record(pointer) => pointer.first().map(str::to_owned),
        Place::Key(_) | Place::Header(_) => None,
    }
}
