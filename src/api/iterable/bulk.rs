//! Replies to many calls at once: HTTP 200 with the ids that failed, byte for byte as they were sent (contract sections 2.1 and 3.1).

use super::names::{Fault, Named};
use super::people::Fate;
use crate::domain::type_check::Told;
use serde::Serialize;
use std::collections::HashSet;

/// Members of one request. RudderStack sends up to 8,000 events; more than it takes is told, not cut.
pub const MOST_MEMBERS: usize = 8_000;

/// Which ids failed, by the reason.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    invalid_emails: Vec<String>,
    invalid_user_ids: Vec<String>,
    not_found_emails: Vec<String>,
    not_found_user_ids: Vec<String>,
    invalid_data_emails: Vec<String>,
    invalid_data_user_ids: Vec<String>,
    conflict_emails: Vec<String>,
    conflict_user_ids: Vec<String>,
    forgotten_emails: Vec<String>,
    forgotten_user_ids: Vec<String>,
}

/// The reply.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkReply {
    success_count: usize,
    fail_count: usize,
    invalid_emails: Vec<String>,
    invalid_user_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disallowed_event_names: Option<Vec<String>>,
    filtered_out_fields: Vec<String>,
    created_fields: Vec<String>,
    failed_updates: Failed,
}

impl BulkReply {
    /// The reply to members with their fates; of what is not known no success is counted, nor a failure.
    pub fn of(named: &[Named], fates: &[Fate]) -> Self {
        let mut reply = Self::default();
        for (named, fate) in named.iter().zip(fates) {
            match fate {
                Ok(()) => reply.success_count += 1,
                Err(fault) => reply.fail(named, fault),
            }
        }
        reply.name_by_address(named, fates);
        reply.mirrored()
    }

    /// What is wrong with a user id fails its member, which clients may know by the address: that is named too, unless it is also another
    /// member's that is done.
    fn name_by_address(&mut self, named: &[Named], fates: &[Fate]) {
        let all = || named.iter().zip(fates);
        let done = all().filter(|(_, fate)| fate.is_ok());
        let done: HashSet<&String> = done.filter_map(|(named, _)| named.email.as_ref()).collect();
        let bad = all().filter(|(_, fate)| matches!(fate, Err(Fault::BadUserId(_))));
        let bad = bad.filter(|(named, _)| named.user_id.is_some());
        let emails = bad.filter_map(|(named, _)| named.email.as_ref());
        let emails = emails.filter(|email| !done.contains(email)).cloned();
        self.failed_updates.invalid_data_emails.extend(emails);
    }

    /// The lists that stand beside the others for clients of old.
    fn mirrored(mut self) -> Self {
        self.invalid_emails = self.failed_updates.invalid_emails.clone();
        self.invalid_user_ids = self.failed_updates.invalid_user_ids.clone();
        self
    }

    /// The same as `events/trackBulk` gives it. There the original has no lists of conflicts and of invalid data, and clients read none: who
    /// is in them is named among the invalid ones too.
    pub fn of_events(named: &[Named], fates: &[Fate]) -> Self {
        let mut reply = Self::of(named, fates);
        let failed = &mut reply.failed_updates;
        let emails = [&failed.conflict_emails, &failed.invalid_data_emails];
        let emails: Vec<String> = emails.into_iter().flatten().cloned().collect();
        let user_ids = [&failed.conflict_user_ids, &failed.invalid_data_user_ids];
        let user_ids: Vec<String> = user_ids.into_iter().flatten().cloned().collect();
        failed.invalid_emails.extend(emails);
        failed.invalid_user_ids.extend(user_ids);
        reply.disallowed_event_names = Some(Vec::new());
        reply.mirrored()
    }

    /// The same with the fields that the request made, and those that it was not to make.
    pub fn with_fields(self, told: Told) -> Self {
        Self {
            created_fields: told.created.into_iter().collect(),
            filtered_out_fields: told.filtered.into_iter().collect(),
            ..self
        }
    }

    fn fail(&mut self, named: &Named, fault: &Fault) {
        self.fail_count += 1;
        let failed = &mut self.failed_updates;
        let emails = match fault {
            Fault::BadEmail => Some(&mut failed.invalid_emails),
            Fault::UnknownEmail => Some(&mut failed.not_found_emails),
            Fault::EmailTaken(_) | Fault::UserIdTaken(_) => Some(&mut failed.conflict_emails),
            Fault::Forgotten => Some(&mut failed.forgotten_emails),
            Fault::Rejected(_) | Fault::NoUserId | Fault::Forbidden => {
                Some(&mut failed.invalid_data_emails)
            }
            Fault::Nobody | Fault::BadUserId(_) | Fault::UnknownUserId => None,
        };
        let is_told = named.email.is_some() && emails.is_some();
        if let Some(emails) = emails {
            emails.extend(named.email.clone());
        }
        let user_ids = match fault {
            Fault::BadUserId(_) => Some(&mut failed.invalid_user_ids),
            Fault::UnknownUserId => Some(&mut failed.not_found_user_ids),
            Fault::EmailTaken(_) | Fault::UserIdTaken(_) => Some(&mut failed.conflict_user_ids),
            Fault::Forgotten => Some(&mut failed.forgotten_user_ids),
            Fault::Rejected(_) | Fault::Forbidden => Some(&mut failed.invalid_data_user_ids),
            Fault::Nobody | Fault::NoUserId | Fault::BadEmail | Fault::UnknownEmail => None,
        };
        let is_named = named.user_id.is_some() && user_ids.is_some();
        if let Some(user_ids) = user_ids {
            user_ids.extend(named.user_id.clone());
        }
        // Clients hold who is named nowhere for done: a bad user id among the data fields of an address is told by that.
        if !is_named && !is_told {
            failed.invalid_data_emails.extend(named.email.clone());
        }
    }
}
