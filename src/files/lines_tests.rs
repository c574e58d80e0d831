//! The cases of `contracts/field-imports.md` about lines, by the numbers of its rows.

use crate::files::FileLimits;
use crate::files::testing::{LIMITS, layout, line, read_in, seen, told_of, unusable};

#[test]
fn row_34_objects_of_one_line_are_records_with_places_of_their_own() {
    let file = "{\"a\":1}\n{\"a\":1}{\"a\":2} {\"a\":\"} {\"}\n{\"a\":4}";
    let expected = [
        "1 {\"a\":1}",
        "2.1 {\"a\":1}",
        "2.2 {\"a\":2}",
        "2.3 {\"a\":\"} {\"}",
        "3 {\"a\":4}",
    ];
    assert_eq!(told_of(&[], file), expected);
}

#[test]
fn row_35_a_list_and_objects_over_many_lines_are_refused_once() {
    for file in [
        "[\n{\"a\":1},\n{\"a\":2},\n{\"a\":3}]\n",
        "[\n{\"a\":1},\n{\"a\":2}\n]\n",
        "[{\"a\":1},\n {\"a\":2}]",
        "[{\"a\":1},{\"a\":2}]",
        "{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n",
        "\n\n{\n\"a\": 1 }",
    ] {
        let refused = unusable(&[], file);
        assert_eq!(refused.code, "not_ndjson", "{file}");
        assert!(refused.message.contains("format=json"), "{file}");
    }
    let long = format!("[{}", "{\"a\":1},".repeat(20_000));
    assert_eq!(unusable(&[], long).code, "not_ndjson");
}

#[test]
fn bad_lines_at_the_start_are_only_that_where_they_look_like_nothing_else() {
    let file = "{\"a\":\n{\"b\":\n{broken\nx\n{\"a\":1}";
    let expected = [
        "1 {\"a\":",
        "2 {\"b\":",
        "3 {broken",
        "4 !not_json",
        "5 {\"a\":1}",
    ];
    assert_eq!(told_of(&[], file), expected);
}

#[test]
fn row_36_only_a_line_feed_ends_a_line() {
    let file = "{\"a\":\"x\u{2028}y\u{85}z\"}\r\n{\"b\":\r2}\r\n";
    assert_eq!(
        told_of(&[], file),
        ["1 {\"a\":\"x\u{2028}y\u{85}z\"}", "2 {\"b\":\r2}"]
    );
    assert_eq!(seen(&[], file).lines, 2);
}

#[test]
fn row_37_blank_lines_are_counted_and_scalars_are_no_objects() {
    let file = "\n{\"a\":1}\n  \r\nnull\n42\n\"x\"\ntrue\n[1]\nnul\n{\"a\":2}";
    let not = |line: u32| format!("{line} !not_an_object");
    let mut expected = vec!["2 {\"a\":1}".to_owned()];
    expected.extend((4..=8).map(not));
    expected.extend(["9 !not_json".to_owned(), "10 {\"a\":2}".to_owned()]);
    assert_eq!(told_of(&[], file), expected);
    let seen = seen(&[], file);
    assert_eq!((seen.lines, seen.blank, seen.records), (10, 2, 8));
}

#[test]
fn row_39_lines_of_a_list_without_its_brackets_are_one_hint_and_can_be_forgiven() {
    let file = "{\"a\":1},\n{\"a\":2},\n{\"a\":3},\n";
    assert!(unusable(&[], file).message.contains("commas=true"));
    assert_eq!(
        told_of(&[("commas", "true")], file),
        ["1 {\"a\":1}", "2 {\"a\":2}", "3 {\"a\":3}"]
    );
}

#[test]
fn rows_1_and_15_a_mark_is_part_of_no_record() {
    let file = "\u{feff}{\"a\":1}\n\u{feff}{\"a\":2}\n";
    assert_eq!(told_of(&[], file), ["1 {\"a\":1}", "2 {\"a\":2}"]);
}

