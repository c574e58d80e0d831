//! What people and spreadsheets do to the ids in cells, and what of it can be undone.

use crate::domain::{Code, Gate, Rejection, Warning};
use serde_json::Value;

/// What stands around addresses that were copied from a letter, a list or a text, and in none that mail comes to.
const AROUND: &str = "<>,;:\"()[]|\\“”„«»‹›";
/// The same of signs that an address may have within it.
const QUOTES: [char; 5] = ['\'', '`', '‘', '’', '‚'];

/// What follows an address in links.
const OF_LINKS: [char; 3] = ['?', '/', '&'];

/// What looks like nothing and stands around ids that were copied from somewhere: joiners, and marks of the direction of writing.
fn is_invisible(sign: char) -> bool {
    matches!(
        sign,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

/// A text without blanks of any kind around it.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|sign: char| sign.is_whitespace() || is_invisible(sign))
}

/// A text without the formula that keeps spreadsheets from taking it for a number: `="007"` is `007`.
fn without_formula(text: &str) -> &str {
    let inner = text
        .strip_prefix("=\"")
        .and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.filter(|inner| !inner.contains('"'));
    inner.map_or(text, trimmed)
}

/// An identity as it can be stored; `None` where nothing stands there.
///
/// # Errors
/// `DamagedNumber`, `SeveralValues`, and `InvalidField` of what is no address.
pub fn identity(
    kind: &str,
    text: &str,
    column: &str,
    gate: &Gate<'_>,
) -> Result<Option<String>, Rejection> {
    let text = without_formula(trimmed(text));
    if is_damaged(text) {
        let message = "a spreadsheet has rounded this number: its last digits are lost, so it names nobody for sure";
        return Err(Rejection::of(Code::DamagedNumber, column, message));
    }
    // What stands for nobody, like "none", is left out by the gate.
    if kind == "email" && !text.is_empty() && !gate.is_placeholder(text) {
        address(text, column)?;
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// What of a text may be a name, also where the text is none for what stands around it: of addresses each.
pub fn names_in<'t>(kind: &str, text: &'t str) -> Vec<&'t str> {
    let text = without_formula(trimmed(text));
    if kind != "email" {
        return vec![text]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
    }
    let is_around = |sign: char| {
        sign.is_whitespace()
            || is_invisible(sign)
            || AROUND.contains(sign)
            || QUOTES.contains(&sign)
            || OF_LINKS.contains(&sign)
    };
    let parts = text.split(is_around).filter(|part| part.contains('@'));
    let parts = parts.map(|part| part.trim_matches('.'));
    std::iter::once(text)
        .chain(parts)
        .filter(|text| !text.is_empty())
        .collect()
}

/// Warns of a value that is stored as it came, and was another number once.
pub fn damage(field: &str, value: &Value) -> Option<Warning> {
    let is_it = value.as_str().is_some_and(is_damaged);
    let message = "a spreadsheet has rounded this number: its last digits are lost";
    is_it.then(|| Warning::of("damaged_number", field, message))
}

/// True of what spreadsheets and programs show of a long number: `1.9143E+18`, or `1.9143E18`. Without a point or a sign it may be a
/// code: `12E5`.
pub fn is_damaged(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let has_point = digits.contains(['.', ',']);
    let exponent = match exponent.strip_prefix(['+', '-']) {
        Some(_) if exponent.starts_with('-') && !has_point => return false,
        Some(bare) => bare,
        None if has_point => exponent,
        None => return false,
    };
    let is_number = |part: &str| {
        part.contains(|sign: char| sign.is_ascii_digit())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
    };
    is_number(digits.strip_prefix('-').unwrap_or(digits)) && is_number(exponent)
}

/// Within it and at its end some providers take dots as they come.
fn is_begun(local: &str) -> bool {
    !local.is_empty() && !local.starts_with('.')
}

/// Names with a dot between each two, as the text of a letter or of a link leaves them not.
fn is_domain(domain: &str) -> bool {
    !domain.contains(OF_LINKS) && domain.split('.').all(|name| !name.is_empty())
}

/// One address and nothing else.
fn address(text: &str, column: &str) -> Result<(), Rejection> {
    if text.matches('@').count() > 1 {
        let message = "the cell has several addresses: one cell never joins two people; say split in the mapping to take the first";
        return Err(Rejection::of(Code::SeveralValues, column, message));
    }
    let has_sign = text.contains(|sign: char| {
        sign.is_whitespace() || sign.is_control() || is_invisible(sign) || AROUND.contains(sign)
    });
    // A pair is taken off by the gate.
    let inner = text
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    let has_sign = has_sign || inner.unwrap_or(text).trim_matches(QUOTES) != inner.unwrap_or(text);
    let has_sides = inner
        .unwrap_or(text)
        .split_once('@')
        .is_some_and(|(local, domain)| is_begun(local) && is_domain(domain));
    if has_sign || !has_sides {
        let message = "it is no mail address, or there is something around it";
        return Err(Rejection::of(Code::InvalidField, column, message));
    }
    Ok(())
}
