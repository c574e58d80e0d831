//! Files of real tools (`tests/fixtures/imports/README.md` says how each was made), read as the pages say.

use super::testing::{layout, line, read_in};
use super::{FileLimits, Seen};
use serde_json::{Value, json};

fn objects(settings: &[(&str, &str)], file: &[u8]) -> (Vec<Value>, Seen) {
    let read = read_in(&layout(settings), FileLimits::default(), file, 7, true);
    let (records, seen) = read.expect("a file that can be read");
    let object = |record: &super::FileRecord| {
        let object = record
            .read
            .as_ref()
            .unwrap_or_else(|_| panic!("{}", line(record)));
        serde_json::from_slice(object).expect("JSON")
    };
    (records.iter().map(object).collect(), seen)
}

/// A file, what is said of it, and the delimiter that is told.
type Tool = (&'static [u8], &'static [(&'static str, &'static str)], char);

const CSV: (&str, &str) = ("format", "csv");

#[test]
fn tables_of_spreadsheets_say_the_same_in_all_their_dialects() {
    let ada = json!({"email": "ada@x.test", "name": "Ada \"the first\" Lovelace", "note": "two\nlines", "phone": "+32444123456", "amount": "1.234,50"});
    let files: [Tool; 4] = [
        (
            include_bytes!("../../tests/fixtures/imports/excel.csv"),
            &[CSV],
            ',',
        ),
        (
            include_bytes!("../../tests/fixtures/imports/excel-unicode.txt"),
            &[CSV],
            '\t',
        ),
        (
            include_bytes!("../../tests/fixtures/imports/excel-semicolon.csv"),
            &[CSV, ("encoding", "windows-1252")],
            ';',
        ),
        (
            include_bytes!("../../tests/fixtures/imports/libreoffice.csv"),
            &[CSV],
            ',',
        ),
    ];
    for (file, settings, delimiter) in files {
        let (objects, seen) = objects(settings, file);
        assert_eq!(
            (seen.delimiter, seen.lines, seen.records),
            (Some(delimiter), 5, 3)
        );
        assert_eq!(objects[0], ada, "{delimiter}");
        assert_eq!(objects[1]["name"], "Bob, Jr.");
        assert_eq!(objects[1]["phone"], "007");
        assert_eq!(objects[1].get("note"), None);
        assert!(
            objects[2]["name"]
                .as_str()
                .expect("a name")
                .starts_with("Zoë")
        );
        assert_eq!(objects[2]["note"], " padded ");
    }
}

#[test]
fn fact_12_what_postgresql_copies_out_is_read_with_nothing_and_empty_texts_apart() {
    let file = include_bytes!("../../tests/fixtures/imports/copy.csv");
    let settings = [CSV, ("empty", "null"), ("quoted_empty", "text")];
    let (objects, _) = objects(&settings, file);
    let first = json!({
        "id": "7", "email": "ada@x.test", "note": "say \"hi\", all\nof you", "active": "t", "tags": "{a,\"b c\"}",
        "seen": "2023-05-01 10:00:00+00", "more": "{\"age\": 42}", "raw": "\\xdead",
    });
    assert_eq!(objects[0], first);
    assert_eq!(
        (&objects[1]["note"], &objects[1]["tags"]),
        (&json!(""), &Value::Null)
    );
    assert_eq!(
        (&objects[2]["note"], &objects[2]["tags"]),
        (&Value::Null, &json!("{}"))
    );
    assert_eq!(objects[3]["note"], "\\.");
}
