//! Times as a mapping says that they are written: an ordered list of formats, and a zone for wall clocks. Nothing is guessed.

use crate::domain::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::borrow::Cow;

/// How times are written: the first format that fits is taken.
#[derive(Clone, Debug)]
pub struct Moments {
    formats: Vec<Format>,
    zone: TimeZone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Format {
    /// With or without zone, fraction and time of day; where no zone is written, it is the mapping's.
    Rfc3339,
    /// A count since 1970: so many nanoseconds each.
    Epoch(i128),
    /// The same count, of a wall clock's time taken as if it were UTC.
    Wall(i128),
    /// Days since the end of 1899 with the time of day as a fraction, of a wall clock: what a spreadsheet's cell holds.
    Excel,
    /// As `strftime` has it.
    Pattern(String),
}

const UNITS: [(&str, i128); 5] = [
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("days", DAY),
];

const DAY: i128 = 86_400_000_000_000;
/// From the day 0 of spreadsheets to 1970-01-01. They count a 29 February 1900 that there was not, so days before March 1900 are not read.
const EXCEL_DAYS: i64 = 25_569;
const FIRST_DAYS: i64 = 61;
/// A year of two or three digits where four are said is one that somebody has shortened: nobody is from the year 23.
const FIRST_YEAR: i16 = 1_000;

/// A fraction of a day has more digits than it means.
fn round_to_millis(micros: i64) -> i64 {
    (micros + 500).div_euclid(1_000) * 1_000
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            formats: vec![Format::Rfc3339],
            zone: TimeZone::UTC,
        }
    }
}

impl Format {
    fn parse(text: &str) -> Result<Self, String> {
        let unit = |name: &str| {
            UNITS
                .iter()
                .find(|(own, _)| *own == name)
                .map(|(_, unit)| *unit)
        };
        if text == "rfc3339" {
            return Ok(Self::Rfc3339);
        }
        if text == "excel" {
            return Ok(Self::Excel);
        }
        if text.contains('%') {
            return Ok(Self::Pattern(text.to_owned()));
        }
        let epoch = text.strip_prefix("epoch_").and_then(unit).map(Self::Epoch);
        let wall = text.strip_prefix("wall_").and_then(unit).map(Self::Wall);
        epoch.or(wall).ok_or_else(|| {
            format!(
                "{text:?} is no format of times: rfc3339, excel, epoch_UNIT or wall_UNIT with s, ms, us, ns or days, or a pattern with %"
            )
        })
    }
}

impl Moments {
    /// From the texts of a mapping.
    ///
    /// # Errors
    /// Every complaint, with the key that it is about.
    pub fn of(formats: &[String], zone: Option<&str>) -> Result<Self, Vec<String>> {
        let mut complaints = Vec::new();
        let mut known = Vec::new();
        for format in formats {
            match Format::parse(format) {
                Ok(format) => known.push(format),
                Err(complaint) => complaints.push(format!("format: {complaint}")),
            }
        }
        if zone.is_none() && known.iter().any(|format| matches!(format, Format::Wall(_))) {
            complaints.push("format: a wall_ format needs a zone".to_owned());
        }
        let zone = match zone.map(TimeZone::get) {
            None => TimeZone::UTC,
            Some(Ok(zone)) => zone,
            Some(Err(_)) => {
                complaints.push(format!(
                    "zone: {:?} is no time zone that is known here",
                    zone.unwrap_or_default()
                ));
                TimeZone::UTC
            }
        };
        if known.is_empty() {
            known.push(Format::Rfc3339);
        }
        if complaints.is_empty() {
            return Ok(Self {
                formats: known,
                zone,
            });
        }
        Err(complaints)
    }

    /// Milliseconds since 1970, or text: what Roster's own format has.
    pub fn own() -> Self {
        Self {
            formats: vec![Format::Rfc3339, Format::Epoch(1_000_000)],
            zone: TimeZone::UTC,
        }
    }

