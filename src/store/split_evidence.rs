//! What the events of a person tell about who said what, and who belongs to which group.

use super::split::SplitRequest;
use super::split_statements::LEAVE_GROUPS;
use super::{Error, Membership, Person, Store, StoredEvent, TimelineQuery};
use crate::domain::parting::{Evidence, Side, stated};
use crate::domain::split::Sides;
use crate::domain::{
    Identity, IdentityKey, IdentityKind, Json, Kinds, Limits, ProfileId, ProjectId, Timestamp,
    TraitWrite,
};
use std::collections::{BTreeMap, HashSet};

/// Calls that are looked at, the newest first: what is older and was never said again can't be told apart.
const MOST_CALLS: usize = 20_000;
/// Calls and bytes of one page.
const PAGE: i64 = 1_000;
const PAGE_BYTES: usize = 1 << 20;

/// When somebody's calls about one group happened, and when they arrived.
type GroupCalls = Vec<(Timestamp, Timestamp)>;

/// A walk along somebody's calls of one type, the newest first.
struct Calls<'a> {
    whose: (ProjectId, &'a Person),
    query: TimelineQuery,
    heard: usize,
    is_over: bool,
}

impl<'a> Calls<'a> {
    fn of(whose: (ProjectId, &'a Person), event_type: &str) -> Self {
        let query = TimelineQuery {
            name: None,
            event_type: Some(event_type.to_owned()),
            from: None,
            to: None,
            after: None,
            limit: PAGE,
        };
        Self {
            whose,
            query,
            heard: 0,
            is_over: false,
        }
    }
}

/// Whose calls are heard, and by which rules.
struct Hearing<'a> {
    project_id: ProjectId,
    limits: &'a Limits,
    kinds: &'a Kinds,
    /// The people whose names may be said, also those that were an erased person's before.
    people: Vec<ProfileId>,
}

impl Store {
    /// Who said which traits, by the newest calls that said any.
    pub(super) async fn hear(
        &self,
        request: &SplitRequest<'_>,
        sides: &Sides,
    ) -> Result<Evidence, Error> {
        let vias: HashSet<i64> = request.taken.iter().map(Identity::via).collect();
        let side = |event: &StoredEvent| {
            let goes = sides.going.contains(&event.profile_id)
                || event.via.is_some_and(|via| vias.contains(&via));
            if goes { Side::Taken } else { Side::Kept }
        };
        let hearing = Hearing {
            project_id: request.project_id,
            limits: request.limits,
            kinds: request.kinds,
            people: vec![request.person.id],
        };
        let mut evidence = Evidence::default();
        self.hear_words(&hearing, request.person, side, &mut evidence)
            .await?;
        Ok(evidence)
    }

    /// Two people by their own calls.
    pub(super) async fn hear_both(
        &self,
        project_id: ProjectId,
        (kept, taken): (&Person, &Person),
        limits: &Limits,
    ) -> Result<Evidence, Error> {
        let kinds = self.load_kinds(project_id).await?;
        let hearing = Hearing {
            project_id,
            limits,
            kinds: &kinds,
            people: vec![kept.id, taken.id],
        };
        let mut evidence = Evidence::default();
        for (side, person) in [(Side::Kept, kept), (Side::Taken, taken)] {
            self.hear_words(&hearing, person, |_| side, &mut evidence)
                .await?;
        }
        Ok(evidence)
    }

    /// What somebody's calls said. Traits that say names of erased people are nobody's: a split brings nobody back.
    async fn hear_words(
        &self,
        hearing: &Hearing<'_>,
        person: &Person,
        side: impl Fn(&StoredEvent) -> Side,
        evidence: &mut Evidence,
    ) -> Result<(), Error> {
        let mut calls = Calls::of((hearing.project_id, person), "identify");
        while let Some(events) = self.next_calls(&mut calls).await? {
            let word = |event: &StoredEvent| Some((side(event), said(event, hearing.limits)?));
            let words: Vec<(Side, TraitWrite)> = events.iter().filter_map(word).collect();
            let silent = self.silent(hearing, &words).await?;
            for (side, mut write) in words {
                let traits = std::mem::take(&mut write.traits).into_iter();
                let is_silent = |(trait_name, value): &(String, Json)| {
                    name(hearing.kinds, trait_name, value)
                        .is_some_and(|name| silent.contains(&name))
                };
                let (unsaid, said) = traits.partition(is_silent);
                write.traits = unsaid;
                evidence.wrote_in_vain(side, &write);
                write.traits = said;
                evidence.wrote(side, &write);
            }
        }
        Ok(())
    }

