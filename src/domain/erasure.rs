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
