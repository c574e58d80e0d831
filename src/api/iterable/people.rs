//! The one road of this dialect to the gate: what calls say about people, judged, written, and what became of each.

use super::names::{Chosen, Fault, Owners, Who};
use super::refusal::Failure;
use super::request::{Asked, Readable};
pub use super::saying::Saying;
use super::types;
use crate::api::charge::Charge;
use crate::api::error::ApiError;
use crate::api::planned;
use crate::api::reading::answer_of;
use crate::api::work::{by, deadline, work};
use crate::domain::type_check::{Terms, Told};
use crate::domain::{
    Class, Code, Draft, Gate, Identity, Item, Json, KeyKind, Name, ProjectType, Receipt, Rejected,
    Rejection, Signer, Timestamp, Warnings, sizes,
};
use crate::ingest::{Origin, Reservation};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// What became of a call.
pub type Fate = Result<(), Fault>;

/// A call that goes to the gate.
struct Decided {
    chosen: Chosen,
    who: Who,
    saying: Saying,
}

/// What holds for all calls of a request.
struct Frame {
    project_id: crate::domain::ProjectId,
    by: KeyKind,
    kinds: Arc<crate::domain::Kinds>,
    limits: crate::domain::Limits,
    received_at: Timestamp,
    is_measured: bool,
    /// Who signed, where names count as far as somebody signed them.
    signers: Option<Vec<Signer>>,
}

/// Writes what calls say, each judged by itself; one fate for each, in their order.
///
/// # Errors
/// Where nothing can be said about them, or nothing of them may be written: a field does not fit the project's plan.
pub async fn store(
    asked: &Asked,
    readable: Readable,
    sayings: Vec<Saying>,
) -> Result<Vec<Fate>, Failure> {
    let (fates, _) = store_told(asked, readable, sayings).await?;
    Ok(fates)
}

/// The same, with what became of their fields.
///
/// # Errors
/// As `store`.
pub async fn store_told(
    asked: &Asked,
    readable: Readable,
    mut sayings: Vec<Saying>,
) -> Result<(Vec<Fate>, Told), Failure> {
    let project = asked.caller.kinds.rules.iterable;
    for saying in &mut sayings {
        saying.sign(asked.signed.as_ref())?;
    }
    let whos: Vec<Result<Who, Fault>> = sayings
        .iter()
        .map(|saying| saying.judged(project))
        .collect();
    let owners = owners(asked, project, &whos, &sayings).await?;
    let (mut fates, mut decided) = (Vec::new(), Vec::new());
    for (who, saying) in whos.into_iter().zip(sayings) {
        let chosen = who.and_then(|who| {
            let chosen = who.chosen(project, saying.strangers, &owners)?;
            // In projects by email a user id is no name of one person alone: the gate gives what is nobody's, and joins nobody.
            let is_renamed = chosen.is_explicit && project != ProjectType::Email;
            if is_renamed && !asked.may_join() {
                return Err(Fault::Forbidden);
            }
            Ok((chosen, who))
        });
        fates.push(chosen.as_ref().map(drop).map_err(Fault::clone));
        if let Ok((chosen, who)) = chosen {
            decided.push(Decided {
                chosen,
                who,
                saying,
            });
        }
    }
    let (receipts, told) = write(asked, readable, decided).await?;
    let mut receipts = receipts.into_iter();
    for fate in fates.iter_mut().filter(|fate| fate.is_ok()) {
        *fate = receipts.next().map_or(Ok(()), fate_of);
    }
    Ok((fates, told))
}

/// The same for a call that stands alone; `call` is how a message says what was to be done to the names.
///
/// # Errors
/// Also where the call is refused.
pub async fn store_one(
    asked: &Asked,
    readable: Readable,
    saying: Saying,
    call: &str,
) -> Result<(), Failure> {
    let named = saying.named.clone();
    let fates = store(asked, readable, vec![saying]).await?;
    let fate = fates.into_iter().next().unwrap_or(Ok(()));
    fate.map_err(|fault| fault.refusal(&named, call).into())
}

async fn owners(
    asked: &Asked,
    project: ProjectType,
    whos: &[Result<Who, Fault>],
    sayings: &[Saying],
) -> Result<Owners, ApiError> {
    let known = whos.iter().zip(sayings);
    let known = known.filter_map(|(who, saying)| Some((who.as_ref().ok()?, saying)));
    let names = known.flat_map(|(who, saying)| who.to_look_up(project, saying.strangers));
    let names: BTreeSet<Identity> = names.collect();
    look_up(asked, names).await
}

/// Whose names are.
pub async fn look_up(asked: &Asked, names: BTreeSet<Identity>) -> Result<Owners, ApiError> {
    if names.is_empty() {
        return Ok(Owners::new());
    }
    let names: Vec<Identity> = names.into_iter().collect();
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    answer_of(state, state.store.load_owners(project_id, &names)).await
}

