//! The cases of `contracts/field-imports.md` about tables, by the numbers of its rows.

use crate::files::testing::{LIMITS, layout, line, read_in, seen, told_of, unusable};
use crate::files::{FileLimits, FileReader, FileRecord};

const CSV: (&str, &str) = ("format", "csv");

fn csv(text: impl AsRef<[u8]>) -> Vec<String> {
    told_of(&[CSV], text)
}

fn codes(told: &[String]) -> Vec<&str> {
    let refused = told.iter().filter_map(|line| line.split_once(" !"));
    refused.map(|(_, code)| code).collect()
}

#[test]
fn row_1_a_mark_is_no_part_of_the_first_name() {
    let expected = ["2 {\"email\":\"a@x.test\",\"plan\":\"pro\"}"];
    assert_eq!(csv("\u{feff}email,plan\na@x.test,pro\n"), expected);
    assert_eq!(csv("\u{feff}\"email\",\"plan\"\na@x.test,pro\n"), expected);
    let bare = told_of(&[CSV, ("columns", "email,plan")], "\u{feff}a@x.test,pro\n");
    assert_eq!(bare, ["1 {\"email\":\"a@x.test\",\"plan\":\"pro\"}"]);
}

#[test]
fn row_2_unicode_text_of_excel_is_read_by_its_mark() {
    let text = "email\tplan\r\na@x.test\tprö\r\n";
    let wide: Vec<u8> = format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(csv(&wide), ["2 {\"email\":\"a@x.test\",\"plan\":\"prö\"}"]);
    let seen = seen(&[CSV], &wide);
    assert_eq!(
        (
            seen.delimiter,
            seen.encoding.map(crate::files::Encoding::name).as_deref()
        ),
        (Some('\t'), Some("utf-16le"))
    );
}

#[test]
fn row_3_a_byte_that_is_no_utf_8_spoils_its_record_alone() {
    let read = read_in(
        &layout(&[CSV]),
        LIMITS,
        b"email,plan\na@x,ok\nb@x,no\x96\nc@x,ok\n",
        9,
        true,
    );
    let (records, _) = read.expect("a file");
    assert_eq!(records.len(), 3);
    let rejection = records[1].read.clone().expect_err("bad");
    assert_eq!(
        (rejection.code.as_str(), rejection.field.as_deref()),
        ("bad_utf8", Some("plan"))
    );
}

#[test]
fn row_4_the_delimiter_is_told_by_counts_or_asked_for() {
    let file = "name;amount\nMueller;1.234,50\nMaier;7,00\n";
    assert_eq!(
        csv(file)[0],
        "2 {\"name\":\"Mueller\",\"amount\":\"1.234,50\"}"
    );
    assert_eq!(
        csv("a,\"b;c\"\n1,\"2;3\"\n")[0],
        "2 {\"a\":\"1\",\"b;c\":\"2;3\"}"
    );
    assert_eq!(unusable(&[CSV], "a,b;c\n1,2;3\n").code, "delimiter");
    assert_eq!(unusable(&[CSV], "a,b\n1\n2\n3\n").code, "delimiter");
    assert_eq!(
        told_of(&[CSV, ("delimiter", ";")], "a,b;c\n1,2;3\n"),
        ["2 {\"a,b\":\"1,2\",\"c\":\"3\"}"]
    );
    assert_eq!(csv("email\na@x.test\nb@x.test\n").len(), 2);
}

#[test]
fn row_5_and_12_empty_cells_beyond_the_header_are_none() {
    assert_eq!(
        csv("a;b\n1;2;\n3;4;\n"),
        ["2 {\"a\":\"1\",\"b\":\"2\"}", "3 {\"a\":\"3\",\"b\":\"4\"}"]
    );
    let file = "email,plan,,\na@x.test,pro,,\nb@x.test,pro,x,\nc@x.test,pro\n";
    let told = csv(file);
    assert_eq!(told[0], "2 {\"email\":\"a@x.test\",\"plan\":\"pro\"}");
    assert_eq!(told[1], "3 !column_without_name");
    assert_eq!(told[2], "4 {\"email\":\"c@x.test\",\"plan\":\"pro\"}");
    assert_eq!(seen(&[CSV], file).warnings.len(), 1);
}

