//! How the records of a file are understood: by a mapping, or by what they are.

use super::reading::{Means, Standing};
use crate::domain::{Gate, Rejection};
use crate::mapping::{Mapping, Reading, Record};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The mapping that a job names, or both that need none.
pub(super) struct Choice {
    given: Option<Mapping>,
    /// Records of Roster's own format.
    own: Mapping,
    /// Messages of the tracking API.
    calls: Mapping,
}

/// A record of Roster's own format says so.
#[derive(Deserialize)]
struct Marked {
    roster: Option<IgnoredAny>,
}

impl Choice {
    /// Reads the text of a mapping file, where there is one.
    ///
    /// # Errors
    /// All that is wrong with it, in one sentence.
    pub fn of(text: Option<&str>) -> Result<Self, String> {
        let parse = |text: &str| Mapping::parse(text).map_err(|complaints| complaints.join("; "));
        Ok(Self {
            given: text.map(parse).transpose()?,
            own: Mapping::roster(),
            calls: parse("preset = \"tracking\"")?,
        })
    }

    /// What a record says.
    ///
    /// # Errors
    /// Why it can't be taken.
    pub fn read(
        &self,
        object: &Bytes,
        standing: &Standing,
        means: &Means,
        gate: &Gate<'_>,
    ) -> Result<Reading, Rejection> {
        let _ = standing;
        let record = Record {
            key: None,
            value: Some(object),
            headers: &[],
            at: None,
        };
        let mapping = self.given.as_ref().unwrap_or_else(|| self.usual(object));
        mapping.read(&record, gate, means.file_time, &*means.calls)
    }

    fn usual(&self, object: &[u8]) -> &Mapping {
        let may_be_own = memchr::memmem::find(object, b"\"roster\"").is_some();
        let is_own = may_be_own
            && serde_json::from_slice::<Marked>(object).is_ok_and(|read| read.roster.is_some());
        if is_own { &self.own } else { &self.calls }
    }
}
