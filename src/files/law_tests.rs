//! Laws: wherever a file is cut, and wherever its reader is stopped and gone on with by another, the records are the same.

use super::super::testing::{LIMITS, layout, line, read_in};
use super::super::{FileLimits, FileRecord, Seen};
use proptest::collection::vec;
use proptest::prelude::*;

const FORMATS: [&str; 3] = ["ndjson", "json", "csv"];

type Told = Result<(Vec<(String, Vec<u8>)>, Seen), String>;

fn told(format: &str, bytes: &[u8], cut: usize, resumes: bool) -> Told {
    let layout = layout(&[("format", format)]);
    let read = read_in(
        &layout,
        FileLimits {
            first_bytes: 20,
            records: 2,
            ..LIMITS
        },
        bytes,
        cut,
        resumes,
    );
    let lines = |records: &[FileRecord]| {
        records
            .iter()
            .map(|record| (line(record), record.text.to_vec()))
            .collect()
    };
    match read {
        Ok((records, seen)) => Ok((lines(&records), seen)),
        Err(unusable) => Err(unusable.code.to_owned()),
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let marks = [
        &b"\n"[..],
        b"\r\n",
        b"\r",
        b"{\"a\":1}",
        b"{\"a\":\"}{\"}",
        b"[",
        b"]",
        b",",
        b"\"",
        b"{",
        b"}",
        b" ",
        b"\\",
        b"null",
        b"7",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\0",
        b"\xe9",
        "ä".as_bytes(),
        b"a,b;c\n",
        b"1,2\n",
    ];
    let long = prop_oneof![
        Just(vec![b'x'; 390]),
        Just(vec![b'x'; 402]),
        Just(vec![b'y'; 5_000])
    ];
    let marks = (0..marks.len()).prop_map(move |place| marks[place].to_vec());
    prop_oneof![12 => marks, 1 => long]
}

proptest! {
    #[test]
    fn laws_the_records_of_a_file_do_not_depend_on_how_it_comes(
        pieces in vec(piece(), 0..40),
        cut in 1..300_usize,
        format in 0..FORMATS.len(),
    ) {
        let bytes = pieces.concat();
        let whole = told(FORMATS[format], &bytes, bytes.len(), false);
        prop_assert_eq!(&told(FORMATS[format], &bytes, cut, false), &whole);
        prop_assert_eq!(&told(FORMATS[format], &bytes, cut, true), &whole);
        if bytes.len() < 300 {
            prop_assert_eq!(&told(FORMATS[format], &bytes, 1, true), &whole);
        }
    }
}