#[test]
fn row_6_a_line_that_tells_the_delimiter_is_no_header() {
    let file = "\u{feff}sep=;\r\na;b\r\n1;2\r\n";
    assert_eq!(csv(file), ["3 {\"a\":\"1\",\"b\":\"2\"}"]);
    assert_eq!(seen(&[CSV], file).lines, 3);
    for first in ["SEP=;", "\"Sep=;\""] {
        let told = csv(format!("{first}\na;b\n1;2\n"));
        assert_eq!(told, ["3 {\"a\":\"1\",\"b\":\"2\"}"], "{first}");
    }
}

#[test]
fn row_7_lines_may_end_with_carriage_returns_alone() {
    let file = "a,b\r1,2\r3,4\r";
    assert_eq!(
        csv(file),
        ["2 {\"a\":\"1\",\"b\":\"2\"}", "3 {\"a\":\"3\",\"b\":\"4\"}"]
    );
    assert_eq!(seen(&[CSV], file).lines, 3);
    for end in ["\r", "\n", "\r\n"] {
        let file = ["a,\"b", "c\"", "1,2", "3,4", ""].join(end);
        let places: Vec<String> = csv(&file).iter().map(|told| told[..1].to_owned()).collect();
        assert_eq!(places, ["3", "4"], "{end:?}");
        let seen = seen(&[CSV], &file);
        assert_eq!((seen.lines, seen.skipped), (4, 2), "{end:?}");
    }
}

#[test]
fn row_52_what_is_whole_comes_out_where_nobody_sends_more() {
    let mut reader = FileReader::new(&layout(&[CSV]), LIMITS).expect("a reader");
    let mut records = Vec::new();
    let file = b"a,b\n1,2\n3,\"4\n5,6\n";
    reader.feed(file, &mut records).expect("a table");
    assert!(records.is_empty(), "more of it may come");
    assert_eq!(reader.leave_some(&mut records).ok(), Some(false));
    assert_eq!(records.len(), 1, "the quote is not closed");
}

#[test]
fn row_8_a_record_may_have_many_lines_and_stands_where_it_begins() {
    let file = "name,email\n\"Ada\nLovelace\",a@x.test\nx,b@x.test\n";
    assert_eq!(
        csv(file),
        [
            "2 {\"name\":\"Ada\\nLovelace\",\"email\":\"a@x.test\"}",
            "4 {\"name\":\"x\",\"email\":\"b@x.test\"}"
        ]
    );
    assert_eq!(seen(&[CSV], file).lines, 4);
}

#[test]
fn row_9_a_quote_that_is_not_closed_costs_one_record() {
    let mut file = "n,name\n7,\"5\"\"\"\n8,\"open,x\n".to_owned();
    for number in 9..2_000 {
        file.push_str(&format!("{number},good\n"));
    }
    for cut in [1_000, 100_000] {
        let read = read_in(&layout(&[CSV]), LIMITS, file.as_bytes(), cut, true).expect("a file");
        assert_eq!(read.0.len(), 1_993);
        assert_eq!(line(&read.0[1]), "3 !unbalanced_quote");
        assert_eq!(&read.0[1].text[..], b"8,\"open,x");
        assert_eq!(line(&read.0[2]), "4 {\"n\":\"9\",\"name\":\"good\"}");
        assert!(read.0[2..].iter().all(|record| record.read.is_ok()));
    }
}

