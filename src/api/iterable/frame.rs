//! What calls about people become at the gate: names, traits and an event, as the project's type has them.

use super::names::{Chosen, Who};
use super::request::{Asked, Readable};
use super::saying::Saying;
use crate::api::charge::Charge;
use crate::api::error::ApiError;
use crate::domain::{
    Class, Command, Draft, Gate, Item, Json, KeyKind, Name, ProjectType, Rejected, Rejection,
    Signer, Timestamp, Warnings, sizes,
};
use crate::ingest::{Origin, Reservation};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// A call that goes to the gate.
#[derive(Clone)]
pub struct Decided {
    pub chosen: Chosen,
    pub who: Who,
    pub saying: Saying,
    /// The person of the email gets their first user id, whatever ids were drawn for them before.
    pub takes_in: bool,
}

/// What holds for all calls of a request.
pub struct Frame {
    project_id: crate::domain::ProjectId,
    pub by: KeyKind,
    kinds: Arc<crate::domain::Kinds>,
    limits: crate::domain::Limits,
    received_at: Timestamp,
    is_measured: bool,
    /// Who signed, where names count as far as somebody signed them.
    signers: Option<Vec<Signer>>,
}

/// What calls come to at the gate, with the room that it holds.
///
/// # Errors
/// As `Charge`.
#[expect(
    clippy::vec_box,
    reason = "a call is to be gone when its item is made, and not with the last of them"
)]
pub fn items(
    readable: Readable,
    frame: &Frame,
    decided: Vec<Box<Decided>>,
    most_stored: usize,
) -> Result<(Vec<Item>, Reservation), ApiError> {
    let Readable {
        room,
        for_members,
        lane,
        bytes,
        ..
    } = readable;
    let room = room.or_else(|| lane.room.try_reserve(0));
    let charge = Charge::new(room.ok_or(ApiError::Overloaded)?, most_stored);
    let mut charge = charge.with_paid(for_members);
    let mut items = Vec::with_capacity(decided.len());
    for one in decided {
        let item = one.saying.item.clone();
        let item = frame.item(frame.draft(*one), &item);
        charge.take(&item, &bytes)?;
        items.push(item);
    }
    Ok((items, charge.into_room()?))
}

/// Refuses all that one call says where a part of it is refused: nothing of it is written.
pub fn together(items: &mut [Item]) {
    let refused = items.iter().find_map(|item| match item {
        Item::Rejected(refused) => Some(refused.clone()),
        Item::Command(_) => None,
    });
    let Some(refused) = refused else { return };
    for item in items.iter_mut().filter(|item| item.command().is_some()) {
        let id = Uuid::now_v7();
        *item = Item::Rejected(Rejected {
            id,
            ..refused.clone()
        });
    }
}

impl Frame {
    /// Of a request.
    pub fn of(asked: &Asked, is_measured: bool) -> Self {
        Self {
            project_id: asked.caller.project_id,
            by: asked.caller.kind,
            kinds: asked.caller.kinds.clone(),
            limits: asked.state.limits.clone(),
            received_at: asked.received_at,
            is_measured,
            signers: (!asked.caller.speaks_for_all())
                .then(|| asked.signed.clone().into_iter().collect()),
        }
    }

    /// Where its items come from.
    pub fn origin(&self) -> Origin {
        Origin {
            project_id: self.project_id,
            class: Class::Live,
        }
    }

    /// What a draft is at the gate; `item` is what it was read from.
    pub fn item(&self, draft: Draft, item: &Json) -> Item {
        let message_id = draft.event.as_ref();
        let message_id = message_id.and_then(|event| event.message_id.clone());
        match self.command(draft) {
            Ok(mut command) => {
                command.keep_item(|| self.kept(item));
                Item::Command(command)
            }
            Err(rejection) => Item::Rejected(Rejected {
                project_id: self.project_id,
                id: Uuid::now_v7(),
                received_at: self.received_at,
                names: rejection.names.clone(),
                rejection,
                message_id: message_id
                    .map(|id| sizes::beginning(&id.value, self.limits.message_id_bytes).to_owned()),
                warnings: None,
                item: self.kept(item),
            }),
        }
    }

    /// What the gate makes of a draft, whole: answers here don't tell what is left out of a call.
    fn command(&self, draft: Draft) -> Result<Command, Rejection> {
        let command = self.gate().command(draft)?;
        match command.over_a_limit() {
            Some(rejection) => Err(rejection.about(command.identities().iter().cloned())),
            None => Ok(command),
        }
    }

