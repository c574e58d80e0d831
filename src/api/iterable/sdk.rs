//! What SDKs ask for when they start, and what partners ask to see whether a key works: true answers of a service that sends nothing.

use super::jwt;
use super::names::Named;
use super::refusal::Failure;
use super::reply::Answer;
use super::request::Access::{self, Apps, Open, Readers};
use super::request::Asked;

/// Paths that are answered with the same document to everybody whose key reaches them.
pub const FIXED: [(&str, Access, &str); 6] = [
    // Offline: what an app could not send waits on the phone and is sent again.
    (
        "mobile/getRemoteConfiguration",
        Open,
        r#"{"offlineMode":true,"autoRetry":true}"#,
    ),
    ("inApp/getMessages", Apps, NO_MESSAGES),
    ("inApp/web/getMessages", Apps, NO_MESSAGES),
    ("embedded-messaging/messages", Apps, r#"{"placements":[]}"#),
    ("users/getSentMessages", Readers, r#"{"messages":[]}"#),
    ("webhooks", Readers, r#"{"webhooks":[]}"#),
];
const NO_MESSAGES: &str = r#"{"inAppMessages":[]}"#;

/// Shows one of them; by a token only to whom it is about, as if there were something.
pub async fn show(asked: Asked, document: &str) -> Result<Answer, Failure> {
    let email = asked.parameter("email");
    let named = Named {
        // A plus that was not encoded arrives as a blank.
        email: email.map(|email| email.replace(' ', "+")),
        user_id: asked.parameter("userId"),
    };
    let signed = asked.signed.as_ref();
    if signed.is_some_and(|signed| !named.is_within(signed)) {
        return Err(jwt::mismatched().into());
    }
    Ok(Answer::Document(document.to_owned()))
}
