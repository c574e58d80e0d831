//! What one call says about somebody, before it is judged: whom it names, also among the data fields, and who signed for it.

use super::jwt;
use super::names::{Fault, Named, Strangers, Who};
use super::refusal::Refusal;
use super::when::When;
use crate::domain::{EventDraft, Json, Mode, ProjectType, Signer};

/// What one call says about somebody.
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
    /// Where there is none.
    pub fn judged(&self, project: ProjectType) -> Result<Who, Fault> {
        self.named.judged(project)?.becoming(&self.inner, project)
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
