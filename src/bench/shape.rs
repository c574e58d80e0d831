//! How fast requests are due: a rate over time, and from it the moment of each.
//!
//! `5000`, `80%` (of the peak measured in the same run), `ramp:1000..20000`, `step:1000,5000,20000` (each for an equal part of the
//! time), `burst:1000..20000/10` (every 10 s the last tenth at the second rate). Every rate may be a share of the peak.

use anyhow::{Context, Error, Result, bail, ensure};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The part of a period in which a burst lasts.
const BURST: f64 = 0.1;

/// Items in a second: so many, or a share of what was the most.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rate {
    Items(f64),
    Share(f64),
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Constant(Rate),
    Ramp(Rate, Rate),
    Steps(Vec<Rate>),
    Burst(Rate, Rate, f64),
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    text: String,
    form: Form,
}

/// The moments at which requests are due.
#[derive(Clone, Debug)]
pub struct Schedule {
    pieces: Vec<Piece>,
    end: f64,
}

/// A stretch of time in which the rate changes evenly.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: f64,
    seconds: f64,
    from: f64,
    to: f64,
    /// Requests that are due before it.
    before: f64,
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (digits, is_share) = match text.strip_suffix('%') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let number: f64 = digits
            .parse()
            .with_context(|| format!("{text:?} is no rate: 5000 or 80%"))?;
        ensure!(
            number.is_finite() && number > 0.0,
            "a rate is more than nothing"
        );
        Ok(if is_share {
            Self::Share(number / 100.0)
        } else {
            Self::Items(number)
        })
    }
}

impl Rate {
    fn items(self, peak: Option<f64>) -> Result<f64> {
        match self {
            Self::Items(items) => Ok(items),
            Self::Share(share) => {
                let peak = peak.context("a share needs a peak that was measured before it")?;
                Ok(share * peak)
            }
        }
    }
}

impl FromStr for Shape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let form = match text.split_once(':') {
            None => Form::Constant(text.parse()?),
            Some(("ramp", rest)) => {
                let (from, to) = range(rest)?;
                Form::Ramp(from, to)
            }
            Some(("step", rest)) => {
                let rates = rest.split(',').map(str::parse);
                Form::Steps(rates.collect::<Result<_>>()?)
            }
            Some(("burst", rest)) => burst(rest)?,
            Some((other, _)) => bail!("{other:?} is none of ramp, step, burst"),
        };
        Ok(Self {
            text: text.to_owned(),
            form,
        })
    }
}

fn range(text: &str) -> Result<(Rate, Rate)> {
    let (from, to) = text.split_once("..").context("two rates are A..B")?;
    Ok((from.parse()?, to.parse()?))
}

