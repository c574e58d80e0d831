//! By which names a call is about somebody, by the project's type (contract section 6).
//!
//! Hybrid projects know people as all of Roster does: a user id and an email are one person's each. In projects by user id the email is
//! a trait; in projects by email the user id follows the email, as far as it is nobody else's.

use super::owners::Owners;
pub use super::spelling::{PLACEHOLDER_DOMAIN, is_email, is_user_id, placeholder_email};
use crate::domain::{Emails, Identity, IdentityKind, ProjectType, Rejection, Signer};
use crate::store::Owner;

/// Whom a call names, byte for byte as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub email: Option<String>,
    pub user_id: Option<String>,
}

/// What becomes of a call about somebody who is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strangers {
    /// They are made. In a project by email a user id alone makes somebody only where the call says so.
    Made { prefer_user_id: bool },
    /// They are kept: what happened is not lost, whenever the person is told of.
    Kept,
    /// The call is refused.
    Refused,
}

/// Why a call about somebody is not done.
#[derive(Clone, Debug)]
pub enum Fault {
    Nobody,
    NoUserId,
    BadEmail,
    BadUserId(String),
    UnknownEmail,
    UnknownUserId,
    /// The email is another user's.
    EmailTaken(String),
    /// The user id is another user's.
    UserIdTaken(String),
    /// It is not for this key to say.
    Forbidden,
    Forgotten,
    Rejected(Rejection),
}

/// The names that a call may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    pub email: Option<String>,
    pub user_id: Option<String>,
    /// An email stood beside the user id that is none.
    pub has_bad_email: bool,
    /// The email that the person is to have; where emails are names.
    pub new_email: Option<String>,
    /// The user id that the person is to have beside the one that names them.
    pub new_user_id: Option<String>,
    /// `user_id` does not say who it is, but which user id the person of the email is to have.
    pub is_id_new: bool,
    /// An email stood among the data fields that is none.
    pub has_bad_new_email: bool,
}

/// By which names somebody is found and made, and what of them is a trait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub user_id: Option<String>,
    /// Another user id, which becomes the same person's.
    pub new_user_id: Option<String>,
    pub email: Option<String>,
    /// The first name leads, and a user id becomes its person's by the caller's word.
    pub is_explicit: bool,
    pub email_trait: Option<String>,
    pub user_id_trait: Option<String>,
}

impl Chosen {
    /// By a user id alone.
    pub fn by_id(id: String) -> Self {
        Self {
            user_id: Some(id),
            ..Self::default()
        }
    }
}

impl Named {
    /// The names that can be some.
    ///
    /// # Errors
    /// Where there is none.
    pub fn judged(&self, project: ProjectType) -> Result<Who, Fault> {
        let email = self.email.as_deref().map(str::trim);
        let is_bad = email.is_some_and(|email| !is_email(email));
        let user_id = self.user_id.clone();
        check_user_id(user_id.as_deref())?;
        if is_bad && (user_id.is_none() || project == ProjectType::Email) {
            return Err(Fault::BadEmail);
        }
        let email = email.filter(|_| !is_bad).map(str::to_lowercase);
        match (project, &user_id, &email) {
            (_, None, None) => Err(Fault::Nobody),
            (ProjectType::UserId, None, _) => Err(Fault::NoUserId),
            _ => Ok(Who {
                email,
                user_id,
                has_bad_email: is_bad,
                ..Who::default()
            }),
        }
    }

    /// By one name: a user id, else an email.
    pub fn by(name: Identity) -> Self {
        match name.kind {
            IdentityKind::Email => Self {
                email: Some(name.value),
                user_id: None,
            },
            _ => Self {
                email: None,
                user_id: Some(name.value),
            },
        }
    }

    /// What of it names somebody: in projects by user id no address does.
    ///
    /// # Errors
    /// `NoUserId` where an address stands alone there.
    pub fn naming(self, project: ProjectType) -> Result<Self, Fault> {
        let named = self.without_empty_email();
        if project != ProjectType::UserId {
            return Ok(named);
        }
        if named.email.is_some() && named.user_id.is_none() {
            return Err(Fault::NoUserId);
        }
        let email = None;
        Ok(Self { email, ..named })
    }

    /// The same without an address that is `""` beside a user id: Go's structs say so of the name that they lack.
    pub fn without_empty_email(self) -> Self {
        let is_needed = self.user_id.as_ref().is_none_or(String::is_empty);
        let email = self.email.filter(|email| is_needed || !email.is_empty());
        Self { email, ..self }
    }

    /// True where each name that there is is also in the token.
    pub fn is_within(&self, signer: &Signer) -> bool {
        let plain = |email: &String| email.trim().to_lowercase();
        let email = self.email.as_ref().map(plain);
        (email.is_none() || email == signer.email)
            && (self.user_id.is_none() || self.user_id == signer.user_id)
    }
}