    /// True where the gate takes a call.
    pub fn takes(&self, decided: &Decided) -> bool {
        self.command(self.draft(decided.clone())).is_ok()
    }

    /// The gate for all of its drafts.
    pub fn gate(&self) -> Gate<'_> {
        Gate {
            project_id: self.project_id,
            class: Class::Live,
            by: self.by,
            kinds: &self.kinds,
            limits: &self.limits,
            received_at: self.received_at,
            is_measured: self.is_measured,
        }
    }

    fn draft(&self, decided: Decided) -> Draft {
        let Decided {
            chosen,
            who,
            saying,
            takes_in,
        } = decided;
        let gate = self.gate();
        let project = self.kinds.rules.iterable;
        let mut warnings = Warnings::default();
        if who.has_bad_email {
            let message = "it is no address: the call counts by its userId";
            warnings.add("bad_email", "email", message);
        }
        let mut traits = saying.traits.unwrap_or_else(Json::empty_object);
        if who.has_bad_new_email {
            let message = "it is no address: it is left out";
            warnings.add("bad_email", "dataFields.email", message);
            (traits, _) = without_email(traits);
        }
        // Where the email is no name, or changes by `updateEmail` alone, one among the traits names nobody.
        let (traits, email) = match project {
            ProjectType::Hybrid => (traits, None),
            ProjectType::UserId | ProjectType::Email => without_email(traits),
        };
        let email_name = chosen.email.as_deref();
        let email_name = email_name.map(|email| gate.name("email", email, "email"));
        let ids = chosen.user_id.iter().chain(&chosen.new_user_id);
        let id_names = ids.map(|id| gate.name("user_id", id, "userId"));
        let mut names: Vec<_> = email_name.into_iter().chain(id_names).collect();
        // In projects by email a user id follows whoever the call is about, also by an app's word; so does the first of somebody.
        let follows = chosen.is_explicit && project == ProjectType::Email;
        let leads = follows || takes_in && !chosen.is_explicit;
        let joins = chosen.is_explicit && !leads;
        let explicit = if joins { names.len() } else { 0 };
        names.extend(self.hints(&traits));
        let email = match project {
            ProjectType::UserId => chosen.email_trait.map(|email| Json::of(&email)).or(email),
            ProjectType::Hybrid | ProjectType::Email => None,
        };
        let more = [
            ("email", email),
            ("userId", chosen.user_id_trait.map(|id| Json::of(&id))),
        ];
        let traits = with(traits, more);
        Draft {
            names,
            explicit,
            leads,
            emails: who.asked_emails(),
            event: saying.event,
            traits: Some(traits),
            mode: saying.mode,
            earliest: Some(saying.at.earliest),
            sequence: saying.at.sequence,
            warnings,
            ..Draft::at(saying.at.occurred_at)
        }
    }

    /// The names among data fields, as far as the caller may say them: those that the call itself names were held against its token before.
    fn hints(&self, traits: &Json) -> Vec<Name> {
        let gate = self.gate();
        let hints = gate.names_in(traits);
        match &self.signers {
            Some(signers) => gate.vouched(hints, 0, signers).names,
            None => hints,
        }
    }

    /// What is kept of an item for who looks it up: itself where it is small, else its beginning as a text.
    fn kept(&self, item: &Json) -> Json {
        let beginning = sizes::beginning(item.as_str(), self.limits.rejected_item_bytes);
        let is_whole = beginning.len() == item.as_bytes().len();
        if is_whole && item.check("item", self.limits.depth).is_ok() {
            // A copy: the item outlives the body that it is a view of.
            return Json::from_database(beginning.to_owned());
        }
        Json::of(&beginning)
    }
}

fn without_email(traits: Json) -> (Json, Option<Json>) {
    let Some(email) = traits.member("email") else {
        return (traits, None);
    };
    let mut members = traits.members().unwrap_or_default();
    members.remove("email");
    (Json::from_members(&members), Some(email))
}

fn with<const N: usize>(traits: Json, more: [(&str, Option<Json>); N]) -> Json {
    let more = more.into_iter();
    let more = more.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let more: BTreeMap<String, Json> = more.collect();
    if more.is_empty() {
        traits
    } else {
        Json::from_members(&more).with_defaults(&traits)
    }
}
