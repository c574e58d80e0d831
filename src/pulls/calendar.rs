//! When a schedule is due: a cron expression in a time zone, as instants.

use crate::domain::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use std::time::Duration;
use uuid::Uuid;

/// Schedules of one minute are spread over so many seconds, so that not all of them begin on the hour.
const SPREAD_SECONDS: u64 = 300;
/// Bytes of an expression: the longest sensible one lists all minutes.
const MOST_BYTES: usize = 256;

/// Which part of a schedule can't be, by its name, and a sentence for whoever wrote it.
pub type Complaint = (&'static str, String);

/// The times of a schedule.
#[derive(Debug)]
pub struct Calendar {
    cron: Cron,
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
        let cron = parser
            .parse(expression)
            .map_err(|error| refused(format!("{expression:?} is no cron expression: {error}")))?;
        let unknown = |_| ("time_zone", format!("there is no time zone {zone:?}"));
        let zone = TimeZone::get(zone).map_err(unknown)?;
        let calendar = Self {
            cron,
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
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        let next = Timestamp::new(next.timestamp());
        (next > base).then(|| next.plus(self.stagger))
    }
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
    fn row_59_once_a_local_day_also_where_the_hour_comes_twice() {
        // In the night to the 25th the clock goes from 03:00 back to 02:00.
        for expression in ["0 2 * * *", "30 2 * * *"] {
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