fn burst(text: &str) -> Result<Form> {
    let (rates, period) = text.split_once('/').context("a burst is A..B/SECONDS")?;
    let (base, peak) = range(rates)?;
    let period: f64 = period.parse().context("a period is a number of seconds")?;
    ensure!(period >= 1.0, "a period lasts a second or more");
    Ok(Form::Burst(base, peak, period))
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Shape {
    /// When requests of so many items are due.
    ///
    /// # Errors
    /// Where it is a share of a peak that was not measured.
    pub fn schedule(&self, peak: Option<f64>, items: u64, time: Duration) -> Result<Schedule> {
        let end = time.as_secs_f64();
        let rate = |rate: &Rate| rate.items(peak).map(|all| all / items as f64);
        let mut schedule = Schedule {
            pieces: Vec::new(),
            end,
        };
        match &self.form {
            Form::Constant(only) => schedule.push(end, rate(only)?, rate(only)?),
            Form::Ramp(from, to) => schedule.push(end, rate(from)?, rate(to)?),
            Form::Steps(rates) => {
                for step in rates {
                    schedule.push(end / rates.len() as f64, rate(step)?, rate(step)?);
                }
            }
            Form::Burst(base, peak, period) => {
                while schedule.length() < end {
                    schedule.push(period * (1.0 - BURST), rate(base)?, rate(base)?);
                    schedule.push(period * BURST, rate(peak)?, rate(peak)?);
                }
            }
        }
        Ok(schedule)
    }
}

impl Schedule {
    fn push(&mut self, seconds: f64, from: f64, to: f64) {
        let piece = Piece {
            start: self.length(),
            seconds,
            from,
            to,
            before: self.pieces.last().map_or(0.0, Piece::after),
        };
        self.pieces.push(piece);
    }

    fn length(&self) -> f64 {
        let last = self.pieces.last();
        last.map_or(0.0, |piece| piece.start + piece.seconds)
    }

    /// How long after the start a request is due, counted from 0; none where the time is over before.
    pub fn due(&self, number: u64) -> Option<Duration> {
        let number = number as f64;
        let place = self.pieces.partition_point(|piece| piece.after() <= number);
        let at = self.pieces.get(place)?.moment(number);
        (at < self.end).then(|| Duration::from_secs_f64(at))
    }

    /// The whole seconds that it lasts, the last one begun included.
    pub fn seconds(&self) -> usize {
        self.end.ceil() as usize
    }
}

impl Piece {
    fn after(&self) -> f64 {
        self.before + f64::midpoint(self.from, self.to) * self.seconds
    }

    /// Where the area below the rate is that number: a quadratic equation, in the form that keeps its digits for an even rate.
    fn moment(&self, number: f64) -> f64 {
        let (area, slope) = (number - self.before, (self.to - self.from) / self.seconds);
        let root = (self.from * self.from + 2.0 * slope * area).max(0.0).sqrt();
        self.start + 2.0 * area / (self.from + root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str, seconds: u64) -> Vec<usize> {
        let shape: Shape = text.parse().expect("a shape");
        let time = Duration::from_secs(seconds);
        let schedule = shape.schedule(Some(1_000.0), 10, time).expect("a schedule");
        let mut counts = vec![0; schedule.seconds()];
        let mut last = Duration::ZERO;
        for due in (0..).map_while(|number| schedule.due(number)) {
            assert!(due >= last, "moments go forward");
            (last, counts[due.as_secs() as usize]) = (due, counts[due.as_secs() as usize] + 1);
        }
        counts
    }

    /// Rounding may move a request over the edge of a second.
    fn close(counts: &[usize], wanted: &[usize]) {
        assert_eq!(counts.len(), wanted.len());
        for (count, wanted) in counts.iter().zip(wanted) {
            assert!(count.abs_diff(*wanted) <= 1, "{counts:?} {wanted}");
        }
    }

    #[test]
    fn an_even_rate_and_a_share_of_the_peak() {
        close(&counts("500", 3), &[50, 50, 50]);
        close(&counts("80%", 2), &[80, 80]);
    }

    #[test]
    fn a_ramp_rises_and_falls() {
        close(&counts("ramp:100..500", 4), &[15, 25, 35, 45]);
        close(&counts("ramp:500..100", 4), &[45, 35, 25, 15]);
    }

    #[test]
    fn steps_share_the_time_and_bursts_end_their_period() {
        close(&counts("step:100,20%,300", 3), &[10, 20, 30]);
        close(
            &counts("burst:100..2000/10", 10),
            &[10, 10, 10, 10, 10, 10, 10, 10, 10, 200],
        );
        close(&counts("burst:100..2000/10", 2), &[10, 10]);
    }

    #[test]
    fn what_is_no_shape_is_told() {
        for text in [
            "",
            "0",
            "-5",
            "x%",
            "ramp:5",
            "wave:1..2",
            "burst:1..2/0.5",
            "inf",
            "nan",
        ] {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
        let share: Shape = "ramp:10..90%".parse().expect("a shape");
        assert!(share.schedule(None, 1, Duration::from_secs(1)).is_err());
        assert_eq!(share.to_string(), "ramp:10..90%");
    }
}
