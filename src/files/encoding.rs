//! The encodings of texts that are read.

use super::unusable::Unusable;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How the characters of a file are written: UTF-8, UTF-16, or one of the old tables with a byte for each character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(pub(super) &'static encoding_rs::Encoding);

impl Encoding {
    /// What nearly all files are in.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);
    pub(super) const UTF_16_LE: Self = Self(encoding_rs::UTF_16LE);
    pub(super) const UTF_16_BE: Self = Self(encoding_rs::UTF_16BE);
    /// What older programs on Windows write in western Europe and America.
    pub const WINDOWS_1252: Self = Self(encoding_rs::WINDOWS_1252);

    /// By one of the names that browsers know, like `utf-8`, `latin1` or `windows-1252`.
    ///
    /// # Errors
    /// `encoding` where nobody knows the name, or a character takes a varying number of bytes.
    pub fn parse(name: &str) -> Result<Self, Unusable> {
        let known = encoding_rs::Encoding::for_label(name.trim().as_bytes());
        let is_read = |own: &Self| {
            own.0.is_single_byte() || [Self::UTF_8, Self::UTF_16_LE, Self::UTF_16_BE].contains(own)
        };
        known.map(Self).filter(is_read).ok_or_else(|| {
            let message = "the encoding is none that is read: utf-8, utf-16le, utf-16be, or one with a byte for each character, \
                           like windows-1252, iso-8859-15 or macintosh";
            Unusable::of("encoding", message)
        })
    }

    /// The name in lower case.
    pub fn name(self) -> String {
        self.0.name().to_ascii_lowercase()
    }
}

impl Serialize for Encoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Encoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(de::Error::custom)
    }
}
