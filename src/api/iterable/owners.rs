//! Whose names are: as they were looked up, and as the calls before in the same request make them.
//!
//! What one request says of many is to come to what as many requests would. So each call that is taken leaves its names here, and the
//! next are judged by them.

use crate::domain::{Identity, IdentityKind, ProfileId};
use crate::store::Owner;
use std::collections::HashMap;
use uuid::Uuid;

/// Whose names are.
#[derive(Debug, Default)]
pub struct Owners {
    by_name: HashMap<Identity, ProfileId>,
    people: HashMap<ProfileId, Owner>,
    /// Whom a call makes one person with another.
    joined: HashMap<ProfileId, ProfileId>,
}

impl From<HashMap<Identity, Owner>> for Owners {
    fn from(known: HashMap<Identity, Owner>) -> Self {
        let mut owners = Self::default();
        for (name, owner) in known {
            owners.by_name.insert(name, owner.profile_id);
            owners.people.insert(owner.profile_id, owner);
        }
        owners
    }
}

impl Owners {
    /// Whose a name is.
    pub fn get(&self, name: &Identity) -> Option<&Owner> {
        self.people.get(&self.profile_of(name)?)
    }

    /// True where `claim` would change whose names are.
    pub fn is_news(&self, names: &[Identity]) -> bool {
        let mut people = names.iter().map(|name| self.profile_of(name));
        let first = people.next().flatten();
        first.is_none() || people.any(|other| other != first)
    }

    /// Somebody has no user id that counts.
    pub fn drop_user_ids(&mut self, profile_id: ProfileId) {
        if let Some(owner) = self.people.get_mut(&profile_id) {
            owner.user_ids.clear();
        }
    }

    fn profile_of(&self, name: &Identity) -> Option<ProfileId> {
        let mut id = *self.by_name.get(name)?;
        while let Some(into) = self.joined.get(&id) {
            id = *into;
        }
        Some(id)
    }

    /// Makes names one person's: that of whoever has one of them, else somebody's who is new.
    pub fn claim(&mut self, names: Vec<Identity>) {
        let known = names.iter().find_map(|name| self.profile_of(name));
        let id = known.unwrap_or_else(|| ProfileId(Uuid::new_v4()));
        for name in names {
            self.join(self.profile_of(&name), id);
            self.give(id, name);
        }
    }

    fn join(&mut self, other: Option<ProfileId>, id: ProfileId) {
        let Some(other) = other.filter(|other| *other != id) else {
            return;
        };
        self.joined.insert(other, id);
        let absorbed = self.people.remove(&other);
        let own = self.person(id);
        own.has_email |= absorbed.as_ref().is_some_and(|one| one.has_email);
        own.user_ids
            .extend(absorbed.map_or_else(Vec::new, |one| one.user_ids));
    }

    fn give(&mut self, id: ProfileId, name: Identity) {
        let owner = self.person(id);
        owner.has_email |= name.kind == IdentityKind::Email;
        if name.kind == IdentityKind::UserId && !owner.user_ids.contains(&name.value) {
            owner.user_ids.push(name.value.clone());
        }
        self.by_name.insert(name, id);
    }

    fn person(&mut self, profile_id: ProfileId) -> &mut Owner {
        self.people.entry(profile_id).or_insert_with(|| Owner {
            profile_id,
            user_ids: Vec::new(),
            has_email: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: &str) -> Identity {
        Identity::new(IdentityKind::UserId, value)
    }

    fn email(value: &str) -> Identity {
        Identity::new(IdentityKind::Email, value)
    }

    fn known(names: &[(Identity, u128, &[&str])]) -> Owners {
        let owner = |(name, number, user_ids): &(Identity, u128, &[&str])| {
            let owner = Owner {
                profile_id: ProfileId(Uuid::from_u128(*number)),
                user_ids: user_ids.iter().map(|id| (*id).to_owned()).collect(),
                has_email: name.kind == IdentityKind::Email,
            };
            (name.clone(), owner)
        };
        Owners::from(names.iter().map(owner).collect::<HashMap<_, _>>())
    }

    #[test]
    fn who_was_known_keeps_their_profile_and_has_the_new_names() {
        let mut owners = known(&[(id("ada"), 1, &["ada"])]);
        owners.claim(vec![id("ada"), id("new"), email("a@x.test")]);
        let one = owners.get(&id("ada")).expect("known").clone();
        assert_eq!(one.profile_id, ProfileId(Uuid::from_u128(1)));
        assert_eq!(one.user_ids, ["ada", "new"]);
        for name in [id("new"), email("a@x.test")] {
            assert_eq!(owners.get(&name), Some(&one));
        }
    }

    #[test]
    fn new_people_are_told_apart() {
        let mut owners = Owners::default();
        owners.claim(vec![id("ada")]);
        owners.claim(vec![email("b@x.test")]);
        let ada = owners.get(&id("ada")).expect("claimed");
        let other = owners.get(&email("b@x.test")).expect("claimed");
        assert_ne!(ada.profile_id, other.profile_id);
        assert!(other.user_ids.is_empty());
        assert_eq!(owners.get(&id("c")), None);
    }

    #[test]
    fn two_people_who_become_one_are_found_by_all_of_their_names() {
        let mut owners = known(&[
            (id("ada"), 1, &["ada"]),
            (email("a@x.test"), 2, &[]),
            (email("b@x.test"), 2, &[]),
        ]);
        owners.claim(vec![id("ada"), email("a@x.test")]);
        let one = owners.get(&email("b@x.test")).expect("known").clone();
        assert_eq!(one.user_ids, ["ada"]);
        owners.claim(vec![email("b@x.test"), id("new")]);
        assert_eq!(
            owners.get(&id("ada")).expect("known").user_ids,
            ["ada", "new"]
        );
    }
}