#[test]
fn row_9_neighbours_with_quotes_of_their_own_are_good_too() {
    for good in ["9,\"q\"", "9,\"\"", "\"9\",q"] {
        let file = format!("n,name\n8,\"open\n{good}\n10,x\n");
        let told = csv(&file);
        assert_eq!(codes(&told), ["unbalanced_quote"], "{file} {told:?}");
        assert!(told.iter().any(|line| line.contains("\"10\"")), "{told:?}");
    }
    let told = csv("n,name\n7,x\n8,\"open");
    assert_eq!(
        told,
        ["2 {\"n\":\"7\",\"name\":\"x\"}", "3 !unbalanced_quote"]
    );
    assert_eq!(
        csv("n,name\n7,\"x\"y\n8,ok\n"),
        ["2 !unbalanced_quote", "3 {\"n\":\"8\",\"name\":\"ok\"}"]
    );
}

#[test]
fn row_8_what_stands_in_a_closed_cell_is_nobody_s_record_whatever_else_is_wrong_with_its_own() {
    for record in [
        "1,Smith, John,\"hello\n2,evil,x\nbye\"",
        "1,\"hello\n2,evil,x\nbye\"",
    ] {
        let told = csv(format!("n,name,note\n{record}\n3,c,d\n"));
        let expected = [
            "2 !wrong_column_count",
            "5 {\"n\":\"3\",\"name\":\"c\",\"note\":\"d\"}",
        ];
        assert_eq!(told, expected);
    }
}

#[test]
fn a_record_over_the_limit_is_one_rejection_and_not_held() {
    let long = "x".repeat(3_000_000);
    for (file, code, next) in [
        (format!("a,b\n1,{long}\n2,y\n"), "record_too_large", "3 "),
        (
            format!("a,b\n1,\"{}\n2,y\n", "long line\n".repeat(10_000)),
            "unbalanced_quote",
            "10003 ",
        ),
    ] {
        let mut reader = FileReader::new(&layout(&[CSV]), LIMITS).expect("a reader");
        let mut records = Vec::<FileRecord>::new();
        for piece in file.as_bytes().chunks(64 << 10) {
            reader.feed(piece, &mut records).expect("fed");
            assert!(reader.kept().len() < 200_000);
        }
        reader.end(&mut records).expect("ended");
        let told: Vec<String> = records.iter().map(line).collect();
        assert_eq!(
            told,
            [
                format!("2 !{code}"),
                format!("{next}{{\"a\":\"2\",\"b\":\"y\"}}")
            ]
        );
    }
}

#[test]
fn row_10_escapes_are_taken_where_they_are_said() {
    let told = told_of(&[CSV, ("escape", "\\")], "a,b\n\"foo \\\", bar\",b\n");
    assert_eq!(told, ["2 {\"a\":\"foo \\\", bar\",\"b\":\"b\"}"]);
}

#[test]
fn row_11_what_stands_above_the_header_is_skipped_where_it_is_said() {
    let file = "# export\n# of today\n\na,b\n1,2\n";
    let settings = [CSV, ("skip_lines", "2")];
    assert_eq!(told_of(&settings, file), ["5 {\"a\":\"1\",\"b\":\"2\"}"]);
    let seen = seen(&settings, file);
    assert_eq!((seen.lines, seen.blank, seen.skipped), (5, 1, 3));
    assert_eq!(csv("\n\na,b\n#1,2\n"), ["4 {\"a\":\"#1\",\"b\":\"2\"}"]);
    assert_eq!(csv(",a,b\n,1,2\n"), ["2 {\"a\":\"1\",\"b\":\"2\"}"]);
}

