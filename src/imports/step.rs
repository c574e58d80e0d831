//! What became of records, as a step of their job counts and lists it.

use super::reading::{Batch, Standing};
use crate::domain::{Code, Command, Item, Receipt, Rejection};
use crate::metric_names::IMPORT_RECORDS;
use crate::store::{ImportCounts, ImportRefusal};
use metrics::counter;

/// Bytes of a refused record that are listed: enough to mend it, unless it is a document of its own.
const LISTED_BYTES: usize = 64 << 10;

/// Receipts, counted; and all that was refused.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    pub counts: ImportCounts,
    pub refusals: Vec<ImportRefusal>,
}

impl Outcomes {
    pub fn of(items: &[Item], receipts: Vec<Receipt>, batch: &Batch) -> Self {
        let mut own = Self::default();
        for ((item, receipt), standing) in items.iter().zip(receipts).zip(&batch.places) {
            own.add(item, receipt, standing);
        }
        own.refusals
            .extend(batch.cut.iter().map(|(standing, item)| cut(standing, item)));
        let unread = batch.refused.iter();
        own.refusals
            .extend(unread.map(|(standing, why)| refusal(standing, why)));
        own.counts.unchanged += batch.empty;
        own.counts.rejected = own.refusals.len() as u64;
        own.counts.warned = batch.warned;
        own.tell();
        own
    }

    /// With those of the records that follow.
    pub fn and(mut self, next: Self) -> Self {
        let (own, more) = (&mut self.counts, next.counts);
        own.stored += more.stored;
        own.unchanged += more.unchanged;
        own.duplicate += more.duplicate;
        own.rejected += more.rejected;
        own.warned += more.warned;
        self.refusals.extend(next.refusals);
        self
    }

    pub fn records(&self) -> u64 {
        let counts = &self.counts;
        counts.stored + counts.unchanged + counts.duplicate + counts.rejected
    }

    fn add(&mut self, item: &Item, receipt: Receipt, standing: &Standing) {
        match receipt {
            Receipt::Stored | Receipt::StoredWithout(_) => self.counts.stored += 1,
            Receipt::Unchanged => self.counts.unchanged += 1,
            Receipt::Duplicate => self.counts.duplicate += 1,
            Receipt::Taken(rejection) | Receipt::Rejected(rejection) => {
                let names = item.command().into_iter().flat_map(Command::names).cloned();
                self.refusals
                    .push(refusal(standing, &rejection.about(names)));
            }
        }
    }

    fn tell(&self) {
        let counts = &self.counts;
        for (outcome, count) in [
            ("stored", counts.stored),
            ("unchanged", counts.unchanged),
            ("duplicate", counts.duplicate),
            ("rejected", counts.rejected),
        ] {
            counter!(IMPORT_RECORDS, "outcome" => outcome).increment(count);
        }
    }
}

/// A refused record as it is listed. Of people who were erased nothing is kept, and no database takes a NUL as text.
fn refusal(standing: &Standing, rejection: &Rejection) -> ImportRefusal {
    let mut own = ImportRefusal::of(standing.number, standing.place.to_string(), rejection);
    let plain = |text: String| text.replace('\0', "\u{fffd}");
    own.field = own.field.map(plain);
    own.message = plain(own.message);
    own.record_bytes = standing.bytes as i64;
    if matches!(rejection.code, Code::Erased | Code::Forgotten) {
        own.names.clear();
    } else {
        own.record = Some(beginning(standing));
    }
    own
}

/// A last record of an upload that nobody went on with: about whom it seems to be.
fn cut(standing: &Standing, item: &Item) -> ImportRefusal {
    let names = item.command().into_iter().flat_map(Command::names);
    ImportRefusal {
        number: standing.number as i64,
        place: standing.place.to_string(),
        code: "incomplete".to_owned(),
        field: None,
        message: "the upload ended in the middle of it, or before its end was known".to_owned(),
        record: Some(beginning(standing)),
        record_bytes: standing.bytes as i64,
        names: names.cloned().collect(),
        rejected_at: None,
    }
}

fn beginning(standing: &Standing) -> Vec<u8> {
    crate::files::beginning(&standing.text, LISTED_BYTES).to_vec()
}
