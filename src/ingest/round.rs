//! One round of the slow path: read what is known of some commands, plan, write, and tell who has to go again.

use super::fold::{Folded, fold};
use super::known::{asked, erased, known};
use super::merging::merge_listed;
use super::tools::{Key, Tools};
use crate::domain::elements::{DEVICES, LISTS};
use crate::domain::erasure::Erased;
use crate::domain::plan::{Assignment, Conflict, Plan};
use crate::domain::profile::Traits;
use crate::domain::{
    Command, IdentityKey, IdentityKind, Json, ProfileId, ProfileKey, Rejection, Subject, Timestamp,
};
use crate::metric_names::{IDENTITY_CONFLICTS, IDENTITY_HUBS};
use crate::store::{
    Error, HeldProfile, Membership, NewIdentity, NewProfile, ResolvedIdentity, Store, TraitsChange,
};
use metrics::counter;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Commands, what to do for them, and the profiles as they were read.
pub(super) struct Round<'a> {
    commands: Vec<&'a Command>,
    /// Whom they are about, one command after the other; the plan is about these.
    subjects: Vec<Subject<'a>>,
    plan: Plan,
    profiles: HashMap<ProfileKey, ResolvedIdentity>,
    /// When the first call about each profile arrived.
    first_received: HashMap<ProfileKey, Timestamp>,
    folded: Folded,
    /// When whoever had a name before was erased.
    erased: HashMap<IdentityKey, Erased>,
    /// It is known of all names whether they were erased, or the statements that write them look.
    is_sure: bool,
}

/// What a round leaves.
#[derive(Default)]
pub(super) struct Outcome<'a> {
    /// Commands whose events can go in, with the place of the identity by which their profile is found: all else is done.
    pub ready: Vec<(&'a Command, usize)>,
    /// Commands without an event that changed something.
    pub changed: Vec<Key>,
    /// Commands that have to go again.
    pub again: Vec<&'a Command>,
    /// Of those that are ready, the strongest name that had no place on its person.
    pub crowded: Vec<(Key, IdentityKind)>,
    /// Commands that can't be done.
    pub refused: Vec<(Key, Rejection)>,
}

impl<'a> Round<'a> {
    /// Reads who the commands' identities belong to, with traits where traits are to be written, and plans. Commands whose events
    /// are there already leave: an event is stored last, so all else was done before.
    ///
    /// Few names that nobody has were an erased person's: so the first round (`is_first`) leaves that question to the statements that write
    /// them, unless the last answer was yes, or a trait says a name that is not written.
    pub async fn read(
        tools: &Tools,
        mut commands: Vec<&'a Command>,
        is_first: bool,
    ) -> Result<Self, Error> {
        let (store, room) = (&tools.store, &tools.room);
        let asked = asked(&commands);
        let with_events = commands.iter().filter(|command| command.event().is_some());
        let events: Vec<Key> = with_events.map(|command| command.key()).collect();
        let found = store.resolve_identities(&asked, &events).await?;
        let done: HashSet<Key> = found.events.iter().map(|index| events[*index]).collect();
        commands.retain(|command| !done.contains(&command.key()));
        let (mut known, profiles) = known(&asked, found.identities);
        let unknown: Vec<&IdentityKey> = asked
            .iter()
            .map(|(key, _)| key)
            .filter(|key| !commands.is_empty() && !known.owners.contains_key(key))
            .collect();
        let erased = erased(tools, &commands, &unknown, is_first).await?;
        let was_asked = erased.is_some();
        known.erased.extend(erased.unwrap_or_default());
        let subjects: Vec<Subject> = commands
            .iter()
            .flat_map(|command| command.subjects())
            .collect();
        let doubtful: Vec<ProfileKey> = known.doubtful(&subjects).into_iter().collect();
        if !doubtful.is_empty() {
            known.names = store.load_names(&doubtful).await?;
        }
        let erased = known.erased.clone();
        let plan = known.plan(&subjects, room, ProfileId::random);
        let is_written =
            |key: &&IdentityKey| plan.claims.contains_key(*key) || plan.links.contains_key(*key);
        let is_sure = was_asked || unknown.iter().all(is_written);
        let folded = fold(&subjects, &plan, &profiles, room)?;
        let first_received = first_received(&subjects, &plan);
        Ok(Self {
            commands,
            subjects,
            plan,
            profiles,
            first_received,
            folded,
            erased,
            is_sure,
        })
    }

