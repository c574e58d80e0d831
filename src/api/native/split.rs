//! `POST /v1/profiles/{reference}/split`: takes names out of a person who is several.

use super::profiles::{invalid, json_body};
use super::shown::is_shadow;
use super::texts::Texts;
use super::{answer_of, reader, reference, reply};
use crate::api::State;
use crate::api::error::ApiError;
use crate::config::millis;
use crate::domain::split::Obstacle;
use crate::domain::{Caller, Identity, IdentityKind, ProfileId};
use crate::metric_names::PROFILES_SPLIT;
use crate::store::{Parting, Person, Profile, Reference, Split, SplitOutcome, SplitRequest};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use metrics::counter;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tokio::time::Instant;

/// Times that a person is looked up again whom somebody else merges or splits meanwhile.
const TRIES: u32 = 5;
/// Names of one request, whatever a person may have.
const MOST_NAMES: usize = 10_000;

#[derive(Deserialize)]
struct Body {
    /// `{kind}:{value}` each.
    identities: Texts<MOST_NAMES>,
}

/// Two people who were one, as they are shown.
#[derive(Serialize)]
pub struct Shown {
    /// Who came out.
    profile_id: String,
    /// Of whom.
    from_id: String,
    identities: Vec<String>,
    traits: ShownTraits,
    events: ShownEvents,
}

/// Names of traits.
#[derive(Default, Serialize)]
struct ShownTraits {
    moved: Vec<String>,
    restored: Vec<String>,
    stayed: Vec<String>,
}

#[derive(Serialize)]
struct ShownEvents {
    moved: i64,
    /// Some are left, and go on going.
    pending: bool,
}

/// Takes names out of the person in the path. 200 when all is done, 202 where events are left.
pub async fn split(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    match taken_apart(&request, payload, &state).await {
        Ok(shown) if shown.events.pending => HttpResponse::Accepted().json(shown),
        outcome => reply::json(&request, &state, outcome),
    }
}

