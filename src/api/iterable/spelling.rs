//! What may be a user id or an address, and the address of those who have none.

use sha2::{Digest, Sha256};

/// Characters of a user id.
const LONGEST_USER_ID: usize = 52;
/// What no mail server takes is no address.
const LONGEST_EMAIL: usize = 254;

/// The address of somebody who has none, the same each time.
pub fn placeholder_email(user_id: &str) -> String {
    let plain = |byte: char| byte.is_ascii_alphanumeric() || "-_".contains(byte);
    let local: String = user_id.chars().filter(|byte| plain(*byte)).collect();
    let digest = Sha256::digest(user_id.as_bytes());
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    format!("{}+{number}@{PLACEHOLDER_DOMAIN}", local.to_lowercase())
}

/// The domain of addresses that stand for none.
pub const PLACEHOLDER_DOMAIN: &str = "placeholder.email";

/// Printable ASCII without a blank at its end.
pub fn is_user_id(text: &str) -> bool {
    let is_printable = |byte: u8| (b' '..=b'~').contains(&byte);
    !text.is_empty()
        && text.len() <= LONGEST_USER_ID
        && text.bytes().all(is_printable)
        && !text.ends_with(' ')
}

/// Something before a single `@`, and a domain with a top level behind it.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let is_local = |part: &str| {
        let is_plain = |one: char| {
            !one.is_whitespace() && !one.is_control() && !"@,;:<>()[]\\\"".contains(one)
        };
        !part.is_empty() && part.len() <= 64 && part.chars().all(is_plain)
    };
    let is_label = |label: &str| {
        let is_plain = |one: char| one.is_alphanumeric() || one == '-';
        (1..=63).contains(&label.chars().count())
            && label.chars().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = domain.rsplit_once('.').map(|(_, top)| top);
    text.len() <= LONGEST_EMAIL
        && is_local(local)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.split('.').all(is_label)
        && top.is_some_and(|top| top.chars().count() > 1 && top.chars().any(char::is_alphabetic))
}