/// Refuses a text that can't be a user id.
///
/// # Errors
/// `BadUserId`.
pub fn check_user_id(user_id: Option<&str>) -> Result<(), Fault> {
    match user_id.filter(|id| !is_user_id(id)) {
        Some(bad) => Err(Fault::BadUserId(bad.to_owned())),
        None => Ok(()),
    }
}

impl Who {
    /// The same with the names among the data fields, which are to be the person's (contract section 6).
    ///
    /// # Errors
    /// Where the user id is none.
    pub fn becoming(mut self, inner: &Named, project: ProjectType) -> Result<Self, Fault> {
        check_user_id(inner.user_id.as_deref())?;
        let new = inner.user_id.clone();
        if self.user_id.is_none() || project == ProjectType::Email && self.email.is_some() {
            self.is_id_new = new.is_some();
            self.user_id = new.or(self.user_id);
        } else {
            self.new_user_id = new.filter(|new| Some(new) != self.user_id.as_ref());
        }
        let email = inner.email.as_deref().map(str::trim);
        self.has_bad_new_email = email.is_some_and(|email| !is_email(email));
        let email = email.filter(|_| !self.has_bad_new_email && project == ProjectType::Hybrid);
        let email = email.map(str::to_lowercase);
        self.new_email = email.filter(|email| Some(email) != self.email.as_ref());
        Ok(self)
    }

    /// What has to be known of others before it can be told whose the call is; nothing for most calls of most projects.
    pub fn to_look_up(&self, project: ProjectType, strangers: Strangers) -> Vec<Identity> {
        let is_needed = match project {
            ProjectType::Hybrid => {
                self.new_email.is_some() || self.email.is_some() && self.user_id.is_some()
            }
            ProjectType::UserId => false,
            ProjectType::Email => self.user_id.is_some(),
        };
        if is_needed || self.new_user_id.is_some() || strangers == Strangers::Refused {
            self.identities().collect()
        } else {
            Vec::new()
        }
    }

    fn identities(&self) -> impl Iterator<Item = Identity> {
        let emails = self.email.iter().chain(&self.new_email);
        let emails = emails.map(|email| email_name(email));
        let ids = self.user_id.iter().chain(&self.new_user_id);
        emails.chain(ids.map(|id| id_name(id)))
    }

    /// The user id that the person is shown with from now on, where the call says which.
    pub fn shown_id(&self, project: ProjectType) -> Option<Identity> {
        let follows = project == ProjectType::Email && self.email.is_some();
        let own = self.user_id.as_ref().filter(|_| self.is_id_new || follows);
        let shown = self.new_user_id.as_ref().or(own);
        shown.map(|id| id_name(id))
    }

    /// True where that is what the call is for: it stands among the data fields.
    pub const fn is_renaming(&self) -> bool {
        self.is_id_new || self.new_user_id.is_some()
    }

    /// An address among the data fields is what the call is for: it becomes the person's, or the call is refused. Beside a user id it may be
    /// somebody's who has none, as in `in_hybrid`.
    pub const fn asked_emails(&self) -> Emails {
        match (&self.new_email, &self.user_id) {
            (None, _) => Emails::Named,
            (Some(_), Some(_)) => Emails::Given,
            (Some(_), None) => Emails::GivenApart,
        }
    }

    /// The names that become one person's by what was chosen; an address among the data fields is one of them where addresses are names.
    pub fn names_by(&self, chosen: &Chosen) -> Vec<Identity> {
        let ids = chosen.user_id.iter().chain(&chosen.new_user_id);
        let emails = chosen.email.iter().chain(&self.new_email);
        let ids = ids.map(|id| id_name(id));
        ids.chain(emails.map(|email| email_name(email))).collect()
    }

    /// The names to write by; `owners` tells whose those are that were looked up.
    ///
    /// # Errors
    /// Where the project's type does not let it.
    pub fn chosen(
        &self,
        project: ProjectType,
        strangers: Strangers,
        owners: &Owners,
    ) -> Result<Chosen, Fault> {
        let [by_email, by_id] = self.both(owners);
        if strangers == Strangers::Refused {
            self.check_known(project, by_email, by_id)?;
        }
        let chosen = match project {
            ProjectType::Hybrid => self.in_hybrid(by_email, by_id)?,
            ProjectType::UserId => Chosen {
                user_id: self.user_id.clone(),
                email_trait: self.email.clone(),
                ..Chosen::default()
            },
            ProjectType::Email => self.by_email(strangers, by_email, by_id)?,
        };
        let own = by_id.or(by_email);
        self.check_new_email(own, owners)?;
        self.renamed(chosen, project, own, owners)
    }