async fn write(
    asked: &Asked,
    readable: Readable,
    decided: Vec<Decided>,
) -> Result<(Vec<Receipt>, Told), Failure> {
    if decided.is_empty() {
        return Ok((Vec::new(), Told::default()));
    }
    let state = &asked.state;
    let frame = Frame::of(asked, readable.is_measured);
    let origin = frame.origin();
    let most_stored = state.server.max_body_bytes;
    let (size, decoders) = (readable.bytes.len(), readable.lane.decoders.clone());
    let creates: Vec<bool> = decided
        .iter()
        .map(|one| one.saying.creates_fields)
        .collect();
    let until = deadline(state);
    let making = async {
        let made = work(&decoders, size, move || {
            items(readable, &frame, decided, most_stored)
        });
        let (mut items, mut room) = made.await?;
        let terms = Terms {
            refuses: true,
            creates: &creates,
        };
        let fitting = (&mut *items, &mut room);
        let told = planned::check(state, origin.project_id, fitting, &terms).await?;
        Ok((items, room, told))
    };
    let (items, room, told) = by(until, making).await?;
    if told.is_refused {
        return Err(types::refusal(origin.project_id, &told).into());
    }
    let submitting = async { Ok(state.ingest.submit(origin, items, Some(room)).await?) };
    Ok((by(until, submitting).await?, told))
}

fn items(
    readable: Readable,
    frame: &Frame,
    decided: Vec<Decided>,
    most_stored: usize,
) -> Result<(Vec<Item>, Reservation), ApiError> {
    let Readable {
        room, lane, bytes, ..
    } = readable;
    let room = room.or_else(|| lane.room.try_reserve(0));
    let mut charge = Charge::new(room.ok_or(ApiError::Overloaded)?, most_stored);
    let mut items = Vec::with_capacity(decided.len());
    for one in decided {
        let item = one.saying.item.clone();
        let item = frame.item(frame.draft(one), &item);
        charge.take(&item, &bytes)?;
        items.push(item);
    }
    Ok((items, charge.into_room()?))
}

impl Frame {
    fn of(asked: &Asked, is_measured: bool) -> Self {
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

    fn origin(&self) -> Origin {
        Origin {
            project_id: self.project_id,
            class: Class::Live,
        }
    }

    fn item(&self, draft: Draft, item: &Json) -> Item {
        let message_id = draft.event.as_ref();
        let message_id = message_id.and_then(|event| event.message_id.clone());
        match self.gate().command(draft) {
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

    fn gate(&self) -> Gate<'_> {
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
        // In projects by email a user id follows whoever the call is about, also by an app's word.
        let leads = chosen.is_explicit && project == ProjectType::Email;
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
        Draft {
            names,
            explicit,
            leads,
            event: saying.event,
            traits: Some(with(traits, more)),
            mode: saying.mode,
            earliest: Some(saying.at.earliest),
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

/// What is older than an erasure is gone, as it should be; that is no fault of the call.
fn fate_of(receipt: Receipt) -> Fate {
    match receipt {
        Receipt::Rejected(Rejection {
            code: Code::Forgotten,
            ..
        }) => Err(Fault::Forgotten),
        Receipt::Rejected(rejection) if rejection.code != Code::Erased => {
            Err(Fault::Rejected(rejection))
        }
        _ => Ok(()),
    }
}

/// Names of one person, the destination's first.
pub struct Joining {
    pub names: Vec<Identity>,
    /// By the caller's word, whoever they belonged to.
    pub is_explicit: bool,
    pub traits: Json,
    /// By whose word: a server key's where the service has looked itself whether it may be done.
    pub by: KeyKind,
}

/// Makes several names one person's.
///
/// # Errors
/// Where nothing can be said about it.
pub async fn join(asked: &Asked, readable: Readable, joining: Joining) -> Result<Fate, Failure> {
    let frame = Frame {
        by: joining.by,
        ..Frame::of(asked, readable.is_measured)
    };
    let item = readable.fields.json.clone();
    let gate = frame.gate();
    let name = |name: &Identity| {
        gate.name(
            name.kind.as_str(),
            &name.value,
            name.kind.as_str().to_owned(),
        )
    };
    if let Some(nobody) = joining
        .names
        .iter()
        .find(|name| gate.is_placeholder(&name.value))
    {
        return Ok(Err(Fault::BadUserId(nobody.value.clone())));
    }
    let names: Vec<_> = joining.names.iter().map(name).collect();
    let draft = Draft {
        explicit: if joining.is_explicit { names.len() } else { 0 },
        names,
        traits: Some(joining.traits),
        ..Draft::at(asked.received_at)
    };
    let item = frame.item(draft, &item);
    let state = &asked.state;
    let submitting = async {
        Ok(state
            .ingest
            .submit(frame.origin(), vec![item], readable.room)
            .await?)
    };
    let receipts: Vec<Receipt> = by(deadline(state), submitting).await?;
    Ok(receipts.into_iter().next().map_or(Ok(()), fate_of))
}