#[test]
fn row_13_names_match_without_case_and_blanks_where_that_is_unique() {
    let read = |used: &[&str], text: &str| {
        let used = Some(used.iter().map(|&name| name.to_owned()).collect());
        let layout = crate::files::Layout {
            used,
            ..layout(&[CSV])
        };
        let read = read_in(&layout, LIMITS, text.as_bytes(), 100, false);
        read.map(|(records, _)| records.iter().map(line).collect::<Vec<_>>())
            .map_err(|refused| refused.code)
    };
    let file = " Email ,PLAN,Plan,x\na@x.test,1,2,3\n";
    assert_eq!(
        read(&["email"], file),
        Ok(vec!["2 {\"email\":\"a@x.test\"}".to_owned()])
    );
    assert_eq!(read(&["email", "plan"], file), Err("ambiguous_column"));
    assert_eq!(
        read(&["email", "#3"], file),
        Ok(vec!["2 {\"email\":\"a@x.test\",\"#3\":\"2\"}".to_owned()])
    );
    let all = "2 {\"Email\":\"a@x.test\",\"PLAN\":\"1\",\"Plan\":\"2\",\"x\":\"3\"}";
    assert_eq!(read(&["Plan", "*"], file), Ok(vec![all.to_owned()]));
    assert_eq!(read(&["id"], file), Err("missing_columns"));
    let twice = "a,a\n1,2\n";
    assert_eq!(unusable(&[CSV], twice).code, "ambiguous_column");
    assert_eq!(
        read(&["#1", "#2"], twice),
        Ok(vec!["2 {\"#1\":\"1\",\"#2\":\"2\"}".to_owned()])
    );
}

#[test]
fn row_15_joined_files_have_a_header_in_the_middle() {
    let told = csv("\u{feff}a,b\n1,2\n\u{feff}a,b\n3,4\n");
    assert_eq!(
        told,
        [
            "2 {\"a\":\"1\",\"b\":\"2\"}",
            "3 !repeated_header",
            "4 {\"a\":\"3\",\"b\":\"4\"}"
        ]
    );
}

#[test]
fn several_marks_before_a_record_are_no_part_of_it_wherever_the_file_is_cut() {
    let mark = "\u{feff}";
    let file = format!(
        "{mark}a,b\n{mark}{mark}1,2\n{mark}{mark}{}\n",
        "x".repeat(500)
    );
    for cut in [1, 8, 13, 1_000] {
        let limits = FileLimits {
            first_bytes: 5,
            ..LIMITS
        };
        let settings = layout(&[CSV, ("delimiter", ",")]);
        let read = read_in(&settings, limits, file.as_bytes(), cut, true);
        let (records, _) = read.expect("a file");
        assert_eq!(line(&records[0]), "2 {\"a\":\"1\",\"b\":\"2\"}");
        assert!(records[1].text.starts_with(b"x"), "{cut}");
    }
}

#[test]
fn row_16_padded_cells_are_trimmed_where_it_is_said() {
    let file = "email     ,plan \na@x.test  , pro \n";
    assert_eq!(
        csv(file),
        ["2 {\"email\":\"a@x.test  \",\"plan\":\" pro \"}"]
    );
    assert_eq!(
        told_of(&[CSV, ("trim", "true")], file),
        ["2 {\"email\":\"a@x.test\",\"plan\":\"pro\"}"]
    );
}

#[test]
fn row_17_tables_that_are_far_too_wide_are_refused_once() {
    let names: Vec<String> = (0..51).map(|number| format!("c{number}")).collect();
    let refused = unusable(&[CSV], format!("{}\n", names.join(",")));
    assert!(
        refused.code == "too_many_columns" && refused.message.contains("50"),
        "{refused}"
    );
    let long = format!("a,{}\n1,2\n", "x".repeat(900_000));
    assert_eq!(unusable(&[CSV, ("delimiter", ",")], &long).code, "header");
    assert_eq!(unusable(&[CSV], &long).code, "header");
}

#[test]
fn row_18_a_table_without_a_record_is_told_of_once() {
    for file in ["", "\u{feff}", "a,b\n", "a,b", "\n\n\n\n\n\n\n\n\n\n"] {
        let seen = seen(&[CSV], file);
        assert_eq!(
            (seen.records, seen.warnings[0].0.as_str()),
            (0, "empty_file"),
            "{file:?}"
        );
    }
}

