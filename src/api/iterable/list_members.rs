//! Who is in a list, as text: a name a line, in pages.

use super::lists::{known, parsed};
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::Asked;
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::reading::answer_of;
use crate::api::stream::{self, Pages};
use crate::domain::{ProjectId, ProjectType};
use crate::store::{ListKey, ListMember};
use actix_web::web::Data;
use uuid::Uuid;

const TEXT: &str = "text/plain; charset=utf-8";
/// Of a preview where nobody says how many, and the most.
const PREVIEW: usize = 1_000;
const MOST_OF_A_PREVIEW: usize = 5_000;

/// By which of their names people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Email,
    UserId,
    EmailFirst,
    UserIdFirst,
}

struct Members {
    state: Data<State>,
    list: ListKey,
    shown: Shown,
    /// Behind whom the next page begins; `None` after the last.
    after: Option<Uuid>,
    /// How many more are told.
    left: usize,
}

/// `lists/getUsers`: all, or as many as `maxResults` says.
pub async fn all(asked: Asked) -> Result<Answer, Failure> {
    let most = count(&asked, "maxResults")?.unwrap_or(usize::MAX);
    streamed(&asked, most).await
}

/// `lists/previewUsers`: the first of them.
pub async fn preview(asked: Asked) -> Result<Answer, Failure> {
    let most = count(&asked, "size")?.unwrap_or(PREVIEW);
    streamed(&asked, most.min(MOST_OF_A_PREVIEW)).await
}

async fn streamed(asked: &Asked, most: usize) -> Result<Answer, Failure> {
    let text = asked.needed_parameter("listId")?;
    let invalid = || Refusal::params(format!("error.lists.invalidListId({text})"));
    let list = (asked.caller.project_id, parsed(&text).ok_or_else(invalid)?);
    known(asked, list).await?;
    let members = Members {
        state: asked.state.clone(),
        list,
        shown: Shown::of(asked),
        after: Some(Uuid::nil()),
        left: most,
    };
    let answer = stream::answer(&asked.state, TEXT, members).await?;
    Ok(Answer::Ready(answer))
}

fn count(asked: &Asked, name: &str) -> Result<Option<usize>, Refusal> {
    let Some(text) = asked.parameter(name) else {
        return Ok(None);
    };
    let number = text.parse().ok().filter(|number| *number > 0);
    let wrong = || Refusal::params(format!("{name} is no positive number"));
    number.ok_or_else(wrong).map(Some)
}

impl Shown {
    fn of(asked: &Asked) -> Self {
        let prefer_user_id = asked
            .parameter("preferUserId")
            .is_some_and(|it| it == "true");
        match asked.caller.kinds.rules.iterable {
            ProjectType::Email => Self::Email,
            ProjectType::UserId => Self::UserId,
            ProjectType::Hybrid if prefer_user_id => Self::UserIdFirst,
            ProjectType::Hybrid => Self::EmailFirst,
        }
    }

    /// Who has none of these names can't be told: nor could anybody write to them.
    fn name(self, member: ListMember) -> Option<String> {
        let ListMember { email, user_id } = member;
        match self {
            Self::Email => email,
            Self::UserId => user_id,
            Self::EmailFirst => email.or(user_id),
            Self::UserIdFirst => user_id.or(email),
        }
    }
}

impl Pages for Members {
    type Page = String;

    fn project_id(&self) -> ProjectId {
        self.list.0
    }

    /// Pages of which nobody is in the list any more are passed over.
    async fn next(&mut self) -> Result<Option<String>, ApiError> {
        while let Some(after) = self.after.filter(|_| self.left > 0) {
            let _room = self.state.reads.room(self.list.0).await?;
            let reading = self.state.store.list_members(self.list, after);
            let (members, next) = answer_of(&self.state, reading).await?;
            self.after = next;
            let names = members
                .into_iter()
                .filter_map(|member| self.shown.name(member));
            let names: Vec<String> = names.take(self.left).map(line).collect();
            self.left -= names.len();
            if !names.is_empty() {
                return Ok(Some(names.concat()));
            }
        }
        Ok(None)
    }
}

/// Other dialects know user ids of several lines.
fn line(name: String) -> String {
    name.replace(['\r', '\n'], " ") + "\n"
}
