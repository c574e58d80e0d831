//! Records of topics that could not be taken: listed by their place in Kafka.

use super::backfill::{Partition, optional_time};
use super::backfill_statements::{FORGET_REFUSALS, LOAD_REFUSALS, RECORD_REFUSALS};
use super::params::JsonParam;
use super::{Error, Store};
use crate::domain::{Identity, IdentityKey, ProjectId, Rejection, Timestamp};
use tokio_postgres::Row;

/// A record that could not be taken.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub project_id: ProjectId,
    pub source: String,
    pub partition: Partition,
    pub offset: i64,
    pub at: Option<Timestamp>,
    pub code: String,
    pub field: Option<String>,
    pub message: String,
    /// Cut.
    pub key: Option<Vec<u8>>,
    /// Cut.
    pub record: Option<Vec<u8>>,
    pub record_bytes: i64,
    pub attempts: i32,
    /// Whom the record names, as far as that was seen; never read back.
    pub names: Vec<Identity>,
    /// Set by the database.
    pub rejected_at: Option<Timestamp>,
}

impl Refusal {
    /// A place alone.
    pub fn at(source: String, partition: Partition, offset: i64) -> Self {
        Self {
            project_id: ProjectId(0),
            source,
            partition,
            offset,
            at: None,
            code: String::new(),
            field: None,
            message: String::new(),
            key: None,
            record: None,
            record_bytes: 0,
            attempts: 1,
            names: Vec::new(),
            rejected_at: None,
        }
    }

    /// The reason again.
    pub fn because(mut self, rejection: &Rejection) -> Self {
        self.code = rejection.code.as_str().to_owned();
        self.field.clone_from(&rejection.field);
        self.message.clone_from(&rejection.message);
        self.names.clone_from(&rejection.names);
        self
    }
}

impl Store {
    /// Records what could not be taken. Of people who were erased since nothing is kept.
    pub async fn record_refusals(&self, mut refusals: Vec<Refusal>) -> Result<(), Error> {
        self.empty_older(&mut refusals).await?;
        let refusals = &refusals[..];
        let each = || refusals.iter();
        let (projects, sources, topics, numbers, offsets) = keys(refusals);
        let times: Vec<_> = each().map(|one| one.at.map(Timestamp::instant)).collect();
        let codes: Vec<&str> = each().map(|one| one.code.as_str()).collect();
        let fields: Vec<Option<&str>> = each().map(|one| one.field.as_deref()).collect();
        let messages: Vec<&str> = each().map(|one| one.message.as_str()).collect();
        let keys: Vec<Option<&[u8]>> = each().map(|one| one.key.as_deref()).collect();
        let records: Vec<Option<&[u8]>> = each().map(|one| one.record.as_deref()).collect();
        let sizes: Vec<i64> = each().map(|one| one.record_bytes).collect();
        let attempts: Vec<i32> = each().map(|one| one.attempts).collect();
        let hashes = each().map(|one| (one.project_id, &one.names[..]));
        let hashes = self.name_hashes(hashes).await?;
        let hashes: Vec<_> = hashes
            .iter()
            .map(|one| one.as_ref().map(JsonParam))
            .collect();
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 14] = [
            &projects, &sources, &topics, &numbers, &offsets, &times, &codes, &fields, &messages,
            &keys, &records, &sizes, &attempts, &hashes,
        ];
        self.run(&RECORD_REFUSALS, &params).await.map(drop)
    }

    /// Empties those of people who were erased later than the record says that it is.
    async fn empty_older(&self, refusals: &mut [Refusal]) -> Result<(), Error> {
        let keys = |one: &Refusal| -> Vec<IdentityKey> {
            let names = one.names.iter();
            names.map(|name| (one.project_id, name.clone())).collect()
        };
        let asked: Vec<IdentityKey> = refusals.iter().flat_map(keys).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let erased = self.load_erased(&asked.iter().collect::<Vec<_>>()).await?;
        for one in refusals {
            let at = one.at.unwrap_or(Timestamp::MIN);
            let is_erased =
                |key: &IdentityKey| erased.get(key).is_some_and(|erased| erased.bars(at));
            if keys(one).iter().any(is_erased) {
                (one.key, one.record) = (None, None);
                one.names.clear();
            }
        }
        Ok(())
    }

    /// A page of a project's refused records, in the order of their places; `after` is the last of the page before.
    pub async fn load_refusals(
        &self,
        project_id: ProjectId,
        after: Option<&Refusal>,
        limit: i64,
    ) -> Result<Vec<Refusal>, Error> {
        let (source, topic, number, offset) = after.map_or(("", "", -1, -1), |after| {
            let (topic, number) = &after.partition;
            (after.source.as_str(), topic.as_str(), *number, after.offset)
        });
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&project_id.0, &source, &topic, &number, &offset, &limit];
        let rows = self.run(&LOAD_REFUSALS, &params).await?;
        Ok(rows.iter().map(refusal).collect())
    }

    /// Forgets refusals of records that were taken after all.
    pub async fn forget_refusals(&self, refusals: &[Refusal]) -> Result<(), Error> {
        let (projects, sources, topics, numbers, offsets) = keys(refusals);
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&projects, &sources, &topics, &numbers, &offsets];
        self.run(&FORGET_REFUSALS, &params).await.map(drop)
    }
}

/// The columns of the keys of refusals.
type Keys<'a> = (Vec<i32>, Vec<&'a str>, Vec<&'a str>, Vec<i32>, Vec<i64>);

fn keys(refusals: &[Refusal]) -> Keys<'_> {
    let each = || refusals.iter();
    (
        each().map(|one| one.project_id.0).collect(),
        each().map(|one| one.source.as_str()).collect(),
        each().map(|one| one.partition.0.as_str()).collect(),
        each().map(|one| one.partition.1).collect(),
        each().map(|one| one.offset).collect(),
    )
}

fn refusal(row: &Row) -> Refusal {
    Refusal {
        project_id: ProjectId(row.get(0)),
        source: row.get(1),
        partition: (row.get(2), row.get(3)),
        offset: row.get(4),
        at: optional_time(row, 5),
        rejected_at: optional_time(row, 6),
        code: row.get(7),
        field: row.get(8),
        message: row.get(9),
        key: row.get(10),
        record: row.get(11),
        record_bytes: row.get(12),
        attempts: row.get(13),
        names: Vec::new(),
    }
}
