//! How far the gate believes a sender: what a write key says about other people's names is a claim at most.

use super::gate::{Gate, Name};
use super::{EmailRule, Identity, IdentityKind, KeyKind, Warnings};

impl Gate<'_> {
    /// Two known people may be joined by this sender's word.
    pub(super) fn may_join(&self) -> bool {
        self.by == KeyKind::Server || self.kinds.rules.write_keys_join
    }

    /// The names that a call may use, and the user ids that it claims for somebody without being believed. They are never given to
    /// anybody, known or not: else the order of arrival would tell whose they are.
    pub(super) fn believed(&self, names: Vec<Name>, explicit: usize) -> (Vec<Name>, Vec<Name>) {
        let others = if self.may_join() { 0 } else { explicit };
        if others == 0 && self.email_rule() == EmailRule::Selects {
            return (names, Vec::new());
        }
        let is_user = |name: &Name| name.identity.kind == IdentityKind::UserId;
        let has_user_id = names
            .iter()
            .any(|name| is_user(name) && !self.is_placeholder(&name.identity.value));
        let mut place = 0;
        names.into_iter().partition(|name| {
            place += 1;
            let is_other_user = is_user(name) && (2..=others).contains(&place);
            !is_other_user && !self.is_mere_claim(name, has_user_id)
        })
    }

    /// An email that a write key says, where the project lets it attach a name to a user at most.
    fn is_mere_claim(&self, name: &Name, has_user_id: bool) -> bool {
        name.identity.kind == IdentityKind::Email
            && self.email_rule() != EmailRule::Selects
            && !has_user_id
    }

    pub(super) fn email_rule(&self) -> EmailRule {
        match self.by {
            KeyKind::Server => EmailRule::Selects,
            KeyKind::Write | KeyKind::Read => self.kinds.rules.email,
        }
    }

    /// Puts claimed names behind those that count; tells how many there are.
    pub(super) fn claims(
        &self,
        claimed: Vec<Name>,
        identities: &mut Vec<Identity>,
        warnings: &mut Warnings,
    ) -> usize {
        let own = identities.len();
        for name in claimed {
            let is_new = !identities.contains(&name.identity);
            if is_new && self.may_count(&name.identity, warnings) {
                identities.push(name.identity);
            }
        }
        identities.len() - own
    }
}
