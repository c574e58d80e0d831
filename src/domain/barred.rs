//! What an erasure keeps out of a plan: names that would bring an erased person back.

use super::erasure::Erased;
use super::plan::Known;
use super::{Identity, IdentityKey, IdentityKind, Rejection, Subject};
use std::collections::BTreeSet;

impl<'a> Subject<'a> {
    /// Names that are none of the person's and that its traits say all the same.
    pub fn mere_traits(&self) -> impl Iterator<Item = &'a Identity> + use<'a> {
        let traits = self.traits;
        let is_stated = move |name: &&Identity| {
            let mut stated = traits.into_iter().flat_map(|write| &write.traits);
            stated.any(|(trait_name, _)| trait_name == name.kind.as_str())
        };
        self.claimed().iter().chain(self.left_out).filter(is_stated)
    }
}

impl Known {
    /// True of a name of an erased person that would bring something back.
    pub(super) fn is_barred(&self, key: &IdentityKey, subject: &Subject) -> bool {
        let earliest = subject.earliest;
        self.erased
            .get(key)
            .is_some_and(|erased| erased.bars(earliest))
    }

    /// The traits that say names of erased people, also names by which the subject is not known: an email, and what is called as a kind of
    /// the project's own.
    pub(super) fn silenced(&self, subject: &Subject) -> BTreeSet<String> {
        if self.erased.is_empty() {
            return BTreeSet::new();
        }
        let names = subject.own().iter().chain(subject.mere_traits());
        let barred = names.filter(|identity| {
            let key = (subject.project_id, (*identity).clone());
            self.is_barred(&key, subject)
        });
        let kinds = barred.filter_map(|identity| match &identity.kind {
            IdentityKind::Email | IdentityKind::Custom(_) => Some(identity.kind.as_str()),
            _ => None,
        });
        kinds.map(str::to_owned).collect()
    }

    /// Why the subject, or who else its command is about, must not bring somebody back who was erased.
    pub fn barred_by(&self, subject: &Subject) -> Option<Rejection> {
        if self.erased.is_empty() {
            return None;
        }
        let mut all = [subject.own(), subject.beside].into_iter();
        all.find_map(|names| self.barred_among(names, subject))
    }

    /// The strongest name decides; where nobody has that one yet, the others may tell that this is about the erased one, before the
    /// erasure.
    fn barred_among(&self, names: &[Identity], subject: &Subject) -> Option<Rejection> {
        let earliest = subject.earliest;
        let key = |identity: &Identity| (subject.project_id, identity.clone());
        let mut keys = names.iter().map(key);
        let strongest = keys.next()?;
        let of_strongest = self
            .erased
            .get(&strongest)
            .filter(|erased| erased.bars(earliest));
        let is_unknown = !self.owners.contains_key(&strongest);
        let mut others = keys.filter_map(|key| self.erased.get(&key));
        let of_others = || others.find(|erased| is_unknown && erased.is_after(earliest));
        of_strongest.or_else(of_others).map(Erased::rejection)
    }
}
