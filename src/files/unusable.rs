//! Why a whole file can't be read.

/// A file that is refused whole, instead of a million times line by line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unusable {
    /// Stable: clients may switch on it.
    pub code: &'static str,
    /// A sentence that says what to do.
    pub message: String,
}

impl Unusable {
    /// For a reason, with a sentence.
    pub fn of(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message }
    }

    /// True where the file is of a kind that is not read at all: HTTP's 415, where anything else is a 400.
    pub fn is_of_another_kind(&self) -> bool {
        self.code == "unsupported_file"
    }
}
