//! Documents of people who were erased: nobody's, also before they are deleted there. Judged as the mirror judges.

use super::fetch::Failure;
use super::known::Leaving;
use super::look::{Documents, Doubtful, Sought};
use super::person::Document;
use super::{LegacyReads, Place};
use crate::domain::erasure::{Erased, erased_at};
use crate::domain::{Identity, IdentityKey, IdentityKind, ProjectId, Timestamp};
use std::collections::{BTreeSet, HashMap};

/// What a document says of whose it is.
struct Said {
    /// Its place among those that are sought.
    at_place: usize,
    id: Identity,
    /// The strongest first.
    names: Vec<Identity>,
    at: Timestamp,
    /// Whether somebody has the strongest, as far as what was read of the person tells.
    is_owned: Option<bool>,
}

/// What is remembered of the names of some documents.
struct Remembered {
    project_id: ProjectId,
    erased: HashMap<IdentityKey, Erased>,
}

impl LegacyReads {
    /// Forgets documents that are still to be deleted.
    pub(super) async fn without_noted(
        &self,
        leaving: &Leaving,
        doubtful: &Doubtful<'_>,
        documents: &mut Documents,
    ) -> Result<(), Failure> {
        let (project_id, kind) = (leaving.project_id, leaving.reverse.document_kind());
        let ids = doubtful.iter().map(|(at, (.., id))| (*at, *id));
        let ids: Vec<(usize, &str)> = ids.collect();
        let finding = self.store.find_gone(project_id, kind, &ids);
        for (at, only_ours) in self.with_connection(finding).await? {
            let is_kept = |document: &Result<Document, _>| {
                only_ours && document.as_ref().map_or(true, |own| !own.is_ours())
            };
            documents.retain(|own, document| *own != at || is_kept(document));
        }
        Ok(())
    }

    /// Forgets documents that are older than the erasure of their person, by whichever of their names that was.
    pub(super) async fn without_erased(
        &self,
        leaving: &Leaving,
        doubtful: &Doubtful<'_>,
        documents: &mut Documents,
    ) -> Result<(), Failure> {
        let kind = leaving.reverse.document_kind();
        let said = |(at, sought): &(usize, &Sought<'_>)| {
            Some(Said::of(kind, (*at, sought), documents.get(at)?))
        };
        let mut said: Vec<Said> = doubtful.iter().filter_map(said).collect();
        let project_id = leaving.project_id;
        let names = said
            .iter()
            .flat_map(|one| one.names.iter().chain([&one.id]));
        let keys: BTreeSet<IdentityKey> = names.map(|name| (project_id, name.clone())).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let keys: Vec<&IdentityKey> = keys.iter().collect();
        let erased = self.with_connection(self.store.load_erased(&keys)).await?;
        let remembered = Remembered { project_id, erased };
        self.find_owned(&remembered, &mut said).await?;
        let gone = said.iter().filter(|one| remembered.has(one));
        for one in gone {
            documents.remove(&one.at_place);
        }
        Ok(())
    }

    /// Asks who has the strongest names where that decides and is not known yet: seldom.
    async fn find_owned(&self, remembered: &Remembered, said: &mut [Said]) -> Result<(), Failure> {
        let open = said.iter_mut();
        let mut open: Vec<&mut Said> = open
            .filter(|one| one.is_owned.is_none() && remembered.has(one))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let strongest: Vec<&Identity> = open.iter().map(|one| one.strongest()).collect();
        let finding = self.store.find_owners(remembered.project_id, &strongest);
        let owners = self.with_connection(finding).await?;
        for (one, owner) in open.iter_mut().zip(owners) {
            one.is_owned = Some(owner.is_some());
        }
        Ok(())
    }
}

impl Said {
    /// Of what can't be read the id alone is known; it may be older than any erasure.
    fn of(
        kind: &str,
        (at_place, (_, place, id)): (usize, &Sought<'_>),
        document: &Result<Document, String>,
    ) -> Self {
        let kind = IdentityKind::parse(kind);
        let value = (*id).to_owned();
        let id = Identity { kind, value };
        let document = document.as_ref();
        let names = document.map_or_else(|_| Vec::new(), |own| own.identities.clone());
        let is_owned = is_owned(place, &id, names.first().unwrap_or(&id));
        Self {
            at_place,
            id,
            names,
            at: document.map_or(Timestamp::MIN, |own| own.at),
            is_owned,
        }
    }

    fn strongest(&self) -> &Identity {
        self.names.first().unwrap_or(&self.id)
    }
}

impl Remembered {
    /// True where the document goes; of one of which it is open who has the strongest name, where nobody has it.
    fn has(&self, said: &Said) -> bool {
        let told = |name: &Identity| {
            let erased = self.erased.get(&(self.project_id, name.clone()));
            let erased = erased.filter(|erased| erased.bars(said.at));
            erased.map(|erased| erased.at)
        };
        let names = (&said.id, &said.names[..]);
        erased_at(names, said.is_owned.unwrap_or_default(), told).is_some()
    }
}

/// Whether somebody has a name, as far as what was read tells: who was asked for by an id and is nobody leaves it to nobody.
fn is_owned(place: &Place, id: &Identity, name: &Identity) -> Option<bool> {
    let Some(profile) = &place.profile else {
        return (name == id).then_some(false);
    };
    let mut known = profile.identities.iter();
    let is_theirs = known.any(|known| known.identity == *name);
    is_theirs.then_some(true)
}