async fn taken_apart(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<Shown, ApiError> {
    let caller = reader(request, state).await?;
    let asked: Body = json_body(request, payload, state, &caller).await?;
    let referred = reference::of_path(request, &caller)?;
    let named = names(&asked, &caller, state.limits.profile_identities)?;
    let _room = state.reads.room(caller.project_id).await?;
    for _ in 0..TRIES {
        let person = reference::person(&referred, state, &caller).await?;
        let taken = with_shadows(&named, &person, state, &caller).await?;
        let asked = SplitRequest {
            project_id: caller.project_id,
            person: &person,
            taken: &taken,
            fresh: ProfileId::random(),
            at: state.clock.now(),
            limits: &state.limits,
            kinds: &caller.kinds,
        };
        match answer_of(state, state.store.split(&asked)).await? {
            SplitOutcome::Done(parting) => {
                counter!(PROFILES_SPLIT).increment(1);
                return moved(state, &caller, parting, &taken).await;
            }
            SplitOutcome::Gone => {}
            SplitOutcome::Refused(obstacle) => {
                let known = already(state, &caller, &person, &taken).await?;
                return known.ok_or_else(|| refused(&obstacle));
            }
        }
    }
    Err(ApiError::Unavailable)
}

/// Nobody has more names than `most`: each may cost a look-up.
fn names(asked: &Body, caller: &Caller, most: usize) -> Result<BTreeSet<Identity>, ApiError> {
    let Texts { first, count } = &asked.identities;
    if first.is_empty() {
        return Err(invalid("identities", "names nobody"));
    }
    let most = most.min(MOST_NAMES);
    if *count > most {
        let reason = format!("has more than the {most} names that a person may have");
        return Err(invalid("identities", &reason));
    }
    let name = |text: &String| match reference::parse(text, caller)? {
        Reference::Name(name) => Ok(name),
        Reference::Id(_) => Err(invalid("identities", "must be kind:value, not an id")),
    };
    first.iter().map(name).collect()
}

/// A name that is shown stands for its shadow too: the user id that an alias claimed with it.
async fn with_shadows(
    named: &BTreeSet<Identity>,
    person: &Person,
    state: &Data<State>,
    caller: &Caller,
) -> Result<BTreeSet<Identity>, ApiError> {
    let reference = Reference::Id(person.id);
    let reading = state.store.load_profile(caller.project_id, &reference);
    let profile: Option<Profile> = answer_of(state, reading).await?;
    let known = profile.map_or_else(Vec::new, |profile| profile.identities);
    let shadows = known.iter().filter(|shadow| is_shadow(shadow, &known));
    let is_named = |shadow: &&Identity| {
        let twin = Identity {
            kind: IdentityKind::AnonymousId,
            value: shadow.value.clone(),
        };
        named.contains(&twin)
    };
    let shadows = shadows.map(|shadow| &shadow.identity).filter(is_named);
    Ok(named.iter().chain(shadows).cloned().collect())
}

/// Moves what can be moved in the time of a request.
async fn moved(
    state: &Data<State>,
    caller: &Caller,
    parting: Parting,
    taken: &BTreeSet<Identity>,
) -> Result<Shown, ApiError> {
    let (store, project_id) = (&state.store, caller.project_id);
    let until = Instant::now() + millis(state.server.request_timeout_ms) / 2;
    let split = find(state, caller, parting.profile_id).await?;
    if answer_of(state, store.move_events(&split, None, until)).await? {
        answer_of(state, store.mark_moved(&split)).await?;
    }
    let loading = store.load_split(project_id, parting.profile_id);
    let split = answer_of(state, loading).await?.unwrap_or(split);
    let traits = ShownTraits {
        moved: parting.moved,
        restored: parting.restored,
        stayed: parting.stayed,
    };
    Ok(shown(&split, taken, traits))
}

async fn find(state: &Data<State>, caller: &Caller, id: ProfileId) -> Result<Split, ApiError> {
    let loading = state.store.load_split(caller.project_id, id);
    let found = answer_of(state, loading).await?;
    found.ok_or(ApiError::NoSuchProfile)
}

/// The split of before, where the names are already somebody's who came out of this person.
async fn already(
    state: &Data<State>,
    caller: &Caller,
    person: &Person,
    taken: &BTreeSet<Identity>,
) -> Result<Option<Shown>, ApiError> {
    let project_id = caller.project_id;
    let mut owners = BTreeSet::new();
    for name in taken {
        let finding = state.store.find_person(project_id, name);
        owners.insert(answer_of(state, finding).await?.map(|owner| owner.id));
        if owners.len() > 1 {
            return Ok(None);
        }
    }
    let Some(Some(owner)) = owners.first() else {
        return Ok(None);
    };
    let split = answer_of(state, state.store.load_split(project_id, *owner)).await?;
    let is_theirs =
        |split: &Split| *owner == person.id || person.profiles().contains(&split.from_id.0);
    let split = split.filter(is_theirs);
    Ok(split.map(|split| shown(&split, taken, ShownTraits::default())))
}

fn refused(obstacle: &Obstacle) -> ApiError {
    match obstacle {
        Obstacle::NotTheirs(name) => {
            let reason = format!(
                "has {}:{}, which is no name of this person",
                name.kind.as_str(),
                name.value
            );
            invalid("identities", &reason)
        }
        Obstacle::NothingStays => {
            invalid("identities", "has all names of the person: one must stay")
        }
    }
}

fn shown(split: &Split, taken: &BTreeSet<Identity>, traits: ShownTraits) -> Shown {
    let name = |name: &Identity| format!("{}:{}", name.kind.as_str(), name.value);
    Shown {
        profile_id: split.profile_id.to_string(),
        from_id: split.from_id.to_string(),
        identities: taken.iter().map(name).collect(),
        traits,
        events: ShownEvents {
            moved: split.events,
            pending: !split.is_moved,
        },
    }
}
