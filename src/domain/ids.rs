//! The identifiers of rows, each its own type so that two of them are never swapped unnoticed.

use sha2::{Digest, Sha256};
use std::fmt;
use uuid::{Uuid, Version};

/// A tenant. Small, because every index repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectId(pub i32);

/// One person's profile: a random UUIDv4, since the timeline index leads with it and must spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileId(pub Uuid);

impl ProfileId {
    /// Draws the id of a profile that is about to be made.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the event of a record of a file is called that has no id of its own, by the record's text.
pub type NameByPlace<'a> = &'a dyn Fn(&[u8]) -> String;

/// The 16 bytes that name an event within its project, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub Uuid);

impl EventId {
    /// Derives the key from the message id: the UUID itself where the text is one, else a UUIDv8 of its SHA-256.
    ///
    /// Only the canonical spelling counts as a UUID, so that two texts never share a key; a version 8 UUID is hashed
    /// as well, so that no sender can pick the key of somebody else's text.
    pub fn of(message_id: &str) -> Self {
        match canonical_uuid(message_id) {
            Some(uuid) if uuid.get_version() != Some(Version::Custom) => Self(uuid),
            _ => Self(hashed(message_id)),
        }
    }

    /// The same of a text whose parts follow each other, which spells no UUID.
    pub fn of_parts<const COUNT: usize>(parts: [&[u8]; COUNT]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(shortened(&hasher.finalize()))
    }

    /// True where the key alone gives the message id back, so that the text need not be kept beside it.
    pub fn spells(self, message_id: &str) -> bool {
        canonical_uuid(message_id) == Some(self.0)
    }
}

fn canonical_uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut buffer) == text).then_some(uuid)
}

/// A UUIDv8 made of the text's SHA-256.
pub(super) fn hashed(text: &str) -> Uuid {
    shortened(&Sha256::digest(text.as_bytes()))
}

fn shortened(digest: &[u8]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canonical_uuid_is_its_own_key() {
        let text = "76309aa1-4dd3-4019-9f4e-d2f430c33349";
        let id = EventId::of(text);
        assert_eq!(id.0.to_string(), text);
        assert!(id.spells(text));
    }

    #[test]
    fn a_text_in_parts_has_the_key_of_the_whole() {
        let parts = EventId::of_parts([b"people.ndjson\n7.0\n", b"{\"a\":1}"]);
        assert_eq!(parts, EventId::of("people.ndjson\n7.0\n{\"a\":1}"));
    }

    #[test]
    fn other_spellings_and_texts_are_hashed_and_differ() {
        let texts = [
            "76309AA1-4DD3-4019-9F4E-D2F430C33349",
            "76309aa14dd340199f4ed2f430c33349",
            "ajs-next-1700000000000-76309aa1-4dd3-4019-9f4e-d2f430c33349",
            "76309aa1-4dd3-8019-9f4e-d2f430c33349",
        ];
        let ids: std::collections::HashSet<_> =
            texts.iter().map(|text| EventId::of(text)).collect();
        assert_eq!(ids.len(), texts.len());
        assert!(texts.iter().all(|text| !EventId::of(text).spells(text)));
        assert!(
            ids.iter()
                .all(|id| id.0.get_version() == Some(Version::Custom))
        );
    }
}
