//! What cuts a file into records, whatever its format.

use super::held::{Held, Out};
use super::json_stream::Stream;
use super::layout::{Before, Format, Layout};
use super::lines::Lines;
use super::table::Table;
use super::unusable::Unusable;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Framer {
    Lines(Lines),
    Stream(Stream),
    Table(Box<Table>),
}

impl Framer {
    /// For a file of that layout.
    pub fn of(layout: &Layout) -> Self {
        match layout.format {
            // What the file is was told by its first lines.
            Format::Ndjson if layout.before != Before::default() => {
                Self::Lines(Lines::begun(layout.commas))
            }
            Format::Ndjson => Self::Lines(Lines::new(layout.commas)),
            Format::Json => Self::Stream(Stream::default()),
            Format::Csv => Self::Table(Box::new(Table::new(layout))),
        }
    }

    /// The file ends here, and all of it was taken.
    ///
    /// # Errors
    /// `truncated` where it is known to lack its end.
    pub fn closed(&self) -> Result<(), Unusable> {
        match self {
            Self::Lines(_) | Self::Table(_) => Ok(()),
            Self::Stream(stream) => stream.closed(),
        }
    }

    /// Takes the records that are whole.
    ///
    /// # Errors
    /// Why the whole file is refused.
    pub fn advance(
        &mut self,
        held: &mut Held,
        is_end: bool,
        layout: &Layout,
        out: &mut Out<'_>,
    ) -> Result<(), Unusable> {
        match self {
            Self::Lines(lines) => lines.advance(held, is_end, out),
            Self::Stream(stream) => {
                stream.advance(held, is_end, out);
                Ok(())
            }
            Self::Table(table) => table.advance(held, is_end, layout, out),
        }
    }
}
