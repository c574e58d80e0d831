//! How it is told why a call that stands alone is not done.

use super::names::{Fault, Named};
use super::refusal::Refusal;
use crate::domain::Code;

impl Fault {
    /// In words, for a call that stands alone; `call` is how messages name it.
    pub fn refusal(&self, named: &Named, call: &str) -> Refusal {
        let email = named.email.as_deref().unwrap_or_default();
        let user_id = named.user_id.as_deref().unwrap_or_default();
        match self {
            Self::Nobody => Refusal::params(format!("Either email or userId must be {call}")),
            Self::NoUserId => Refusal::params("A userId must be set in a userId-based project"),
            Self::BadEmail => Refusal::of(
                "InvalidEmailAddressError",
                format!("Invalid email: {email}"),
            ),
            Self::BadUserId(id) => {
                Refusal::of("InvalidUserIdError", format!("Invalid userId: {id}"))
            }
            Self::UnknownEmail => Refusal::of(
                "UnknownEmailError",
                format!("No user exists with email {email}"),
            ),
            Self::UnknownUserId => {
                let message = format!("No user exists with userId {user_id}");
                Refusal::of("UnknownUserIdError", message)
            }
            Self::EmailTaken(email) => {
                let message =
                    format!("A user with email {email} and another userId already exists");
                Refusal::conflict("EmailAlreadyExists", message)
            }
            Self::UserIdTaken(id) => {
                let message = format!("A user with userId {id} already exists");
                Refusal::conflict("UserIdAlreadyExists", message)
            }
            Self::Forbidden => {
                Refusal::forbidden("The userId of a known user is changed by a server key alone")
            }
            Self::Forgotten => {
                Refusal::conflict("ForgottenUserError", "The user has been forgotten")
            }
            // A text that stands for nobody: `null`, `undefined`.
            Self::Rejected(rejection) if rejection.code == Code::MissingIdentity => {
                Self::BadUserId(user_id.to_owned()).refusal(named, call)
            }
            Self::Rejected(rejection) => Refusal::rejected(rejection),
        }
    }
}
