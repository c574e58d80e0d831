//! The one road of this dialect to the gate: what calls say about people, judged, written, and what became of each.

use super::frame::{Decided, Frame, items, together};
use super::known::Known;
use super::names::{Chosen, Fault, Who};
use super::refusal::Failure;
use super::request::{Asked, Readable};
pub use super::saying::Saying;
use super::types;
use crate::api::error::ApiError;
use crate::api::planned;
use crate::api::work::{by, deadline, work};
use crate::domain::type_check::{Terms, Told};
use crate::domain::{
    Code, Draft, Emails, Identity, IdentityKind, Json, KeyKind, ProjectType, Receipt, Rejection,
};

/// What became of a call.
pub type Fate = Result<(), Fault>;

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
    sayings: Vec<Saying>,
) -> Result<(Vec<Fate>, Told), Failure> {
    store_as(asked, readable, sayings, Of::Many).await
}

/// Whether what is said is of one call, of which nothing is written where the gate refuses a part of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    OneCall,
    Many,
}

async fn store_as(
    asked: &Asked,
    readable: Readable,
    mut sayings: Vec<Saying>,
    of: Of,
) -> Result<(Vec<Fate>, Told), Failure> {
    for saying in &mut sayings {
        saying.sign(asked.signed.as_ref())?;
    }
    let (mut fates, decided) = judge(asked, sayings).await?;
    let (receipts, told) = write(asked, readable, decided, of).await?;
    let mut receipts = receipts.into_iter();
    for fate in fates.iter_mut().filter(|fate| fate.is_ok()) {
        *fate = receipts.next().map_or(Ok(()), fate_of);
    }
    Ok((fates, told))
}

/// Which calls are taken, and what is wrong with the others.
async fn judge(
    asked: &Asked,
    sayings: Vec<Saying>,
) -> Result<(Vec<Fate>, Vec<Box<Decided>>), ApiError> {
    let frame = Frame::of(asked, false);
    let whos: Vec<Result<Who, Fault>> = sayings
        .iter()
        .map(|saying| saying.judged(&frame.gate()))
        .collect();
    let mut known = Known::of(asked, &whos, &sayings).await?;
    let (mut fates, mut decided) = (Vec::new(), Vec::new());
    for (who, saying) in whos.into_iter().zip(sayings) {
        let one = who.and_then(|who| decide(asked, &frame, (who, saying), &mut known));
        fates.push(one.as_ref().map(drop).map_err(Fault::clone));
        decided.extend(one.map(Box::new));
    }
    Ok((fates, decided))
}

/// Judges one call by what is known of others, those before it in its request too.
fn decide(
    asked: &Asked,
    frame: &Frame,
    (who, saying): (Who, Saying),
    known: &mut Known,
) -> Result<Decided, Fault> {
    let project = asked.caller.kinds.rules.iterable;
    let gate = frame.gate();
    let is_nobodys = |name: &Identity| known.is_forgotten(name) || gate.is_placeholder(&name.value);
    let is_shown = !who.shown_id(project).is_some_and(|id| is_nobodys(&id));
    if !is_shown && who.is_renaming() {
        return Err(Fault::Forgotten);
    }
    let is_nobody = |id: &String| who.email.is_none() && gate.is_placeholder(id);
    let mut chosen = match who.user_id.clone().filter(is_nobody) {
        // The gate refuses it: an address that is made of it would be everybody's.
        Some(nobody) if project == ProjectType::Email => Chosen::by_id(nobody),
        _ => who.chosen(project, saying.strangers, &known.owners)?,
    };
    chosen.user_id_trait = chosen.user_id_trait.filter(|_| is_shown);
    if project == ProjectType::Email && who.email.is_some() {
        // The address says who it is: whoever had the user id before has no bearing on it.
        let is_barred = |id: &String| known.bars(&user_id_name(id), saying.at.earliest);
        chosen.user_id = chosen.user_id.filter(|id| !is_barred(id));
    }
    // In projects by email a user id is no name of one person alone: the gate gives what is nobody's, and joins nobody.
    let is_renamed = chosen.is_explicit && project != ProjectType::Email;
    if is_renamed && !asked.may_join() {
        return Err(Fault::Forbidden);
    }
    let takes_in = known.takes_in(&who);
    if takes_in {
        // A user id that somebody has is joined by whoever may join.
        chosen.is_explicit = asked.may_join();
        let first = chosen.user_id.clone();
        chosen.user_id_trait = chosen.user_id_trait.or(first);
    }
    let decided = Decided {
        chosen,
        who,
        saying,
        takes_in,
    };
    claim(frame, &decided, known);
    Ok(decided)
}

