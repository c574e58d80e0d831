//! What the tests of this module share.

use super::*;

/// Limits in which a test finds its edges.
pub const LIMITS: FileLimits = FileLimits {
    record_bytes: 400,
    columns: 50,
    first_bytes: 4_096,
    records: 7,
};

/// Records of one line, of the lines of these tests.
const MOST_OF_ONE: usize = 20;

/// What a reader makes of a file that comes in pieces of `cut` bytes; with `resumes`, each piece is read by another reader.
pub fn read_in(
    layout: &Layout,
    limits: FileLimits,
    bytes: &[u8],
    cut: usize,
    resumes: bool,
) -> Result<(Vec<FileRecord>, Seen), Unusable> {
    let mut reader = FileReader::new(layout, limits)?;
    let mut records = Vec::new();
    for mut piece in bytes.chunks(cut.max(1)) {
        let mut leaves_some = true;
        while leaves_some {
            let before = records.len();
            leaves_some = reader.feed_some(std::mem::take(&mut piece), &mut records)?;
            assert!(records.len() - before <= limits.records + MOST_OF_ONE);
            if resumes {
                reader = FileReader::resumed(layout, limits, &reader.kept())?;
            }
        }
    }
    while reader.end_some(&mut records)? {
        if resumes {
            reader = FileReader::resumed(layout, limits, &reader.kept())?;
        }
    }
    Ok((records, reader.seen().clone()))
}

/// A layout of these settings.
pub fn layout(settings: &[(&str, &str)]) -> Layout {
    let mut layout = Layout::default();
    for (name, value) in settings {
        assert_eq!(layout.set(name, value), Ok(true), "{name}");
    }
    layout
}

/// What becomes of a file, a line for each record: its place, and its object or why not.
pub fn told_of(settings: &[(&str, &str)], text: impl AsRef<[u8]>) -> Vec<String> {
    let read = read_in(&layout(settings), LIMITS, text.as_ref(), 1_000, false);
    let (records, _) = read.expect("a file that can be read");
    records.iter().map(line).collect()
}

/// One record, in a line.
pub fn line(record: &FileRecord) -> String {
    match &record.read {
        Ok(object) => format!("{} {}", record.place, String::from_utf8_lossy(object)),
        Err(rejection) => format!("{} !{}", record.place, rejection.code.as_str()),
    }
}

/// Why a whole file is refused.
pub fn unusable(settings: &[(&str, &str)], text: impl AsRef<[u8]>) -> Unusable {
    let read = read_in(&layout(settings), LIMITS, text.as_ref(), 1_000, false);
    read.expect_err("a file that can't be read")
}

/// What was seen of a file.
pub fn seen(settings: &[(&str, &str)], text: impl AsRef<[u8]>) -> Seen {
    let read = read_in(&layout(settings), LIMITS, text.as_ref(), 1_000, false);
    read.expect("a file that can be read").1
}
