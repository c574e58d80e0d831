//! What was measured second by second as a picture: latencies above, throughput below.
//!
//! The upper field is logarithmic: one second in which the machine does something else would flatten all others.

use super::results::{Line, Second};
use std::fmt::Write;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
/// Top and height of the two fields.
const FELT: (f64, f64) = (28.0, 150.0);
const DONE: (f64, f64) = (212.0, 80.0);
const HEIGHT: f64 = 322.0;
/// Powers of ten of the upper field, and the first of them in milliseconds.
const DECADES: f64 = 5.0;
const LEAST_MS: f64 = 0.1;
/// Numbers below the time.
const MOST_LABELS: usize = 12;

/// The picture; empty where there is nothing to be drawn.
pub fn svg(line: &Line) -> String {
    let seconds = &line.seconds;
    if seconds.len() < 2 {
        return String::new();
    }
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    felt(&mut picture, seconds);
    done(&mut picture, seconds);
    axis(&mut picture, seconds.len());
    picture + "</svg>\n"
}

fn felt(picture: &mut String, seconds: &[Second]) {
    for (decade, label) in ["0.1", "1", "10", "100", "1000", "10000"]
        .into_iter()
        .enumerate()
    {
        grid(picture, FELT, (decade as f64 / DECADES, label));
    }
    title(
        picture,
        FELT,
        "latency in ms: median (light), 99th percentile (dark)",
    );
    let height =
        |value: Option<f64>| value.map(|value| (value.max(LEAST_MS) / LEAST_MS).log10() / DECADES);
    let each = |pick: fn(&Second) -> Option<f64>| -> Vec<Option<f64>> {
        seconds.iter().map(|second| height(pick(second))).collect()
    };
    curve(picture, FELT, "#8fb0e3", &each(|second| second.p50_ms));
    curve(picture, FELT, "#1f4e9c", &each(|second| second.p99_ms));
}

fn done(picture: &mut String, seconds: &[Second]) {
    let most = seconds.iter().map(|second| second.items).max();
    let most = most.unwrap_or(0).max(1);
    for (part, items) in [(0.0, 0), (0.5, most / 2), (1.0, most)] {
        grid(picture, DONE, (part, &items.to_string()));
    }
    title(picture, DONE, "items answered a second");
    let parts: Vec<Option<f64>> = seconds
        .iter()
        .map(|second| Some(second.items as f64 / most as f64))
        .collect();
    curve(picture, DONE, "#b35900", &parts);
}

fn across(seconds: usize, second: usize) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * second as f64 / (seconds - 1) as f64
}

/// A curve of parts of the field's height, with gaps where nothing was timed.
fn curve(picture: &mut String, (top, height): (f64, f64), colour: &str, parts: &[Option<f64>]) {
    let (mut path, mut is_down) = (String::new(), false);
    for (second, part) in parts.iter().enumerate() {
        let Some(part) = part else {
            is_down = false;
            continue;
        };
        let (x, y) = (
            across(parts.len(), second),
            top + height * (1.0 - part.clamp(0.0, 1.0)),
        );
        let _ = write!(path, "{}{x:.1} {y:.1}", if is_down { "L" } else { "M" });
        is_down = true;
    }
    let style = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"");
    element(picture, &format!("<path {style} d=\"{path}\"/>"));
}

fn title(picture: &mut String, (top, _): (f64, f64), text: &str) {
    let above = top - 8.0;
    let text = format!("<text x=\"{LEFT}\" y=\"{above:.1}\">{text}</text>");
    element(picture, &text);
}

/// A line at a part of the field's height.
fn grid(picture: &mut String, (top, height): (f64, f64), (part, label): (f64, &str)) {
    let (y, right, beside) = (top + height * (1.0 - part), WIDTH - RIGHT, LEFT - 8.0);
    element(
        picture,
        &format!("<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>"),
    );
    let place = format!("x=\"{beside}\" y=\"{:.1}\" text-anchor=\"end\"", y + 4.0);
    element(picture, &format!("<text {place}>{label}</text>"));
}

fn axis(picture: &mut String, seconds: usize) {
    let y = DONE.0 + DONE.1 + 18.0;
    for second in (0..seconds).step_by(seconds.div_ceil(MOST_LABELS)) {
        let x = across(seconds, second);
        element(
            picture,
            &format!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{second} s</text>"),
        );
    }
}

fn element(picture: &mut String, element: &str) {
    picture.push_str(element);
    picture.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(latencies: &[Option<f64>]) -> Line {
        let second = |p99_ms: &Option<f64>| Second {
            items: 10,
            p50_ms: Some(1.0),
            p99_ms: *p99_ms,
            memory_bytes: None,
        };
        Line {
            seconds: latencies.iter().map(second).collect(),
            ..Line::default()
        }
    }

    #[test]
    fn a_second_without_an_answer_is_a_gap() {
        let picture = svg(&line(&[Some(1.0), None, Some(0.001), Some(1e9)]));
        let dark = picture.lines().find(|line| line.contains("#1f4e9c"));
        let path = dark
            .and_then(|line| line.split("d=\"").nth(1))
            .expect("a path");
        assert_eq!(path.matches('M').count(), 2, "{path}");
        // Below and above the field it stays at its edge.
        assert!(path.contains(" 178.0") && path.contains(" 28.0"), "{path}");
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }

    #[test]
    fn one_second_is_no_picture() {
        assert!(svg(&line(&[Some(1.0)])).is_empty());
    }
}
