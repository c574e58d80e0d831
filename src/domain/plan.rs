//! Decides whose a call is: pure planning from what was read about its identities.
//!
//! The strongest known identity wins, the other known profiles merge into its own, and unknown identities are linked to it;
//! nobody known means a new profile. Two profiles that each have a user id never merge by themselves, and a profile that has
//! one never gets a second: two people on one device stay two people, and the conflict is listed. Only an explicit merge may, by the
//! word of a sender who is believed, of names of which that sender says what they are.

use super::erasure::Erased;
use super::profile::Room;
use super::{
    Emails, Identity, IdentityKey, IdentityKind, KeyKind, ProfileId, ProfileKey, ProjectId,
    Rejection, Subject,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// What was read about the identities of a batch.
#[derive(Debug, Default)]
pub struct Known {
    /// Whose each known identity is.
    pub owners: HashMap<IdentityKey, ProfileId>,
    /// The names of those profiles that `doubtful` lists.
    pub names: HashMap<ProfileId, Names>,
    /// Identities whose person was erased, whether they belong to somebody again or not.
    pub erased: HashMap<IdentityKey, Erased>,
}

/// How a profile is named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names {
    /// How many identities it has.
    pub count: usize,
    /// One of them is a user id.
    pub has_user_id: bool,
    /// So many of them are emails.
    pub emails: usize,
    /// People whom it absorbed through names that are no user ids.
    pub absorbed: usize,
}

/// What becomes of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// It is about this profile, which exists and has all the names it is to have.
    Settled(ProfileId),
    /// It is about this profile, which is yet to be made.
    New(ProfileId),
    /// It is about this profile, once it has got names or absorbed others.
    Pending(ProfileId),
    /// It can't be done.
    Refused(Rejection),
}

impl Assignment {
    /// Whose it is, where it is anybody's.
    pub fn profile_id(&self) -> Option<ProfileId> {
        match self {
            Self::Settled(id) | Self::New(id) | Self::Pending(id) => Some(*id),
            Self::Refused(_) => None,
        }
    }
}

/// Two profiles of one person.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Merge {
    pub project_id: ProjectId,
    pub survivor: ProfileId,
    pub absorbed: ProfileId,
    /// Asked for by a caller, so that two user ids may meet.
    pub is_explicit: bool,
    /// A user id among the call's names: who logs in brings their devices.
    pub is_by_user: bool,
    /// By whose word: by a write key's a person gets fewer names.
    pub by: KeyKind,
    /// The names that say so, and whose they were: where one of them was taken out meanwhile, this is nobody's merge.
    pub seen: Vec<(Identity, ProfileId)>,
}

/// An identity that a call gave to one profile while it belongs to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    pub key: IdentityKey,
    pub owner: ProfileId,
    pub claimant: ProfileId,
    /// Giving it would have made a hub of somebody; else it is two people's.
    pub is_hub: bool,
}

impl Conflict {
    /// The same for the same identity and claimant, so that a conflict is listed once.
    pub fn id(&self) -> Uuid {
        let (kind, value) = (self.key.1.kind.as_str(), &self.key.1.value);
        super::ids::hashed(&format!("{kind}\0{value}\0{}", self.claimant))
    }
}

/// What has to be written so that every subject's identities are known.
#[derive(Debug, Default)]
pub struct Plan {
    /// One for each subject, in their order.
    pub assignments: Vec<Assignment>,
    /// Identities to claim for profiles that are yet to be made.
    pub claims: BTreeMap<IdentityKey, ProfileId>,
    /// Identities to link to profiles that exist.
    pub links: BTreeMap<IdentityKey, ProfileId>,
    /// Profiles to merge, in the order of the subjects: where two of them contradict each other, the first decides.
    pub merges: Vec<Merge>,
    /// Identities that stay with somebody else, by subject.
    pub conflicts: BTreeMap<usize, Vec<Conflict>>,
    /// By subject, the kind of the strongest new name for which its person has no room.
    pub crowded: BTreeMap<usize, IdentityKind>,
    /// By subject, traits that only say a name which does not count since its person was erased: they would bring it back.
    pub silenced: BTreeMap<usize, BTreeSet<String>>,
    /// Subjects that bring a name, or join profiles.
    pub news: BTreeSet<usize>,
    /// For each subject the place of the identity by which its profile is found when the event goes in: the strongest of those
    /// that are the profile's.
    pub anchors: Vec<usize>,
}

impl Known {
    /// Profiles about whose names something has to be known: those of subjects that name several, or that bring new names.
    pub fn doubtful(&self, subjects: &[Subject]) -> BTreeSet<ProfileKey> {
        let mut found = BTreeSet::new();
        for subject in subjects {
            let owners: BTreeSet<ProfileId> = self.owners_of(subject).flatten().collect();
            let brings_names = self.owners_of(subject).any(|owner| owner.is_none());
            if owners.len() > 1 || brings_names {
                found.extend(owners.into_iter().map(|owner| (subject.project_id, owner)));
            }
        }
        found
    }

    fn owners_of(&self, subject: &Subject) -> impl Iterator<Item = Option<ProfileId>> {
        self.usable(subject)
            .map(|(_, key)| self.owners.get(&key).copied())
    }

