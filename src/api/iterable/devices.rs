//! Devices and browsers of people: kept by token on the profile, so that registrations in any order end the same.

use super::fields::Fields;
use super::names::{Named, Strangers};
use super::people::{self, Saying};
use super::reads::profile;
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::users::{self, UPDATE, named};
use crate::domain::{Identity, IdentityKind, Json, Mode};
use std::collections::BTreeMap;

/// Registers a device of somebody, who is made where nobody is there yet.
pub async fn register(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let body = &readable.fields;
    let device = body.needed_object("device")?;
    let token = device.needed_text("token")?;
    if token.trim().is_empty() {
        return Err(device.wrong("token", "Non-empty string expected").into());
    }
    let mut known = BTreeMap::from([("endpointEnabled".to_owned(), Json::of(&true))]);
    for name in ["token", "platform", "applicationName"] {
        known.insert(name.to_owned(), Json::of(&device.needed_text(name)?));
    }
    let own = Json::from_members(&known);
    let more = device.object("dataFields")?;
    let value = more.map_or_else(|| own.clone(), |more| own.with_defaults(&more));
    let saying = saying(&asked, body, "devices", (token, value))?;
    people::store_one(&asked, readable, saying, UPDATE).await?;
    Ok(Answer::success())
}

/// Registers a browser of somebody.
pub async fn register_browser(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let body = &readable.fields;
    let token = body.needed_text("browserToken")?;
    let value = Json::of(&serde_json::json!({"token": token, "endpointEnabled": true}));
    let saying = saying(&asked, body, "browserTokens", (token, value))?;
    people::store_one(&asked, readable, saying, UPDATE).await?;
    Ok(Answer::success())
}

/// Switches a device of somebody off. A device that nobody has, or of nobody who is named, is off already.
pub async fn disable(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let body = &readable.fields;
    let token = body.needed_text("token")?;
    let mut named = named(body)?;
    // A client for Python writes its "none" so.
    named.user_id = named.user_id.filter(|id| id != "None");
    named.email = named.email.filter(|email| email != "None");
    let device = device_of(&asked, &named, &token).await?;
    let Some(device) = device else {
        return Ok(Answer::success());
    };
    let off = Json::from_members(&BTreeMap::from([(
        "endpointEnabled".to_owned(),
        Json::of(&false),
    )]));
    let value = off.with_defaults(&device);
    let saying = Saying {
        named,
        strangers: Strangers::Kept,
        ..saying(&asked, body, "devices", (token, value))?
    };
    people::store_one(&asked, readable, saying, UPDATE).await?;
    Ok(Answer::success())
}

async fn device_of(asked: &Asked, named: &Named, token: &str) -> Result<Option<Json>, Failure> {
    let user_id = named.user_id.as_deref();
    let user_id = user_id.map(|id| Identity::new(IdentityKind::UserId, id));
    let email = named.email.as_deref();
    let email = email.map(|email| Identity::new(IdentityKind::Email, email));
    let Some(name) = user_id.or(email) else {
        return Ok(None);
    };
    let _room = asked.state.reads.room().await?;
    let profile = profile(asked, name).await?;
    let devices = profile.and_then(|profile| profile.traits.member("devices"));
    Ok(devices.and_then(|devices| devices.member(token)))
}

fn saying(
    asked: &Asked,
    user: &Fields,
    kind: &str,
    (token, value): (String, Json),
) -> Result<Saying, Refusal> {
    let by_token = Json::from_members(&BTreeMap::from([(token, value)]));
    let traits = Json::from_members(&BTreeMap::from([(kind.to_owned(), by_token)]));
    Ok(Saying {
        strangers: Strangers::Made {
            // A device is somebody's even where its app knows no address.
            prefer_user_id: user.value("preferUserId").is_none() || user.flag("preferUserId")?,
        },
        mode: Mode::Nested,
        ..users::stating(asked, user, Some(traits), 0)?
    })
}
