//! Times as senders misspell them, read as far as nobody has to guess: the year stands first or the month has a name, so that day and
//! month are never swapped, and what has no zone is UTC.

use super::Timestamp;
use jiff::civil::DateTime;
use jiff::{SignedDuration, tz::TimeZone};

/// What a field says about a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A time in one of the documented spellings.
    At(Timestamp),
    /// A time in some other spelling.
    Odd(Timestamp),
    /// The zero value of some language: no time was set.
    Nothing,
    Unreadable,
}

/// Before it no sender's clock can have stood: the zero values of Go, .NET and SQL lie there.
const FIRST_YEAR: i16 = 1900;
const FIRST_MICROS: i64 = -2_208_988_800_000_000;
/// The zeros of the scripts that clocks of phones write in; nine more digits follow each.
const ZEROS: [char; 19] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}',
    '\u{be6}', '\u{c66}', '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}',
    '\u{17e0}', '\u{1810}', '\u{ff10}',
];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// More is no time.
const MOST_BYTES: usize = 200;

impl Claim {
    /// Reads a text.
    pub fn of_text(text: &str) -> Self {
        if text.len() > MOST_BYTES {
            return Self::Unreadable;
        }
        // Nearly all senders spell it so, and need no copy.
        match Timestamp::parse(text).filter(|_| !is_count(text)) {
            Some(at) if is_plausible(at) => return Self::At(at),
            Some(_) => return Self::Nothing,
            None => {}
        }
        let plain = plain(text);
        let plain = plain.trim().trim_matches('"').trim();
        if plain.is_empty() {
            return Self::Nothing;
        }
        if is_count(plain) {
            return Self::of_number(plain);
        }
        match Timestamp::parse(plain) {
            Some(at) if is_plausible(at) => Self::Odd(at),
            Some(_) => Self::Nothing,
            None => Reader { rest: plain }.claim().unwrap_or(Self::Unreadable),
        }
    }

    /// Reads a count since 1970: of seconds, milliseconds, or what can only be microseconds or nanoseconds.
    pub fn of_number(digits: &str) -> Self {
        let Ok(number) = digits.parse::<f64>() else {
            return Self::Unreadable;
        };
        let finer = || {
            let is_micros = (2.6e14..1e17).contains(&number);
            let per_second = if is_micros { 1e6 } else { 1e9 };
            let is_finer = (2.6e14..9e18).contains(&number);
            is_finer.then(|| Timestamp::from_epoch(number / per_second))?
        };
        match Timestamp::from_epoch(number) {
            Some(at) if is_plausible(at) => Self::At(at),
            Some(_) => Self::Nothing,
            None => finer().map_or(Self::Unreadable, Self::Odd),
        }
    }
}

/// True where a clock can have said so.
pub fn is_plausible(at: Timestamp) -> bool {
    at.micros() >= FIRST_MICROS
}

/// Eight digits alone are a day.
fn is_count(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let are_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match digits.split_once('.') {
        Some((whole, fraction)) => are_digits(whole) && are_digits(fraction),
        None => are_digits(digits) && digits.len() != 8,
    }
}

/// In ASCII as far as it has a counterpart there; marks of direction and what stands in brackets are left out.
fn plain(text: &str) -> String {
    let text = text.split('(').next().unwrap_or_default();
    let one = |character: char| match character {
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{feff}' => None,
        '\u{2212}' | '\u{2010}'..='\u{2015}' => Some('-'),
        '\u{ff1a}' => Some(':'),
        '\u{ff0f}' => Some('/'),
        other if other.is_whitespace() => Some(' '),
        other => Some(digit(other)),
    };
    text.chars().filter_map(one).collect()
}

fn digit(character: char) -> char {
    let place = |zero: &char| (character as u32).checked_sub(*zero as u32);
    let mut places = ZEROS.iter().filter_map(place);
    let value = places.find(|place| !character.is_ascii() && *place < 10);
    value
        .and_then(|value| char::from_digit(value, 10))
        .unwrap_or(character)
}

/// What is left of a text.
struct Reader<'a> {
    rest: &'a str,
}

type Day = (i16, i8, i8);

