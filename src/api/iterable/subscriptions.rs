//! `users/updateSubscriptions` and its bulk form: lists of ids on the profile, each replaced whole where it is given.

use super::fields::Fields;
use super::people::{self, Saying};
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::show::LISTS;
use super::users::{self, UPDATE};
use crate::domain::{Json, number_text};
use std::collections::BTreeMap;

/// Ids of one list: more is no list of subscriptions.
const MOST_IDS: usize = 10_000;

fn saying(asked: &Asked, user: &Fields, followers: usize) -> Result<Saying, Refusal> {
    let mut traits = BTreeMap::new();
    for name in LISTS {
        if let Some(list) = user.list(name)? {
            let id = |id: &Json| number_text(id.as_str()).parse().ok();
            let ids = list.elements(MOST_IDS + 1);
            let ids: Option<Vec<u64>> = ids.iter().map(id).collect();
            let wrong = || user.wrong(name, "Array of numbers expected");
            let ids = ids.filter(|ids| ids.len() <= MOST_IDS).ok_or_else(wrong)?;
            traits.insert(name.to_owned(), Json::of(&ids));
        }
    }
    users::stating(asked, user, Some(Json::from_members(&traits)), followers)
}

/// Replaces the lists of somebody.
pub async fn update(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let saying = saying(&asked, &readable.fields, 0)?;
    people::store_one(&asked, readable, saying, UPDATE).await?;
    Ok(Answer::success())
}

/// Replaces the lists of many.
pub async fn bulk_update(mut asked: Asked, mut readable: Readable) -> Result<Answer, Failure> {
    let all = users::members(&mut asked, &mut readable, "updateSubscriptionsRequests")?;
    let sayings: Result<Vec<Saying>, Refusal> = all
        .iter()
        .enumerate()
        .map(|(place, user)| saying(&asked, user, all.len() - place - 1))
        .collect();
    let sayings = sayings?;
    let named: Vec<_> = sayings.iter().map(|saying| saying.named.clone()).collect();
    let fates = people::store(&asked, readable, sayings).await?;
    Ok(Answer::document(&reply::of(&named, &fates)))
}

/// The reply has a form of its own.
pub mod reply {
    use crate::api::iterable::names::{Fault, Named};
    use crate::api::iterable::people::Fate;
    use serde::Serialize;

    #[derive(Default, Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct Reply {
        success_count: usize,
        fail_count: usize,
        invalid_emails: Vec<String>,
        invalid_user_ids: Vec<String>,
        valid_email_failures: Vec<String>,
        valid_user_id_failures: Vec<String>,
    }

    pub fn of(named: &[Named], fates: &[Fate]) -> Reply {
        let mut reply = Reply::default();
        for (named, fate) in named.iter().zip(fates) {
            let Err(fault) = fate else {
                reply.success_count += 1;
                continue;
            };
            reply.fail_count += 1;
            let (emails, user_ids) = match fault {
                Fault::BadEmail => (Some(&mut reply.invalid_emails), None),
                Fault::BadUserId(_) if named.user_id.is_some() => {
                    (None, Some(&mut reply.invalid_user_ids))
                }
                _ => (
                    Some(&mut reply.valid_email_failures),
                    Some(&mut reply.valid_user_id_failures),
                ),
            };
            if let Some(emails) = emails {
                emails.extend(named.email.clone());
            }
            if let Some(user_ids) = user_ids {
                user_ids.extend(named.user_id.clone());
            }
        }
        reply
    }
}
