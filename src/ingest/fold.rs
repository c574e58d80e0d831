//! Folds what the commands of a round state about people and groups into their profiles as they were read.

use crate::domain::plan::{Assignment, Plan};
use crate::domain::profile::{Room, Traits};
use crate::domain::{Json, ProfileKey, Rejection, Subject};
use crate::store::{Error, ResolvedIdentity};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Profiles with what was stated about them, sorted by key, so that two batches lock rows in the same order.
#[derive(Default)]
pub(super) struct Folded {
    /// Traits and stamps that have to be written.
    pub changed: BTreeMap<ProfileKey, (Json, Json)>,
    /// Profiles that are as they should be.
    pub unchanged: HashSet<ProfileKey>,
    /// Subjects whose profile would be too large, by their place.
    pub refused: HashMap<usize, Rejection>,
    /// Subjects that changed something, by their place.
    pub changing: HashSet<usize>,
}

/// Traits by profile, and whether they changed.
type Profiles = BTreeMap<ProfileKey, (Traits, bool)>;

/// Folds what is stated about subjects whose profile is new, or stands as it was read. Profiles that there was no room to read are
/// left for the next round; so are those that are yet to get names or to absorb others, of which it is only tried whether there is room.
pub(super) fn fold(
    subjects: &[Subject],
    plan: &Plan,
    profiles: &HashMap<ProfileKey, ResolvedIdentity>,
    room: &Room,
) -> Result<Folded, Error> {
    let mut folded = Folded::default();
    let (mut all, mut tried) = (Profiles::new(), Profiles::new());
    for (place, (subject, assignment)) in subjects.iter().zip(&plan.assignments).enumerate() {
        let (Some(write), Some(id)) = (subject.traits, assignment.profile_id()) else {
            continue;
        };
        let is_pending = matches!(assignment, Assignment::Pending(_));
        let into = if is_pending { &mut tried } else { &mut all };
        let key = (subject.project_id, id);
        let (traits, changed) = match into.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => match stored(profiles.get(&key))? {
                Some(traits) => new.insert((traits, false)),
                None => continue,
            },
        };
        let silenced = plan.silenced.get(&place);
        let heard = silenced.map(|names| write.without(names));
        match traits.merge_within(heard.as_ref().unwrap_or(write), room) {
            Ok(true) if is_pending => {}
            Ok(true) => {
                *changed = true;
                folded.changing.insert(place);
            }
            Ok(false) => {}
            Err(rejection) => drop(folded.refused.insert(place, rejection)),
        }
    }
    for (key, (traits, changed)) in all {
        if changed {
            folded.changed.insert(key, traits.to_stored());
        } else {
            folded.unchanged.insert(key);
        }
    }
    Ok(folded)
}

/// The traits as they were read; none of a profile that is yet to be made, and `None` where they were not read.
fn stored(found: Option<&ResolvedIdentity>) -> Result<Option<Traits>, Error> {
    let Some(found) = found else {
        return Ok(Some(Traits::default()));
    };
    let Some((traits, stamps)) = found.stored.as_ref() else {
        return Ok(None);
    };
    let traits = Traits::from_stored(traits, stamps).map_err(|reason| Error::Inconsistent {
        table: "profile",
        column: "stamps",
        reason: reason.to_string(),
    });
    traits.map(Some)
}