#[test]
fn row_24_an_empty_cell_is_what_the_layout_says() {
    let file = "email,first,last\na@x,,\"\"\n";
    assert_eq!(csv(file), ["2 {\"email\":\"a@x\"}"]);
    let null = told_of(&[CSV, ("empty", "null")], file);
    assert_eq!(null, ["2 {\"email\":\"a@x\",\"first\":null,\"last\":null}"]);
    let copied = told_of(&[CSV, ("empty", "null"), ("quoted_empty", "text")], file);
    assert_eq!(
        copied,
        ["2 {\"email\":\"a@x\",\"first\":null,\"last\":\"\"}"]
    );
    for name in ["empty.first", "empty.First", "empty. FIRST", "empty.#2"] {
        let single = told_of(&[CSV, (name, "null")], file);
        assert_eq!(single, ["2 {\"email\":\"a@x\",\"first\":null}"], "{name}");
    }
    let nowhere = [
        CSV,
        ("empty.frist", "null"),
        ("empty.#4", "null"),
        ("empty.last", "text"),
    ];
    let (code, told) = &seen(&nowhere, file).warnings[0];
    assert_eq!(code, "empty_column");
    assert!(told.contains("empty.#4, empty.frist is said"), "{told}");
}

#[test]
fn rows_25_and_26_nothing_goes_from_row_to_row() {
    let told = csv("email,id\na@x,1\n,2\n,\n");
    assert_eq!(
        told,
        [
            "2 {\"email\":\"a@x\",\"id\":\"1\"}",
            "3 {\"id\":\"2\"}",
            "4 {}"
        ]
    );
}

#[test]
fn the_count_of_cells_is_held_to_the_header() {
    let told = csv(
        "a,b,c\n1,2,3\n1,2\n1,2,3,4\n1,2,3,,\n7,8,9\n\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n",
    );
    assert_eq!(told[1], "3 !wrong_column_count");
    assert_eq!(told[2], "4 !wrong_column_count");
    assert_eq!(told[3], "5 {\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}");
    assert_eq!(told[5], "8 {\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}");
    let short = told_of(
        &[CSV, ("short_rows", "true"), ("delimiter", ",")],
        "a,b,c\n1,2\n",
    );
    assert_eq!(short, ["2 {\"a\":\"1\",\"b\":\"2\"}"]);
}

#[test]
fn a_nul_in_a_cell_is_refused_with_its_column() {
    let read = read_in(&layout(&[CSV]), LIMITS, b"a,b\n1,x\0y\n2,z\n", 4, true).expect("a file");
    let rejection = read.0[0].read.clone().expect_err("a NUL");
    assert_eq!(
        (rejection.code.as_str(), rejection.field.as_deref()),
        ("invalid_field", Some("b"))
    );
    assert!(read.0[1].read.is_ok());
}

#[test]
fn more_lines_to_skip_than_there_are_end_with_the_file_and_any_number_is_refused() {
    let skip = |count: &str| unusable(&[CSV, ("skip_lines", count)], "user_id\n1\n");
    assert_eq!(skip("18446744073709551615").code, "layout");
    assert_eq!(skip("1048577").code, "layout");
    assert!(told_of(&[CSV, ("skip_lines", "1048576")], "user_id\n1\n").is_empty());
    // A job that was begun without the limit goes on without end neither.
    let begun = FileReader::new(&layout(&[CSV]), LIMITS).expect("a layout");
    let layout = layout(&[CSV, ("skip_lines", "18446744073709551615")]);
    let mut reader = FileReader::resumed(&layout, LIMITS, &begun.kept()).expect("kept");
    let mut records = Vec::new();
    reader.feed(b"user_id\n1\n", &mut records).expect("a file");
    reader.end(&mut records).expect("a file");
    assert!(records.is_empty());
}
