//! The stretch of live requests as a picture: their 99th percentile, second by second, and below it what the backfill did.
//!
//! The upper field is logarithmic: one second in which the machine does something else would flatten all others.

use super::report::{Beside, Report};
use std::fmt::Write;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
/// Top and height of the two fields.
const FELT: (f64, f64) = (50.0, 220.0);
const DONE: (f64, f64) = (310.0, 110.0);
const HEIGHT: f64 = 460.0;
/// Powers of ten of the upper field, from 1 ms on.
const DECADES: f64 = 3.5;

/// The picture; empty where no live requests were measured.
pub fn svg(report: &Report) -> String {
    let Some(live) = &report.live else {
        return String::new();
    };
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    shade(&mut picture, live);
    let title = format!(
        "p99 of live requests, ms ({:.0}/s, half of their peak); shaded: beside the backfill",
        live.rate_per_second
    );
    let seconds = || live.seconds.iter();
    let felt = seconds().map(|second| second.p99_ms.max(1.0).log10() / DECADES);
    for (decade, label) in ["1", "10", "100", "1000"].into_iter().enumerate() {
        grid(&mut picture, FELT, (decade as f64 / DECADES, label));
    }
    curve(
        &mut picture,
        FELT,
        (&title, "#1f4e9c"),
        &felt.collect::<Vec<_>>(),
    );
    let most = seconds()
        .map(|second| second.records)
        .max()
        .unwrap_or(0)
        .max(1);
    for (part, records) in [(0.0, 0), (0.5, most / 2), (1.0, most)] {
        grid(&mut picture, DONE, (part, &records.to_string()));
    }
    let done = seconds().map(|second| second.records as f64 / most as f64);
    let title = "records of the backfill a second";
    curve(
        &mut picture,
        DONE,
        (title, "#b35900"),
        &done.collect::<Vec<_>>(),
    );
    axis(&mut picture, live);
    picture + "</svg>\n"
}

fn across(seconds: usize, second: usize) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * second as f64 / seconds as f64
}

/// The seconds beside the backfill.
fn shade(picture: &mut String, live: &Beside) {
    let (top, height) = (FELT.0, DONE.0 + DONE.1 - FELT.0);
    let width = across(live.seconds.len(), 1) - LEFT;
    let each = live.seconds.iter().enumerate();
    for (second, _) in each.filter(|(_, second)| second.records > 0) {
        let x = across(live.seconds.len(), second);
        line(
            picture,
            &format!(
                "<rect x=\"{x:.1}\" y=\"{top}\" width=\"{width:.2}\" height=\"{height}\" fill=\"#f3ead8\"/>"
            ),
        );
    }
}

/// A curve of parts of the field's height.
fn curve(
    picture: &mut String,
    (top, height): (f64, f64),
    (title, colour): (&str, &str),
    parts: &[f64],
) {
    let points = parts.iter().enumerate().map(|(second, part)| {
        let y = top + height * (1.0 - part.min(1.0));
        format!("{:.1},{y:.1}", across(parts.len(), second))
    });
    let (points, above) = (points.collect::<Vec<_>>().join(" "), top - 8.0);
    let title = format!("<text x=\"{LEFT}\" y=\"{above:.1}\">{title}</text>");
    line(picture, &title);
    let style = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"");
    line(picture, &format!("<polyline {style} points=\"{points}\"/>"));
}

/// A line at a part of the field's height.
fn grid(picture: &mut String, (top, height): (f64, f64), (part, label): (f64, &str)) {
    let (y, right, beside) = (top + height * (1.0 - part), WIDTH - RIGHT, LEFT - 8.0);
    line(
        picture,
        &format!("<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ccc\"/>"),
    );
    let place = format!("x=\"{beside}\" y=\"{:.1}\" text-anchor=\"end\"", y + 4.0);
    line(picture, &format!("<text {place}>{label}</text>"));
}

fn axis(picture: &mut String, live: &Beside) {
    let y = DONE.0 + DONE.1 + 18.0;
    for second in (0..=live.seconds.len()).step_by(10) {
        let x = across(live.seconds.len(), second);
        line(
            picture,
            &format!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{second} s</text>"),
        );
    }
}

fn line(picture: &mut String, element: &str) {
    writeln!(picture, "{element}").expect("a string takes all");
}
