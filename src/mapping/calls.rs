//! Messages of the tracking API as records. They are read by the reader that the HTTP route has; it is handed in, since what knows the
//! API stands above this module.

use super::text;
use super::{Control, Reading, Record, done};
use crate::domain::{Command, Gate, NameByPlace, Rejection, Timestamp};
use bytes::Bytes;
use std::sync::Arc;

/// Reads the text of one message. What depends on the time of receipt takes the gate's: the record's own, so that a replay gives the
/// same command. A message of a file was not sent when it is read, and where it has no id its place names it.
pub type ReadCall =
    dyn Fn(&Bytes, &Gate<'_>, Option<NameByPlace<'_>>) -> Result<Command, Rejection> + Send + Sync;

/// A reader that many sources share.
pub type Calls = Arc<ReadCall>;

/// Reads a record that is a message. Of a file's message without a time `start` is its time, and without an id its place names it.
///
/// # Errors
/// Why it can't be taken.
pub fn read(
    record: &Record<'_>,
    gate: &Gate<'_>,
    start: Timestamp,
    calls: &ReadCall,
) -> Result<Reading, Rejection> {
    let Some(bytes) = record.value else {
        return Ok(Reading::Control(Control::Tombstone));
    };
    let command = text::read(bytes, "value", gate.limits.depth, |text| {
        match &record.from {
            None => calls(text, gate, None),
            Some(from) => {
                let id = |text: &[u8]| from.event_id(text);
                let call = |text: &Bytes, gate: &Gate<'_>| calls(text, gate, Some(&id));
                filed(text, gate, start, call).map(|command| from.filed(command))
            }
        }
    })?;
    Ok(match command {
        Some(command) => done(command, Vec::new()),
        None => Reading::Control(Control::Tombstone),
    })
}

/// A message without a time has that of receipt, which is the file's own: it is asked for where the usual answer is that of the gate.
fn filed(
    text: &Bytes,
    gate: &Gate<'_>,
    start: Timestamp,
    call: impl Fn(&Bytes, &Gate<'_>) -> Result<Command, Rejection>,
) -> Result<Command, Rejection> {
    let command = call(text, gate)?;
    if command.occurred_at() < gate.received_at || start >= gate.received_at {
        return Ok(command);
    }
    let received_at = start;
    call(
        text,
        &Gate {
            received_at,
            ..*gate
        },
    )
}

#[cfg(test)]
mod tests {
    use crate::mapping::row_tests::read_with;
    use crate::mapping::{Control, Mapping, Reading};

    fn tracking() -> Mapping {
        Mapping::parse("preset = \"tracking\"").expect("a mapping")
    }

    /// The reader of these tests knows no call: it gives the text back as the reason.
    fn text_of(value: &[u8]) -> String {
        let read = read_with(&tracking(), None, Some(value), &[]);
        read.expect_err("the text").message
    }

    #[test]
    fn the_reader_is_given_the_message_as_the_route_would_have_it() {
        let expected = r#"{"userId":"1"}"#;
        assert_eq!(text_of(expected.as_bytes()), expected);
        let with_mark = [b"\xEF\xBB\xBF ", expected.as_bytes()].concat();
        assert_eq!(text_of(&with_mark), expected);
        let registered = [&[0, 0, 0, 0, 9][..], expected.as_bytes()].concat();
        assert_eq!(text_of(&registered), expected);
        assert_eq!(text_of(br#"{"n":NaN}"#), r#"{"n":null}"#);
    }

    #[test]
    fn what_has_no_message_is_about_nobody() {
        for value in [None, Some(&b""[..]), Some(b"null")] {
            let read = read_with(&tracking(), Some(b"7"), value, &[]);
            let is_tombstone = matches!(read, Ok(Reading::Control(Control::Tombstone)));
            assert!(is_tombstone, "{value:?}");
        }
    }

    #[test]
    fn the_preset_takes_a_project_and_nothing_else() {
        let mapping = "preset = \"tracking\"\n[project]\nfield = \"/context/tenant\"\n";
        assert!(Mapping::parse(mapping).is_ok());
        let complaints = Mapping::parse("preset = \"tracking\"\n[identities]\nuser_id = \"/id\"");
        let complaints = complaints.expect_err("an unknown section");
        assert_eq!(complaints, ["there is no key \"identities\""]);
    }
}
