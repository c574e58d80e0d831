//! From the cells of a record to an object: the names of columns are its members, and texts its values.

use super::grid::Grid;
use super::held::refused;
use super::layout::Empty;
use super::row::Cell;
use crate::domain::{Code, Rejection, Warning};
pub use crate::mapping::trimmed;
use bytes::Bytes;

/// What is told of a record beside its object.
pub type Problem = Vec<Warning>;

/// The object of a record that is UTF-8.
///
/// # Errors
/// Why it can't be taken, with the column.
pub fn object(
    bytes: &Bytes,
    cells: &[Cell],
    rows: &Grid<'_>,
) -> Result<(Bytes, Problem), Rejection> {
    if !rows.is_count(cells, bytes) {
        let (cells, columns) = (cells.len(), rows.columns.all.len());
        let message = format!("the record has {cells} cells where the table has {columns} columns");
        return Err(refused(Code::WrongColumnCount, message));
    }
    if is_header(bytes, cells, rows) {
        let message = "the header once more, as files that were joined have it";
        return Err(refused(Code::RepeatedHeader, message));
    }
    let mut object = Vec::with_capacity(bytes.len() * 2);
    object.push(b'{');
    for (column, cell) in rows.columns.all.iter().zip(cells) {
        let text = cell.text(bytes, rows.dialect);
        let text = std::str::from_utf8(&text).unwrap_or_default();
        let text = if rows.piece.layout.csv.trim {
            trimmed(text)
        } else {
            text
        };
        if column.name.is_empty() && column.member.is_none() && !text.trim().is_empty() {
            let message = "there is a value in a column without a name: name it, or empty it";
            return Err(refused(Code::ColumnWithoutName, message));
        }
        if column.member.is_none() {
            continue;
        }
        if text.contains('\0') {
            return Err(Rejection::of(
                Code::InvalidField,
                &column.name,
                "the cell has a NUL character",
            ));
        }
        let empty = if cell.is_quoted {
            column.quoted_empty
        } else {
            column.empty
        };
        for member in column.members() {
            match (text.is_empty(), empty) {
                (true, Empty::Absent) => {}
                (true, Empty::Null) => member_of(&mut object, member, None),
                _ => member_of(&mut object, member, Some(text)),
            }
            // A name costs its row nothing, and is written out in each; of several names of a column each has the text.
            if object.len() > rows.most {
                return Err(over(rows.most));
            }
        }
    }
    object.push(b'}');
    Ok((object.into(), Vec::new()))
}

fn over(most: usize) -> Rejection {
    let message =
        format!("with the names of its columns the record has more bytes than the limit of {most}");
    refused(Code::RecordTooLarge, message)
}

fn member_of(object: &mut Vec<u8>, name: &str, text: Option<&str>) {
    if object.len() > 1 {
        object.push(b',');
    }
    quoted(object, name);
    object.push(b':');
    match text {
        Some(text) => quoted(object, text),
        None => object.extend_from_slice(b"null"),
    }
}

fn quoted(object: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(object, text).expect("a text always serialises");
}

fn is_header(bytes: &[u8], cells: &[Cell], rows: &Grid<'_>) -> bool {
    let columns = &rows.columns.all;
    let is_alike = |(name, cell): (&String, &Cell)| {
        let text = cell.text(bytes, rows.dialect);
        std::str::from_utf8(&text).is_ok_and(|text| trimmed(text) == name)
    };
    cells.len() == columns.len()
        && columns
            .iter()
            .map(|column| &column.name)
            .zip(cells)
            .all(is_alike)
}

/// The column in which a record stops being text.
pub fn with_column(
    rejection: Rejection,
    bytes: &[u8],
    cells: &[Cell],
    rows: &Grid<'_>,
) -> Rejection {
    let bad = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let place = cells.iter().rposition(|cell| cell.start() <= bad);
    let column = place.and_then(|place| rows.columns.all.get(place));
    Rejection {
        field: column.map(|column| column.name.clone()),
        ..rejection
    }
}
