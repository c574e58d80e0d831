//! Erasing what is older than a time, as a legacy store says that it has deleted somebody: whoever has done something since stays,
//! with what is newer; of all others nothing is left. Either way round, a deletion and what was stated after it end the same.

use super::erase_steps::{Found, Task, finish, lock, take_away};
use super::marks::marked;
use super::params::{JsonParam, size_of_stored};
use super::run::{Body, query};
use super::{ErasureRequest, Error, Statement, Store};
use crate::domain::erasure::Erased;
use crate::domain::profile::Traits;
use crate::domain::{Command, IdentityKey, Json, Timestamp};
use deadpool_postgres::Transaction;
use std::collections::{BTreeSet, HashMap};
use tokio_postgres::Row;
use uuid::Uuid;

/// Traits of locked profiles, whether anything came since for them, and whether they, or what was merged into them, have a newer event. What
/// came before can't be newer, whatever a clock that is ahead says of it.
pub(super) const LOAD_NEWER: Statement = Statement {
    name: "load_newer",
    sql: "-- load_newer
SELECT p.profile_id, p.traits::TEXT, p.stamps::TEXT, p.updated_at > $3::TIMESTAMPTZ, EXISTS (
    SELECT 1 FROM unnest(array_append(p.merged_from, p.profile_id)) AS m (profile_id)
    JOIN event AS e ON e.profile_id = m.profile_id AND e.occurred_at > $3::TIMESTAMPTZ AND e.received_at > $3::TIMESTAMPTZ
)
FROM unnest($1::INT4[], $2::UUID[]) AS t (project_id, profile_id)
JOIN profile AS p ON p.project_id = t.project_id AND p.profile_id = t.profile_id",
};

/// What is left of profiles that stay.
pub(super) const KEEP_NEWER: Statement = Statement {
    name: "keep_newer",
    sql: concat!(
        "-- keep_newer
WITH kept AS (
    UPDATE profile AS p SET traits = t.traits, stamps = t.stamps, version = p.version + 1, updated_at = now(), size_bytes = t.size_bytes
    FROM unnest($1::INT4[], $2::UUID[], $3::JSONB[], $4::JSONB[], $5::INT4[]) AS t (project_id, profile_id, traits, stamps, size_bytes)
    WHERE p.project_id = t.project_id AND p.profile_id = t.profile_id
    RETURNING p.project_id, p.profile_id
), ",
        marked!("kept"),
        "
SELECT count(*)::INT8 FROM kept"
    ),
};

/// From now on the names of profiles that stay bring nothing older back. Where records of a topic tell the erased (`document_kind` is
/// empty), they do so under each of the names: any may be the key of what was published before.
pub(super) const BAR_OLDER: Statement = Statement {
    name: "bar_older",
    sql: "-- bar_older
WITH barred AS (
    UPDATE identity SET not_before = $2::TIMESTAMPTZ
    WHERE profile_id = ANY($1::UUID[]) AND (not_before IS NULL OR not_before < $2::TIMESTAMPTZ)
    RETURNING project_id, kind, value
), noted AS (
    INSERT INTO outbox_gone AS o (project_id, kind, value, mark, marked_at, due_at, looks, only_ours, erased_at)
    SELECT b.project_id, b.kind, b.value, gen_random_uuid(), now(), now(), 0, TRUE, $2::TIMESTAMPTZ
    FROM barred AS b JOIN migration AS m ON m.project_id = b.project_id AND m.mirrors AND m.document_kind = ''
    ON CONFLICT (project_id, kind, value) DO UPDATE SET mark = excluded.mark, due_at = excluded.due_at, looks = 0,
        marked_at = CASE WHEN o.looks = 0 THEN o.marked_at ELSE excluded.marked_at END, only_ours = o.only_ours AND excluded.only_ours,
        erased_at = GREATEST(o.erased_at, excluded.erased_at)
    RETURNING o.value
)
SELECT count(*)::INT8 FROM barred",
};

/// A profile with something newer.
struct Kept {
    id: Uuid,
    traits: Json,
    stamps: Json,
}

