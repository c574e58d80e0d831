//! Whom a token of the customer's server speaks for, and which names of a call it vouches for.
//!
//! A write key ships to everybody. Where its calls have to be signed, a name of a person counts as far as a token says it; names of
//! devices and groups need none, since nobody could sign them.

use super::gate::{Gate, Name};
use super::kinds::DEVICE_TOKEN;
use super::{Identity, IdentityKind, Timestamp};
use std::borrow::Cow;

/// The person whom a token names, by one name or by both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// As the token has it.
    pub user_id: Option<String>,
    /// Trimmed and lower-cased.
    pub email: Option<String>,
    /// When the token was made, by its own word.
    pub issued_at: Timestamp,
}

/// The names of a call that count, and what became of the others.
#[derive(Debug, Default)]
pub struct Vouched {
    pub names: Vec<Name>,
    /// So many of the first names are one person's by the caller's word (`Draft::explicit`).
    pub explicit: usize,
    /// The fields of names that nobody signed.
    pub left_out: Vec<Cow<'static, str>>,
    /// These names.
    pub unsigned: Vec<Identity>,
    /// A name of a person was left out, and no name of a person is left: what the call says is about nobody who signed it.
    pub is_unsigned: bool,
}

impl Signer {
    /// The names that the token says, as people are known by them.
    pub fn names(&self) -> impl Iterator<Item = Identity> {
        let user_id = self.user_id.as_deref();
        let user_id = user_id.map(|id| Identity::new(IdentityKind::UserId, id));
        let email = self.email.as_deref();
        let email = email.map(|email| Identity::new(IdentityKind::Email, email));
        user_id.into_iter().chain(email)
    }

    /// True of a name that the token says.
    pub fn vouches_for(&self, identity: &Identity) -> bool {
        let own = match identity.kind {
            IdentityKind::UserId => &self.user_id,
            IdentityKind::Email => &self.email,
            _ => return false,
        };
        let own = own.as_deref();
        own.is_some_and(|own| Identity::new(identity.kind.clone(), own) == *identity)
    }
}

/// True of names by which people are known, and not only their devices.
fn is_of_a_person(identity: &Identity) -> bool {
    match &identity.kind {
        IdentityKind::UserId | IdentityKind::Email => true,
        IdentityKind::Custom(kind) => &**kind != DEVICE_TOKEN,
        IdentityKind::AnonymousId | IdentityKind::GroupId => false,
    }
}