    /// Reads a time; `None` where no format fits, or it is outside the years that are stored.
    pub fn read(&self, value: &Value) -> Option<Timestamp> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let is_text = value.is_string();
        let found = self
            .formats
            .iter()
            .find_map(|format| self.with(format, &text, is_text));
        found.filter(|at| (Timestamp::MIN..Timestamp::MAX).contains(at))
    }

    fn with(&self, format: &Format, text: &str, is_text: bool) -> Option<Timestamp> {
        match format {
            Format::Rfc3339 if is_text => self.standard(text),
            Format::Rfc3339 => None,
            Format::Epoch(unit) => micros(text, *unit).and_then(Timestamp::from_micros),
            Format::Wall(unit) => {
                let as_utc = micros(text, *unit).and_then(Timestamp::from_micros)?;
                self.on_the_wall(TimeZone::UTC.to_datetime(as_utc.instant()))
            }
            Format::Excel => {
                let since_1899 = micros(text, DAY)?;
                let as_utc = since_1899.checked_sub(EXCEL_DAYS * (DAY / 1_000) as i64)?;
                let as_utc = Timestamp::from_micros(round_to_millis(as_utc))?;
                let is_there = since_1899 >= FIRST_DAYS * (DAY / 1_000) as i64;
                is_there.then(|| self.on_the_wall(TimeZone::UTC.to_datetime(as_utc.instant())))?
            }
            Format::Pattern(pattern) => self.by_pattern(pattern, text),
        }
    }

    /// Writes a time in the first format that reads it back exactly, else in the first.
    pub fn write(&self, at: Timestamp) -> Value {
        let written = self.formats.iter().map(|format| self.in_format(format, at));
        let mut written: Vec<Value> = written.collect();
        let exact = written
            .iter()
            .position(|value| self.read(value) == Some(at));
        written.swap_remove(exact.unwrap_or(0))
    }

    /// Writes a time in the first format, cut to its unit: a fraction of a count is nothing that every store reads.
    pub fn write_cut(&self, at: Timestamp) -> Value {
        let cut = |unit: i128| {
            let micros = i64::try_from((unit / 1_000).max(1)).unwrap_or(i64::MAX);
            let cut = at.micros().div_euclid(micros) * micros;
            Timestamp::from_micros(cut).unwrap_or(at)
        };
        match &self.formats[0] {
            format @ (Format::Epoch(unit) | Format::Wall(unit)) => {
                self.in_format(format, cut(*unit))
            }
            format => self.in_format(format, cut(1_000_000)),
        }
    }

    fn in_format(&self, format: &Format, at: Timestamp) -> Value {
        let zoned = at.instant().to_zoned(self.zone.clone());
        match format {
            Format::Rfc3339 => Value::String(at.to_string()),
            Format::Epoch(unit) => count(at.micros(), *unit),
            Format::Wall(unit) => {
                let shown = TimeZone::UTC.to_zoned(zoned.datetime());
                let micros = shown.map_or(at.micros(), |shown| shown.timestamp().as_microsecond());
                count(micros, *unit)
            }
            Format::Excel => {
                let shown = TimeZone::UTC.to_zoned(zoned.datetime());
                let micros = shown.map_or(at.micros(), |shown| shown.timestamp().as_microsecond());
                count(micros + EXCEL_DAYS * (DAY / 1_000) as i64, DAY)
            }
            Format::Pattern(pattern) => {
                let text = strtime::format(pattern, &zoned);
                text.map_or_else(|_| Value::String(at.to_string()), Value::String)
            }
        }
    }

    fn standard(&self, text: &str) -> Option<Timestamp> {
        let text = &*joined(text);
        let zoned = text.parse::<jiff::Timestamp>().ok().map(Timestamp::new);
        let civil = || {
            let time = text.parse::<DateTime>().ok();
            time.or_else(|| Some(text.parse::<Date>().ok()?.at(0, 0, 0, 0)))
        };
        zoned.or_else(|| self.on_the_wall(civil()?))
    }

    fn by_pattern(&self, pattern: &str, text: &str) -> Option<Timestamp> {
        let parsed = strtime::parse(pattern, text).ok()?;
        let year = parsed.year().or_else(|| parsed.iso_week_year());
        if year.is_some_and(|year| year < FIRST_YEAR) {
            return None;
        }
        if let Ok(instant) = parsed.to_timestamp() {
            return Some(Timestamp::new(instant));
        }
        let day = || Some(parsed.to_date().ok()?.at(0, 0, 0, 0));
        self.on_the_wall(parsed.to_datetime().ok().or_else(day)?)
    }

    /// Of a time that is there twice the earlier; of one that is skipped what the clock would have shown.
    fn on_the_wall(&self, civil: DateTime) -> Option<Timestamp> {
        let zoned = self.zone.to_zoned(civil).ok()?;
        Some(Timestamp::new(zoned.timestamp()))
    }
}

/// The time with its zone where RFC 3339 has it: warehouses write `2023-05-01 10:00:00 UTC` and `2023-05-01 10:00:00 +0200`.
fn joined(text: &str) -> Cow<'_, str> {
    let parts = text.rsplit_once(' ');
    let Some((time, zone)) = parts.filter(|(time, _)| time.contains(':')) else {
        return text.into();
    };
    match zone {
        "UTC" | "GMT" | "Z" => format!("{time}Z").into(),
        _ if zone.starts_with(['+', '-']) => format!("{time}{zone}").into(),
        _ => text.into(),
    }
}

