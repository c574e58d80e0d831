//! The same with aliases among calls that disagree: whom nobody aliased stays a person of their own.

use super::*;

/// An alias of one person to another by a sender who is believed: the other's name may be meant as an anonymous id.
pub(super) fn alias(one: usize, other: usize) -> Who {
    let user = |person| name(IdentityKind::UserId, person, 0);
    let mut names = vec![
        user(one),
        user(other),
        name(IdentityKind::AnonymousId, other, 0),
    ];
    names.dedup();
    let explicit = names.len() - 1;
    Who::of(names, explicit)
}

/// Disputed calls, and aliases of known people by a sender who is believed.
fn calls() -> impl Strategy<Value = Vec<Command>> {
    let aliased = (0..3_usize, 0..3_usize).prop_map(|(one, other)| (alias(one, other), 3));
    let numbered = |calls: Vec<(Who, i64)>| {
        let call = |(number, (who, at))| command(number, who, at, None);
        calls.into_iter().enumerate().map(call).collect()
    };
    proptest::collection::vec(prop_oneof![3 => disputed(), 1 => aliased], 1..14).prop_map(numbered)
}

/// The names that are one person's with `first` by the word of aliases alone.
fn aliased_with(first: &Identity, calls: &[Command]) -> BTreeSet<Identity> {
    let mut joined = BTreeSet::from([first.clone()]);
    for _ in calls {
        for call in calls {
            let said = &call.identities[..call.explicit];
            if said.iter().any(|name| joined.contains(name)) {
                joined.extend(said.iter().cloned());
            }
        }
    }
    joined
}

proptest! {
    #[test]
    fn laws_user_ids_join_by_aliases_alone_and_always(calls in calls(), (order, cuts) in order()) {
        for (names, _, _) in after(&shuffled(&calls, &order, &cuts)).seen() {
            let is_user = |name: &&Identity| name.kind == IdentityKind::UserId;
            let users: BTreeSet<Identity> = names.iter().filter(is_user).cloned().collect();
            if let Some(first) = users.first() {
                let said = aliased_with(first, &calls);
                prop_assert!(users.is_subset(&said), "{:?}", names);
                let known = calls.iter().flat_map(|call| &call.identities[..call.identities.len() - call.apart]);
                let known = known.filter(|name| said.contains(*name));
                prop_assert!(known.clone().all(|name| users.contains(name)), "{:?}", names);
            }
        }
    }
}