    /// The identities that a subject may use, with their places. Names of an erased person are left out where they would bring
    /// something back.
    pub(super) fn usable(&self, subject: &Subject) -> impl Iterator<Item = (usize, IdentityKey)> {
        let key = |identity: &Identity| (subject.project_id, identity.clone());
        let keys = subject.own().iter().map(key).enumerate();
        keys.filter(|(_, key)| !self.is_barred(key, subject))
    }

    /// Plans a batch; `draw` gives the ids of new profiles, `room` bounds what one profile may gather.
    pub fn plan(self, subjects: &[Subject], room: &Room, draw: impl FnMut() -> ProfileId) -> Plan {
        let mut planner = Planner {
            known: self,
            plan: Plan::default(),
            new: HashSet::new(),
            changing: HashSet::new(),
            planned: HashSet::new(),
            room: *room,
            draw,
        };
        for (position, subject) in subjects.iter().enumerate() {
            let assignment = planner.assign(position, subject);
            let anchor = planner.anchor(subject, assignment.profile_id());
            planner.plan.anchors.push(anchor);
            planner.plan.assignments.push(assignment);
        }
        planner.plan
    }
}

pub(super) struct Planner<D> {
    pub(super) known: Known,
    pub(super) plan: Plan,
    new: HashSet<ProfileId>,
    /// Profiles that get names or absorb others in this round, so that their version will not be the one that was read.
    changing: HashSet<ProfileId>,
    planned: HashSet<Merge>,
    pub(super) room: Room,
    draw: D,
}

impl<D: FnMut() -> ProfileId> Planner<D> {
    fn assign(&mut self, position: usize, subject: &Subject) -> Assignment {
        if let Some(rejection) = self.known.barred_by(subject) {
            return Assignment::Refused(rejection);
        }
        let silenced = self.known.silenced(subject);
        if !silenced.is_empty() {
            self.plan.silenced.insert(position, silenced);
        }
        let profile_id = self.choose(subject).unwrap_or_else(|| self.make());
        if let Some(rejection) = self.ungiven(subject, profile_id) {
            return Assignment::Refused(rejection);
        }
        let mut unknown: Vec<IdentityKey> = self
            .known
            .usable(subject)
            .map(|(_, key)| key)
            .filter(|key| !self.known.owners.contains_key(key))
            .collect();
        self.leave_out_crowd(position, subject, profile_id, &mut unknown);
        let merges = self.merge_others(position, subject, profile_id);
        if subject.emails == Emails::Named {
            self.leave_out_emails(position, profile_id, &mut unknown);
        }
        self.note_claims(position, subject, profile_id);
        let is_new = self.new.contains(&profile_id);
        let brings_names = !unknown.is_empty();
        for key in unknown {
            self.give(key, profile_id, is_new);
        }
        if merges || brings_names {
            self.plan.news.insert(position);
        }
        match (
            is_new,
            merges || brings_names || self.changing.contains(&profile_id),
        ) {
            (true, _) if !merges => Assignment::New(profile_id),
            (false, false) => Assignment::Settled(profile_id),
            _ => Assignment::Pending(profile_id),
        }
    }

    fn anchor(&self, subject: &Subject, profile_id: Option<ProfileId>) -> usize {
        let is_own = |(_, key): &(usize, IdentityKey)| {
            profile_id.is_some() && self.known.owners.get(key).copied() == profile_id
        };
        let own = self.known.usable(subject).find(is_own);
        own.map_or(0, |(index, _)| index)
    }

    pub(super) fn names(&self, profile_id: ProfileId) -> Names {
        self.known
            .names
            .get(&profile_id)
            .copied()
            .unwrap_or_default()
    }

    fn make(&mut self) -> ProfileId {
        let profile_id = (self.draw)();
        self.new.insert(profile_id);
        profile_id
    }

    /// The profile of the strongest known identity, unless that is another person's: somebody else's user id names it, and the
    /// subject has one of its own. Whether that one is known yet makes no difference, or the order of calls would.
    fn choose(&self, subject: &Subject) -> Option<ProfileId> {
        let mut users = self
            .known
            .usable(subject)
            .filter(|(_, key)| key.1.kind == IdentityKind::UserId)
            .map(|(_, key)| self.known.owners.get(&key).copied());
        let user = users.next();
        let is_somebody_else = |owner: ProfileId| {
            user.is_some_and(|user| user != Some(owner)) && self.names(owner).has_user_id
        };
        let fits = |(index, key): (usize, IdentityKey)| {
            let owner = self.known.owners.get(&key).copied()?;
            let is_another = is_somebody_else(owner) || self.is_full(subject, index, owner);
            (index < subject.explicit || !is_another).then_some(owner)
        };
        self.known.usable(subject).find_map(fits)
    }