impl Gate<'_> {
    /// Takes out the names of people that none of the signers vouches for. A placeholder names nobody, signed or not: it stays for the
    /// gate to tell.
    pub fn vouched(&self, names: Vec<Name>, explicit: usize, signers: &[Signer]) -> Vouched {
        let mut vouched = Vouched::default();
        let mut has_signed_name = false;
        for (place, name) in names.into_iter().enumerate() {
            let is_person = is_of_a_person(&name.identity);
            let is_signed = signers
                .iter()
                .any(|signer| signer.vouches_for(&name.identity));
            has_signed_name |= is_signed;
            if is_person && !is_signed && !self.is_placeholder(&name.identity.value) {
                vouched.left_out.extend(name.field);
                vouched.unsigned.push(name.identity);
                continue;
            }
            vouched.explicit += usize::from(place < explicit);
            vouched.names.push(name);
        }
        // Of an alias nobody says which kind the other name is of, so that it is read as both: one of them is enough.
        let kept = |field: &Cow<'static, str>| {
            let mut names = vouched.names.iter();
            names.any(|name| name.field.as_ref() == Some(field))
        };
        vouched.left_out.retain(|field| !kept(field));
        vouched.is_unsigned = !vouched.left_out.is_empty() && !has_signed_name;
        vouched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::gate::tests::limits;
    use crate::domain::{Class, KeyKind, Kinds, ProjectId};

    fn with_gate<T>(look: impl FnOnce(&Gate<'_>) -> T) -> T {
        let (kinds, limits) = (Kinds::default(), limits());
        let received_at = Timestamp::parse("2026-01-01").expect("a time");
        look(&Gate {
            project_id: ProjectId(1),
            class: Class::Live,
            by: KeyKind::Write,
            kinds: &kinds,
            limits: &limits,
            received_at,
            is_measured: true,
        })
    }

    fn ada() -> Signer {
        Signer {
            user_id: Some("ada".to_owned()),
            email: Some("ada@example.com".to_owned()),
            issued_at: Timestamp::MIN,
        }
    }

    fn vouched(names: &[(&str, &str)], explicit: usize, signers: &[Signer]) -> Vouched {
        with_gate(|gate| {
            let name = |(kind, value): &(&str, &str)| gate.name(kind, value, (*kind).to_owned());
            gate.vouched(names.iter().map(name).collect(), explicit, signers)
        })
    }

    fn kept(vouched: &Vouched) -> Vec<&str> {
        vouched.names.iter().map(Name::value).collect()
    }

    #[test]
    fn what_a_token_says_counts_and_nothing_else_of_people() {
        let names = [
            ("user_id", "ada"),
            ("email", "ADA@example.com"),
            ("customer_no", "7"),
            ("anonymous_id", "a1"),
        ];
        let signed = vouched(&names, 0, &[ada()]);
        assert_eq!(kept(&signed), ["ada", "ada@example.com", "a1"]);
        assert_eq!(signed.left_out, ["customer_no"]);
        assert!(!signed.is_unsigned);
        let unsigned = vouched(&names, 0, &[]);
        assert_eq!(kept(&unsigned), ["a1"]);
        assert!(unsigned.is_unsigned);
        let other = vouched(&[("user_id", "bob"), ("anonymous_id", "a1")], 0, &[ada()]);
        assert_eq!((kept(&other), other.is_unsigned), (vec!["a1"], true));
    }

    #[test]
    fn who_names_nobody_needs_no_token() {
        let names = [
            ("user_id", "null"),
            ("anonymous_id", "a1"),
            ("group_id", "g"),
        ];
        let vouched = vouched(&names, 0, &[]);
        assert_eq!(kept(&vouched), ["null", "a1", "g"]);
        assert!(!vouched.is_unsigned && vouched.left_out.is_empty());
    }

    #[test]
    fn of_names_that_a_caller_joins_those_that_are_left_are_joined() {
        let names = [
            ("user_id", "ada"),
            ("user_id", "old"),
            ("anonymous_id", "old"),
            ("anonymous_id", "a1"),
        ];
        let signed = vouched(&names, 3, &[ada()]);
        assert_eq!(
            (kept(&signed), signed.explicit),
            (vec!["ada", "old", "a1"], 2)
        );
        assert!(!signed.is_unsigned);
    }

    #[test]
    fn a_name_that_may_be_of_either_kind_is_told_only_where_neither_is_left() {
        let vouched = with_gate(|gate| {
            let previous =
                ["user_id", "anonymous_id"].map(|kind| gate.name(kind, "a1", "previousId"));
            let lead = gate.name("user_id", "ada", "userId");
            let names = std::iter::once(lead).chain(previous).collect();
            gate.vouched(names, 3, &[ada()])
        });
        assert_eq!(
            (kept(&vouched), vouched.left_out.len()),
            (vec!["ada", "a1"], 0)
        );
    }

    #[test]
    fn another_users_letters_are_another_user() {
        let signer = ada();
        for (kind, value, is_own) in [
            (IdentityKind::UserId, "ada", true),
            (IdentityKind::UserId, " ada ", true),
            (IdentityKind::UserId, "Ada", false),
            (IdentityKind::UserId, "ada@example.com", false),
            (IdentityKind::Email, "Ada@Example.com", true),
            (IdentityKind::Email, "ada", false),
            (IdentityKind::Custom("phone".into()), "ada", false),
        ] {
            let identity = Identity::new(kind, value);
            assert_eq!(signer.vouches_for(&identity), is_own, "{identity:?}");
        }
    }
}
