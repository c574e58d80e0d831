//! The cases of `contracts/field-imports.md` about rejections as a file, by the numbers of its rows.

use super::*;
use crate::files::testing::{told_of, unusable};
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
        "line_number,code,field,reason,line\r\n7,wrong_column_count,plan,a reason,\"a,\"\"b\"\r\n"
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

proptest! {
    #[test]
    fn laws_a_mark_is_taken_off_as_it_was_set(text in "['=+\\-@\t\ra0 .]{0,8}") {
        let marked = String::from_utf8(marked(text.as_bytes())).expect("text");
        prop_assert_eq!(unmarked(&marked), text);
    }
}
