//! What the events of a person tell about who said what, and who belongs to which group.

use super::split::SplitRequest;
use super::split_statements::LEAVE_GROUPS;
use super::{Error, Membership, Person, Store, StoredEvent, TimelineQuery};
use crate::domain::parting::{Evidence, Side, stated};
use crate::domain::split::Sides;
use crate::domain::{
    Identity, IdentityKey, IdentityKind, Limits, ProjectId, Timestamp, TraitWrite,
};
use std::collections::{BTreeMap, HashSet};

/// Calls that are looked at, the newest first: what is older and was never said again can't be told apart.
const MOST_CALLS: usize = 20_000;
/// Calls and bytes of one page.
const PAGE: i64 = 1_000;
const PAGE_BYTES: usize = 1 << 20;

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
        let mut evidence = Evidence::default();
        let person = (request.project_id, request.person);
        self.hear_calls(person, "identify", |event| {
            if let Some(write) = said(event, request.limits) {
                evidence.wrote(side(event), &write);
            }
        })
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
        let mut evidence = Evidence::default();
        for (side, person) in [(Side::Kept, kept), (Side::Taken, taken)] {
            self.hear_calls((project_id, person), "identify", |event| {
                if let Some(write) = said(event, limits) {
                    evidence.wrote(side, &write);
                }
            })
            .await?;
        }
        Ok(evidence)
    }

    async fn hear_calls(
        &self,
        (project_id, person): (ProjectId, &Person),
        event_type: &str,
        mut hear: impl FnMut(&StoredEvent),
    ) -> Result<(), Error> {
        let mut query = TimelineQuery {
            name: None,
            event_type: Some(event_type.to_owned()),
            from: None,
            to: None,
            after: None,
            limit: PAGE,
        };
        let mut heard = 0;
        while heard < MOST_CALLS {
            let page = self
                .load_timeline(project_id, person, &query, PAGE_BYTES)
                .await?;
            page.events.iter().for_each(&mut hear);
            heard += page.events.len();
            match page.next {
                Some(last) => query.after = Some(last),
                None => break,
            }
        }
        Ok(())
    }

    /// Leaves out traits that say names of erased people: a split brings nobody back.
    pub(super) async fn silence(
        &self,
        request: &SplitRequest<'_>,
        evidence: &mut Evidence,
    ) -> Result<(), Error> {
        let taken = evidence.taken_mut();
        let own = request.kinds.custom.iter().map(|kind| kind.name.as_str());
        let kinds = own.chain([IdentityKind::Email.as_str()]);
        let key = |kind: &str| {
            let value = taken.value(kind).as_id()?;
            let name = request.kinds.identity(kind, &value);
            Some((kind.to_owned(), (request.project_id, name)))
        };
        let said: Vec<(String, IdentityKey)> = kinds.filter_map(key).collect();
        let asked: Vec<&IdentityKey> = said.iter().map(|(_, key)| key).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let erased = self.load_erased(&asked).await?;
        let is_erased = |(_, key): &&(String, IdentityKey)| erased.contains_key(key);
        for (kind, _) in said.iter().filter(is_erased) {
            evidence.taken_mut().forget(kind);
        }
        Ok(())
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
        let goes: Vec<(Identity, Timestamp)> = goes.into_iter().collect();
        let names: Vec<_> = goes
            .iter()
            .map(|(name, _)| ((project_id, name.clone()), false))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let (mut joined, mut left, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
        for found in self.resolve_identities(&names, &[]).await?.identities {
            let (name, first_seen) = &goes[found.position];
            joined.push(Membership {
                project_id,
                profile_id: taken.id,
                group_id: found.profile_id,
                first_seen: *first_seen,
            });
            if !stays.contains_key(name) {
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

    /// The groups that a person's calls name, with the receipt of the first of these calls. An event keeps the id as it was sent.
    async fn groups_of(
        &self,
        project_id: ProjectId,
        person: &Person,
    ) -> Result<BTreeMap<Identity, Timestamp>, Error> {
        let mut groups = BTreeMap::new();
        self.hear_calls((project_id, person), "group", |event| {
            if let Some(name) = &event.name {
                let group = Identity::new(IdentityKind::GroupId, name);
                let first = groups.entry(group).or_insert(event.received_at);
                *first = event.received_at.min(*first);
            }
        })
        .await?;
        Ok(groups)
    }
}

fn said(event: &StoredEvent, limits: &Limits) -> Option<TraitWrite> {
    let says = (event.name.as_deref(), &event.properties);
    stated(event.occurred_at, says, limits)
}