/// Leaves the names of a call for those behind it to be judged by; of one that is refused they hear nothing. To know that costs the call's
/// reading once more: only where they ask.
fn claim(frame: &Frame, decided: &Decided, known: &mut Known) {
    let mut names = decided.who.names_by(&decided.chosen);
    let earliest = decided.saying.at.earliest;
    let strongest = names.first();
    let is_refused = strongest.is_some_and(|name| known.bars(name, earliest));
    let gate = frame.gate();
    names.retain(|name| !known.is_forgotten(name) && !gate.is_placeholder(&name.value));
    if !is_refused && (!known.is_asked_for(&names) || frame.takes(decided)) {
        known.owners.claim(names);
    }
}

fn user_id_name(id: &str) -> Identity {
    Identity::new(IdentityKind::UserId, id)
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
    store_all(asked, readable, vec![saying], call).await
}

/// The same for a call that says several things of one person, what it is for last; what else the person has no room for is listed.
///
/// # Errors
/// Also where the gate refuses any of them, or the last is refused.
pub async fn store_all(
    asked: &Asked,
    readable: Readable,
    sayings: Vec<Saying>,
    call: &str,
) -> Result<(), Failure> {
    let named = sayings.last().map(|saying| saying.named.clone());
    let (fates, _) = store_as(asked, readable, sayings, Of::OneCall).await?;
    let fate = fates.into_iter().next_back().unwrap_or(Ok(()));
    fate.map_err(|fault| fault.refusal(&named.unwrap_or_default(), call).into())
}

#[expect(clippy::vec_box, reason = "as of `items`")]
async fn write(
    asked: &Asked,
    readable: Readable,
    decided: Vec<Box<Decided>>,
    of: Of,
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
        if of == Of::OneCall {
            together(&mut items);
        }
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

/// What is older than an erasure is gone, as it should be; that is no fault of the call.
fn fate_of(receipt: Receipt) -> Fate {
    match receipt {
        Receipt::Rejected(Rejection {
            code: Code::Forgotten,
            ..
        }) => Err(Fault::Forgotten),
        Receipt::Rejected(Rejection {
            code: Code::EmailTaken,
            names,
            ..
        }) => Err(taken(&names)),
        Receipt::Rejected(rejection) if rejection.code != Code::Erased => {
            Err(Fault::Rejected(rejection))
        }
        _ => Ok(()),
    }
}

/// Somebody else was given the address a moment before.
fn taken(names: &[Identity]) -> Fault {
    let email = names.first().map(|name| name.value.clone());
    Fault::EmailTaken(email.unwrap_or_default())
}

/// Names of one person, the destination's first.
pub struct Joining {
    pub names: Vec<Identity>,
    /// By the caller's word, whoever they belonged to. Else an email among them is given to the person, where it is nobody's.
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
    let mut frame = Frame::of(asked, readable.is_measured);
    frame.by = joining.by;
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
    let (explicit, emails) = match joining.is_explicit {
        true => (names.len(), Emails::Named),
        false => (0, Emails::GivenApart),
    };
    let draft = Draft {
        explicit,
        emails,
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