    /// Whose the email is, and whose the user id.
    pub fn both<'a>(&self, owners: &'a Owners) -> [Option<&'a Owner>; 2] {
        let email = self.email.as_deref().map(email_name);
        let user_id = self.user_id.as_deref().map(id_name);
        [email, user_id].map(|name| owners.get(&name?))
    }

    /// Refuses a stranger: whoever the name that the project knows people by leads to nobody. Another name that leads to somebody makes
    /// nobody known.
    fn check_known(
        &self,
        project: ProjectType,
        by_email: Option<&Owner>,
        by_id: Option<&Owner>,
    ) -> Result<(), Fault> {
        let (known, has_email) = match project {
            ProjectType::Hybrid => (by_id.or(by_email), self.email.is_some()),
            ProjectType::UserId => (by_id, false),
            ProjectType::Email if self.email.is_some() => (by_email, true),
            ProjectType::Email => (by_id, false),
        };
        match known {
            Some(_) => Ok(()),
            None if has_email => Err(Fault::UnknownEmail),
            None => Err(Fault::UnknownUserId),
        }
    }

    /// Of two people who both have user ids none gets the other's email, nor does somebody who has none.
    fn check_new_email(&self, own: Option<&Owner>, owners: &Owners) -> Result<(), Fault> {
        let Some(new) = &self.new_email else {
            return Ok(());
        };
        let holder = owners.get(&email_name(new));
        let is_taken = holder.is_some_and(|holder| {
            is_another(holder, own) && (self.user_id.is_none() || !holder.user_ids.is_empty())
        });
        match is_taken {
            true => Err(Fault::EmailTaken(new.clone())),
            false => Ok(()),
        }
    }

    /// With the user id that the person is to have, which may be nobody else's where it is a name of one person alone.
    fn renamed(
        &self,
        chosen: Chosen,
        project: ProjectType,
        own: Option<&Owner>,
        owners: &Owners,
    ) -> Result<Chosen, Fault> {
        let Some(new) = &self.new_user_id else {
            return Ok(chosen);
        };
        let holder = owners.get(&id_name(new));
        let is_anothers = holder.is_some_and(|holder| is_another(holder, own));
        if is_anothers && project != ProjectType::Email {
            return Err(Fault::UserIdTaken(new.clone()));
        }
        Ok(Chosen {
            new_user_id: Some(new.clone()).filter(|_| !is_anothers),
            is_explicit: !is_anothers,
            user_id_trait: Some(new.clone()),
            ..chosen
        })
    }

    fn in_hybrid(&self, by_email: Option<&Owner>, by_id: Option<&Owner>) -> Result<Chosen, Fault> {
        let is_anothers = by_email.is_some_and(|owner| {
            by_id.is_none_or(|own| own.profile_id != owner.profile_id)
                && !owner.user_ids.is_empty()
                && self.user_id.is_some()
        });
        let both = Chosen {
            user_id: self.user_id.clone(),
            email: self.email.clone(),
            ..Chosen::default()
        };
        match (is_anothers, &self.user_id, &self.email) {
            (true, Some(new), _) if self.is_id_new && by_id.is_none() => Ok(Chosen {
                is_explicit: true,
                user_id_trait: Some(new.clone()),
                ..both
            }),
            (true, Some(new), _) if self.is_id_new => Err(Fault::UserIdTaken(new.clone())),
            (true, _, Some(email)) => Err(Fault::EmailTaken(email.clone())),
            _ => Ok(both),
        }
    }

    fn by_email(
        &self,
        strangers: Strangers,
        by_email: Option<&Owner>,
        by_id: Option<&Owner>,
    ) -> Result<Chosen, Fault> {
        let (Some(email), user_id) = (&self.email, &self.user_id) else {
            return self.by_id_alone(strangers, by_id);
        };
        let is_anothers = by_id
            .is_some_and(|owner| by_email.is_none_or(|own| own.profile_id != owner.profile_id));
        let has_another = by_email.is_some_and(|owner| {
            !owner.user_ids.is_empty() && by_id.is_none_or(|own| own != owner)
        });
        Ok(Chosen {
            user_id: user_id.clone().filter(|_| !is_anothers),
            email: Some(email.clone()),
            new_user_id: None,
            is_explicit: has_another && !is_anothers,
            email_trait: None,
            user_id_trait: user_id.clone(),
        })
    }

    /// Who has no address gets one where the call says so, known or not: it is how they are told in lists.
    fn by_id_alone(&self, strangers: Strangers, known: Option<&Owner>) -> Result<Chosen, Fault> {
        let own = Chosen {
            user_id: self.user_id.clone(),
            ..Chosen::default()
        };
        let has_email = known.is_some_and(|owner| owner.has_email);
        match strangers {
            Strangers::Made {
                prefer_user_id: true,
            } if !has_email => Ok(Chosen {
                email: self.user_id.as_deref().map(placeholder_email),
                ..own
            }),
            Strangers::Kept => Ok(own),
            _ if known.is_some() => Ok(own),
            Strangers::Made { .. } | Strangers::Refused => Err(Fault::UnknownUserId),
        }
    }
}

fn email_name(email: &str) -> Identity {
    Identity::new(IdentityKind::Email, email)
}

fn id_name(id: &str) -> Identity {
    Identity::new(IdentityKind::UserId, id)
}

fn is_another(holder: &Owner, own: Option<&Owner>) -> bool {
    own.is_none_or(|own| own.profile_id != holder.profile_id)
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