    /// Of the names that some words say those of erased people, but for what one of the people heard is called again.
    async fn silent(
        &self,
        hearing: &Hearing<'_>,
        words: &[(Side, TraitWrite)],
    ) -> Result<HashSet<Identity>, Error> {
        let traits = words.iter().flat_map(|(_, write)| &write.traits);
        let names = traits.filter_map(|(trait_name, value)| name(hearing.kinds, trait_name, value));
        let said: HashSet<IdentityKey> = names.map(|name| (hearing.project_id, name)).collect();
        if said.is_empty() {
            return Ok(HashSet::new());
        }
        let erased = self.load_erased(&said.iter().collect::<Vec<_>>()).await?;
        let erased: Vec<_> = erased.into_keys().map(|key| (key, false)).collect();
        if erased.is_empty() {
            return Ok(HashSet::new());
        }
        let found = self.resolve_identities(&erased, &[]).await?.identities;
        let own = found
            .iter()
            .filter(|found| hearing.people.contains(&found.profile_id));
        let own: HashSet<usize> = own.map(|found| found.position).collect();
        let silent = erased.into_iter().enumerate();
        let silent = silent.filter(|(position, _)| !own.contains(position));
        Ok(silent.map(|(_, ((_, name), _))| name).collect())
    }

    /// The next page of calls; `None` behind the last one.
    async fn next_calls(&self, calls: &mut Calls<'_>) -> Result<Option<Vec<StoredEvent>>, Error> {
        if calls.is_over || calls.heard >= MOST_CALLS {
            return Ok(None);
        }
        let (project_id, person) = calls.whose;
        let page = self
            .load_timeline(project_id, person, &calls.query, PAGE_BYTES)
            .await?;
        calls.heard += page.events.len();
        calls.is_over = page.next.is_none();
        calls.query.after = page.next;
        Ok(Some(page.events))
    }

    /// Who belongs to a group by calls that are somebody else's now belongs to it no more; the other one does.
    pub(super) async fn regroup(
        &self,
        project_id: ProjectId,
        kept: &Person,
        taken: &Person,
    ) -> Result<(), Error> {
        let stays = self.groups_of(project_id, kept).await?;
        let goes = self.groups_of(project_id, taken).await?;
        let goes: Vec<(Identity, GroupCalls)> = goes.into_iter().collect();
        let names: Vec<_> = goes
            .iter()
            .map(|(name, _)| ((project_id, name.clone()), false))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let (mut joined, mut left, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
        for found in self.resolve_identities(&names, &[]).await?.identities {
            let (name, calls) = &goes[found.position];
            let Some(first_seen) = first_behind(calls, found.not_before) else {
                continue;
            };
            joined.push(Membership {
                project_id,
                profile_id: taken.id,
                group_id: found.profile_id,
                first_seen,
            });
            let stays = stays.get(name);
            if stays
                .and_then(|calls| first_behind(calls, found.not_before))
                .is_none()
            {
                leaves.extend(kept.profiles());
                left.resize(leaves.len(), found.profile_id.0);
            }
        }
        joined.sort();
        self.insert_memberships(&joined).await?;
        self.run(&LEAVE_GROUPS, &[&leaves, &left]).await.map(drop)
    }

    /// Lists and devices are where their traits went.
    pub(super) async fn relist(
        &self,
        project_id: ProjectId,
        kept: &Person,
        taken: &Person,
    ) -> Result<(), Error> {
        let people = [(project_id, kept.id), (project_id, taken.id)];
        self.note_members(&people).await?;
        self.note_holders(&people).await
    }

    /// The groups that a person's calls name. An event keeps the id as it was sent.
    async fn groups_of(
        &self,
        project_id: ProjectId,
        person: &Person,
    ) -> Result<BTreeMap<Identity, GroupCalls>, Error> {
        let mut groups = BTreeMap::<_, GroupCalls>::new();
        let mut calls = Calls::of((project_id, person), "group");
        while let Some(events) = self.next_calls(&mut calls).await? {
            for event in events {
                let Some(name) = &event.name else { continue };
                let group = Identity::new(IdentityKind::GroupId, name);
                let known = groups.entry(group).or_default();
                known.push((event.occurred_at, event.received_at));
            }
        }
        Ok(groups)
    }
}

fn said(event: &StoredEvent, limits: &Limits) -> Option<TraitWrite> {
    let says = (event.name.as_deref(), &event.properties);
    stated(event.occurred_at, says, limits)
}

/// Whom a trait names: an email, and what is called as a kind of the project's own.
fn name(kinds: &Kinds, trait_name: &str, value: &Json) -> Option<Identity> {
    let is_own = || kinds.custom.iter().any(|kind| kind.name == trait_name);
    let is_name = trait_name == IdentityKind::Email.as_str() || is_own();
    let value = is_name.then(|| value.as_id())??;
    Some(kinds.identity(trait_name, &value))
}

/// When the first call about a group arrived; none of those counts that were about one of the same id that was erased.
fn first_behind(
    calls: &[(Timestamp, Timestamp)],
    not_before: Option<Timestamp>,
) -> Option<Timestamp> {
    let is_behind = |at: Timestamp| not_before.is_none_or(|before| at > before);
    let behind = calls
        .iter()
        .filter(|(occurred_at, _)| is_behind(*occurred_at));
    behind.map(|(_, received_at)| *received_at).min()
}
