//! Emails that a command is for: a change of somebody's address is done whole, or refused.
//!
//! Elsewhere a name that has no place is left out, and the rest counts. A change that was answered with success and led nowhere would lose its
//! person: shown with an address by which nobody finds them.

use super::plan::Planner;
use super::{Code, IdentityKey, IdentityKind, ProfileId, Rejection, Subject};

/// What a command says of the emails among its names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emails {
    /// They are names like others: of those that have no place its person hears nothing.
    #[default]
    Named,
    /// The command is for them. Each becomes its person's, however many those have already, or the command is refused.
    Given,
    /// The same, and nobody is joined by them.
    GivenApart,
}

impl<D: FnMut() -> ProfileId> Planner<D> {
    /// Why a command that is for its emails can't be done.
    pub(super) fn ungiven(&self, subject: &Subject, profile_id: ProfileId) -> Option<Rejection> {
        if subject.emails == Emails::Named {
            return None;
        }
        let mut emails = self
            .known
            .usable(subject)
            .filter(|(_, key)| key.1.kind == IdentityKind::Email);
        emails.find_map(|(place, key)| match self.known.owners.get(&key) {
            Some(owner) if *owner == profile_id => None,
            Some(owner) => self
                .keeps(subject, profile_id, (place, *owner))
                .then(|| taken(key)),
            None => (self.names(profile_id).count >= self.room.names_by(subject.by)).then(crowd),
        })
    }

    /// True where whoever has the name keeps it.
    fn keeps(
        &self,
        subject: &Subject,
        profile_id: ProfileId,
        (place, owner): (usize, ProfileId),
    ) -> bool {
        subject.emails == Emails::GivenApart
            || self
                .stays_apart(subject, profile_id, (place, owner))
                .is_some()
    }
}

fn taken(key: IdentityKey) -> Rejection {
    let message = "the address is another person's";
    Rejection::of(Code::EmailTaken, "email", message).about([key.1])
}

fn crowd() -> Rejection {
    let message = "the person has as many names as the key may give";
    Rejection::of(Code::TooManyIdentities, "email", message)
}
