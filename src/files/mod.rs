//! A file as records: bytes in, JSON objects out, each with the place where it stands, or with why it can't be taken.
//!
//! Pure: no I/O, no clock, and no knowledge of what the records say; `mapping` reads that. A reader can be stopped anywhere and gone
//! on with by another node: what that one needs beside the offset is in `FileReader::kept`. `docs/IMPORTS.md` says what a file may
//! look like.

mod cells;
mod column_types;
mod columns;
mod decoder;
mod encoding;
mod framer;
mod grid;
mod guess;
mod gunzip;
mod held;
mod inflater;
mod json_stream;
mod kept;
mod layout;
mod lines;
mod lost;
mod preview;
mod reader;
mod record;
mod rejections;
mod row;
mod scan;
mod signature;
mod start;
mod table;
mod unusable;
mod wrapped;

pub use columns::unclear;
pub use encoding::Encoding;
pub use held::beginning;
pub use inflater::Inflater;
pub use layout::{Before, CsvLayout, Empty, Format, Layout, MOST_COLUMNS};
pub use preview::{Preview, Sampler};
pub use reader::{FileLimits, FileReader};
pub use record::{FileRecord, Place, Seen};
pub use rejections::{RefusedLine, csv_header};
pub use signature::{FIRST_BYTES, Told, told};
pub use unusable::Unusable;
pub use wrapped::is_of_rejections;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tools_tests;
