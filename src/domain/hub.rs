//! A hub is not a person: how many different people a name may pull into one by itself.
//!
//! A kiosk, a shared mailbox and a constant in an app look like one person who never rests. Two rules stop them, for what happens by
//! itself: a profile gets a few emails, and absorbs a bounded number of others through names that are no user ids.

use super::plan::{Names, Planner};
use super::profile::Room;
use super::{IdentityKey, IdentityKind, ProfileId, Subject};

impl Names {
    /// Of the two profiles as one, where a call without a user id joins them or one with a user id.
    pub fn joined(self, other: Self, is_by_user: bool) -> Self {
        Self {
            count: self.count + other.count,
            has_user_id: self.has_user_id || other.has_user_id,
            emails: self.emails + other.emails,
            absorbed: self.absorbed + other.absorbed + usize::from(!is_by_user),
        }
    }

    /// True where the two would be a hub as one: they stay apart unless somebody asked for it. Who is one already, because somebody
    /// did ask, may still take in who brings no more of it.
    pub fn is_hub_with(self, other: Self, is_by_user: bool, room: &Room) -> bool {
        let both = self.joined(other, is_by_user);
        let gathers = |most: usize, own: usize, others: usize, all: usize| {
            all > most && all > own.max(others)
        };
        gathers(room.emails, self.emails, other.emails, both.emails)
            || gathers(room.absorbed, self.absorbed, other.absorbed, both.absorbed)
    }
}

impl<D: FnMut() -> ProfileId> Planner<D> {
    /// True where a stronger name of the subject is an email that the owner of a weaker one has no room for: the call is then about
    /// whom the email names, and the weaker name stays where it is.
    pub(super) fn is_full(&self, subject: &Subject, index: usize, owner: ProfileId) -> bool {
        let stronger = self.new_emails(subject).filter(|place| *place < index);
        let emails = self.names(owner).emails;
        emails > 0 && stronger.count() + emails > self.room.emails.max(emails)
    }

    /// The places of emails that are nobody's yet.
    fn new_emails(&self, subject: &Subject) -> impl Iterator<Item = usize> {
        let usable = self.known.usable(subject);
        let is_new = |(_, key): &(usize, IdentityKey)| {
            key.1.kind == IdentityKind::Email && !self.known.owners.contains_key(key)
        };
        usable.filter(is_new).map(|(place, _)| place)
    }

    /// How a profile will be named once it has the subject's new emails.
    pub(super) fn with_new_emails(&self, subject: &Subject, profile_id: ProfileId) -> Names {
        let names = self.names(profile_id);
        let emails = names.emails + self.new_emails(subject).count();
        Names { emails, ..names }
    }

    /// True where the subject names a user: who logs in brings their devices.
    pub(super) fn is_by_user(&self, subject: &Subject) -> bool {
        let mut usable = self.known.usable(subject);
        usable.any(|(_, key)| key.1.kind == IdentityKind::UserId)
    }

    /// Leaves out new emails for which their profile has no room.
    pub(super) fn leave_out_emails(
        &mut self,
        position: usize,
        profile_id: ProfileId,
        unknown: &mut Vec<IdentityKey>,
    ) {
        let mut room = self
            .room
            .emails
            .saturating_sub(self.names(profile_id).emails);
        let is_over = |key: &mut IdentityKey| {
            let is_email = key.1.kind == IdentityKind::Email;
            let is_over = is_email && room == 0;
            room -= usize::from(is_email && !is_over);
            is_over
        };
        let left_out: Vec<IdentityKey> = unknown.extract_if(.., is_over).collect();
        for key in left_out {
            self.note_conflict(position, key, (profile_id, profile_id), true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        identities: 100,
        traits: 100,
        bytes: 1_000,
        emails: 2,
        absorbed: 3,
    };

    fn names(emails: usize, absorbed: usize) -> Names {
        Names {
            count: 1,
            has_user_id: false,
            emails,
            absorbed,
        }
    }

    #[test]
    fn a_profile_gathers_up_to_its_limits_and_no_further() {
        let is_hub = |one, other, is_by_user| {
            names_pair(one).is_hub_with(names_pair(other), is_by_user, &ROOM)
        };
        assert!(!is_hub((1, 0), (1, 0), false));
        assert!(is_hub((2, 0), (1, 0), true), "a third email");
        assert!(!is_hub((9, 0), (0, 0), true), "a visitor brings none");
        assert!(!is_hub((0, 2), (0, 0), false) && is_hub((0, 3), (0, 0), false));
        assert!(
            !is_hub((0, 3), (0, 0), true),
            "who logs in brings their device"
        );
        assert!(is_hub((0, 2), (0, 2), true), "two hubs are no person");
    }

    fn names_pair((emails, absorbed): (usize, usize)) -> Names {
        names(emails, absorbed)
    }
}
