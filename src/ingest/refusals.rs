//! Records what was refused, on arrival or in the write, and what was stored but mended, so that a person can look it up.

use crate::domain::{Class, Code, IdentityKey, Item, Json, Receipt, Rejected};
use crate::metric_names::REJECTIONS_UNLISTED;
use crate::store::{Error, Store};
use metrics::counter;
use uuid::Uuid;

/// Lists what was refused or mended. Of people who are forgotten nothing is kept.
pub(super) async fn list(
    store: &Store,
    items: &[&Item],
    receipts: &[Receipt],
) -> Result<(), Error> {
    let refused = items.iter().zip(receipts);
    let mut refused: Vec<Rejected> = refused
        .filter_map(|(item, receipt)| refusal(item, receipt))
        .collect();
    leave_out_forgotten(store, &mut refused).await?;
    insert(store, refused).await
}

fn refusal(item: &Item, receipt: &Receipt) -> Option<Rejected> {
    match (item, receipt) {
        (Item::Rejected(rejected), _) => Some(rejected.clone()),
        (Item::Command(command), Receipt::Rejected(rejection)) => {
            // A record of a topic is listed by its place there.
            let is_kept = rejection.code != Code::Forgotten && command.class() != Class::Backfill;
            is_kept.then(|| Rejected::command(command, Uuid::now_v7(), rejection.clone()))
        }
        (Item::Command(command), Receipt::Stored) if command.class() != Class::Backfill => {
            Rejected::mended(command, Uuid::now_v7())
        }
        _ => None,
    }
}

async fn leave_out_forgotten(store: &Store, refused: &mut Vec<Rejected>) -> Result<(), Error> {
    let keys = |rejected: &Rejected| -> Vec<IdentityKey> {
        let names = rejected.names.iter();
        names
            .map(|name| (rejected.project_id, name.clone()))
            .collect()
    };
    let asked: Vec<IdentityKey> = refused.iter().flat_map(keys).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let erased = store.load_erased(&asked.iter().collect::<Vec<_>>()).await?;
    let is_forgotten =
        |key: &IdentityKey| erased.get(key).is_some_and(|erased| erased.is_forgotten);
    refused.retain(|rejected| !keys(rejected).iter().any(&is_forgotten));
    Ok(())
}

/// Records refusals. One whose item the database does not take is recorded without it; what can't even be recorded so is counted:
/// a record must not make its request fail for ever.
async fn insert(store: &Store, refused: Vec<Rejected>) -> Result<(), Error> {
    let mut parts = vec![refused];
    while let Some(mut part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        match store.insert_rejections(&part).await {
            Err(error) if error.is_data() && part.len() > 1 => {
                parts.push(part.split_off(part.len() / 2));
                parts.push(part);
            }
            Err(error) if error.is_data() && !is_bare(&part[0]) => {
                part.iter_mut().for_each(strip);
                parts.push(part);
            }
            Err(error) if error.is_data() => counter!(REJECTIONS_UNLISTED).increment(1),
            done => done?,
        }
    }
    Ok(())
}

fn is_bare(rejected: &Rejected) -> bool {
    rejected.item.is_null() && rejected.message_id.is_none()
}

fn strip(rejected: &mut Rejected) {
    rejected.item = Json::null();
    rejected.message_id = None;
}
