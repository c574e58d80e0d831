//! Texts that name nobody: what programs send where they have no id. Whoever takes one for a name makes one person of strangers.

use super::{Limits, Rules};

/// What programs, libraries and SDKs were seen to send; compared in any case.
const WORDS: [&str; 86] = [
    "undefined",
    "null",
    "none",
    "nan",
    "nil",
    "void",
    "infinity",
    "-infinity",
    "true",
    "false",
    "-1",
    "anonymous",
    "guest",
    "unknown",
    "n/a",
    "na",
    "not set",
    "(not set)",
    "not_set",
    "empty",
    "missing",
    "(null)",
    "<null>",
    "<nil>",
    "(none)",
    "<none>",
    // What databases, their tools and data frames write for NULL into files.
    "\\n",
    "[null]",
    "<na>",
    "[object object]",
    "[object undefined]",
    "[object null]",
    "[object promise]",
    "not_authenticated",
    "unauthenticated",
    "id",
    "email",
    "user_id",
    "userid",
    "user id",
    "anonymous_id",
    "anonymousid",
    "distinct_id",
    "distinctid",
    "device_id",
    "deviceid",
    // What each device of some makers said that its id was (Android), and the build that some SDKs sent for it.
    "9774d56d682e549c",
    "lmy47d",
    // What spreadsheets show where a formula failed, or is not done yet; some in the user's language.
    "#n/a",
    "#n/d",
    "#nv",
    "#ref!",
    "#name?",
    "#value!",
    "#div/0!",
    "#num!",
    "#null!",
    "#spill!",
    "#calc!",
    "#error!",
    "#wert!",
    "#bezug!",
    "#zahl!",
    "#valeur!",
    "#nom?",
    "#nombre!",
    "#nul!",
    "#valor!",
    "#nome?",
    "#rif!",
    "#waarde!",
    "#verw!",
    "#field!",
    "#busy!",
    "#blocked!",
    "#connect!",
    "#unknown!",
    "#getting_data",
    "err:502",
    "err:504",
    "err:508",
    "err:509",
    "err:510",
    "err:511",
    "err:522",
    "loading...",
];

/// So many equal digits are no number that somebody counted to; of other characters fewer are enough.
const EQUAL_DIGITS: usize = 8;
const EQUAL_CHARACTERS: usize = 4;

/// Without white space, control characters and pairs of quotes around it. Nothing is left to take away: an id as it is shown is the id.
pub(super) fn bare(text: &str) -> &str {
    let mut text = trimmed(text);
    while let Some(inner) = unquoted(text) {
        text = trimmed(inner);
    }
    text
}

fn unquoted(text: &str) -> Option<&str> {
    let mut quotes = ['"', '\''].into_iter();
    quotes.find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

fn trimmed(text: &str) -> &str {
    let is_nothing = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    text.trim_matches(is_nothing)
}

/// True of a text that names nobody. What the project says comes before what the installation says, and both before the usual.
pub(super) fn is_placeholder(text: &str, rules: &Rules, limits: &Limits) -> bool {
    let text = bare(text);
    let is_in = |list: &[String]| list.iter().any(|one| is_alike(bare(one), text));
    let is_listed = |list: &str| list.split(',').any(|one| is_alike(bare(one), text));
    if text.is_empty() || is_in(&rules.placeholders) {
        return true;
    }
    if is_in(&rules.no_placeholders) {
        return false;
    }
    is_listed(&limits.placeholders) || (is_usual(text) && !is_listed(&limits.no_placeholders))
}

fn is_alike(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn is_usual(text: &str) -> bool {
    let halves = text.split_once('@');
    WORDS.iter().any(|word| is_alike(word, text))
        || says_nothing(text)
        || is_unfilled(text)
        || halves.is_some_and(|(one, other)| is_usual(one) && is_usual(other))
}

/// All zeros, marks and nothing else, or one character again and again.
fn says_nothing(text: &str) -> bool {
    let mut told = text
        .chars()
        .filter(|one| !one.is_ascii_punctuation() && *one != ' ');
    let Some(first) = told.next() else {
        return true;
    };
    let enough = match first {
        '0' => 1,
        '1'..='9' => EQUAL_DIGITS,
        _ => EQUAL_CHARACTERS,
    };
    let mut count = 1;
    told.all(|one| {
        count += 1;
        one == first
    }) && count >= enough
}

/// A template that nobody filled in: `{{user.id}}`, `${userId}`.
fn is_unfilled(text: &str) -> bool {
    let is_between = |start, end| text.starts_with(start) && text.ends_with(end);
    is_between("{{", "}}") || is_between("${", "}") || is_between("%%", "%%")
}

#[cfg(test)]
#[path = "placeholder_tests.rs"]
mod tests;
