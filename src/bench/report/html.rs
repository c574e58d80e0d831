//! A run as one file that needs no other: its tables, and a picture of each line.

use super::plot::svg;
use super::results::Results;
use super::tables::{Table, tables};

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;margin:1em 0;font-size:13px}th,td{padding:2px 10px;border-bottom:1px solid #ddd;text-align:right}\
th:first-child,td:first-child{text-align:left}code{background:#f4f4f4;padding:2px 4px}svg{max-width:100%}";

/// The page.
pub fn page(results: &Results) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>roster bench, {at}</title><style>{STYLE}</style></head><body>\n\
         <h1>roster bench</h1>\n<p><code>{command}</code></p>\n<p>{circumstances}</p>\n",
        at = escaped(&results.at),
        command = escaped(&results.command),
        circumstances = escaped(&results.circumstances()),
    );
    for table in tables(results) {
        page += &of_table(&table);
    }
    let notes = results.notes.iter();
    page += &notes
        .map(|note| format!("<p>{}</p>\n", escaped(note)))
        .collect::<String>();
    for line in &results.lines {
        let picture = svg(line);
        if !picture.is_empty() {
            page += &format!("<h2>{}</h2>\n{picture}", escaped(&line.title));
        }
    }
    page + "</body></html>\n"
}

fn of_table(table: &Table) -> String {
    let mut text = String::from("<table>\n");
    text += &row("th", table.headings.iter().copied());
    for cells in &table.rows {
        text += &row("td", cells.iter().map(String::as_str));
    }
    text + "</table>\n"
}

fn row<'a>(name: &str, cells: impl Iterator<Item = &'a str>) -> String {
    let cells = cells.map(|cell| format!("<{name}>{}</{name}>", escaped(cell)));
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::results::{Line, Second};
    use super::*;

    #[test]
    fn the_page_holds_all_and_fetches_nothing() {
        let line = Line {
            title: "single <b>".to_owned(),
            seconds: vec![Second::default(), Second::default()],
            ..Line::default()
        };
        let page = page(&Results {
            command: "roster bench \"x\"".to_owned(),
            lines: vec![line],
            ..Results::default()
        });
        assert!(page.contains("single &lt;b&gt;") && page.contains("&quot;x&quot;"));
        assert_eq!(page.matches("<svg").count(), 1);
        let addresses = page.matches("http").count();
        assert_eq!(
            addresses,
            page.matches("http://www.w3.org/2000/svg").count()
        );
        assert!(!page.contains("<script") && !page.contains("<link"));
    }
}
