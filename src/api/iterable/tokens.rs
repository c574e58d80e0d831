//! `auth/jwts/invalidate`: tokens of somebody count no more.

use super::fields::Fields;
use super::known::look_up;
use super::names::Who;
use super::reads::profile;
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::users::named;
use crate::domain::{Identity, IdentityKind, Timestamp};
use std::collections::BTreeSet;

/// Lets no token of somebody count that was issued before a time. A time that is yet to come is now: what is issued later was
/// issued knowing of it.
pub async fn invalidate(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let body = &readable.fields;
    let whom = named(&asked, body)?;
    let who = whom
        .judged(asked.caller.kinds.rules.iterable)
        .map_err(|fault| fault.refusal(&whom, "set"))?;
    let before = issued_before(body)?.min(asked.received_at);
    let mut names: BTreeSet<Identity> = names_of(who).collect();
    let others = others(&asked, &names).await?;
    names.extend(others);
    let (invalidated, project_id) = (&asked.state.invalidated, asked.caller.project_id);
    invalidated.invalidate(project_id, names, before).await?;
    Ok(Answer::success())
}

fn issued_before(body: &Fields) -> Result<Timestamp, Refusal> {
    let wrong = || body.wrong("issuedBefore", "Number value expected");
    let number = body.number("issuedBefore")?;
    let millis = number.and_then(|number| number.as_str().parse::<f64>().ok());
    let micros = millis.ok_or_else(wrong)? * 1e3;
    Timestamp::from_micros(micros as i64).ok_or_else(wrong)
}

/// The names that a token may say.
fn names_of(who: Who) -> impl Iterator<Item = Identity> {
    let email = who.email;
    let email = email.map(|email| Identity::new(IdentityKind::Email, &email));
    let user_id = who.user_id;
    let user_id = user_id.map(|id| Identity::new(IdentityKind::UserId, &id));
    email.into_iter().chain(user_id)
}

/// The other names that the person has now: a token may name her by any of them.
async fn others(asked: &Asked, names: &BTreeSet<Identity>) -> Result<Vec<Identity>, Failure> {
    let owners = look_up(asked, names.clone()).await?;
    let mut known = Vec::new();
    for name in names.iter().filter(|name| owners.get(name).is_some()) {
        let _room = asked.state.reads.room(asked.caller.project_id).await?;
        let profile = profile(asked, name.clone()).await?;
        known.extend(profile.into_iter().flat_map(|profile| profile.identities));
    }
    let names = known.into_iter().map(|known| known.identity);
    let may_sign =
        |name: &Identity| matches!(name.kind, IdentityKind::Email | IdentityKind::UserId);
    Ok(names.filter(may_sign).collect())
}
