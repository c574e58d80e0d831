//! What people and spreadsheets do to the ids in cells, and what of it can be undone.

use crate::domain::{Code, Gate, Rejection};

/// What looks like nothing and stands around ids that were copied from somewhere.
const INVISIBLE: [char; 8] = [
    '\u{200e}', '\u{200f}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}',
];

/// A text without blanks of any kind around it.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|sign: char| sign.is_whitespace() || INVISIBLE.contains(&sign))
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
    let text = trimmed(text);
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

/// True of what spreadsheets show of a long number: `1.9143E+18`.
pub fn is_damaged(text: &str) -> bool {
    let parts = text
        .split_once(['E', 'e'])
        .and_then(|(digits, exponent)| Some((digits, exponent.strip_prefix('+')?)));
    let Some((digits, exponent)) = parts else {
        return false;
    };
    let is_number = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
    };
    is_number(digits.strip_prefix('-').unwrap_or(digits)) && is_number(exponent)
}

/// One address and nothing else.
fn address(text: &str, column: &str) -> Result<(), Rejection> {
    if text.matches('@').count() > 1 {
        let message = "the cell has several addresses: one cell never joins two people; say split in the mapping to take the first";
        return Err(Rejection::of(Code::SeveralValues, column, message));
    }
    let has_sign = text.contains(|sign: char| {
        sign.is_whitespace() || sign.is_control() || "<>,;:\"()".contains(sign)
    });
    let has_sides = text
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if has_sign || !has_sides {
        let message = "it is no mail address, or there is something around it";
        return Err(Rejection::of(Code::InvalidField, column, message));
    }
    Ok(())
}
