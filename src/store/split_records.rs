//! What records of merges tell when a person is taken apart, and what of them is still true afterwards.

use super::Error;
use super::merge_record::{DELETE_MERGE_RECORDS, KeptMerge};
use super::params::JsonParam;
use super::run::query;
use super::split_statements::{CLEAN_RECORDS, REHOME_RECORDS};
use crate::domain::parting::{Evidence, Parted, Said, Side};
use crate::domain::profile::{Room, Traits};
use crate::domain::split::Sides;
use crate::domain::{Json, ProfileId};
use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// A person as it was found, locked.
pub(super) struct Family {
    pub present: Traits,
    /// The largest of any of its profiles: who read one of them before loses.
    pub version: i64,
    pub merged_from: Vec<Uuid>,
    /// The newest first.
    pub merges: Vec<KeptMerge>,
    pub sides: Sides,
}

/// A record without what came from who goes.
pub(super) struct Cleaned {
    absorbed: Uuid,
    traits: Traits,
    before: Option<Traits>,
}

/// Whose traits are whose, by the events and by the records of the merges; and what of the other records is left. A record shows what
/// somebody had at its time, with all that they had absorbed by then.
pub(super) fn parted(
    mut evidence: Evidence,
    family: &Family,
    room: &Room,
) -> (Parted, Vec<Cleaned>) {
    let mut gone = evidence.said().clone();
    for (merge, absorbed, survivor) in pairs(family).rev() {
        let own = |side: Side, traits: &Traits| match side {
            Side::Taken => traits.clone(),
            Side::Kept | Side::Unknown => traits.without(&gone),
        };
        evidence.had(absorbed, own(absorbed, &merge.traits));
        if let Some(before) = &merge.before {
            let before = own(survivor, before);
            if absorbed == Side::Taken && survivor != Side::Taken {
                evidence.lost(&before);
            }
            evidence.had(survivor, before);
        }
        if absorbed == Side::Taken {
            gone.add(&merge.traits);
        }
    }
    let cleaned = cleaned(family, evidence.said());
    (evidence.part(&family.present, room), cleaned)
}

fn pairs(family: &Family) -> impl DoubleEndedIterator<Item = (&KeptMerge, Side, Side)> {
    let sides = family.sides.of_branches.iter();
    let pairs = family.merges.iter().zip(sides);
    pairs.map(|(merge, (absorbed, survivor))| (merge, *absorbed, *survivor))
}

/// What stays on record: without what goes, and with what the merges that are undone had replaced.
fn cleaned(family: &Family, said: &Said) -> Vec<Cleaned> {
    let regained = |place: usize, of: Uuid, traits: &Traits| {
        let mut left = traits.without(said);
        let older = pairs(family)
            .enumerate()
            .filter(|(other, _)| *other > place);
        let undone = older
            .filter(|(_, (merge, absorbed, _))| *absorbed == Side::Taken && merge.survivor == of);
        for (_, (merge, ..)) in undone {
            merge.before.iter().for_each(|before| left.absorb(before));
        }
        left
    };
    let stays = pairs(family)
        .enumerate()
        .filter(|(_, (_, absorbed, _))| *absorbed != Side::Taken);
    stays
        .map(|(place, (merge, ..))| Cleaned {
            absorbed: merge.absorbed,
            traits: regained(place, merge.absorbed, &merge.traits),
            before: merge
                .before
                .as_ref()
                .map(|before| regained(place, merge.survivor, before)),
        })
        .collect()
}

/// The merge of who stands for itself again is undone; those of the others who go are that one's now.
pub(super) async fn write_records(
    tx: &Transaction<'_>,
    family: &Family,
    profile_id: ProfileId,
    cleaned: &[Cleaned],
) -> Result<(), Error> {
    let going: Vec<Uuid> = family.sides.going.iter().map(|id| id.0).collect();
    let undone = vec![profile_id.0];
    query(tx, &DELETE_MERGE_RECORDS, &[&undone]).await?;
    query(tx, &REHOME_RECORDS, &[&going, &profile_id.0]).await?;
    let ids: Vec<Uuid> = cleaned.iter().map(|one| one.absorbed).collect();
    let traits: Vec<(Json, Json)> = cleaned.iter().map(|one| one.traits.to_stored()).collect();
    let before = cleaned.iter().map(|one| one.before.as_ref());
    let before: Vec<Option<(Json, Json)>> =
        before.map(|before| before.map(Traits::to_stored)).collect();
    let [own, stamps]: [Vec<JsonParam>; 2] = [
        traits.iter().map(|(traits, _)| JsonParam(traits)).collect(),
        traits.iter().map(|(_, stamps)| JsonParam(stamps)).collect(),
    ];
    let pair = before.iter().map(Option::as_ref);
    let [old, old_stamps]: [Vec<Option<JsonParam>>; 2] = [
        pair.clone()
            .map(|pair| pair.map(|(traits, _)| JsonParam(traits)))
            .collect(),
        pair.map(|pair| pair.map(|(_, stamps)| JsonParam(stamps)))
            .collect(),
    ];
    let params: [&(dyn ToSql + Sync); 5] = [&ids, &own, &stamps, &old, &old_stamps];
    query(tx, &CLEAN_RECORDS, &params).await.map(drop)
}
