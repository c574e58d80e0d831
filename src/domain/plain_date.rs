//! The few spellings of a date that Iterable takes for one (contract `iterable-api.md`, section 6.1). Any other text is a text.

use super::Timestamp;

/// No such spelling is longer.
const LONGEST: usize = 48;

/// A text that is a date: a day, with a time behind a blank and perhaps a zone, or as ISO 8601 has it with a zone. A fraction of a
/// second stands in the latter alone.
pub fn plain_date(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let is_day = (10..=LONGEST).contains(&bytes.len())
        && text.is_ascii()
        && bytes
            .iter()
            .take(10)
            .enumerate()
            .all(|(place, byte)| match place {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            });
    let rest = is_day.then(|| &text[10..])?;
    let has_zone =
        || rest.ends_with('Z') || rest.len() > 6 && rest[rest.len() - 6..].starts_with(['+', '-']);
    let is_date = match rest.as_bytes().first() {
        None => true,
        // Without a fraction, with or without a zone behind a blank.
        Some(b' ') => !rest.contains('.') && (rest.len() == 9 || rest.len() == 16 && has_zone()),
        Some(b'T') => has_zone(),
        _ => false,
    };
    let spaced = rest.len() == 16 && rest.starts_with(' ');
    let text = if spaced {
        // The calendar library knows no blank before a zone.
        format!("{}{}", &text[..19], &text[20..])
    } else {
        text.to_owned()
    };
    is_date.then(|| Timestamp::parse(&text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_the_contract_are_dates_and_no_others() {
        for text in [
            "2006-01-02",
            "2006-01-02 15:04:05",
            "2006-01-02 15:04:05 -07:00",
            "2006-01-02T15:04:05.000-07:00",
            "2006-01-02T15:04:05Z",
            "2020-08-19T20:50:04.000Z",
        ] {
            assert!(plain_date(text).is_some(), "{text}");
        }
        for text in [
            "2020-04-13 14:04:09.000",
            "2020-13-01",
            "2020-01-02T03:04:05",
            "20200102",
            "02/01/2020",
            "1577934245",
            "2020-01-02é",
            "2020-01-02 é3:04:05 +00:00",
            "2020-01-02T03:04:05+é",
            "2020-01-02Té04:05",
            "GGG",
            "",
        ] {
            assert_eq!(plain_date(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn laws_no_text_breaks_it(text in "\\PC{0,20}", odd in "[0-9]{4}-[0-9]{2}-[0-9]{2}\\PC{0,20}") {
            for text in [text, odd] {
                if let Some(at) = plain_date(&text) {
                    proptest::prop_assert!(at < Timestamp::MAX);
                }
            }
        }
    }
}
