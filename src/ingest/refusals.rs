//! Records what was refused, on arrival or in the write, and what was stored but mended, so that a person can look it up.

use super::listed::Listed;
use super::tools::Tools;
use crate::domain::{Class, Code, IdentityKey, Item, Json, Receipt, Rejected};
use crate::metric_names::REJECTIONS_UNLISTED;
use crate::store::{Error, Store};
use metrics::counter;
use std::collections::HashSet;
use uuid::Uuid;

/// Lists what was refused or mended. Of people who are forgotten nothing is kept; of people who were erased, nothing of what could not
/// even be read, since nobody can tell whether it is older than that.
///
/// Of each item is said whether it is of a file: what is refused of one is listed with it.
pub(super) async fn list(
    tools: &Tools,
    sent: &[(&Item, bool)],
    receipts: &[Receipt],
) -> Result<(), Error> {
    let elsewhere = |receipt: &Receipt| matches!(receipt, Receipt::Rejected(_) | Receipt::Taken(_));
    let listed = sent.iter().zip(receipts);
    let listed =
        listed.filter(|((_, is_of_a_file), receipt)| !(*is_of_a_file && elsewhere(receipt)));
    let mut refused: Vec<Rejected> = listed
        .filter_map(|((item, _), receipt)| refusal(item, receipt, &tools.listed))
        .collect();
    let unread = sent.iter().filter_map(|(item, _)| match item {
        Item::Rejected(rejected) => Some(rejected.id),
        Item::Command(_) => None,
    });
    leave_out_erased(&tools.store, &mut refused, &unread.collect()).await?;
    insert(&tools.store, refused).await
}

fn refusal(item: &Item, receipt: &Receipt, listed: &Listed) -> Option<Rejected> {
    match (item, receipt) {
        (Item::Rejected(rejected), _) => Some(rejected.clone()),
        (Item::Command(command), Receipt::Rejected(rejection)) => {
            // A record of a topic is listed by its place there.
            let is_kept = rejection.code != Code::Forgotten && command.class() != Class::Backfill;
            is_kept.then(|| Rejected::command(command, Uuid::now_v7(), rejection.clone()))
        }
        (Item::Command(command), Receipt::Taken(rejection)) => {
            let (code, field) = (rejection.code.as_str(), rejection.field.as_deref());
            let has_room = listed.has_room(command.project_id(), code, field.unwrap_or_default());
            has_room.then(|| Rejected::whole(command, Uuid::now_v7(), rejection.clone()))
        }
        (Item::Command(command), receipt) if command.class() != Class::Backfill => {
            let left_out = match receipt {
                Receipt::Stored => None,
                Receipt::StoredWithout(warning) => Some(&**warning),
                _ => return None,
            };
            let mut warnings = command.warnings().iter().chain(left_out);
            let first = warnings.find(|warning| !warning.is_slight())?;
            let has_room = listed.has_room(command.project_id(), first.code, &first.field);
            has_room.then(|| Rejected::mended(command, Uuid::now_v7(), left_out))?
        }
        _ => None,
    }
}

async fn leave_out_erased(
    store: &Store,
    refused: &mut Vec<Rejected>,
    unread: &HashSet<Uuid>,
) -> Result<(), Error> {
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
    let is_unread = |rejected: &&mut Rejected| unread.contains(&rejected.id);
    for rejected in refused.iter_mut().filter(is_unread) {
        if keys(rejected).iter().any(|key| erased.contains_key(key)) {
            rejected.emptied();
        }
    }
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
