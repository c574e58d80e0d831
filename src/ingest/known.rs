//! What a round knows before it plans: whose names are, and who of those that nobody has was erased.

use super::tools::Tools;
use crate::domain::erasure::Erased;
use crate::domain::plan::Known;
use crate::domain::{Command, IdentityKey, ProfileKey};
use crate::store::{Error, ResolvedIdentity};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering::Relaxed;

/// Every identity once, sorted, with a flag where traits are stated about it.
pub(super) fn asked(commands: &[&Command]) -> Vec<(IdentityKey, bool)> {
    let mut asked = BTreeMap::new();
    for subject in commands.iter().flat_map(|command| command.subjects()) {
        for identity in subject.identities {
            let key = (subject.project_id, identity.clone());
            *asked.entry(key).or_insert(false) |= subject.traits.is_some();
        }
        for name in subject.mere_traits() {
            asked
                .entry((subject.project_id, name.clone()))
                .or_insert(false);
        }
    }
    asked.into_iter().collect()
}

/// Which of the names that nobody has were an erased person's; `None` where that is left to the statements that write them. A name that is
/// a mere trait is written by none.
pub(super) async fn erased(
    tools: &Tools,
    commands: &[&Command],
    unknown: &[&IdentityKey],
    is_first: bool,
) -> Result<Option<HashMap<IdentityKey, Erased>>, Error> {
    let subjects = commands.iter().flat_map(|command| command.subjects());
    let has_mere_traits = subjects
        .flat_map(|subject| subject.mere_traits())
        .any(|_| true);
    if is_first && !has_mere_traits && !tools.expects_erased.load(Relaxed) {
        return Ok(None);
    }
    if unknown.is_empty() {
        return Ok(Some(HashMap::new()));
    }
    let erased = tools.store.load_erased(unknown).await?;
    tools.expects_erased.store(!erased.is_empty(), Relaxed);
    Ok(Some(erased))
}

/// Whose the identities are, and the profiles, with their traits where one of the answers has them.
pub(super) fn known(
    asked: &[(IdentityKey, bool)],
    found: Vec<ResolvedIdentity>,
) -> (Known, HashMap<ProfileKey, ResolvedIdentity>) {
    let mut known = Known::default();
    let mut profiles: HashMap<ProfileKey, ResolvedIdentity> = HashMap::new();
    for answer in found {
        let key = &asked[answer.position].0;
        known.owners.insert(key.clone(), answer.profile_id);
        if let Some(at) = answer.not_before {
            let is_forgotten = false;
            known
                .erased
                .insert(key.clone(), Erased { at, is_forgotten });
        }
        let profile = (key.0, answer.profile_id);
        if answer.stored.is_some() || !profiles.contains_key(&profile) {
            profiles.insert(profile, answer);
        }
    }
    (known, profiles)
}
