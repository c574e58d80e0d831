//! What is remembered of erased people: that a name was erased, when, and whether for good; never the name itself.

use super::{Code, Identity, ProjectId, Rejection, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What is remembered of an erased name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    pub at: Timestamp,
    /// Newer data is refused too.
    pub is_forgotten: bool,
}

impl Erased {
    /// True where the name must not be used by a call of that time.
    pub fn bars(&self, occurred_at: Timestamp) -> bool {
        self.is_forgotten || self.is_after(occurred_at)
    }

    /// True where the call belongs to what was erased.
    pub fn is_after(&self, occurred_at: Timestamp) -> bool {
        occurred_at <= self.at
    }

    /// Why a call about the name is refused.
    pub fn rejection(&self) -> Rejection {
        let (code, message) = if self.is_forgotten {
            (
                Code::Forgotten,
                "the person was erased and is blocked for good",
            )
        } else {
            (
                Code::Erased,
                "the person was erased later than this happened",
            )
        };
        Rejection {
            names: Vec::new(),
            code,
            field: None,
            message: message.to_owned(),
        }
    }
}

/// What the names of a document tell of its person's erasure, the strongest first. As with records the strongest decides, and the id;
/// the others do where nobody has the strongest.
pub fn erased_at<T>(
    (id, names): (&Identity, &[Identity]),
    is_owned: bool,
    erased: impl Fn(&Identity) -> Option<T>,
) -> Option<T> {
    let own = names.first().into_iter().chain([id]);
    let others = names.iter().filter(|_| !is_owned);
    own.chain(others).find_map(erased)
}

/// The salted hash by which an erased name is known again.
pub fn identity_hash(salt: Uuid, project_id: ProjectId, identity: &Identity) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(project_id.0.to_be_bytes());
    hash.update(identity.kind.as_str());
    hash.update([0]);
    hash.update(&identity.value);
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::IdentityKind;

    #[test]
    fn the_strongest_name_and_the_id_decide_and_the_others_where_nobody_has_the_strongest() {
        let name = |value| Identity::new(IdentityKind::UserId, value);
        let names = ["strongest", "other"].map(name);
        let at = |erased: &str, is_owned| {
            let told = |name: &Identity| (name.value == erased).then_some(Timestamp::MIN);
            erased_at((&name("id"), &names), is_owned, told).is_some()
        };
        for (erased, when_owned, when_free) in [
            ("strongest", true, true),
            ("id", true, true),
            ("other", false, true),
            ("nobody", false, false),
        ] {
            assert_eq!(at(erased, true), when_owned, "{erased}");
            assert_eq!(at(erased, false), when_free, "{erased}");
        }
    }
}
