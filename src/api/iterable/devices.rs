//! Devices and browsers of people: kept by token on the profile, so that registrations in any order end the same.

use super::fields::Fields;
use super::names::{Named, Strangers};
use super::people::{self, Saying};
use super::reads::profile;
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::saying::as_object;
use super::users::{self, UPDATE, named, naming};
use super::when;
use crate::api::reading::answer_of;
use crate::domain::elements::{DEVICES, MOST_DEVICES};
use crate::domain::{Identity, IdentityKind, Json, Mode};
use crate::store::Holder;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Pages of people who ever had a device that are looked at: five hundred people.
const MOST_PAGES: usize = 50;

/// Where devices get their pushes from.
const PLATFORMS: [&str; 3] = ["APNS", "APNS_SANDBOX", "GCM"];

/// Registers a device of somebody, who is made where nobody is there yet.
pub async fn register(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let body = &readable.fields;
    let device = body.needed_object("device")?;
    let token = token(&device, "token")?;
    if !PLATFORMS.contains(&&*device.needed_text("platform")?) {
        let wants = format!("One of {} expected", PLATFORMS.join(", "));
        return Err(device.wrong("platform", &wants).into());
    }
    let mut known = BTreeMap::from([("endpointEnabled".to_owned(), Json::of(&true))]);
    for name in ["token", "platform", "applicationName"] {
        known.insert(name.to_owned(), Json::of(&device.needed_text(name)?));
    }
    let own = Json::from_members(&known);
    let more = device.object("dataFields")?;
    let value = more.map_or_else(|| own.clone(), |more| own.with_defaults(&more));
    let kept = leave_room(&asked, body, DEVICES, &token).await?;
    let saying = saying(&asked, body, DEVICES, (token, value), kept)?;
    people::store_one(&asked, readable, saying, UPDATE).await?;
    Ok(Answer::success())
}

/// Registers a browser of somebody.
pub async fn register_browser(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let body = &readable.fields;
    let token = token(body, "browserToken")?;
    let value = Json::of(&serde_json::json!({"token": token, "endpointEnabled": true}));
    let kept = leave_room(&asked, body, "browserTokens", &token).await?;
    let saying = saying(&asked, body, "browserTokens", (token, value), kept)?;
    people::store_one(&asked, readable, saying, UPDATE).await?;
    Ok(Answer::success())
}

fn token(fields: &Fields, name: &str) -> Result<String, Refusal> {
    let token = fields.needed_text(name)?;
    if token.trim().is_empty() {
        return Err(fields.wrong(name, "Non-empty string expected"));
    }
    Ok(token)
}

/// Switches a device of somebody off, or of all who have it where nobody is named. A device that nobody has is off already.
pub async fn disable(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let body = &readable.fields;
    let token = body.needed_text("token")?;
    let mut named = named(&asked, body)?;
    // A client for Python writes its "none" so.
    named.user_id = named.user_id.filter(|id| id != "None");
    named.email = named.email.filter(|email| email != "None");
    let named = naming(&asked, named)?;
    if named == Named::default() {
        return disable_of_all(&asked, body, &token).await;
    }
    let holder = holder(&asked, named, &token).await?;
    switch_off(&asked, body, &token, holder).await?;
    Ok(Answer::success())
}

/// The name of two whose person has a device: an app may say a user id that came later than the device, and is nobody's yet.
async fn holder(
    asked: &Asked,
    named: Named,
    token: &str,
) -> Result<Option<(Named, Json, Kept)>, Failure> {
    let Named { email, user_id } = named;
    let user_id = user_id.map(|id| Identity::new(IdentityKind::UserId, &id));
    let email = email.map(|email| Identity::new(IdentityKind::Email, &email));
    for named in user_id.into_iter().chain(email).map(Named::by) {
        let kept = kept(asked, &named, DEVICES).await?;
        if let Some(device) = kept.by_token.member(token) {
            return Ok(Some((named, device, kept)));
        }
    }
    Ok(None)
}

async fn disable_of_all(asked: &Asked, body: &Fields, token: &str) -> Result<Answer, Failure> {
    let mut after = Uuid::nil();
    for _ in 0..MOST_PAGES {
        let (holders, next) = holders_of(asked, token, after).await?;
        let holders = holders.into_iter();
        let holders = holders.map(|one| (Named::by(one.name), one.device, Kept::default()));
        switch_off(asked, body, token, holders).await?;
        let Some(next) = next else { break };
        after = next;
    }
    Ok(Answer::success())
}