impl<'a> Reader<'a> {
    /// `None` for what is no time.
    fn claim(mut self) -> Option<Claim> {
        let (year, month, day) = self.date()?;
        if year < FIRST_YEAR {
            return Some(Claim::Nothing);
        }
        let [hour, minute, second, nanos] = self.time_of_day()?;
        let offset = self.offset()?;
        let hour = i8::try_from(hour).ok()?;
        // A leap second is the second before it, as ISO 8601 is read.
        let second = second.min(59) as i8;
        let civil = DateTime::new(year, month, day, hour, minute as i8, second, nanos).ok()?;
        let instant = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let instant = instant
            .checked_sub(SignedDuration::from_secs(offset))
            .ok()?;
        let at = Timestamp::new(instant);
        (at < Timestamp::MAX).then_some(Claim::Odd(at))
    }

    fn date(&mut self) -> Option<Day> {
        if self.rest.starts_with(|first: char| first.is_ascii_digit()) && self.digits() == 4 {
            let year = self.number(4)?;
            self.one_of("-/.")?;
            let month = self.number(2)?;
            self.one_of("-/.")?;
            return Some((year as i16, month as i8, self.number(2)? as i8));
        }
        self.named_date()
    }

    /// `Tue, 02 Jan 2024`, `Tue Jan 02 2024`, `January 2, 2024`.
    fn named_date(&mut self) -> Option<Day> {
        if DAYS.contains(&self.next_word().get(..3)?.to_ascii_lowercase().as_str()) {
            self.word();
            self.skip(", ");
        }
        let before = self.digits() > 0;
        let mut day = if before { self.number(2)? } else { 0 };
        self.skip(" -");
        let word = self.word().to_ascii_lowercase();
        let month = MONTHS
            .iter()
            .position(|month| word.get(..3) == Some(month))?;
        self.skip("., -");
        if !before {
            day = self.number(2)?;
            self.skip(", ");
        }
        if self.digits() != 4 {
            return None;
        }
        Some((self.number(4)? as i16, month as i8 + 1, day as i8))
    }

    /// Midnight where there is none.
    fn time_of_day(&mut self) -> Option<[i32; 4]> {
        self.skip("Tt, ");
        if self.digits() == 0 {
            return Some([0; 4]);
        }
        let hour = self.number(2)?;
        self.one_of(":.")?;
        let minute = self.number(2)?;
        let (mut second, mut nanos) = (0, 0);
        if self.one_of(":.").is_some() {
            second = self.number(2)?;
            if self.digits_after(":.,") {
                self.skip(":.,");
                nanos = self.fraction()?;
            }
            self.skip(":");
        }
        let is_time = hour < 24 && minute < 60 && second <= 60;
        let hour = self.by_half_of_day(hour)?;
        is_time.then_some([hour, minute, second, nanos])
    }

    /// `3 PM` is 15; `0 PM` and `13 AM` are nothing.
    fn by_half_of_day(&mut self, hour: i32) -> Option<i32> {
        self.skip(" ");
        let half = self.rest.get(..2).unwrap_or_default().to_ascii_lowercase();
        let is_half = half == "am" || half == "pm";
        if is_half {
            self.rest = &self.rest[2..];
        }
        match (half.as_str(), hour) {
            ("am", 12) => Some(0),
            ("am", 13..) => None,
            ("pm", 1..12) => Some(hour + 12),
            ("pm", 0) => None,
            _ => Some(hour),
        }
    }

    /// Seconds east; none are UTC. After a number the name of its zone says nothing new.
    fn offset(&mut self) -> Option<i64> {
        self.skip(" ");
        let name = self.word().to_ascii_lowercase();
        if !["", "z", "utc", "gmt"].contains(&name.as_str()) {
            return None;
        }
        self.skip(" ");
        let sign = match self.one_of("+-") {
            Some('-') => -1,
            Some(_) => 1,
            None => return self.rest.is_empty().then_some(0),
        };
        let count = self.digits();
        let digits = self.number(4)?;
        let (hours, minutes) = match count {
            4 => (digits / 100, digits % 100),
            1 | 2 if self.one_of(":").is_some() => (digits, self.number(2)?),
            1 | 2 => (digits, 0),
            _ => return None,
        };
        self.skip(" ");
        self.word();
        let is_end = self.rest.is_empty() || self.rest.starts_with(" m=");
        let seconds = i64::from(hours * 3_600 + minutes * 60);
        (is_end && hours < 16 && minutes < 60).then_some(sign * seconds)
    }

