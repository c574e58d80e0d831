//! Merges profiles, and lists what a survivor had no room for.

use crate::domain::plan::Merge;
use crate::domain::profile::Room;
use crate::domain::{Code, Json, ProfileKey, Rejected, Rejection, Timestamp};
use crate::metric_names::{PROFILES_MERGED, TRAITS_DROPPED};
use crate::store::{Error, Merged, Store};
use metrics::counter;
use uuid::Uuid;

/// Merges profiles, in the order of the merges.
pub(super) async fn merge_listed(
    store: &Store,
    merges: &[Merge],
    room: &Room,
    at: Timestamp,
) -> Result<Merged, Error> {
    let merged = store.merge_profiles(merges, room, at).await?;
    counter!(PROFILES_MERGED).increment(merged.done.len() as u64);
    if !merged.dropped.is_empty() {
        let dropped = merged.dropped.iter().map(|(_, names)| names.len() as u64);
        counter!(TRAITS_DROPPED).increment(dropped.sum());
        let listed: Vec<Rejected> = merged.dropped.iter().map(|one| of_merge(one, at)).collect();
        store.insert_rejections(&listed).await?;
    }
    Ok(merged)
}

fn of_merge(
    ((project_id, profile_id), names): &(ProfileKey, Vec<String>),
    at: Timestamp,
) -> Rejected {
    let message = format!(
        "{} traits, the oldest, had no room when two profiles of one person were joined",
        names.len()
    );
    let item = serde_json::json!({
        "type": "merge", "profile": profile_id.to_string(), "dropped": names,
    });
    Rejected {
        project_id: *project_id,
        id: Uuid::now_v7(),
        received_at: at,
        rejection: Rejection::of(Code::ProfileTooLarge, "traits", message),
        message_id: None,
        names: Vec::new(),
        warnings: None,
        item: Json::of(&item),
    }
}
