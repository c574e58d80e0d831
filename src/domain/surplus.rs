//! What goes beyond a limit and is left out, so that the rest can be stored: each told by its name.
//!
//! What is kept does not depend on the sender's order of keys, so that a resend says the same.

use super::command::Command;
use super::limits::Limits;
use super::sizes::beginning;
use super::warning::{Warning, Warnings};
use super::{Code, Json, Rejection, sizes};
use std::collections::BTreeMap;

/// The part of a name that a warning repeats.
const SHOWN_NAME_BYTES: usize = 100;
/// Names that a warning about many has.
const SHOWN_NAMES: usize = 5;

/// The limits over which a part of an item is left out.
const LIMITS: [Code; 3] = [
    Code::TooManyProperties,
    Code::TraitTooLarge,
    Code::ProfileTooLarge,
];

type Members = BTreeMap<String, Json>;

impl Command {
    /// Why an item is refused of which nothing may be left out: of a dialect whose answers have no place for warnings.
    pub fn over_a_limit(&self) -> Option<Rejection> {
        let refused = |warning: &Warning| {
            let mut limits = LIMITS.into_iter();
            let code = limits.find(|code| code.as_str() == warning.code)?;
            let message = format!("More than a limit lets in: {}", warning.field);
            Some(Rejection::of(code, &warning.field, message))
        };
        self.warnings().iter().find_map(refused)
    }
}

/// An object with no more keys, at any depth, than the limit: members beyond it are left out.
pub(super) fn keys(object: Json, field: &str, limit: usize, warnings: &mut Warnings) -> Json {
    if sizes::properties(&object, field, limit).is_ok() {
        return object;
    }
    // Each needs a key at the least: no more than the limit can stay.
    let found = object.first_members(limit, SHOWN_NAMES);
    let (mut members, others, names) = found.unwrap_or_default();
    let mut room = limit;
    let fits = |_: &str, value: &Json| {
        let own = 1 + value.count_keys();
        let fits = own <= room;
        room -= if fits { own } else { 0 };
        fits
    };
    let mut left_out = split(&mut members, fits);
    left_out.count += others;
    left_out.names.extend(names.iter().map(|name| cut(name)));
    left_out.names.truncate(SHOWN_NAMES);
    let limit = format!("{limit} keys");
    tell(Code::TooManyProperties, field, &left_out, &limit, warnings);
    Json::from_members(&members)
}

/// Leaves out traits that are too large, and then those for which a profile has no room.
pub(super) fn traits(members: &mut Members, limits: &Limits, warnings: &mut Warnings) {
    let large = split(members, |_, value| {
        value.as_bytes().len() <= limits.trait_bytes
    });
    let limit = format!("{} bytes of a trait", limits.trait_bytes);
    tell(Code::TraitTooLarge, "traits", &large, &limit, warnings);
    let (mut count, mut bytes) = (0, 0);
    let surplus = split(members, |name, value| {
        let size = name.len() + value.as_bytes().len();
        let fits = count < limits.profile_traits && bytes + size <= limits.profile_bytes;
        (count, bytes) = if fits {
            (count + 1, bytes + size)
        } else {
            (count, bytes)
        };
        fits
    });
    let limit = format!(
        "{} traits and {} bytes of a profile",
        limits.profile_traits, limits.profile_bytes
    );
    tell(Code::ProfileTooLarge, "traits", &surplus, &limit, warnings);
}

/// What does not fit.
#[derive(Default)]
struct LeftOut {
    count: usize,
    /// Some of the names.
    names: Vec<String>,
}

/// Takes out what does not fit.
fn split(members: &mut Members, mut fits: impl FnMut(&str, &Json) -> bool) -> LeftOut {
    let mut left_out = LeftOut::default();
    members.retain(|name, value| {
        let fits = fits(name, value);
        if !fits {
            left_out.count += 1;
            if left_out.names.len() < SHOWN_NAMES {
                left_out.names.push(cut(name));
            }
        }
        fits
    });
    left_out
}

fn cut(name: &str) -> String {
    beginning(name, SHOWN_NAME_BYTES).to_owned()
}

/// One warning for each of a few, one for all of many.
fn tell(code: Code, field: &str, left_out: &LeftOut, limit: &str, warnings: &mut Warnings) {
    let (LeftOut { count, names }, code) = (left_out, code.as_str());
    if *count <= names.len() {
        for name in names {
            let message = format!("it is left out: over the limit of {limit}");
            warnings.push(Warning::of(code, format!("{field}.{name}"), message));
        }
        return;
    }
    let shown = names.join(", ");
    let message = format!("{count} members are left out, over the limit of {limit}: {shown}, …");
    warnings.push(Warning::of(code, field, message));
}
