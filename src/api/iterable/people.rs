//! The one road of this dialect to the gate: what calls say about people, judged, written, and what became of each.

use super::frame::{Decided, Frame, items};
use super::names::{Fault, Who};
use super::owners::Owners;
use super::refusal::Failure;
use super::request::{Asked, Readable};
pub use super::saying::Saying;
use super::types;
use crate::api::error::ApiError;
use crate::api::planned;
use crate::api::reading::answer_of;
use crate::api::work::{by, deadline, work};
use crate::domain::type_check::{Terms, Told};
use crate::domain::{
    Code, Draft, Emails, Gate, Identity, IdentityKey, Json, KeyKind, ProjectType, Receipt,
    Rejection,
};
use std::collections::BTreeSet;

/// What became of a call.
pub type Fate = Result<(), Fault>;

/// What is known of others than a call is about.
struct Known {
    owners: Owners,
    forgotten: BTreeSet<Identity>,
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
    for saying in &mut sayings {
        saying.sign(asked.signed.as_ref())?;
    }
    let (mut fates, decided) = judge(asked, sayings).await?;
    let (receipts, told) = write(asked, readable, decided).await?;
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
    let mut known = known(asked, &whos, &sayings).await?;
    let (mut fates, mut decided) = (Vec::new(), Vec::new());
    for (who, saying) in whos.into_iter().zip(sayings) {
        let one = who.and_then(|who| decide(asked, &frame.gate(), (who, saying), &mut known));
        fates.push(one.as_ref().map(drop).map_err(Fault::clone));
        decided.extend(one.map(Box::new));
    }
    Ok((fates, decided))
}

/// Judges one call by what is known of others, those before it in its request too.
fn decide(
    asked: &Asked,
    gate: &Gate<'_>,
    (who, saying): (Who, Saying),
    known: &mut Known,
) -> Result<Decided, Fault> {
    let project = asked.caller.kinds.rules.iterable;
    let is_nobodys =
        |name: &Identity| known.forgotten.contains(name) || gate.is_placeholder(&name.value);
    let is_shown = !who.shown_id(project).is_some_and(|id| is_nobodys(&id));
    if !is_shown && who.is_renaming() {
        return Err(Fault::Forgotten);
    }
    let mut chosen = who.chosen(project, saying.strangers, &known.owners)?;
    chosen.user_id_trait = chosen.user_id_trait.filter(|_| is_shown);
    // In projects by email a user id is no name of one person alone: the gate gives what is nobody's, and joins nobody.
    let is_renamed = chosen.is_explicit && project != ProjectType::Email;
    if is_renamed && !asked.may_join() {
        return Err(Fault::Forbidden);
    }
    let mut names = who.names_by(&chosen);
    names.retain(|name| !is_nobodys(name));
    known.owners.claim(names);
    Ok(Decided {
        chosen,
        who,
        saying,
    })
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

/// The same for a call that says several things of one person, what it is for last; what else is refused is listed.
///
/// # Errors
/// Also where the last of them is refused.
pub async fn store_all(
    asked: &Asked,
    readable: Readable,
    sayings: Vec<Saying>,
    call: &str,
) -> Result<(), Failure> {
    let named = sayings.last().map(|saying| saying.named.clone());
    let fates = store(asked, readable, sayings).await?;
    let fate = fates.into_iter().next_back().unwrap_or(Ok(()));
    fate.map_err(|fault| fault.refusal(&named.unwrap_or_default(), call).into())
}

/// What has to be known of others: whose names are, and which of the user ids that nobody has are a forgotten person's.
async fn known(
    asked: &Asked,
    whos: &[Result<Who, Fault>],
    sayings: &[Saying],
) -> Result<Known, ApiError> {
    let project = asked.caller.kinds.rules.iterable;
    let known = whos.iter().zip(sayings);
    let known = known.filter_map(|(who, saying)| Some((who.as_ref().ok()?, saying)));
    let names = known.flat_map(|(who, saying)| who.to_look_up(project, saying.strangers));
    let owners = look_up(asked, names.collect()).await?;
    let shown = whos.iter().flatten();
    let shown = shown.filter_map(|who| who.shown_id(project));
    let nobodys = shown.filter(|id| owners.get(id).is_none());
    let forgotten = forgotten(asked, nobodys.collect()).await?;
    Ok(Known { owners, forgotten })
}

/// Which names were forgotten people's: they are nobody's.
pub async fn forgotten(
    asked: &Asked,
    names: BTreeSet<Identity>,
) -> Result<BTreeSet<Identity>, ApiError> {
    if names.is_empty() {
        return Ok(names);
    }
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    let keys: Vec<IdentityKey> = names.into_iter().map(|name| (project_id, name)).collect();
    let keys: Vec<&IdentityKey> = keys.iter().collect();
    let erased = answer_of(state, state.store.load_erased(&keys)).await?;
    let forgotten = erased.into_iter().filter(|(_, erased)| erased.is_forgotten);
    Ok(forgotten.map(|((_, name), _)| name).collect())
}

/// Whose names are.
pub async fn look_up(asked: &Asked, names: BTreeSet<Identity>) -> Result<Owners, ApiError> {
    if names.is_empty() {
        return Ok(Owners::default());
    }
    let names: Vec<Identity> = names.into_iter().collect();
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    let known = answer_of(state, state.store.load_owners(project_id, &names)).await?;
    Ok(Owners::from(known))
}

#[expect(clippy::vec_box, reason = "as of `items`")]
async fn write(
    asked: &Asked,
    readable: Readable,
    decided: Vec<Box<Decided>>,
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
