//! What one call says about somebody, before it is judged: whom it names, also among the data fields, and who signed for it.

use super::jwt;
use super::names::{Fault, Named, Strangers, Who};
use super::refusal::Refusal;
use super::when::When;
use crate::domain::elements::MOST_DEVICES;
use crate::domain::{EventDraft, Gate, Json, Mode, Signer};
use std::collections::BTreeMap;

/// What one call says about somebody.
#[derive(Clone)]
pub struct Saying {
    pub named: Named,
    /// The names among the data fields: those that the person is to have.
    pub inner: Named,
    pub strangers: Strangers,
    pub traits: Option<Json>,
    pub mode: Mode,
    pub event: Option<EventDraft>,
    /// Fields that its project does not have yet are taken.
    pub creates_fields: bool,
    pub at: When,
    /// As it came.
    pub item: Json,
}

impl Saying {
    /// The names that can be some.
    ///
    /// # Errors
    /// Where there is none, or a user id that stands for nobody is to be the person's.
    pub fn judged(&self, gate: &Gate<'_>) -> Result<Who, Fault> {
        let project = gate.kinds.rules.iterable;
        let who = self.named.judged(project)?.becoming(&self.inner, project)?;
        let new = self.inner.user_id.as_deref();
        match new.filter(|new| gate.is_placeholder(new)) {
            Some(nobody) => Err(Fault::BadUserId(nobody.to_owned())),
            None => Ok(who),
        }
    }

    /// The same about the same person, with other traits and no event.
    pub fn again(&self, traits: Json) -> Self {
        Self {
            named: self.named.clone(),
            inner: self.inner.clone(),
            traits: Some(traits),
            event: None,
            item: self.item.clone(),
            ..*self
        }
    }

    /// Who signed is who is spoken of, also where the call names nobody.
    ///
    /// # Errors
    /// Where it names somebody else.
    pub fn sign(&mut self, signed: Option<&Signer>) -> Result<(), Refusal> {
        let Some(signed) = signed else {
            return Ok(());
        };
        if self.named == Named::default() {
            self.named = signed.clone().into();
        }
        let is_own = |named: &Named| named.is_within(signed);
        let are_own = is_own(&self.named) && is_own(&self.inner);
        are_own.then_some(()).ok_or_else(jwt::mismatched)
    }
}

/// Traits that are objects by token here, and lists there.
pub const BY_TOKEN: [&str; 2] = ["devices", "browserTokens"];

/// Data fields in which lists of what has a token are kept by token, as registrations keep it: whoever writes back what was read.
pub fn by_token(traits: Json) -> Json {
    let list = |name: &str| Some((name.to_owned(), as_object(&traits.member(name)?)?));
    let lists: BTreeMap<String, Json> = BY_TOKEN.into_iter().filter_map(list).collect();
    if lists.is_empty() {
        return traits;
    }
    Json::from_members(&lists).with_defaults(&traits)
}

/// A list of objects with tokens by them; `None` of anything else, which is a trait like any other.
pub fn as_object(list: &Json) -> Option<Json> {
    let all = list.elements(MOST_DEVICES + 1);
    let by_token = all
        .iter()
        .map(|one| Some((one.member("token")?.as_text()?, one.clone())));
    let by_token: Option<BTreeMap<String, Json>> = by_token.collect();
    let is_list = !all.is_empty() && all.len() <= MOST_DEVICES;
    by_token
        .filter(|_| is_list)
        .map(|by_token| Json::from_members(&by_token))
}

/// Takes a `userId` out of data fields, where it is a name and no trait; tells the names among them. An email stays a trait as well.
pub fn inner_names(traits: Option<Json>) -> (Option<Json>, Named) {
    let Some(traits) = traits else {
        return (None, Named::default());
    };
    let email = traits.member("email").filter(|email| !email.is_null());
    let email = email.map(|email| email.as_text().unwrap_or_else(|| email.as_str().to_owned()));
    let Some(user_id) = traits.member("userId") else {
        let user_id = None;
        return (Some(traits), Named { email, user_id });
    };
    let user_id = user_id.as_id();
    let mut members = traits.members().unwrap_or_default();
    members.remove("userId");
    (Some(Json::from_members(&members)), Named { email, user_id })
}
