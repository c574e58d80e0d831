//! `users/forgotten` and `users/forgottenUserIds`: hashes of the names that were forgotten, where the project has them kept
//! (docs/decisions/0018).

use super::refusal::Failure;
use super::reply::Answer;
use super::request::Asked;
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::reading::answer_of;
use crate::api::stream::{self, Pages};
use crate::domain::{IdentityKind, ProjectId};
use actix_web::web::Data;

/// The forgotten names of one kind, as a document that is written while it is read.
struct Forgotten {
    state: Data<State>,
    project_id: ProjectId,
    kind: IdentityKind,
    /// What opens the document, until it is written.
    opening: Option<String>,
    /// Behind which the next page begins; `None` after the last.
    after: Option<Vec<u8>>,
    has_some: bool,
    is_closed: bool,
}

/// `users/forgotten`.
pub async fn emails(asked: Asked) -> Result<Answer, Failure> {
    show(&asked, IdentityKind::Email, "hashedEmails").await
}

/// `users/forgottenUserIds`.
pub async fn user_ids(asked: Asked) -> Result<Answer, Failure> {
    show(&asked, IdentityKind::UserId, "hashedUserIds").await
}

async fn show(asked: &Asked, kind: IdentityKind, name: &str) -> Result<Answer, Failure> {
    let forgotten = Forgotten {
        state: asked.state.clone(),
        project_id: asked.caller.project_id,
        kind,
        opening: Some(format!("{{\"{name}\":[")),
        after: Some(Vec::new()),
        has_some: false,
        is_closed: false,
    };
    let answer = stream::answer(&asked.state, "application/json", forgotten).await?;
    Ok(Answer::Ready(answer))
}

impl Forgotten {
    /// The hashes of a page, with what stands between them and those before.
    fn text(&mut self, hashes: &[String]) -> String {
        let mut text = self.opening.take().unwrap_or_default();
        for hash in hashes {
            text += if self.has_some { ",\"" } else { "\"" };
            text += hash;
            text += "\"";
            self.has_some = true;
        }
        text
    }
}

impl Pages for Forgotten {
    type Page = String;

    fn project_id(&self) -> ProjectId {
        self.project_id
    }

    async fn next(&mut self) -> Result<Option<String>, ApiError> {
        while let Some(after) = self.after.take() {
            let _room = self.state.reads.room(self.project_id).await?;
            let store = &self.state.store;
            let reading = store.load_forgotten(self.project_id, &self.kind, &after);
            let (hashes, next) = answer_of(&self.state, reading).await?;
            self.after = next;
            let text = self.text(&hashes);
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
        let closing = (!self.is_closed).then(|| "]}".to_owned());
        self.is_closed = true;
        Ok(closing)
    }
}
