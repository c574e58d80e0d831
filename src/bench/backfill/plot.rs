//! The stretch of live requests as a picture: their 99th percentile, second by second, and below it what the backfill did.

use super::report::{Beside, Report};
use std::fmt::Write;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
/// Top and height of the two fields.
const FELT: (f64, f64) = (50.0, 220.0);
const DONE: (f64, f64) = (310.0, 110.0);
const HEIGHT: f64 = 460.0;

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
    let felt: Vec<f64> = live.seconds.iter().map(|second| second.p99_ms).collect();
    field(&mut picture, FELT, (&title, "#1f4e9c"), &felt);
    let seconds = live.seconds.iter();
    let done: Vec<f64> = seconds.map(|second| second.records as f64).collect();
    let title = "records of the backfill a second";
    field(&mut picture, DONE, (title, "#b35900"), &done);
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

/// A curve with its highest value at the left.
fn field(
    picture: &mut String,
    (top, height): (f64, f64),
    (title, colour): (&str, &str),
    values: &[f64],
) {
    let highest = values.iter().copied().fold(1.0, f64::max);
    grid(picture, (top, height), highest);
    let points = values.iter().enumerate().map(|(second, value)| {
        let y = top + height - height * value / highest;
        format!("{:.1},{y:.1}", across(values.len(), second))
    });
    let (points, above) = (points.collect::<Vec<_>>().join(" "), top - 8.0);
    let title = format!("<text x=\"{LEFT}\" y=\"{above:.1}\">{title}</text>");
    line(picture, &title);
    let style = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"");
    line(picture, &format!("<polyline {style} points=\"{points}\"/>"));
}

/// Lines at nothing, half and all of the highest value.
fn grid(picture: &mut String, (top, height): (f64, f64), highest: f64) {
    let (right, beside) = (WIDTH - RIGHT, LEFT - 8.0);
    for part in [0.0, 0.5, 1.0] {
        let (y, number) = (top + height * (1.0 - part), highest * part);
        line(
            picture,
            &format!("<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ccc\"/>"),
        );
        let place = format!("x=\"{beside}\" y=\"{:.1}\" text-anchor=\"end\"", y + 4.0);
        line(picture, &format!("<text {place}>{number:.0}</text>"));
    }
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
