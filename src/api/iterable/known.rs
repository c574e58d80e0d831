//! What has to be known of others before it is told what becomes of a call: whose names are, and which of nobody's were erased.

use super::drawn::{has_drawn_ids_alone, is_drawn};
use super::names::{Fault, Who};
use super::owners::Owners;
use super::request::Asked;
use super::saying::Saying;
use crate::api::error::ApiError;
use crate::api::reading::answer_of;
use crate::domain::erasure::Erased;
use crate::domain::{
    EmailRule, Identity, IdentityKey, IdentityKind, KeyKind, ProfileId, ProjectType, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// People of whom one request asks whether they were unknown: it costs a few reads each.
const MOST_DOUBTS: usize = 100;

/// What is known of others than a call is about.
pub struct Known {
    pub owners: Owners,
    /// Names that nobody has, since whoever had them was erased.
    erased: HashMap<Identity, Erased>,
    /// Names that several of the calls say: by what one makes of them the next are judged.
    shared: HashSet<Identity>,
    /// People who have no user ids but those that were drawn for them: here they have none.
    unknown: HashSet<ProfileId>,
}

impl Known {
    /// Looks up what the calls of a request ask for. Whether a name was erased is asked of user ids that somebody is to be shown with, and
    /// of all that calls say that share a name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of(
        asked: &Asked,
        whos: &[Result<Who, Fault>],
        sayings: &[Saying],
    ) -> Result<Self, ApiError> {
        let project = asked.caller.kinds.rules.iterable;
        let calls = whos.iter().zip(sayings);
        let calls = calls.filter_map(|(who, saying)| Some((who.as_ref().ok()?, saying)));
        let names = calls.map(|(who, saying)| who.to_look_up(project, saying.strangers));
        let names: Vec<Vec<Identity>> = names.collect();
        let mut owners = look_up(asked, names.iter().flatten().cloned().collect()).await?;
        let unknown = unknown(asked, whos, &owners).await?;
        unknown.iter().for_each(|id| owners.drop_user_ids(*id));
        let shared = shared(&names);
        let shares = |names: &&Vec<Identity>| names.iter().any(|name| shared.contains(name));
        let doubtful = names.iter().filter(shares).flatten().cloned();
        let shown = whos.iter().flatten();
        let shown = shown.filter_map(|who| who.shown_id(project));
        let nobodys = shown.chain(doubtful);
        let nobodys = nobodys.filter(|name| owners.get(name).is_none());
        let erased = erased(asked, nobodys.collect()).await?;
        Ok(Self {
            owners,
            erased,
            shared,
            unknown,
        })
    }

    /// True of a name of nobody that was a forgotten person's.
    pub fn is_forgotten(&self, name: &Identity) -> bool {
        self.erased.get(name).is_some_and(|one| one.is_forgotten)
    }

    /// True of a name by which a call would be refused: it would bring somebody back who was erased.
    pub fn bars(&self, name: &Identity, earliest: Timestamp) -> bool {
        self.erased.get(name).is_some_and(|one| one.bars(earliest))
    }

    /// True where a call brings the first user id of somebody who logged in by an address.
    pub fn takes_in(&self, who: &Who) -> bool {
        let [by_email, by_id] = who.both(&self.owners);
        by_email
            .is_some_and(|owner| self.unknown.contains(&owner.profile_id) && Some(owner) != by_id)
    }

    /// True where other calls are judged by what one makes of these names.
    pub fn is_asked_for(&self, names: &[Identity]) -> bool {
        names.iter().any(|name| self.shared.contains(name)) && self.owners.is_news(names)
    }
}

/// Of those whose address a call says with a user id that is not theirs, who was unknown before.
async fn unknown(
    asked: &Asked,
    whos: &[Result<Who, Fault>],
    owners: &Owners,
) -> Result<HashSet<ProfileId>, ApiError> {
    let doubtful = whos.iter().flatten();
    let doubtful = doubtful.filter_map(|who| doubtful_email(asked, who, owners));
    let doubtful: BTreeMap<ProfileId, Identity> = doubtful.collect();
    let mut unknown = HashSet::new();
    for (profile_id, email) in doubtful.into_iter().take(MOST_DOUBTS) {
        if has_drawn_ids_alone(asked, email).await? {
            unknown.insert(profile_id);
        }
    }
    Ok(unknown)
}

/// The address of somebody who has another user id than the call says, one that may have been drawn.
fn doubtful_email(asked: &Asked, who: &Who, owners: &Owners) -> Option<(ProfileId, Identity)> {
    let rules = &asked.caller.kinds.rules;
    let selects = asked.caller.kind == KeyKind::Server || rules.email == EmailRule::Selects;
    let ([by_email, by_id], email) = (who.both(owners), who.email.as_deref()?);
    let may_get = who.user_id.is_some() && (by_id.is_none() || asked.may_join());
    let owner = by_email.filter(|owner| may_get && Some(*owner) != by_id)?;
    let is_doubtful = selects
        && rules.iterable == ProjectType::Hybrid
        && !owner.user_ids.is_empty()
        && owner.user_ids.iter().all(|id| is_drawn(id));
    is_doubtful.then(|| (owner.profile_id, Identity::new(IdentityKind::Email, email)))
}

/// The names that are in several of the lists.
fn shared(lists: &[Vec<Identity>]) -> HashSet<Identity> {
    let mut seen = HashSet::new();
    let names = lists.iter().flatten();
    names.filter(|name| !seen.insert(*name)).cloned().collect()
}

/// Which names were forgotten people's: they are nobody's.
///
/// # Errors
/// When the database does not answer.
pub async fn forgotten(
    asked: &Asked,
    names: BTreeSet<Identity>,
) -> Result<BTreeSet<Identity>, ApiError> {
    let erased = erased(asked, names).await?.into_iter();
    let forgotten = erased.filter(|(_, erased)| erased.is_forgotten);
    Ok(forgotten.map(|(name, _)| name).collect())
}

/// Which names were erased people's.
async fn erased(
    asked: &Asked,
    names: BTreeSet<Identity>,
) -> Result<HashMap<Identity, Erased>, ApiError> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    let keys: Vec<IdentityKey> = names.into_iter().map(|name| (project_id, name)).collect();
    let keys: Vec<&IdentityKey> = keys.iter().collect();
    let erased = answer_of(state, state.store.load_erased(&keys)).await?;
    let erased = erased.into_iter();
    Ok(erased.map(|((_, name), erased)| (name, erased)).collect())
}

/// Whose names are.
///
/// # Errors
/// When the database does not answer.
pub async fn look_up(asked: &Asked, names: BTreeSet<Identity>) -> Result<Owners, ApiError> {
    if names.is_empty() {
        return Ok(Owners::default());
    }
    let names: Vec<Identity> = names.into_iter().collect();
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    let known = answer_of(state, state.store.load_owners(project_id, &names)).await?;
    Ok(Owners::from(known))
}