    /// Plans the merges of the subject's other profiles into its own, or notes why not; tells whether there are any.
    fn merge_others(&mut self, position: usize, subject: &Subject, survivor: ProfileId) -> bool {
        let mut merges = false;
        let usable: Vec<_> = self.known.usable(subject).collect();
        let is_survivors =
            |(_, key): &&(usize, IdentityKey)| self.known.owners.get(key) == Some(&survivor);
        let chosen = usable.iter().find(is_survivors);
        let chosen = chosen.map(|(_, key)| (key.1.clone(), survivor));
        for (index, key) in &usable {
            let Some(owner) = self
                .known
                .owners
                .get(key)
                .copied()
                .filter(|owner| *owner != survivor)
            else {
                continue;
            };
            // Who is joined by one name is joined, whatever their other names say.
            let index = self.first_place(&usable, owner).unwrap_or(*index);
            if let Some(is_hub) = self.stays_apart(subject, survivor, (index, owner)) {
                self.note_conflict(position, key.clone(), (owner, survivor), is_hub);
                continue;
            }
            merges = true;
            let seen = chosen.iter().cloned().chain([(key.1.clone(), owner)]);
            self.plan_merge(Merge {
                project_id: subject.project_id,
                survivor,
                absorbed: owner,
                is_explicit: index < subject.explicit,
                is_by_user: self.is_by_user(subject),
                by: subject.by,
                seen: seen.collect(),
            });
        }
        merges
    }

    /// Where somebody is named first.
    fn first_place(&self, names: &[(usize, IdentityKey)], owner: ProfileId) -> Option<usize> {
        let is_theirs =
            |(_, key): &&(usize, IdentityKey)| self.known.owners.get(key) == Some(&owner);
        names.iter().find(is_theirs).map(|(place, _)| *place)
    }

    /// Notes the claims to names of other people.
    fn note_claims(&mut self, position: usize, subject: &Subject, claimant: ProfileId) {
        for identity in subject.claimed() {
            let key = (subject.project_id, identity.clone());
            let owner = self.known.owners.get(&key).copied();
            if let Some(owner) = owner.filter(|owner| *owner != claimant) {
                self.note_conflict(position, key, (owner, claimant), false);
            }
        }
    }

    pub(super) fn note_conflict(
        &mut self,
        position: usize,
        key: IdentityKey,
        (owner, claimant): (ProfileId, ProfileId),
        is_hub: bool,
    ) {
        let conflict = Conflict {
            key,
            owner,
            claimant,
            is_hub,
        };
        let conflicts = self.plan.conflicts.entry(position).or_default();
        conflicts.push(conflict);
    }

    /// Tells of the owner of one of the subject's names who does not become one with the survivor whether a hub is why.
    pub(super) fn stays_apart(
        &self,
        subject: &Subject,
        survivor: ProfileId,
        (index, owner): (usize, ProfileId),
    ) -> Option<bool> {
        let is_explicit = index < subject.explicit;
        let own = self.with_new_emails(subject, survivor);
        let is_by_user = self.is_by_user(subject);
        let is_hub = !is_explicit && own.is_hub_with(self.names(owner), is_by_user, &self.room);
        let stays = is_hub || self.must_stay_apart(subject, survivor, owner, is_explicit);
        stays.then_some(is_hub)
    }

    /// Two people, or one that would have more names than a profile may have.
    fn must_stay_apart(
        &self,
        subject: &Subject,
        survivor: ProfileId,
        owner: ProfileId,
        is_explicit: bool,
    ) -> bool {
        let two_user_ids =
            self.will_have_user_id(subject, survivor) && self.names(owner).has_user_id;
        let names = self.names(survivor).count + self.names(owner).count;
        (two_user_ids && !is_explicit) || names > self.room.names_by(subject.by)
    }

    /// A profile that is yet to be made takes part once it is there.
    fn plan_merge(&mut self, merge: Merge) {
        let exist = !self.new.contains(&merge.survivor) && !self.new.contains(&merge.absorbed);
        if exist && self.planned.insert(merge.clone()) {
            let others = self.names(merge.absorbed);
            let own = self.known.names.entry(merge.survivor).or_default();
            let both = own.joined(others, merge.is_by_user);
            (own.emails, own.absorbed) = (both.emails, both.absorbed);
            self.changing.extend([merge.survivor, merge.absorbed]);
            self.plan.merges.push(merge);
        }
    }

    fn will_have_user_id(&self, subject: &Subject, survivor: ProfileId) -> bool {
        let goes_to_survivor = |(_, key): (usize, IdentityKey)| {
            let owner = self.known.owners.get(&key);
            key.1.kind == IdentityKind::UserId && owner.is_none_or(|owner| *owner == survivor)
        };
        self.names(survivor).has_user_id || self.known.usable(subject).any(goes_to_survivor)
    }

    fn give(&mut self, key: IdentityKey, profile_id: ProfileId, is_new: bool) {
        let names = self.known.names.entry(profile_id).or_default();
        names.count += 1;
        names.has_user_id |= key.1.kind == IdentityKind::UserId;
        names.emails += usize::from(key.1.kind == IdentityKind::Email);
        self.known.owners.insert(key.clone(), profile_id);
        if is_new {
            self.plan.claims.insert(key, profile_id);
        } else {
            self.changing.insert(profile_id);
            self.plan.links.insert(key, profile_id);
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
