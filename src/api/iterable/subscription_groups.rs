//! `subscriptions/…`: lists, message types and channels that people subscribe to one by one (contract section 5).
//!
//! Each change is an element of a list on the profile, as it is of `lists/subscribe`: two who change different ids at once both have.

use super::fields::{Fields, text_of};
use super::lists::{self, parsed};
use super::names::{Named, Strangers};
use super::people::{self, Fate, Saying};
use super::reads::email_name;
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::subscriptions::reply;
use super::users::UPDATE;
use super::when;
use crate::api::reading::segment;
use crate::domain::elements::{LISTS, elements};
use crate::domain::{Json, Mode};
use actix_web::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Users of one request, in either of its lists.
const MOST_USERS: usize = 8_000;

/// What somebody subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    EmailList,
    MessageType,
    MessageChannel,
}

/// One of its kind, by its id.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    group: Group,
    id: i32,
}

/// `PUT subscriptions/{group}/{id}?action=`: of many at once. What fails is told among the params.
pub async fn bulk(mut asked: Asked, mut readable: Readable) -> Result<Answer, Failure> {
    let subscription = Subscription::of(&asked).await?;
    let is_in = match asked.needed_parameter("action")?.as_str() {
        "subscribe" => true,
        "unsubscribe" => false,
        other => return Err(Refusal::params(format!("Invalid action {other}")).into()),
    };
    let all = named(&mut readable)?;
    asked.spread(all.len());
    let followers = (0..all.len()).rev();
    let sayings = all.iter().zip(followers);
    let sayings = sayings
        .map(|(named, followers)| subscription.saying(&asked, named.clone(), is_in, followers));
    let sayings = sayings.collect();
    let fates = people::store(&asked, readable, sayings).await?;
    Ok(Answer::Done {
        message: String::new(),
        params: told(&all, &fates),
    })
}

fn told(named: &[Named], fates: &[Fate]) -> Value {
    match fates.iter().any(Result::is_err) {
        true => json!(reply::of(named, fates)),
        false => Value::Null,
    }
}

/// Who is named, by email and by user id.
fn named(readable: &mut Readable) -> Result<Vec<Named>, Failure> {
    let emails = texts(&readable.fields, "users")?;
    let user_ids = texts(&readable.fields, "usersByUserId")?;
    let count = emails.len() + user_ids.len();
    if count > MOST_USERS {
        let message = format!("There are more users than the limit of {MOST_USERS}");
        return Err(Failure::Refused(Refusal {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            ..Refusal::of("BatchTooLarge", message)
        }));
    }
    // Their texts are copies of what stands in the body.
    readable.hold(count, (readable.bytes.len(), 0))?;
    let emails = emails.into_iter().map(by_email);
    Ok(emails.chain(user_ids.into_iter().map(by_user_id)).collect())
}

fn texts(body: &Fields, name: &str) -> Result<Vec<String>, Refusal> {
    let Some(list) = body.list(name)? else {
        return Ok(Vec::new());
    };
    let wrong = || body.wrong(name, "Array of strings expected");
    let elements = list.elements(MOST_USERS + 1);
    let texts = elements.iter().map(|text| text_of(text).ok_or_else(wrong));
    texts.collect()
}

fn by_email(email: String) -> Named {
    Named {
        email: Some(email),
        user_id: None,
    }
}

fn by_user_id(user_id: String) -> Named {
    Named {
        email: None,
        user_id: Some(user_id),
    }
}

/// `PATCH subscriptions/{group}/{id}/user/{email}`.
pub async fn subscribe_email(asked: Asked) -> Result<Answer, Failure> {
    by_address(&asked, true).await
}

/// `DELETE` of the same.
pub async fn unsubscribe_email(asked: Asked) -> Result<Answer, Failure> {
    by_address(&asked, false).await
}

/// `PATCH subscriptions/{group}/{id}/byUserId/{userId}`.
pub async fn subscribe_user_id(asked: Asked) -> Result<Answer, Failure> {
    let user_id = segment(&asked.request, 6)?;
    one(&asked, by_user_id(user_id), true).await
}

/// `DELETE` of the same.
pub async fn unsubscribe_user_id(asked: Asked) -> Result<Answer, Failure> {
    let user_id = segment(&asked.request, 6)?;
    one(&asked, by_user_id(user_id), false).await
}

async fn by_address(asked: &Asked, is_in: bool) -> Result<Answer, Failure> {
    let email = segment(&asked.request, 6)?;
    email_name(&email)?;
    one(asked, by_email(email), is_in).await
}

async fn one(asked: &Asked, named: Named, is_in: bool) -> Result<Answer, Failure> {
    let subscription = Subscription::of(asked).await?;
    let saying = subscription.saying(asked, named, is_in, 0);
    people::store_one(asked, asked.without_body()?, saying, UPDATE).await?;
    Ok(Answer::success())
}

impl Subscription {
    /// What the path names; a list has to be there.
    async fn of(asked: &Asked) -> Result<Self, Failure> {
        let group = match segment(&asked.request, 3)?.as_str() {
            "emailList" => Group::EmailList,
            "messageType" => Group::MessageType,
            "messageChannel" => Group::MessageChannel,
            other => {
                let message = format!("Invalid subscription group {other}");
                return Err(Refusal::params(message).into());
            }
        };
        let text = segment(&asked.request, 4)?;
        let invalid = || Refusal::params(format!("Invalid subscription group id {text}"));
        let id = parsed(&text).ok_or_else(invalid)?;
        let list = (asked.caller.project_id, id);
        if group == Group::EmailList && !lists::is_there(asked, list).await? {
            return Err(lists::invalid(list).into());
        }
        Ok(Self { group, id })
    }

    fn saying(self, asked: &Asked, named: Named, is_in: bool, followers: usize) -> Saying {
        let item = json!({"email": named.email, "userId": named.user_id});
        Saying {
            named,
            inner: Named::default(),
            strangers: Strangers::Made {
                prefer_user_id: false,
            },
            traits: Some(self.traits(is_in)),
            mode: Mode::Single,
            event: None,
            creates_fields: true,
            at: when::now(asked, followers),
            item: Json::of(&item),
        }
    }

    /// A type is known by two lists: whether it is opt-in or opt-out is not known here.
    fn traits(self, is_in: bool) -> Json {
        let lists: &[(&str, bool)] = match self.group {
            Group::EmailList => &[(LISTS, true)],
            Group::MessageChannel => &[("unsubscribedChannelIds", false)],
            Group::MessageType => &[
                ("subscribedMessageTypeIds", true),
                ("unsubscribedMessageTypeIds", false),
            ],
        };
        let id = Json::of(&self.id);
        let lists = lists.iter().map(|(name, of_subscribed)| {
            let change = elements([(&id, is_in == *of_subscribed)]);
            ((*name).to_owned(), change)
        });
        Json::from_members(&lists.collect::<BTreeMap<_, _>>())
    }
}
