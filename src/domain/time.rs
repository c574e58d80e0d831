//! Points in time: how a sender's text becomes one, and how a wrong clock is put right.
//!
//! The core reads no clock: "now" is always an argument.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp as Instant, tz::TimeZone};
use std::fmt;

/// A point in time in UTC, to the microsecond (what both databases keep).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(Instant);

/// Below this difference a sender's clock counts as right, so that a resend gives the same times.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How far ahead of ours the clock of a legacy store may be: what is further ahead is no time of anything that was.
pub const CLOCKS_APART: std::time::Duration = std::time::Duration::from_secs(60);

impl Timestamp {
    /// The beginning of the year 1: nothing earlier is stored.
    pub const MIN: Self = Self(Instant::constant(-62_135_596_800, 0));
    /// The beginning of the year 9999: nothing from then on is stored.
    pub const MAX: Self = Self(Instant::constant(253_370_764_800, 0));

    /// Cuts to whole microseconds.
    pub fn new(instant: Instant) -> Self {
        Self(Instant::from_microsecond(instant.as_microsecond()).unwrap_or(instant))
    }

    /// Microseconds since 1970.
    pub fn from_micros(micros: i64) -> Option<Self> {
        Instant::from_microsecond(micros).ok().map(Self)
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// The same instant in the calendar library's type.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// That much later, or the latest time there is.
    pub fn plus(self, duration: std::time::Duration) -> Self {
        self.0.checked_add(duration).map_or(Self::MAX, Self::new)
    }

    /// That much earlier, or the earliest time there is.
    pub fn minus(self, duration: std::time::Duration) -> Self {
        self.0.checked_sub(duration).map_or(Self::MIN, Self::new)
    }

    /// Reads ISO 8601 with or without zone, fraction or time of day (UTC where none is given); `None` if it is no such time
    /// or outside the years 1 to 9998, which both databases keep. The name of a zone (`[Europe/Berlin]`) is no offset.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let zoned = text.parse::<Instant>().ok();
        let civil = || {
            let at = text.parse::<DateTime>();
            let at = at.or_else(|_| text.parse::<Date>().map(|day| day.at(0, 0, 0, 0)));
            let at = at.ok().filter(|_| !text.contains('['))?;
            Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
        };
        zoned
            .or_else(civil)
            .map(Self::new)
            .filter(|time| time.is_storable())
    }

    fn is_storable(self) -> bool {
        (Self::MIN..Self::MAX).contains(&self)
    }

    /// Reads a count since 1970: seconds, or milliseconds where seconds would lie beyond the year 5138.
    pub fn from_epoch(number: f64) -> Option<Self> {
        let seconds = if number.abs() < 1e11 {
            number
        } else {
            number / 1e3
        };
        let micros = seconds * 1e6;
        (micros.abs() < 2.5e17)
            .then(|| Self::from_micros(micros.round() as i64))
            .flatten()
            .filter(|time| time.is_storable())
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, or microseconds where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = if self.micros() % 1_000 == 0 { 3 } else { 6 };
        write!(f, "{:.precision$}", self.0)
    }
}

/// What a call says about its own time.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimedTimes {
    /// When the thing happened, by the sender's clock.
    pub occurred_at: Option<Timestamp>,
    /// When the sender sent it, by the same clock.
    pub sent_at: Option<Timestamp>,
}

impl ClaimedTimes {
    /// Puts the sender's time right: moved by the clock's error where that exceeds five minutes, never later than receipt.
    pub fn corrected(self, received_at: Timestamp) -> Timestamp {
        let Some(occurred_at) = self.occurred_at else {
            return received_at;
        };
        let error = self.sent_at.map_or(SignedDuration::ZERO, |sent_at| {
            received_at.0.duration_since(sent_at.0)
        });
        let shift = if error.abs() > CLOCK_TOLERANCE {
            error
        } else {
            SignedDuration::ZERO
        };
        let moved = occurred_at
            .0
            .checked_add(shift)
            .map_or(received_at, Timestamp::new);
        moved.min(received_at)
    }

