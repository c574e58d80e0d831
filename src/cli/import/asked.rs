//! What is to be sent, and what is said of it.

use crate::files::Layout;
use anyhow::{Result, bail};
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

impl Upload {
    /// What is said of how the file is written.
    ///
    /// # Errors
    /// What can't be.
    pub fn layout(&self) -> Result<Layout> {
        let mut layout = Layout::default();
        for (name, value) in &self.said {
            // The others are what every file has: its name, its time, its mapping.
            layout.set(name, value)?;
        }
        Ok(layout)
    }
}

/// Holds options against those that there are: of a name that it does not know the service takes no notice.
///
/// # Errors
/// The first that is none, or can't be.
pub fn check(options: &[(String, String)]) -> Result<()> {
    let mut layout = Layout::default();
    for (name, value) in options {
        if name == "format" {
            bail!("the format of a file is said by --format");
        }
        if !layout.set(name, value)? {
            let known = Layout::NAMES.join(", ");
            bail!("{name} is no option of a file; {known} and empty.COLUMN are");
        }
    }
    Ok(())
}
