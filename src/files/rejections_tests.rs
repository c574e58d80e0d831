//! The cases of `contracts/field-imports.md` about rejections as a file, by the numbers of its rows.

use super::*;
use crate::files::FileLimits;
use crate::files::testing::{LIMITS, layout, read_in, seen, told_of, unusable};
use proptest::prelude::*;

const CSV: (&str, &str) = ("format", "csv");

fn refused<'a>(line: u64, text: &'a [u8]) -> RefusedLine<'a> {
    let place = Place::of(line);
    RefusedLine {
        place,
        code: "wrong_column_count",
        field: Some("plan"),
        reason: "a reason",
        text,
        is_cut: false,
    }
}

fn table(lines: &[RefusedLine<'_>]) -> Vec<u8> {
    let rows = lines.iter().flat_map(RefusedLine::to_csv);
    csv_header().into_iter().chain(rows).collect()
}

#[test]
fn row_32_formulas_are_marked_and_numbers_and_phones_are_not() {
    for (text, expected) in [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@x", "'@x"),
        ("-a,1", "'-a,1"),
        ("\tx", "'\tx"),
        ("+32 444 123-456", "+32 444 123-456"),
        ("-5.00", "-5.00"),
        ("'=x", "''=x"),
        ("'quoted", "'quoted"),
        ("plain", "plain"),
    ] {
        let marked = String::from_utf8(marked(text.as_bytes())).expect("text");
        assert_eq!(marked, expected);
        assert_eq!(unmarked(&marked), text);
    }
}

#[test]
fn row_33_the_table_begins_with_the_number_of_the_line() {
    let text = String::from_utf8(table(&[refused(7, b"a,\"b")])).expect("text");
    assert_eq!(
        text,
        "line_number,code,field,reason,line_beginning,line\r\n7,wrong_column_count,plan,a reason,,\"a,\"\"b\"\r\n"
    );
}

#[test]
fn mended_rejections_of_a_table_can_be_sent_again_in_both_forms() {
    let lines = [
        RefusedLine::header("email;plan", ";"),
        refused(7, b"a@x.test;pro"),
        refused(9, b"=cmd;\"two\nlines\""),
        refused(11, b"still;too;many"),
    ];
    let objects: Vec<u8> = lines.iter().flat_map(RefusedLine::to_ndjson).collect();
    let told = told_of(&[CSV], table(&lines));
    let expected = [
        "3 {\"email\":\"a@x.test\",\"plan\":\"pro\"}",
        "4 {\"email\":\"=cmd\",\"plan\":\"two\\nlines\"}",
        "6 !wrong_column_count",
    ];
    assert_eq!(told, expected);
    let told = told_of(&[CSV], objects);
    assert_eq!(told[1], "3 {\"email\":\"=cmd\",\"plan\":\"two\\nlines\"}");
    assert_eq!(told[2], "4 !wrong_column_count");
    assert_eq!(unusable(&[CSV], table(&lines[1..])).code, "header");
    let told = told_of(
        &[CSV, ("columns", "email,plan"), ("delimiter", ";")],
        table(&lines[1..2]),
    );
    assert_eq!(told, ["2 {\"email\":\"a@x.test\",\"plan\":\"pro\"}"]);
}

#[test]
fn mended_rejections_of_lines_can_be_sent_again() {
    let lines = [
        refused(3, b"{\"a\":1}"),
        refused(4, b"{\"a\":\"\x96\"}"),
        refused(5, b"{\"a\":2}{\"a\":3}"),
    ];
    let objects: Vec<u8> = lines.iter().flat_map(RefusedLine::to_ndjson).collect();
    let expected = [
        "1 {\"a\":1}",
        "2 !bad_utf8",
        "3.1 {\"a\":2}",
        "3.2 {\"a\":3}",
    ];
    assert_eq!(told_of(&[], objects), expected);
    assert_eq!(told_of(&[], table(&[lines[0]])), ["2 {\"a\":1}"]);
}

#[test]
fn row_32_a_table_without_a_header_comes_back_whole_whatever_stood_above_it() {
    let lines = [
        RefusedLine::header("", ";"),
        refused(7, b"1;Ada"),
        refused(8, b"2;Bob"),
    ];
    let objects: Vec<u8> = lines.iter().flat_map(RefusedLine::to_ndjson).collect();
    let settings = [CSV, ("columns", "id,name"), ("skip_lines", "1")];
    let said = [&settings[..], &[("delimiter", ";")]].concat();
    let expected = [
        "{\"id\":\"1\",\"name\":\"Ada\"}",
        "{\"id\":\"2\",\"name\":\"Bob\"}",
    ];
    for file in [objects, table(&lines)] {
        for settings in [&settings[..], &said] {
            let told = told_of(settings, &file);
            let told: Vec<&str> = told
                .iter()
                .filter_map(|one| one.split_once(' '))
                .map(|own| own.1)
                .collect();
            assert_eq!(told, expected, "{settings:?}");
        }
        assert_eq!(unusable(&[CSV], &file).code, "header");
    }
    // The row with the delimiter may have been lost: what was said is enough.
    let seen = seen(&said, table(&lines[1..]));
    assert_eq!(
        (seen.delimiter, seen.header, seen.records),
        (Some(';'), None, 2)
    );
}

#[test]
fn row_32_the_beginning_of_a_record_never_passes_for_the_record() {
    let long = format!("a@x.test,{}", "x".repeat(5_000));
    let file = format!("email,plan\n{long}\nb@x.test\n");
    let read = read_in(&layout(&[CSV]), LIMITS, file.as_bytes(), 1_000, true);
    let (records, _) = read.expect("a file");
    assert_eq!(
        (records[0].bytes, records[0].text.len()),
        (long.len() as u64 + 1, 4_096)
    );
    assert_eq!(records[1].bytes, 8);
    let cut = RefusedLine {
        is_cut: true,
        ..refused(2, &records[0].text)
    };
    let lines = [RefusedLine::header("email,plan", ","), cut];
    let objects: Vec<u8> = lines.iter().flat_map(RefusedLine::to_ndjson).collect();
    let limits = FileLimits {
        record_bytes: 10_000,
        ..LIMITS
    };
    for file in [objects, table(&lines)] {
        let read = read_in(&layout(&[CSV]), limits, &file, 1_000, true);
        let (records, _) = read.expect("a file");
        let refused = records[0].read.clone().expect_err("half a record");
        assert!(refused.message.contains("line_beginning"), "{refused:?}");
        assert!(records[0].text == cut.text && records[0].bytes > cut.text.len() as u64);
    }
}

#[test]
fn a_record_that_was_put_whole_beside_its_beginning_is_read() {
    let table = "line_number,code,field,reason,line_beginning,line\n9,too_large,,long,{,{}\n";
    let object =
        "{\"line_number\":\"9\",\"code\":\"too_large\",\"line\":\"{}\",\"line_beginning\":\"{\"}\n";
    assert_eq!(told_of(&[], table), ["2 {}"]);
    // A spreadsheet has left the empty cell at the end away; and a list of an earlier version has one column less.
    let cut = format!("{table}7,too_large,,long,{{\n");
    assert_eq!(told_of(&[], cut), ["2 {}", "3 !record_too_large"]);
    let before = "line_number,code,field,reason,line\n9,not_json,,why,{}\n";
    assert_eq!(told_of(&[], before), ["2 {}"]);
    assert_eq!(told_of(&[], object), ["1 {}"]);
}

#[test]
fn row_32_rejections_are_text_of_today_whatever_the_file_was_written_in() {
    let lines = [
        RefusedLine::header("email,plan", ","),
        refused(2, "a@x.test,café €".as_bytes()),
    ];
    let objects: Vec<u8> = lines.iter().flat_map(RefusedLine::to_ndjson).collect();
    for encoding in ["windows-1252", "iso-8859-15", "utf-16le"] {
        for file in [&objects, &table(&lines)] {
            let told = told_of(&[CSV, ("encoding", encoding)], file);
            assert!(
                told[0].ends_with("\"plan\":\"café €\"}"),
                "{encoding}: {told:?}"
            );
        }
    }
}

#[test]
fn objects_with_a_line_number_of_their_own_are_no_rejections() {
    let own = "{\"line_number\":1,\"order\":\"A-1\",\"who\":\"u\"}\n{\"line_number\":\"7\",\"order\":\"A-1\"}\n";
    assert_eq!(
        told_of(&[], own),
        [
            "1 {\"line_number\":1,\"order\":\"A-1\",\"who\":\"u\"}",
            "2 {\"line_number\":\"7\",\"order\":\"A-1\"}"
        ]
    );
    let second = own.split_once('\n').expect("two lines").1;
    assert_eq!(told_of(&[], second).len(), 1);
    // As other tools write them again.
    let spaced =
        "{ \"line_number\": \"7.1\", \"code\": \"not_json\", \"line\": \"{\\\"a\\\":1}\"}\n";
    assert_eq!(told_of(&[], spaced), ["1 {\"a\":1}"]);
}

proptest! {
    #[test]
    fn laws_a_mark_is_taken_off_as_it_was_set(text in "['=+\\-@\t\ra0 .]{0,8}") {
        let marked = String::from_utf8(marked(text.as_bytes())).expect("text");
        prop_assert_eq!(unmarked(&marked), text);
    }
}