impl Store {
    /// Erases what is older than a command's time, and keeps it from coming back; tells whether anything of that is news.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn erase_older(&self, command: &Command) -> Result<bool, Error> {
        let project_id = command.project_id();
        let keys = command.identities().iter();
        let keys: Vec<IdentityKey> = keys.map(|name| (project_id, name.clone())).collect();
        if self.is_erased(&keys, command.occurred_at()).await? {
            return Ok(false);
        }
        let request = ErasureRequest {
            project_id,
            id: command.erasure_id(),
            at: command.occurred_at(),
            is_forgotten: false,
            identities: command.identities().to_vec(),
            profiles: Vec::new(),
            kept: Some(Vec::new()),
        };
        self.erase(&request).await.map(|_| true)
    }

    /// True where all of the names are known to be erased at that time or later, and lead to nothing older.
    async fn is_erased(&self, keys: &[IdentityKey], at: Timestamp) -> Result<bool, Error> {
        let erased: HashMap<IdentityKey, Erased> =
            self.load_erased(&keys.iter().collect::<Vec<_>>()).await?;
        let is_remembered = |key| {
            erased
                .get(key)
                .is_some_and(|erased: &Erased| erased.at >= at)
        };
        if !keys.iter().all(is_remembered) {
            return Ok(false);
        }
        let asked: Vec<_> = keys.iter().map(|key| (key.clone(), false)).collect();
        let found = self.resolve_identities(&asked, &[]).await?;
        let mut owned = found.identities.iter();
        Ok(owned.all(|identity| identity.not_before.is_some_and(|before| before >= at)))
    }
}

/// The transaction.
pub(super) fn body<'a>(tx: &'a Transaction<'a>, task: &'a Task<'a>) -> Body<'a, Vec<Uuid>> {
    Box::pin(async move {
        let request = task.request;
        if let Some(fence) = task.fence {
            fence.lock(tx).await?;
        }
        let merged: HashMap<Uuid, Vec<Uuid>> = lock(tx, request)
            .await?
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        let (gone, kept) = judge(tx, request, &merged).await?;
        let with_merged = |ids: BTreeSet<Uuid>| -> Vec<Uuid> {
            let merged = ids.iter().filter_map(|id| merged.get(id)).flatten();
            ids.iter().chain(merged).copied().collect()
        };
        // Of whom a sweep finds nothing newer the whole person goes, as before.
        let kept_ids = with_merged(kept.iter().map(|kept| kept.id).collect());
        let mut found = Found {
            gone: with_merged(gone),
            kept: (request.kept.is_some() || !kept_ids.is_empty()).then_some(kept_ids),
            ..Found::default()
        };
        take_away(tx, request, &mut found).await?;
        keep(tx, request, &kept).await?;
        finish(tx, task, found).await
    })
}

/// Tells the profiles that have nothing newer from those that have.
async fn judge(
    tx: &Transaction<'_>,
    request: &ErasureRequest,
    locked: &HashMap<Uuid, Vec<Uuid>>,
) -> Result<(BTreeSet<Uuid>, Vec<Kept>), Error> {
    let ids: Vec<Uuid> = locked.keys().copied().collect();
    let projects = vec![request.project_id.0; ids.len()];
    let at = request.at.instant();
    let rows = query(tx, &LOAD_NEWER, &[&projects, &ids, &at]).await?;
    let (mut gone, mut kept) = (BTreeSet::new(), Vec::new());
    for row in &rows {
        match newer(row, request.at)? {
            Some(profile) => kept.push(profile),
            None => drop(gone.insert(row.get(0))),
        }
    }
    Ok((gone, kept))
}

fn newer(row: &Row, at: Timestamp) -> Result<Option<Kept>, Error> {
    let stored = |column| Json::from_database(row.get(column));
    let mut traits =
        Traits::from_stored(&stored(1), &stored(2)).map_err(|reason| Error::Inconsistent {
            table: "profile",
            column: "stamps",
            reason: reason.to_string(),
        })?;
    let (is_touched, has_event): (bool, bool) = (row.get(3), row.get(4));
    let has_traits = traits.erase_older(at);
    let has_newer = has_event || has_traits && is_touched;
    let (traits, stamps) = traits.to_stored();
    let id = row.get(0);
    Ok(has_newer.then_some(Kept { id, traits, stamps }))
}

async fn keep(tx: &Transaction<'_>, request: &ErasureRequest, kept: &[Kept]) -> Result<(), Error> {
    let ids: Vec<Uuid> = kept.iter().map(|kept| kept.id).collect();
    let projects = vec![request.project_id.0; ids.len()];
    let traits: Vec<_> = kept.iter().map(|kept| JsonParam(&kept.traits)).collect();
    let stamps: Vec<_> = kept.iter().map(|kept| JsonParam(&kept.stamps)).collect();
    let sizes = kept.iter();
    let sizes: Vec<i32> = sizes
        .map(|kept| size_of_stored(&kept.traits, &kept.stamps))
        .collect();
    query(
        tx,
        &KEEP_NEWER,
        &[&projects, &ids, &traits, &stamps, &sizes],
    )
    .await?;
    query(tx, &BAR_OLDER, &[&ids, &request.at.instant()])
        .await
        .map(drop)
}
