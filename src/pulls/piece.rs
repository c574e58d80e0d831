//! A piece of a file, what the file was when its fetching began, and why it does not go on.

use crate::domain::Timestamp;
use crate::imports::Checksum;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Bytes that are asked for at once. They are in memory before the first is taken in: a connection never waits for the database.
pub const PIECE: usize = 8 << 20;

/// A source that takes longer for a piece is too slow to wait for: some 28 KiB a second.
pub const PIECE_TIME: Duration = Duration::from_secs(300);

/// Of somebody else's message as much as a person reads.
const SHOWN: usize = 300;

/// Some bytes of a file.
#[derive(Debug)]
pub struct Piece {
    pub bytes: Bytes,
    /// The file that they are of.
    pub version: Version,
    /// True where the file ends behind them.
    pub is_last: bool,
}

/// By what a file is told from another one that took its place.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The store's tag, the time of its last change where it gives none, or nothing.
    pub tag: Option<String>,
    /// Bytes, where that is known.
    pub size: Option<u64>,
}

impl Version {
    /// Whether a later answer is about the same file. What either does not say is no difference.
    pub fn is_same(&self, other: &Self) -> bool {
        fn fits<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.is_none() || other.is_none() || one == other
        }
        fits(self.tag.as_ref(), other.tag.as_ref()) && fits(self.size.as_ref(), other.size.as_ref())
    }

    /// What stood there, for messages.
    pub fn shown(&self) -> String {
        let size = self.size.map_or_else(
            || "of unknown size".to_owned(),
            |size| format!("{size} bytes"),
        );
        match &self.tag {
            Some(tag) => format!("{} ({size})", cut(tag)),
            None => format!("without a tag ({size})"),
        }
    }
}

/// A file before its first byte is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub version: Version,
    /// Of its last change, where the store says it.
    pub changed_at: Option<Timestamp>,
}

/// Why a piece could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Later it may be.
    Passing(String),
    /// The store does not let us: another address or another right may help.
    Denied(String),
    /// Nothing is there.
    Missing(String),
    /// Something else is there now.
    Changed { was: String, is: String },
    /// It may not be asked for, or is nothing that can be read.
    Refused(String),
}

impl Failure {
    /// A stable name of the kind.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Passing(_) => "source_unreachable",
            Self::Denied(_) => "source_denied",
            Self::Missing(_) => "source_missing",
            Self::Changed { .. } => "source_changed",
            Self::Refused(_) => "source_refused",
        }
    }

    /// Of a server that tells one file from another by nothing.
    pub fn begins_otherwise(bytes: u64, was: Checksum, is: Checksum) -> Self {
        let shown = |checksum: Checksum| {
            let checksum = checksum.to_text();
            format!("one whose first {bytes} bytes have the checksum {checksum}")
        };
        Self::Changed {
            was: shown(was),
            is: shown(is),
        }
    }

    pub fn changed(was: &Version, is: &Version) -> Self {
        Self::Changed {
            was: was.shown(),
            is: is.shown(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code();
        match self {
            Self::Changed { was, is } => {
                write!(formatter, "{code}: the file was {was} and is {is} now")
            }
            Self::Passing(text)
            | Self::Denied(text)
            | Self::Missing(text)
            | Self::Refused(text) => {
                write!(formatter, "{code}: {}", cut(text))
            }
        }
    }
}

/// The beginning of a text, whole characters, without control characters.
pub fn cut(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(SHOWN)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(tag: &str, size: u64) -> Version {
        Version {
            tag: Some(tag.to_owned()),
            size: Some(size),
        }
    }

    #[test]
    fn row_55_another_tag_or_size_is_another_file_and_both_are_told() {
        let (was, is) = (version("\"a\"", 5), version("\"b\"", 5));
        assert!(was.is_same(&was) && !was.is_same(&is) && !was.is_same(&version("\"a\"", 6)));
        assert!(was.is_same(&Version::default()));
        let told = Failure::changed(&was, &is).to_string();
        assert!(told.starts_with("source_changed"), "{told}");
        assert!(told.contains("\"a\"") && told.contains("\"b\""), "{told}");
    }

    #[test]
    fn what_others_say_is_cut() {
        let told = Failure::Passing("é\n".repeat(1_000)).to_string();
        assert!(told.chars().count() < 350 && !told.contains('\n'), "{told}");
    }
}