    /// The earliest time at which it may have happened: as sent, as put right, no later than it was sent. A call of a clock that is
    /// behind and a call that was held back look the same.
    pub fn earliest(self, received_at: Timestamp) -> Timestamp {
        let said = [self.occurred_at, self.sent_at].into_iter().flatten();
        said.fold(self.corrected(received_at), Timestamp::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect(text)
    }

    #[test]
    fn every_spelling_that_sdks_send_is_read() {
        let expected = at("2024-01-02T03:04:05.678Z");
        for text in [
            "2024-01-02T03:04:05.678+00:00",
            "2024-01-02T03:04:05.678000+00:00",
            "2024-01-02T08:34:05.678+05:30",
            "2024-01-02 03:04:05.678",
            "2024-01-02T04:04:05.678+01:00[Europe/Berlin]",
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
        assert_eq!(at("2024-01-02"), at("2024-01-02T00:00:00Z"));
        assert_eq!(Timestamp::from_epoch(1_704_164_645.678), Some(expected));
        assert_eq!(Timestamp::from_epoch(1_704_164_645_678.0), Some(expected));
    }

    #[test]
    fn nonsense_is_no_time() {
        for text in [
            "",
            "yesterday",
            "99999-01-01T00:00:00Z",
            "+99999-01-01T00:00:00Z",
            "2024-13-01",
            "2024-01-02T25:00:00Z",
            "2024-01-02T03:04:05[Europe/Berlin]",
            "2024-01-02[Europe/Berlin]",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp::from_epoch(f64::NAN), None);
        assert_eq!(Timestamp::from_epoch(1e300), None);
    }

    #[test]
    fn a_wrong_clock_is_put_right_and_a_good_one_left_alone() {
        let received_at = at("2026-01-01T12:00:00Z");
        let claim = |occurred: &str, sent: &str| ClaimedTimes {
            occurred_at: Some(at(occurred)),
            sent_at: Some(at(sent)),
        };
        assert_eq!(
            claim("2026-01-01T11:58:00Z", "2026-01-01T11:58:30Z").corrected(received_at),
            at("2026-01-01T11:58:00Z")
        );
        assert_eq!(
            claim("2025-01-01T11:59:00Z", "2025-01-01T12:00:00Z").corrected(received_at),
            at("2026-01-01T11:59:00Z")
        );
        assert_eq!(
            claim("2027-01-01T11:59:00Z", "2027-01-01T12:00:00Z").corrected(received_at),
            at("2026-01-01T11:59:00Z")
        );
        assert_eq!(
            claim("2019-05-06T00:00:00Z", "2026-01-01T12:00:00Z").corrected(received_at),
            at("2019-05-06T00:00:00Z")
        );
        assert_eq!(
            claim("2026-01-01T12:03:00Z", "2026-01-01T12:01:00Z").corrected(received_at),
            received_at
        );
        assert_eq!(ClaimedTimes::default().corrected(received_at), received_at);
    }

    proptest::proptest! {
        /// A clock that is right or behind, or ahead with nothing held back, never makes a call look newer than it is.
        #[test]
        fn laws_nothing_happened_before_its_earliest_time(
            happened in 0..1_000_000_i64, kept in 0..100_000_i64, held in 0..100_000_i64, error in -100_000..100_000_i64,
            has_time in proptest::bool::ANY,
        ) {
            let second = |at: i64| Timestamp::from_micros((at + 1_000_000) * 1_000_000).expect("small");
            let (sent, held) = (happened + kept, if error > 0 { 0 } else { held });
            let claimed = ClaimedTimes {
                occurred_at: has_time.then(|| second(happened + error)),
                sent_at: Some(second(sent + error)),
            };
            let earliest = claimed.earliest(second(sent + held));
            let small_error = if (1..=300).contains(&error) { error } else { 0 };
            let latest = if has_time { happened } else { sent };
            proptest::prop_assert!(earliest <= second(latest + small_error));
        }
    }
}
