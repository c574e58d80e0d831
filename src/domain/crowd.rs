//! A person with all the names that one may have, and what a public key can do about that.
//!
//! Whoever knows a user id can give it anonymous ids without end by a write key. So a profile has some room beyond the limit for what
//! such a sender can't fill: names by a server key's word, a user id where there is none, and emails, of which there are few.

use super::plan::Planner;
use super::profile::Room;
use super::{IdentityKey, IdentityKind, KeyKind, ProfileId, Subject};

/// One in so many names more: 50 beyond 1,000 are more devices than a person brings in years.
const MORE_ONE_IN: usize = 20;

impl Room {
    /// How many names a profile may have by somebody's word.
    pub fn names_by(&self, by: KeyKind) -> usize {
        match by {
            KeyKind::Server => self.identities + self.identities / MORE_ONE_IN,
            KeyKind::Write | KeyKind::Read => self.identities,
        }
    }
}

impl<D: FnMut() -> ProfileId> Planner<D> {
    /// Leaves out new names for which their profile has no room, the weakest first: a device that draws a new id on each page must
    /// not cost its person anything else.
    pub(super) fn leave_out_crowd(
        &mut self,
        position: usize,
        subject: &Subject,
        profile_id: ProfileId,
        unknown: &mut Vec<IdentityKey>,
    ) {
        let mut names = self.names(profile_id);
        let is_over = |key: &mut IdentityKey| {
            let by = match key.1.kind {
                IdentityKind::UserId if !names.has_user_id => KeyKind::Server,
                IdentityKind::Email => KeyKind::Server,
                _ => subject.by,
            };
            let is_over = names.count >= self.room.names_by(by);
            names.count += usize::from(!is_over);
            names.has_user_id |= key.1.kind == IdentityKind::UserId;
            is_over
        };
        let left_out: Vec<IdentityKey> = unknown.extract_if(.., is_over).collect();
        if let Some(first) = left_out.first() {
            self.plan.crowded.insert(position, first.1.kind.clone());
        }
    }
}
