//! Records of files that could not be taken: listed by their number in the file.

use super::import_statements::LOAD_IMPORT_REFUSALS;
use super::{Error, ImportKey, Store};
use crate::domain::{Identity, IdentityKey, ProjectId, Rejection, Timestamp};
use tokio_postgres::Row;

/// A record that could not be taken.
#[derive(Clone, Debug)]
pub struct ImportRefusal {
    pub number: i64,
    pub place: String,
    pub code: String,
    pub field: Option<String>,
    pub message: String,
    /// The text as it was, cut; `None` where nothing of it may be kept.
    pub record: Option<Vec<u8>>,
    pub record_bytes: i64,
    /// Whom the record names, as far as that was seen; never read back.
    pub names: Vec<Identity>,
    /// Set by the database.
    pub rejected_at: Option<Timestamp>,
}

impl ImportRefusal {
    /// A record with the reason why it is refused.
    pub fn of(number: u64, place: String, rejection: &Rejection) -> Self {
        Self {
            number: i64::try_from(number).unwrap_or(i64::MAX),
            place,
            code: rejection.code.as_str().to_owned(),
            field: rejection.field.clone(),
            message: rejection.message.clone(),
            record: None,
            record_bytes: 0,
            names: rejection.names.clone(),
            rejected_at: None,
        }
    }
}

impl Store {
    /// Empties those of people who were erased later than their file says that it is.
    pub async fn empty_older_lines(
        &self,
        project_id: ProjectId,
        at: Timestamp,
        refusals: &mut [ImportRefusal],
    ) -> Result<(), Error> {
        let keys = |one: &ImportRefusal| -> Vec<IdentityKey> {
            let names = one.names.iter();
            names.map(|name| (project_id, name.clone())).collect()
        };
        let asked: Vec<IdentityKey> = refusals.iter().flat_map(keys).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let erased = self.load_erased(&asked.iter().collect::<Vec<_>>()).await?;
        for one in refusals {
            let is_erased =
                |key: &IdentityKey| erased.get(key).is_some_and(|erased| erased.bars(at));
            if keys(one).iter().any(is_erased) {
                one.record = None;
                one.names.clear();
            }
        }
        Ok(())
    }

    /// A page of a job's refused records, in the order of the file; `after` is the number of the last of the page before.
    pub async fn load_import_refusals(
        &self,
        key: ImportKey,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ImportRefusal>, Error> {
        let (project, job) = (key.0.0, key.1);
        let rows = self
            .run(&LOAD_IMPORT_REFUSALS, &[&project, &job, &after, &limit])
            .await?;
        Ok(rows.iter().map(refusal).collect())
    }
}

fn refusal(row: &Row) -> ImportRefusal {
    ImportRefusal {
        number: row.get(0),
        place: row.get(1),
        rejected_at: super::backfill::optional_time(row, 2),
        code: row.get(3),
        field: row.get(4),
        message: row.get(5),
        record: row.get(6),
        record_bytes: row.get(7),
        names: Vec::new(),
    }
}