    /// Writes the plan; tells what is left. All of it where a name turns out to be an erased person's, and all but what is refused where
    /// somebody has no room: nothing of a refused command is done, and the others' plan may have counted on it.
    pub async fn write(self, tools: &Tools) -> Result<Outcome<'a>, Error> {
        if self.serves_refused() {
            return Ok(self.without_refused());
        }
        let store = &tools.store;
        let Some(made) = self.make_and_link(store).await? else {
            return Ok(Outcome {
                again: self.commands,
                ..Outcome::default()
            });
        };
        self.merge(tools).await?;
        let written = self.write_traits(store).await?;
        self.list_conflicts(store).await?;
        let mut outcome = Outcome::default();
        let mut memberships = Vec::new();
        for (command, own) in self.places() {
            if let Some(rejection) = own.iter().find_map(|place| self.refusal(*place)) {
                outcome.refused.push((command.key(), rejection.clone()));
            } else if own
                .iter()
                .all(|place| self.is_settled(*place, &made, &written))
            {
                memberships.extend(self.membership(command, &own));
                let crowded = own.iter().find_map(|place| self.plan.crowded.get(place));
                outcome
                    .crowded
                    .extend(crowded.map(|kind| (command.key(), kind.clone())));
                outcome.ready.push((command, self.plan.anchors[own[0]]));
            } else {
                outcome.again.push(command);
            }
            if command.event().is_none() && own.iter().any(|place| self.is_news(*place)) {
                outcome.changed.push(command.key());
            }
        }
        if !memberships.is_empty() {
            memberships.sort();
            store.insert_memberships(&memberships).await?;
        }
        self.note_places(store).await?;
        Ok(outcome)
    }

    /// True where the plan has something of a command that has no room: a name, a merge, a conflict or a trait of its other side.
    fn serves_refused(&self) -> bool {
        let is_refused = |place: &usize| self.folded.refused.contains_key(place);
        let is_planned = |place: &usize| {
            let is_settled = matches!(self.plan.assignments[*place], Assignment::Settled(_));
            !is_settled
                || self.folded.changing.contains(place)
                || self.plan.conflicts.contains_key(place)
        };
        let mut all = self.places();
        !self.folded.refused.is_empty()
            && all.any(|(_, own)| own.iter().any(is_refused) && own.iter().any(is_planned))
    }

    fn without_refused(self) -> Outcome<'a> {
        let mut outcome = Outcome::default();
        for (command, own) in self.places() {
            match own.iter().find_map(|place| self.refusal(*place)) {
                Some(rejection) => outcome.refused.push((command.key(), rejection.clone())),
                None => outcome.again.push(command),
            }
        }
        outcome
    }

    /// The commands with the places of their subjects.
    fn places(&self) -> impl Iterator<Item = (&'a Command, Vec<usize>)> {
        let mut next = 0;
        self.commands.iter().map(move |command| {
            let own: Vec<usize> = (next..).take(command.subjects().count()).collect();
            next += own.len();
            (*command, own)
        })
    }

    /// Notes who is to be looked for in lists and by devices, of those of whom that was said; of what has to go again it is said again.
    async fn note_places(&self, store: &Store) -> Result<(), Error> {
        let members = self.who_speaks_of(LISTS);
        if !members.is_empty() {
            store.note_members(&members).await?;
        }
        let holders = self.who_speaks_of(DEVICES);
        if !holders.is_empty() {
            store.note_holders(&holders).await?;
        }
        Ok(())
    }

    /// Of whom a trait was said.
    fn who_speaks_of(&self, trait_name: &str) -> Vec<ProfileKey> {
        let profile = |(place, subject): (usize, &Subject)| {
            let is_refused = self.folded.refused.contains_key(&place);
            let traits = subject
                .traits
                .filter(|_| !is_refused)
                .filter(|write| write.traits.iter().any(|(name, _)| name == trait_name));
            let profile_id = self.plan.assignments[place].profile_id();
            traits.and(profile_id).map(|id| (subject.project_id, id))
        };
        let subjects = self.subjects.iter().enumerate();
        let people: BTreeSet<ProfileKey> = subjects.filter_map(profile).collect();
        people.into_iter().collect()
    }

    fn refusal(&self, place: usize) -> Option<&Rejection> {
        match &self.plan.assignments[place] {
            Assignment::Refused(rejection) => Some(rejection),
            _ => self.folded.refused.get(&place),
        }
    }

    fn is_settled(
        &self,
        place: usize,
        made: &HashSet<ProfileKey>,
        written: &HashSet<ProfileKey>,
    ) -> bool {
        let subject = &self.subjects[place];
        let profile = |id: &ProfileId| (subject.project_id, *id);
        match &self.plan.assignments[place] {
            Assignment::New(id) => made.contains(&profile(id)),
            Assignment::Settled(id) => subject.traits.is_none() || written.contains(&profile(id)),
            Assignment::Pending(_) | Assignment::Refused(_) => false,
        }
    }

    /// True where a subject brings a name, joins profiles or changes a trait. A write that loses its race is news again in the
    /// next round, or is somebody else's news.
    fn is_news(&self, place: usize) -> bool {
        self.plan.news.contains(&place) || self.folded.changing.contains(&place)
    }

    /// Who belongs to which group from now on.
    fn membership(&self, command: &Command, own: &[usize]) -> Option<Membership> {
        let profile = |place: &usize| self.plan.assignments[*place].profile_id();
        Some(Membership {
            project_id: command.project_id(),
            profile_id: profile(own.first()?)?,
            group_id: profile(own.get(1)?)?,
            first_seen: command.received_at(),
        })
    }

    /// Gives names that nobody has to new people, whom it returns, and to those who are known; `None` where it has to be asked first who was
    /// erased.
    async fn make_and_link(&self, store: &Store) -> Result<Option<HashSet<ProfileKey>>, Error> {
        if !self.is_sure {
            return Ok(None);
        }
        match self.make(store).await? {
            Some(made) if self.link(store).await? => Ok(Some(made)),
            _ => Ok(None),
        }
    }

    /// Makes new people; returns those that got every identity they were to have, or `None` where a name is an erased person's.
    async fn make(&self, store: &Store) -> Result<Option<HashSet<ProfileKey>>, Error> {
        if self.plan.claims.is_empty() {
            return Ok(Some(HashSet::new()));
        }
        let profiles = self.new_profiles();
        let won = store
            .create_identities(&self.new_identities(&self.plan.claims), &profiles)
            .await?;
        let Some(won) = won else {
            return Ok(None);
        };
        let mut made: HashSet<ProfileKey> = profiles
            .iter()
            .map(|profile| (profile.project_id, profile.profile_id))
            .collect();
        for (key, owner) in &self.plan.claims {
            if !won.contains(key) {
                made.remove(&(key.0, *owner));
            }
        }
        Ok(Some(made))
    }

    /// False where a name is an erased person's.
    async fn link(&self, store: &Store) -> Result<bool, Error> {
        if self.plan.links.is_empty() {
            return Ok(true);
        }
        let held = |key: ProfileKey| HeldProfile {
            project_id: key.0,
            profile_id: key.1,
            version: self.profiles[&key].version,
            updated_at: self.first_received[&key],
        };
        let held: Vec<_> = owners(&self.plan.links).into_iter().map(held).collect();
        store
            .link_identities(&held, &self.new_identities(&self.plan.links))
            .await
    }

    async fn merge(&self, tools: &Tools) -> Result<(), Error> {
        let Some(at) = self
            .subjects
            .iter()
            .map(|subject| subject.received_at)
            .max()
        else {
            return Ok(());
        };
        if self.plan.merges.is_empty() {
            return Ok(());
        }
        merge_listed(&tools.store, &self.plan.merges, &tools.room, at)
            .await
            .map(drop)
    }

    /// Writes the traits of profiles that exist; returns those that are as they should be. A profile that got names or absorbed
    /// another in this round has another version now and is left for the next.
    async fn write_traits(&self, store: &Store) -> Result<HashSet<ProfileKey>, Error> {
        let change = |(key, (traits, stamps)): (&ProfileKey, &(Json, Json))| {
            Some(TraitsChange {
                project_id: key.0,
                profile_id: key.1,
                version: self.profiles.get(key)?.version,
                traits: traits.clone(),
                stamps: stamps.clone(),
                updated_at: self.first_received[key],
            })
        };
        let changes: Vec<TraitsChange> = self.folded.changed.iter().filter_map(change).collect();
        let mut settled = self.folded.unchanged.clone();
        if !changes.is_empty() {
            settled.extend(store.write_traits(&changes).await?);
        }
        Ok(settled)
    }

    async fn list_conflicts(&self, store: &Store) -> Result<(), Error> {
        let mut conflicts: Vec<(Conflict, Timestamp)> = Vec::new();
        for (index, found) in &self.plan.conflicts {
            let received_at = self.subjects[*index].received_at;
            conflicts.extend(found.iter().map(|conflict| (conflict.clone(), received_at)));
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        counter!(IDENTITY_CONFLICTS).increment(conflicts.len() as u64);
        let hubs = conflicts.iter().filter(|(conflict, _)| conflict.is_hub);
        counter!(IDENTITY_HUBS).increment(hubs.count() as u64);
        conflicts.sort();
        conflicts.dedup_by(|left, right| left.0 == right.0);
        store.insert_conflicts(&conflicts).await
    }

    fn new_profiles(&self) -> Vec<NewProfile> {
        let profile = |key: ProfileKey| {
            let stated = self.folded.changed.get(&key).cloned();
            let (traits, stamps) = stated.unwrap_or_else(|| Traits::default().to_stored());
            NewProfile {
                project_id: key.0,
                profile_id: key.1,
                traits,
                stamps,
                created_at: self.first_received[&key],
            }
        };
        owners(&self.plan.claims).into_iter().map(profile).collect()
    }

    fn new_identities(&self, wanted: &BTreeMap<IdentityKey, ProfileId>) -> Vec<NewIdentity> {
        let new = |((project_id, identity), owner): (&IdentityKey, &ProfileId)| NewIdentity {
            project_id: *project_id,
            identity: identity.clone(),
            profile_id: *owner,
            first_seen: self.first_received[&(*project_id, *owner)],
            not_before: self
                .erased
                .get(&(*project_id, identity.clone()))
                .map(|erased| erased.at),
        };
        wanted.iter().map(new).collect()
    }
}

fn owners(identities: &BTreeMap<IdentityKey, ProfileId>) -> BTreeSet<ProfileKey> {
    identities
        .iter()
        .map(|((project_id, _), owner)| (*project_id, *owner))
        .collect()
}

fn first_received(subjects: &[Subject], plan: &Plan) -> HashMap<ProfileKey, Timestamp> {
    let mut first: HashMap<ProfileKey, Timestamp> = HashMap::new();
    for (subject, assignment) in subjects.iter().zip(&plan.assignments) {
        let at = subject.received_at;
        let Some(id) = assignment.profile_id() else {
            continue;
        };
        first
            .entry((subject.project_id, id))
            .and_modify(|seen| *seen = at.min(*seen))
            .or_insert(at);
    }
    first
}