#[test]
fn row_3_bytes_that_are_no_utf_8_spoil_their_line_alone() {
    let file = b"{\"a\":1}\n{\"a\":\"x\x96y\"}\n{\"a\":3}\n";
    assert_eq!(
        told_of(&[], file),
        ["1 {\"a\":1}", "2 !bad_utf8", "3 {\"a\":3}"]
    );
    let read = read_in(&layout(&[]), LIMITS, file, 7, false).expect("a file");
    let rejection = read.0[1].read.clone().expect_err("bad");
    assert!(
        rejection.message.contains("0x96 at character 8"),
        "{rejection}"
    );
}

#[test]
fn row_18_a_file_without_a_record_is_told_of_once() {
    for file in ["", "\u{feff}", "\n\n\n"] {
        assert_eq!(seen(&[], file).warnings[0].0, "empty_file");
    }
    assert!(seen(&[], "{}").warnings.is_empty());
}

#[test]
fn a_line_over_the_limit_is_one_rejection_and_not_held() {
    let line = "x".repeat(5_000_000);
    let file = format!("{{\"a\":1}}\n{{\"a\":\"{line}\"}}\r\n{{\"a\":3}}\n");
    let mut reader = crate::files::FileReader::new(&layout(&[]), LIMITS).expect("a reader");
    let mut records = Vec::new();
    for piece in file.as_bytes().chunks(64 << 10) {
        reader.feed(piece, &mut records).expect("fed");
        assert!(reader.kept().len() < 20_000);
    }
    reader.end(&mut records).expect("ended");
    assert_eq!(records.len(), 3);
    let rejection = records[1].read.clone().expect_err("too long");
    assert_eq!(rejection.code.as_str(), "record_too_large");
    assert!(rejection.message.contains("5000008 bytes"), "{rejection}");
    assert_eq!(records[1].text.len(), 4_096);
    assert_eq!((records[2].place.line, records[2].number), (3, 3));
}

#[test]
fn a_line_of_very_many_values_is_one_rejection() {
    let limits = FileLimits {
        record_bytes: 10_000,
        ..LIMITS
    };
    let file = format!("{}\n{{\"a\":1}}\n", "{}".repeat(1_001));
    let (records, _) = read_in(&layout(&[]), limits, file.as_bytes(), 1_000, false).expect("read");
    let told: Vec<String> = records.iter().map(line).collect();
    assert_eq!(told, ["1 !record_too_large", "2 {\"a\":1}"]);
}

#[test]
fn a_line_of_just_the_limit_is_taken() {
    for (more, is_taken) in [(0, true), (1, false)] {
        let line = format!(
            "{{\"a\":\"{}\"}}",
            "x".repeat(LIMITS.record_bytes - 8 + more)
        );
        for end in ["", "\n", "\r\n"] {
            for cut in [1, 13, 10_000] {
                let file = format!("{line}{end}");
                let read = read_in(&layout(&[]), LIMITS, file.as_bytes(), cut, true);
                let (records, seen) = read.expect("a file");
                assert_eq!(
                    (records[0].read.is_ok(), seen.lines),
                    (is_taken, 1),
                    "{end:?} {cut}"
                );
            }
        }
    }
}

#[test]
fn a_part_of_a_file_has_the_lines_and_records_of_the_whole() {
    let file = "{\"a\":1}\n\n[\n{\"a\":2}{\"a\":3}\nx\n{\"a\":4}";
    let whole = told_of(&[], file);
    let (first, second) = file.split_at(9);
    let part = [("first_line", "3"), ("first_record", "2")];
    // What looks like a list at the beginning of a part is a bad line, as in the middle of the whole.
    let parts = [told_of(&[], first), told_of(&part, second)].concat();
    assert_eq!(parts, whole);
    let read = read_in(&layout(&part), LIMITS, second.as_bytes(), 3, true);
    let (records, seen) = read.expect("lines");
    let numbers: Vec<u64> = records.iter().map(|record| record.number).collect();
    assert_eq!((numbers, seen.lines), (vec![2, 3, 4, 5, 6], 6));
    assert!(
        layout(&[("format", "csv"), ("first_line", "3")])
            .check()
            .is_err()
    );
    assert!(
        layout(&[("first_record", &u64::MAX.to_string())])
            .check()
            .is_err()
    );
    assert!(
        crate::files::Layout::default()
            .set("first_line", "0")
            .is_err()
    );
}
