//! Documents of people who were erased since: told by the names in them, and by when they say they were true.
//!
//! Only of who was erased while changes are marked the ids of documents are noted. Of the others the names are known by their hashes alone,
//! so that a document has to be read to be known. One without a time counts as older than any erasure, as does one that can't be read.

use crate::domain::erasure::erased_at;
use crate::domain::time::CLOCKS_APART;
use crate::domain::versions::Versions;
use crate::domain::{
    Class, Command, Gate, Identity, IdentityKey, KeyKind, Limits, Rejection, Timestamp,
};
use crate::legacy::{Found, Hit, record};
use crate::mapping::{Reading, Reverse};
use crate::store::{Error, Mirror, Store};
use bytes::Bytes;
use std::collections::BTreeSet;

/// How documents of a project are read.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    pub mirror: &'a Mirror,
    pub reverse: &'a Reverse,
    pub limits: &'a Limits,
}

/// What a document says of whose it is.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its id as a name of its person.
    pub id: Identity,
    /// The strongest first.
    names: Vec<Identity>,
    at: Timestamp,
    /// It says itself that its person is deleted.
    pub is_deletion: bool,
}

/// True of a document that has to be judged before anything is laid over it. Roster's own were judged when they were written, once all are
/// looked at whose people were erased before.
pub fn is_doubtful(found: &Found, used: Versions, is_swept: bool) -> bool {
    !is_swept || !used.has(found.version)
}

impl Said {
    fn strongest(&self) -> &Identity {
        self.names.first().unwrap_or(&self.id)
    }
}

impl Judge<'_> {
    /// Reads a document that was asked for by its id.
    pub fn found(&self, id: &str, found: &Found) -> Said {
        self.said(id, &found.hit, &found.source)
    }

    /// Reads a document of a page.
    pub fn hit(&self, hit: &Hit<'_>) -> Said {
        let value = record::value(hit).unwrap_or_default();
        let source = hit._source.map(|source| source.get().to_owned());
        self.said(&hit._id, &value.into(), &source.unwrap_or_default().into())
    }

    /// What a document says as a record of its person; `None` where the mapping can't read it. What has no time is older than all that
    /// Roster knows, and so is what has one that is still to come: it would be newer than whatever is called next.
    pub fn statement(&self, found: &Found) -> Option<Command> {
        let (now, latest) = (self.mirror.now, self.mirror.now.plus(CLOCKS_APART));
        let command = self.command(found, now)?;
        let is_timed = command.occurred_at() > Timestamp::MIN;
        // Nothing is later than the reading; what would be is looked at once more.
        let is_past = || command.occurred_at() < now;
        let is_near = || {
            let again = self.command(found, latest);
            again.is_some_and(|command| command.occurred_at() < latest)
        };
        (is_timed && (is_past() || is_near())).then_some(command)
    }

    /// True of a document that says that its person is deleted.
    pub fn is_deletion(&self, found: &Found) -> bool {
        let command = self.command(found, self.mirror.now);
        command.is_some_and(|command| command.erases())
    }

    fn command(&self, found: &Found, received_at: Timestamp) -> Option<Command> {
        match self.reading(&found.hit, &found.source, received_at) {
            Ok(Reading::Command { command, .. }) => Some(*command),
            Ok(_) | Err(_) => None,
        }
    }

    fn reading(
        &self,
        hit: &Bytes,
        source: &Bytes,
        received_at: Timestamp,
    ) -> Result<Reading, Rejection> {
        let gate = Gate {
            project_id: self.mirror.project_id,
            class: Class::Backfill,
            by: KeyKind::Server,
            kinds: &self.mirror.kinds,
            limits: self.limits,
            received_at,
            is_measured: false,
        };
        self.reverse.read(hit, source, &gate)
    }

    fn said(&self, id: &str, hit: &Bytes, source: &Bytes) -> Said {
        // The database takes no NUL.
        let id = id.replace('\0', "");
        let kinds = &self.mirror.kinds;
        let id = kinds.identity(self.reverse.document_kind(), &id);
        let unread = Said {
            id,
            names: Vec::new(),
            at: Timestamp::MIN,
            is_deletion: false,
        };
        match self.reading(hit, source, self.mirror.now) {
            Ok(Reading::Command { command, .. }) => Said {
                names: command.identities().to_vec(),
                at: command.occurred_at(),
                is_deletion: command.erases(),
                ..unread
            },
            Ok(_) | Err(_) => unread,
        }
    }

    /// When the people of documents were erased, in their order; `None` where they were not, or the document is newer.
    pub async fn erased(
        &self,
        store: &Store,
        said: &[Said],
    ) -> Result<Vec<Option<Timestamp>>, Error> {
        let key = |name: &Identity| -> IdentityKey { (self.mirror.project_id, name.clone()) };
        let names = said
            .iter()
            .flat_map(|one| one.names.iter().chain([&one.id]));
        let keys: BTreeSet<IdentityKey> = names.map(key).collect();
        let known = store.load_erased(&keys.iter().collect::<Vec<_>>()).await?;
        let bars = |one: &Said, name: &Identity| {
            let erased = known.get(&key(name)).filter(|erased| erased.bars(one.at));
            erased.map(|erased| erased.at)
        };
        let strongest: Vec<&Identity> = said.iter().map(Said::strongest).collect();
        let owners = match known.is_empty() {
            true => vec![None; said.len()],
            false => {
                store
                    .find_owners(self.mirror.project_id, &strongest)
                    .await?
            }
        };
        let each = said.iter().zip(owners);
        let erased = each.map(|(one, owner)| {
            let said = (&one.id, &one.names[..]);
            erased_at(said, owner.is_some(), |name| bars(one, name))
        });
        Ok(erased.collect())
    }
}
