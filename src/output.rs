//! What commands print: the only way to standard output, so that a reader who goes ends any of them without a panic.
//!
//! `SIGPIPE` stays ignored: set back to its default it would also end a command, without a word, where a connection breaks.

use anyhow::{Error, Result};
use std::fmt::Display;
use std::io::{ErrorKind, Write, stdout};

/// As a shell tells of programs that `SIGPIPE` has ended.
pub const CODE_OF_CLOSED: u8 = 128 + 13;

/// Nobody reads any more what a command prints, as behind `| head`: it ends, and says nothing about it.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub struct Closed;

/// Prints a line.
///
/// # Errors
/// `Closed`, or why it can't be written.
pub fn line(line: impl Display) -> Result<()> {
    text(format_args!("{line}\n"))
}

/// Prints a text as it is.
///
/// # Errors
/// `Closed`, or why it can't be written.
pub fn text(text: impl Display) -> Result<()> {
    let mut output = stdout().lock();
    let written = write!(output, "{text}").and_then(|()| output.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Closed.into(),
        _ => Error::new(error).context("the output can't be written"),
    })
}
