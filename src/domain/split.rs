//! Who goes where when names are taken out of a person: pure planning from what is kept of the merges that made it.

use super::parting::Side;
use super::{Identity, ProfileId};
use std::collections::BTreeSet;

/// A profile that was absorbed, as its merge was kept.
#[derive(Clone, Copy, Debug)]
pub struct Branch<'a> {
    pub absorbed: ProfileId,
    pub survivor: ProfileId,
    /// The names that it had.
    pub identities: &'a BTreeSet<Identity>,
}

/// Whose side profiles are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Absorbed profiles of which all names go: they go with them, events and all.
    pub going: BTreeSet<ProfileId>,
    /// Of those the one that stands for itself again, with its old id.
    pub revived: Option<ProfileId>,
    /// For each branch the sides of the absorbed one and of the survivor.
    pub of_branches: Vec<(Side, Side)>,
}

/// Why names can't be taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// This is none of the person's names.
    NotTheirs(Identity),
    /// No name would be left.
    NothingStays,
}

/// Holds what is to be taken out against the names that a person has.
///
/// # Errors
/// The first thing in the way.
pub fn check(names: &BTreeSet<Identity>, taken: &BTreeSet<Identity>) -> Result<(), Obstacle> {
    match taken.iter().find(|name| !names.contains(name)) {
        Some(other) => Err(Obstacle::NotTheirs(other.clone())),
        None if taken.len() == names.len() => Err(Obstacle::NothingStays),
        None => Ok(()),
    }
}

/// Tells whose side everybody is on where a person with these names loses some of them.
pub fn sides(
    person: ProfileId,
    names: &BTreeSet<Identity>,
    taken: &BTreeSet<Identity>,
    branches: &[Branch],
) -> Sides {
    // Names that were taken out before are somebody else's by now.
    let side = |own: &mut dyn Iterator<Item = &Identity>| {
        let mut own = own.filter(|name| names.contains(name)).peekable();
        let Some(first) = own.peek().map(|name| taken.contains(name)) else {
            return Side::Unknown;
        };
        match (own.all(|name| taken.contains(name) == first), first) {
            (false, _) => Side::Unknown,
            (true, true) => Side::Taken,
            (true, false) => Side::Kept,
        }
    };
    let of_branch = |branch: &Branch| side(&mut branch.identities.iter());
    let absorbed: BTreeSet<&Identity> = branches
        .iter()
        .flat_map(|branch| branch.identities)
        .collect();
    let of_person = side(&mut names.iter().filter(|name| !absorbed.contains(name)));
    let survivor = |branch: &Branch| {
        let own = branches
            .iter()
            .find(|other| other.absorbed == branch.survivor);
        match own {
            Some(own) => of_branch(own),
            None if branch.survivor == person => of_person,
            None => Side::Unknown,
        }
    };
    let goes = |branch: &&Branch| of_branch(branch) == Side::Taken;
    let going = || branches.iter().filter(goes);
    let largest = going().max_by_key(|branch| (branch.identities.len(), branch.absorbed));
    Sides {
        going: going().map(|branch| branch.absorbed).collect(),
        revived: largest.map(|branch| branch.absorbed),
        of_branches: branches
            .iter()
            .map(|branch| (of_branch(branch), survivor(branch)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::IdentityKind;
    use uuid::Uuid;

    fn id(number: u128) -> ProfileId {
        ProfileId(Uuid::from_u128(number))
    }

    fn names(list: &[&str]) -> BTreeSet<Identity> {
        let name = |value: &&str| Identity::new(IdentityKind::AnonymousId, value);
        list.iter().map(name).collect()
    }

    /// A person 1 who absorbed 2 (phone, tablet), which had absorbed 3 (tablet), and 4 (car).
    fn sides_without(taken: &[&str]) -> Sides {
        let sets = [
            names(&["phone", "tablet"]),
            names(&["tablet"]),
            names(&["car"]),
        ];
        let branch = |absorbed, survivor, identities| Branch {
            absorbed: id(absorbed),
            survivor: id(survivor),
            identities,
        };
        let branches = [
            branch(2, 1, &sets[0]),
            branch(3, 2, &sets[1]),
            branch(4, 1, &sets[2]),
        ];
        let all = names(&["ada", "phone", "tablet", "car"]);
        sides(id(1), &all, &names(taken), &branches)
    }

    #[test]
    fn a_profile_goes_with_all_of_its_names_and_the_largest_is_itself_again() {
        let sides = sides_without(&["phone", "tablet"]);
        assert_eq!(sides.going, BTreeSet::from([id(2), id(3)]));
        assert_eq!(sides.revived, Some(id(2)));
        let taken = (Side::Taken, Side::Kept);
        assert_eq!(
            sides.of_branches,
            [taken, (Side::Taken, Side::Taken), (Side::Kept, Side::Kept)]
        );
    }

    #[test]
    fn a_profile_of_which_a_name_stays_is_nobodys_alone() {
        let sides = sides_without(&["phone"]);
        assert_eq!((sides.going.len(), sides.revived), (0, None));
        assert_eq!(sides.of_branches[0], (Side::Unknown, Side::Kept));
        assert_eq!(sides.of_branches[1], (Side::Kept, Side::Unknown));
        let sides = sides_without(&["ada"]);
        assert_eq!(
            sides.of_branches[0],
            (Side::Kept, Side::Taken),
            "the survivor's own name goes"
        );
    }

    #[test]
    fn what_is_not_theirs_and_the_last_name_stay() {
        let all = names(&["ada", "phone"]);
        assert_eq!(check(&all, &names(&["phone"])), Ok(()));
        assert_eq!(check(&all, &all), Err(Obstacle::NothingStays));
        let other = names(&["bob"]);
        let found = check(&all, &other);
        assert_eq!(
            found,
            Err(Obstacle::NotTheirs(other.first().expect("one").clone()))
        );
    }
}
