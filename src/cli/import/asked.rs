//! What is to be sent, and what is said of it.

use std::path::PathBuf;

/// A file to send.
pub struct Upload {
    /// Without one it is the standard input.
    pub path: Option<PathBuf>,
    pub name: String,
    pub time: Option<String>,
    /// All that is said at the beginning.
    pub said: Vec<(String, String)>,
}