async fn holders_of(
    asked: &Asked,
    token: &str,
    after: Uuid,
) -> Result<(Vec<Holder>, Option<Uuid>), Failure> {
    let (state, project_id) = (&asked.state, asked.caller.project_id);
    let _room = state.reads.room(project_id).await?;
    let finding = state.store.find_holders(project_id, token, after);
    Ok(answer_of(state, finding).await?)
}

/// Switches a device off for each of some people, with what is known of it.
async fn switch_off(
    asked: &Asked,
    body: &Fields,
    token: &str,
    holders: impl IntoIterator<Item = (Named, Json, Kept)>,
) -> Result<(), Failure> {
    let off = BTreeMap::from([("endpointEnabled".to_owned(), Json::of(&false))]);
    let off = Json::from_members(&off);
    let (mut names, mut sayings) = (Vec::new(), Vec::new());
    for (named, device, kept) in holders {
        let value = off.with_defaults(&device);
        names.push(named.clone());
        sayings.push(Saying {
            named,
            strangers: Strangers::Kept,
            ..saying(asked, body, DEVICES, (token.to_owned(), value), kept)?
        });
    }
    let fates = people::store(asked, asked.without_body()?, sayings).await?;
    for (named, fate) in names.iter().zip(fates) {
        fate.map_err(|fault| fault.refusal(named, UPDATE))?;
    }
    Ok(())
}

/// Refuses one more than somebody may have; tells what there is. Two that come at once may both find room for one.
async fn leave_room(
    asked: &Asked,
    user: &Fields,
    kind: &str,
    token: &str,
) -> Result<Kept, Failure> {
    let own = named(asked, user)?;
    let is_nobody = own == Named::default();
    let signed = asked.signed.clone().filter(|_| is_nobody);
    let whom = signed.map_or(own, Named::from);
    let kept = kept(asked, &whom, kind).await?;
    let count = kept.by_token.members().map_or(0, |members| members.len());
    if count < MOST_DEVICES || kept.by_token.member(token).is_some() {
        return Ok(kept);
    }
    let message = format!("The user has {kind} up to the limit of {MOST_DEVICES}");
    Err(Refusal::params(message).into())
}

/// What somebody has of a kind.
struct Kept {
    by_token: Json,
    /// It came as a list by another road: a device beside it would end it, so that it is written anew.
    is_list: bool,
}

impl Default for Kept {
    fn default() -> Self {
        let (by_token, is_list) = (Json::empty_object(), false);
        Self { by_token, is_list }
    }
}

async fn kept(asked: &Asked, named: &Named, kind: &str) -> Result<Kept, Failure> {
    let user_id = named.user_id.as_deref();
    let user_id = user_id.map(|id| Identity::new(IdentityKind::UserId, id));
    let email = named.email.as_deref();
    let email = email.map(|email| Identity::new(IdentityKind::Email, email));
    let Some(name) = user_id.or(email) else {
        return Ok(Kept::default());
    };
    let _room = asked.state.reads.room(asked.caller.project_id).await?;
    let profile = profile(asked, name).await?;
    let stored = profile.and_then(|profile| profile.traits.member(kind));
    let listed = stored.as_ref().and_then(as_object);
    let is_list = listed.is_some();
    let by_token = listed.or(stored).unwrap_or_else(Json::empty_object);
    Ok(Kept { by_token, is_list })
}

fn saying(
    asked: &Asked,
    user: &Fields,
    kind: &str,
    (token, value): (String, Json),
    kept: Kept,
) -> Result<Saying, Refusal> {
    let own = Json::from_members(&BTreeMap::from([(token, value)]));
    let (by_token, mode) = match kept.is_list {
        true => (own.with_defaults(&kept.by_token), Mode::Single),
        false => (own, Mode::Nested),
    };
    let traits = Json::from_members(&BTreeMap::from([(kind.to_owned(), by_token)]));
    Ok(Saying {
        strangers: Strangers::Made {
            // A device is somebody's even where its app knows no address.
            prefer_user_id: user.value("preferUserId").is_none() || user.flag("preferUserId")?,
        },
        mode,
        at: when::sent(asked),
        ..users::stating(asked, user, Some(traits), 0)?
    })
}
