//! What was seen of one document or one person.

use crate::backfill::PastRecord;
use crate::domain::containment::{Difference, Kind};
use crate::domain::{Identity, Json, ProfileId, Timestamp};
use std::sync::Arc;

/// Whom a look was about: enough to look again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum About {
    /// A document, by its id and a routing of its own, where it has one.
    Document(String, Option<String>),
    Person(ProfileId),
    /// A record, kept until it is settled: what it says does not change.
    Record(Arc<PastRecord>),
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides agree, or there is nothing to compare.
    Held,
    /// They agree, since something newer stands there.
    Superseded,
    /// It was refused with a reason.
    Rejected,
    /// The person was erased.
    Erased,
    Differs(Vec<Difference>),
}

/// One look.
#[derive(Clone, Debug)]
pub struct Seen {
    pub about: About,
    pub outcome: Outcome,
    /// The id that a person finds it by.
    pub document_id: String,
    pub names: Vec<Identity>,
    /// When a document says that it was true; the least of one that does not say, or that speaks of the future.
    pub said_at: Timestamp,
    /// Whom it was compared with, or made of.
    pub people: Vec<ProfileId>,
}

impl Seen {
    /// A look that came to this, as far as nobody is named by it.
    pub fn of(about: About, outcome: Outcome) -> Self {
        let document_id = match &about {
            About::Document(id, _) => id.clone(),
            About::Person(_) => String::new(),
            About::Record(record) => record.name(),
        };
        Self {
            about,
            outcome,
            document_id,
            names: Vec::new(),
            said_at: Timestamp::MIN,
            people: Vec::new(),
        }
    }

    /// What does not agree.
    pub fn differences(&self) -> &[Difference] {
        match &self.outcome {
            Outcome::Differs(differences) => differences,
            _ => &[],
        }
    }

    /// True of a look at a person; the others are at what speaks of one.
    pub fn is_person(&self) -> bool {
        matches!(self.about, About::Person(_))
    }

    /// Takes away the difference of a name that was refused. Names stand behind the traits, of which one may say the same.
    pub fn excuse_name(&mut self, name: &Identity) {
        let Outcome::Differs(differences) = &mut self.outcome else {
            return;
        };
        if let Some(place) = differences.iter().rposition(|one| is_name(one, name)) {
            differences.remove(place);
        }
        if differences.is_empty() {
            self.outcome = Outcome::Rejected;
        }
    }
}

/// True of a difference that is one of the names.
pub fn is_name(difference: &Difference, name: &Identity) -> bool {
    difference.kind == Kind::Different
        && difference.field.as_deref() == Some(name.kind.as_str())
        && difference.ours.is_none()
        && difference.theirs == Some(Json::of(&name.value))
}

impl About {
    /// Bytes that are held of it beyond a name.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Document(..) | Self::Person(_) => 0,
            Self::Record(record) => record.bytes(),
        }
    }
}