/// A count of microseconds in another unit, with a fraction where it needs one.
fn count(micros: i64, unit: i128) -> Value {
    let nanos = i128::from(micros) * 1_000;
    let (whole, rest) = (nanos / unit, (nanos % unit).abs());
    let sign = if nanos < 0 && whole == 0 { "-" } else { "" };
    let digits = rest * 1_000_000_000_000 / unit;
    let text = format!("{sign}{whole}.{digits:012}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    serde_json::from_str(text).unwrap_or_default()
}

/// Microseconds of a count with or without a fraction, exactly, cut.
fn micros(text: &str, unit: i128) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_count = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_count(whole) || !is_count(fraction) {
        return None;
    }
    let whole: i128 = whole.parse::<i64>().ok()?.into();
    let fraction = &fraction[..fraction.len().min(12)];
    let parts: i128 = fraction.parse().ok()?;
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let nanos = whole * unit + parts * unit / scale;
    i64::try_from(sign * nanos / 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(formats: &[&str], zone: Option<&str>, value: &Value) -> Option<String> {
        let formats: Vec<String> = formats.iter().map(|&text| text.to_owned()).collect();
        let moments = Moments::of(&formats, zone).expect("a mapping's formats");
        moments.read(value).map(|at| at.to_string())
    }

    #[test]
    fn row_50_units_are_said_and_quotes_make_no_difference() {
        let expected = Some("2023-11-14T22:13:20.000Z".to_owned());
        for (format, value) in [
            ("epoch_s", json!(1_700_000_000)),
            ("epoch_s", json!("1700000000")),
            ("epoch_ms", json!("1700000000000")),
            ("epoch_us", json!(1_700_000_000_000_000_i64)),
            ("epoch_ns", json!(1_700_000_000_000_000_000_i64)),
        ] {
            assert_eq!(read(&[format], None, &value), expected, "{format}");
        }
        let day = read(&["epoch_days"], None, &json!(19_675));
        assert_eq!(day.as_deref(), Some("2023-11-14T00:00:00.000Z"));
        let early = read(&["epoch_ms"], None, &json!(1_700_000_000));
        assert_eq!(early.as_deref(), Some("1970-01-20T16:13:20.000Z"));
    }

    #[test]
    fn a_zone_may_stand_behind_a_blank_as_warehouses_write_it() {
        let expected = Some("2023-05-01T10:00:00.000Z".to_owned());
        for text in [
            "2023-05-01 10:00:00 UTC",
            "2023-05-01T10:00:00.000 Z",
            "2023-05-01 12:00:00.000000 +0200",
            "2023-05-01 08:00:00 -02:00",
        ] {
            let at = read(&["rfc3339"], Some("Asia/Shanghai"), &json!(text));
            assert_eq!(at, expected, "{text}");
        }
        for text in ["2023-05-01 10:00:00 CEST", "2023-05-01 UTC"] {
            assert_eq!(read(&["rfc3339"], None, &json!(text)), None, "{text}");
        }
    }

    #[test]
    fn row_5_digits_of_a_wall_clock_have_a_zone() {
        let at = read(
            &["wall_ms"],
            Some("Asia/Shanghai"),
            &json!(1_700_000_000_000_i64),
        );
        assert_eq!(at.as_deref(), Some("2023-11-14T14:13:20.000Z"));
        let at = read(
            &["rfc3339"],
            Some("Europe/Berlin"),
            &json!("2024-07-01 12:00:00"),
        );
        assert_eq!(at.as_deref(), Some("2024-07-01T10:00:00.000Z"));
        let at = read(
            &["rfc3339"],
            Some("Europe/Berlin"),
            &json!("2024-07-01T12:00:00Z"),
        );
        assert_eq!(at.as_deref(), Some("2024-07-01T12:00:00.000Z"));
    }

    #[test]
    fn the_first_format_that_fits_is_taken() {
        let formats = ["%d.%m.%Y %H:%M", "rfc3339", "epoch_s"];
        let at = read(&formats, None, &json!("31.12.2020 23:59"));
        assert_eq!(at.as_deref(), Some("2020-12-31T23:59:00.000Z"));
        let at = read(&formats, None, &json!(1.5));
        assert_eq!(at.as_deref(), Some("1970-01-01T00:00:01.500Z"));
        assert_eq!(read(&formats, None, &json!("soon")), None);
        assert_eq!(
            read(&formats, None, &json!(99_999_999_999_999_999_i64)),
            None
        );
    }

    #[test]
    fn row_21_a_year_of_two_digits_is_none_of_four() {
        let read_by = |formats: &[&str], text: &str| read(formats, None, &json!(text));
        let expected = Some("2023-05-01T00:00:00.000Z".to_owned());
        assert_eq!(read_by(&["%d.%m.%Y"], "01.05.23"), None);
        assert_eq!(read_by(&["%G-W%V-%u"], "23-W18-1"), None);
        assert_eq!(read_by(&["%d.%m.%Y", "%d.%m.%y"], "01.05.23"), expected);
        assert_eq!(read_by(&["%d.%m.%Y"], "01.05.2023"), expected);
    }

    #[test]
    fn complaints_name_what_is_wrong() {
        let formats = ["epoch".to_owned(), "wall_s".to_owned()];
        let complaints = Moments::of(&formats, None).expect_err("two things");
        assert_eq!(complaints.len(), 2);
        assert!(Moments::of(&[], Some("Mars/Olympus")).is_err());
    }
}
