//! Credentials as the core knows them: a hash, whose it is, and what it may do.

use sha2::{Digest, Sha256};
use std::fmt;
use std::hash::{Hash, Hasher};
use subtle::ConstantTimeEq;

use super::{Kinds, ProjectId};
use std::sync::Arc;

/// The SHA-256 of a key: the only form in which a key is kept, cached or compared.
///
/// Keys are random and long, so that a plain hash can't be turned back. Equality takes the same time for all values.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes the text of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Takes over a hash that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first twelve hexadecimal digits: enough to tell keys apart in a list, useless as a key.
    pub fn fingerprint(&self) -> String {
        let bytes = self.0[..6].iter();
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hash, for the statement that looks it up.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash")
    }
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// May only ingest: it ships in apps and pages.
    Write,
    /// May also read, import, erase and administer its project.
    Server,
    /// May only read: for reports, and for tools of those who help customers.
    Read,
}

impl KeyKind {
    /// The name in SQL and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Server => "server",
            Self::Read => "read",
        }
    }

    /// True of those whose calls say something about people.
    pub const fn may_write(self) -> bool {
        !matches!(self, Self::Read)
    }

    /// True of those that are shown what is known of people.
    pub const fn may_read(self) -> bool {
        !matches!(self, Self::Write)
    }

    /// Reads a kind's name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Write, Self::Server, Self::Read]
            .into_iter()
            .find(|known| known.as_str() == name)
    }
}

/// Who is calling: what a key that is known stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose data this caller sees.
    pub project_id: ProjectId,
    /// What it may do there.
    pub kind: KeyKind,
    /// What the project says about identities.
    pub kinds: Arc<Kinds>,
    /// What signs the token that each of its calls needs, where they need one.
    pub secret: Option<TokenSecret>,
}

impl Caller {
    /// True where the caller's own word tells who a call is about. The others' calls need a token of their user, which only a key with a
    /// secret can have.
    pub fn speaks_for_all(&self) -> bool {
        self.kind == KeyKind::Server || (self.secret.is_none() && !self.kinds.rules.signed_users)
    }
}

/// A secret that a customer's server signs tokens with. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(Arc<str>);

impl TokenSecret {
    /// Takes over a secret.
    pub fn new(secret: &str) -> Self {
        Self(secret.into())
    }

    /// For the one who checks a signature.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_are_equal_and_never_shown() {
        assert_eq!(KeyHash::of("a"), KeyHash::of("a"));
        assert_ne!(KeyHash::of("a"), KeyHash::of("b"));
        assert!(!format!("{:?}", KeyHash::of("secret")).contains("secret"));
        for kind in [KeyKind::Write, KeyKind::Server, KeyKind::Read] {
            assert_eq!(KeyKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn only_a_server_key_both_writes_and_reads() {
        let may = |kind: KeyKind| (kind.may_write(), kind.may_read());
        assert_eq!(may(KeyKind::Server), (true, true));
        assert_eq!(may(KeyKind::Write), (true, false));
        assert_eq!(may(KeyKind::Read), (false, true));
    }
}