    fn digits(&self) -> usize {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit);
        digits.count()
    }

    fn digits_after(&self, marks: &str) -> bool {
        let rest = self.rest.trim_start_matches(|mark| marks.contains(mark));
        rest.len() < self.rest.len() && rest.starts_with(|first: char| first.is_ascii_digit())
    }

    /// A number of at most so many digits.
    fn number(&mut self, most: usize) -> Option<i32> {
        let count = self.digits();
        if count > most {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits.parse().ok()
    }

    /// Nanoseconds; digits beyond them are cut.
    fn fraction(&mut self) -> Option<i32> {
        let (digits, rest) = self.rest.split_at(self.digits());
        self.rest = rest;
        let nanos = format!("{digits:0<9}");
        nanos[..9].parse().ok()
    }

    fn one_of(&mut self, marks: &str) -> Option<char> {
        let first = self
            .rest
            .chars()
            .next()
            .filter(|first| marks.contains(*first))?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(first)
    }

    fn skip(&mut self, marks: &str) {
        self.rest = self.rest.trim_start_matches(|mark| marks.contains(mark));
    }

    fn next_word(&self) -> &'a str {
        let letters = self.rest.bytes().take_while(u8::is_ascii_alphabetic);
        &self.rest[..letters.count()]
    }

    fn word(&mut self) -> &'a str {
        let word = self.next_word();
        self.rest = &self.rest[word.len()..];
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect(text)
    }

    #[test]
    fn what_needs_no_guess_is_read() {
        let cases = [
            ("٢٠٢٤-٠١-٠٢T٠٣:٠٤:٠٥Z", "2024-01-02T03:04:05Z"),
            ("۲۰۲۴-۰۱-۰۲ ۰۳:۰۴:۰۵", "2024-01-02T03:04:05Z"),
            ("2024-01-02T3:04:05 PMZ", "2024-01-02T15:04:05Z"),
            ("2024-01-02T12:04:05\u{202f}amZ", "2024-01-02T00:04:05Z"),
            ("2021-10-16T16:00:27.029:Z", "2021-10-16T16:00:27.029Z"),
            ("2017-1-05T16:44:34+0800", "2017-01-05T08:44:34Z"),
            (
                "2016-07-18 10:00:00.123 +0000 UTC",
                "2016-07-18T10:00:00.123Z",
            ),
            (
                "2016-07-18 10:00:00.5 -0700 PDT m=+0.1",
                "2016-07-18T17:00:00.5Z",
            ),
            ("2019-11-11T21.10.14.988Z", "2019-11-11T21:10:14.988Z"),
            ("2024/1/2 3:04", "2024-01-02T03:04:00Z"),
            ("Tue, 02 Jan 2024 03:04:05 GMT", "2024-01-02T03:04:05Z"),
            (
                "Tue Jan 02 2024 03:04:05 GMT+0530 (India)",
                "2024-01-01T21:34:05Z",
            ),
            ("January 2, 2024", "2024-01-02T00:00:00Z"),
            ("1704164645678000", "2024-01-02T03:04:05.678Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(Claim::of_text(text), Claim::Odd(at(expected)), "{text}");
        }
        for text in [
            "1704164645678",
            "1704164645.678",
            "2024-01-02T03:04:05.678Z",
        ] {
            let expected = Claim::At(at("2024-01-02T03:04:05.678Z"));
            assert_eq!(Claim::of_text(text), expected, "{text}");
        }
    }

    #[test]
    fn zero_values_are_nothing() {
        for text in [
            "",
            " ",
            "0001-01-01T00:00:00Z",
            "0000-00-00",
            "0000-00-00 00:00:00",
            "1753-01-01",
            "1899-12-30T00:00:00",
            "-62135596800",
        ] {
            assert_eq!(Claim::of_text(text), Claim::Nothing, "{text}");
        }
    }

    #[test]
    fn what_would_be_a_guess_is_not_read() {
        for text in [
            "soon",
            "01/02/2024",
            "2.1.2024",
            "2024-13-01",
            "2024-02-30T00:00:00Z",
            "10013-01-01T00:00:00Z",
            "2024-01-02T13:04:05 AM",
            "2024-01-02T03:04:05 EST",
            "2024-01-02T25:00:00Z",
            "2024-01-02T03:04:05Z junk",
            "1e300",
            "Infinity",
        ] {
            assert_eq!(Claim::of_text(text), Claim::Unreadable, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn laws_no_text_breaks_it(text in "\\PC{0,40}", odd in "[0-9]{1,5}[-/.][0-9]{1,3}[-/.][0-9]{1,3}[T ]?[0-9:., apmAPMZUTC+-]{0,20}") {
            for text in [text, odd] {
                if let Claim::At(at) | Claim::Odd(at) = Claim::of_text(&text) {
                    proptest::prop_assert!(is_plausible(at) && at < Timestamp::MAX);
                }
            }
        }
    }
}
