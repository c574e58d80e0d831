//! The gate's part about names: which of them count, and what names nobody.

use super::gate::{Gate, GroupDraft, Name, Text};
use super::identity::Identity;
use super::limits::Limits;
use super::{Code, Rejection, Warnings, placeholder, sizes};
use std::collections::HashSet;
use std::mem::take;
use uuid::Uuid;

impl Gate<'_> {
    /// Strongest first, but what the caller says is one person's; no repeats, no hints that can't be names.
    pub(super) fn identities(
        &self,
        names: Vec<Name>,
        explicit: usize,
        warnings: &mut Warnings,
    ) -> Result<(Vec<Identity>, usize), Rejection> {
        let limit = self.limits.identity_bytes;
        let mut seen = HashSet::new();
        let (mut identities, mut firsts) = (Vec::with_capacity(names.len()), 0);
        for (place, name) in names.into_iter().enumerate() {
            let identity = name.identity;
            let fits = match name.field {
                Some(field) => {
                    sizes::text(&identity.value, &field, limit)
                        .map_err(|rejection| rejection.about(take(&mut identities)))?;
                    self.is_real(&identity, &field, warnings)
                }
                None => self.may_count(&identity, warnings),
            };
            if fits && seen.insert(identity.clone()) {
                identities.push(identity);
                firsts += usize::from(place < explicit);
            }
        }
        self.kinds.sort(&mut identities[firsts..]);
        match identities.len() {
            0 => Err(nobody()),
            count if count > self.limits.profile_identities => {
                Err(crowd(count, self.limits).about(identities))
            }
            _ => Ok((identities, firsts)),
        }
    }

    /// True of a text that stands for nobody: `undefined`, the nil UUID, what the project lists.
    pub fn is_placeholder(&self, text: &str) -> bool {
        placeholder::is_placeholder(text, &self.kinds.rules, self.limits)
    }

    fn is_real(&self, identity: &Identity, field: &str, warnings: &mut Warnings) -> bool {
        if self.kinds.rules.blocks(identity) {
            let message = "somebody blocked this id: it stands for nobody and is left out";
            warnings.add("blocked_id", field, message);
            warnings.leave_out(vec![identity.clone()]);
            return false;
        }
        let is_real = !self.is_placeholder(&identity.value);
        if !is_real {
            let message = "the id stands for nobody: it is left out";
            warnings.add("placeholder_id", field, message);
        }
        is_real
    }

    /// True of what may be a name where nobody is told that it is none.
    pub(super) fn may_count(&self, identity: &Identity, warnings: &mut Warnings) -> bool {
        let is_blocked = self.kinds.rules.blocks(identity);
        if is_blocked {
            warnings.leave_out(vec![identity.clone()]);
        }
        !is_blocked && self.may_be_name(identity)
    }

    fn may_be_name(&self, identity: &Identity) -> bool {
        identity.value.len() <= self.limits.identity_bytes
            && identity.is_plausible()
            && !self.is_placeholder(&identity.value)
    }

    /// A group that is named by a placeholder is none.
    pub(super) fn real_group(
        &self,
        group: GroupDraft,
        warnings: &mut Warnings,
    ) -> Option<GroupDraft> {
        let field = group.name.field.clone().unwrap_or_default();
        let is_real = self.is_real(&group.name.identity, &field, warnings);
        is_real.then_some(group)
    }

    /// The sender's id of a call; one of our own where that is missing, or could be any other's.
    pub(super) fn message_id(
        &self,
        given: Option<Text>,
        warnings: &mut Warnings,
    ) -> Result<String, Rejection> {
        let own = || Uuid::now_v7().to_string();
        let Some(given) = given else {
            return Ok(own());
        };
        let field = given.field.clone();
        let given = given.within(self.limits.message_id_bytes)?;
        if !self.is_placeholder(&given) {
            return Ok(given);
        }
        let message = "the id could be any call's: the call counts as one without";
        warnings.add("placeholder_message_id", &field, message);
        Ok(own())
    }
}

fn nobody() -> Rejection {
    Rejection {
        names: Vec::new(),
        code: Code::MissingIdentity,
        field: None,
        message: "the call names nobody: it needs userId or anonymousId".to_owned(),
    }
}

fn crowd(count: usize, limits: &Limits) -> Rejection {
    let limit = limits.profile_identities;
    Rejection {
        names: Vec::new(),
        code: Code::TooManyIdentities,
        field: None,
        message: format!("the call names {count} identities, over the limit of {limit}"),
    }
}
