//! When a schedule is due: a cron expression in a time zone, as instants.

use crate::domain::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// Schedules of one minute are spread over so many seconds, so that not all of them begin on the hour.
const SPREAD_SECONDS: u64 = 300;
/// Bytes of an expression: the longest sensible one lists all minutes.
const MOST_BYTES: usize = 256;

/// Times of day that are looked for one by one; who says more means an interval.
const MOST_SINGLES: usize = 100;

/// Which part of a schedule can't be, by its name, and a sentence for whoever wrote it.
pub type Complaint = (&'static str, String);

/// The times of a schedule.
#[derive(Debug)]
pub struct Calendar {
    /// One for each of its times of day, where these are said one by one.
    crons: Vec<Cron>,
    zone: TimeZone,
    /// How long after its minute it begins, the same each time.
    stagger: Duration,
}

impl Calendar {
    /// Reads an expression of five fields and the name of a time zone.
    ///
    /// # Errors
    /// What of it can't be.
    pub fn parse(expression: &str, zone: &str, schedule: Uuid) -> Result<Self, Complaint> {
        let refused = |told: String| ("cron", told);
        if expression.len() > MOST_BYTES {
            let told = format!("a schedule has at most {MOST_BYTES} bytes");
            return Err(refused(told));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let unreadable = |error| refused(format!("{expression:?} is no cron expression: {error}"));
        parser.parse(expression).map_err(unreadable)?;
        let single = singles(expression);
        let crons = single.iter().map(|single| parser.parse(single));
        let crons = crons.collect::<Result<_, _>>().map_err(unreadable)?;
        let unknown = |_| ("time_zone", format!("there is no time zone {zone:?}"));
        let zone = TimeZone::get(zone).map_err(unknown)?;
        let calendar = Self {
            crons,
            zone,
            stagger: stagger(schedule),
        };
        // A day that never comes is a mistake, told at once.
        match calendar.after(Timestamp::from_epoch(0.0).unwrap_or(Timestamp::MIN)) {
            Some(_) => Ok(calendar),
            None => Err(refused(format!("{expression:?} never comes"))),
        }
    }

    /// The next time, strictly later than that one.
    pub fn after(&self, last: Timestamp) -> Option<Timestamp> {
        let base = last.minus(self.stagger);
        let from = base.instant().to_zoned(self.zone.clone());
        let all = self.crons.iter();
        let all = all.filter_map(|cron| cron.find_next_occurrence(&from, false).ok());
        let next = Timestamp::new(all.map(|next| next.timestamp()).min()?);
        (next > base).then(|| next.plus(self.stagger))
    }
}

/// The expression with each of its times of day by itself, where minutes and hours are numbers. What has several is an interval to the
/// library, and runs of an interval that fall into an hour that is skipped are left out.
fn singles(expression: &str) -> Vec<String> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let whole = || vec![expression.to_owned()];
    let [minutes, hours, ..] = fields[..] else {
        return whole();
    };
    let (Some(minutes), Some(hours)) = (numbers(minutes), numbers(hours)) else {
        return whole();
    };
    if minutes.len() * hours.len() > MOST_SINGLES {
        return whole();
    }
    let days = fields[2..].join(" ");
    let at = |hour| minutes.iter().map(move |minute| (minute, hour));
    let times = hours.iter().flat_map(at);
    times
        .map(|(minute, hour)| format!("{minute} {hour} {days}"))
        .collect()
}

/// The numbers of a list of some; `None` of any other field.
fn numbers(field: &str) -> Option<BTreeSet<u8>> {
    field.split(',').map(|number| number.parse().ok()).collect()
}

fn stagger(schedule: Uuid) -> Duration {
    let digest = Sha256::digest(schedule.as_bytes());
    let number = digest[..8]
        .iter()
        .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Duration::from_secs(number % SPREAD_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Minutes of a schedule without its stagger, from a time on.
    fn times(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let calendar = Calendar::parse(expression, zone, Uuid::nil()).expect("a calendar");
        let mut last = at(from).plus(calendar.stagger);
        let mut found = Vec::new();
        for _ in 0..count {
            last = calendar.after(last).expect("a next time");
            found.push(last.minus(calendar.stagger).to_string());
        }
        found
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn row_59_once_a_local_day_also_where_the_hour_is_missing() {
        // In the night to the 29th the clock goes from 02:00 to 03:00.
        let found = times("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 4);
        let days: HashSet<&str> = found.iter().map(|time| &time[..10]).collect();
        assert_eq!(days.len(), 4, "{found:?}");
        assert_eq!(found[0], "2026-03-28T01:30:00.000Z");
        assert!(found[1].starts_with("2026-03-29T01:"), "{found:?}");
        assert_eq!(found[2], "2026-03-30T00:30:00.000Z");
    }

    #[test]
    fn row_59_of_times_in_a_list_too_none_is_left_out() {
        for (expression, expected) in [
            ("0 2,14 28 3 *", &["01:00", "12:00"][..]),
            ("0,30 2 28 3 *", &["01:"]),
            ("15,45 2 28 3 *", &["01:"]),
            ("0,0 02,14 28 3 *", &["01:00", "12:00"]),
        ] {
            let from = "2027-03-27T12:00:00Z";
            let found = times(expression, "Europe/Berlin", from, expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let day = format!("2027-03-28T{expected}");
                assert!(found.starts_with(&day), "{expression}: {found}");
            }
        }
        let found = times("0,20,40 0,12 1 1 *", "UTC", "2026-12-31T12:00:00Z", 7);
        let hours: Vec<&str> = found.iter().map(|time| &time[11..16]).collect();
        let expected = [
            "00:00", "00:20", "00:40", "12:00", "12:20", "12:40", "00:00",
        ];
        assert_eq!(hours, expected);
    }

    #[test]
    fn row_59_once_a_local_day_also_where_the_hour_comes_twice() {
        // In the night to the 25th the clock goes from 03:00 back to 02:00.
        for expression in ["0 2 * * *", "30 2 * * *", "2,2 2,2 * * *"] {
            let found = times(expression, "Europe/Berlin", "2026-10-23T12:00:00Z", 3);
            let days: HashSet<&str> = found.iter().map(|time| &time[..10]).collect();
            assert_eq!(days.len(), 3, "{found:?}");
        }
    }

    #[test]
    fn the_next_time_is_always_later() {
        for expression in ["* * * * *", "*/15 * * * *", "0 */6 * * *", "0 0 29 2 *"] {
            for from in [
                "2026-03-29T00:59:30Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:30:00Z",
            ] {
                let calendar = Calendar::parse(expression, "Europe/Berlin", Uuid::max());
                let calendar = calendar.expect("a calendar");
                let mut last = at(from);
                for _ in 0..20 {
                    let next = calendar.after(last).expect("a next time");
                    assert!(next > last, "{expression} {last} {next}");
                    last = next;
                }
            }
        }
    }

    #[test]
    fn row_62_schedules_of_one_minute_are_spread_and_each_stays_where_it_is() {
        let drawn: Vec<Uuid> = (0..200).map(Uuid::from_u128).collect();
        let all: HashSet<Duration> = drawn.iter().map(|id| stagger(*id)).collect();
        assert!(all.len() > 100, "{} of 200", all.len());
        let longest = Duration::from_secs(SPREAD_SECONDS);
        assert!(drawn.iter().all(|id| stagger(*id) < longest));
        assert_eq!(stagger(drawn[7]), stagger(drawn[7]));
    }

    #[test]
    fn what_never_comes_or_is_no_expression_is_told() {
        for expression in [
            "",
            "0 2 * *",
            "61 * * * *",
            "0 0 30 2 *",
            "0 0 2 * * *",
            "\0",
        ] {
            let told = Calendar::parse(expression, "UTC", Uuid::nil());
            assert!(matches!(told, Err(("cron", _))), "{expression:?}");
        }
        let told = Calendar::parse("0 2 * * *", "Mars/Base", Uuid::nil()).expect_err("no zone");
        assert!(
            told.0 == "time_zone" && told.1.contains("Mars/Base"),
            "{told:?}"
        );
    }
}
