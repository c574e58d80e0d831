//! What was mended in records that were stored, or left out of them: a few sorts of it, each with how often it was met and where first.

use crate::domain::{Warning, sizes};
use crate::files::{Place, Seen};
use serde::{Deserialize, Serialize};

/// Sorts that are kept of a file: each step of a job writes them again.
const MOST: usize = 20;
/// Bytes of a field's name; it may be as long as a header.
const MOST_FIELD: usize = 200;

/// One sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mended {
    pub code: String,
    pub field: String,
    pub reason: String,
    /// Where it was met first.
    pub line_number: String,
    /// How often.
    pub count: u64,
}

/// What a job's row says of its file.
#[derive(Deserialize)]
struct OfRow {
    #[serde(default)]
    mended: Vec<Mended>,
}

/// The same as it is written.
#[derive(Serialize)]
struct ToRow<'a> {
    #[serde(flatten)]
    seen: &'a Seen,
    mended: &'a [Mended],
}

/// What a job's row has; nothing where it has not begun.
pub(super) fn of_row(seen: Option<&str>) -> Vec<Mended> {
    let row = seen.and_then(|seen| serde_json::from_str::<OfRow>(seen).ok());
    row.map_or_else(Vec::new, |row| row.mended)
}

/// What a job's row is to have.
pub(super) fn to_row(seen: &Seen, mended: &[Mended]) -> String {
    serde_json::to_string(&ToRow { seen, mended }).unwrap_or_default()
}

/// Counts one record's warnings; of more sorts than are kept those that came first stay.
pub(super) fn count(mended: &mut Vec<Mended>, warnings: &[Warning], place: Place) {
    for warning in warnings {
        // No database takes a NUL as text.
        let field = sizes::beginning(&warning.field, MOST_FIELD).replace('\0', " ");
        let is_it = |known: &Mended| known.code == warning.code && known.field == field;
        match mended.iter().position(is_it) {
            Some(known) => mended[known].count += 1,
            None if mended.len() < MOST => mended.push(Mended {
                code: warning.code.to_owned(),
                field,
                reason: warning.message.clone(),
                line_number: place.to_string(),
                count: 1,
            }),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_are_counted_with_where_they_were_met_first_and_are_bounded() {
        let (mut mended, seen) = (Vec::new(), Seen::default());
        for line in 1..=100 {
            let field = format!("/{}", line % 30);
            let warning = Warning::of("not_converted", field, "it does not read as number");
            count(&mut mended, &[warning], Place::of(line));
            mended = of_row(Some(&to_row(&seen, &mended)));
        }
        assert_eq!(mended.len(), MOST);
        let first = &mended[0];
        assert_eq!(
            (&*first.field, &*first.line_number, first.count),
            ("/1", "1", 4)
        );
        let long = Warning::of("not_converted", "ä".repeat(MOST_FIELD), "");
        let mut mended = Vec::new();
        count(&mut mended, &[long.clone(), long], Place::of(7));
        assert_eq!((mended.len(), mended[0].count), (1, 2));
        assert!(mended[0].field.len() <= MOST_FIELD);
    }

    #[test]
    fn what_a_file_turned_out_to_be_is_read_beside_it() {
        let row = to_row(&Seen::default(), &[]);
        assert_eq!(
            serde_json::from_str::<Seen>(&row).ok(),
            Some(Seen::default())
        );
        let before = serde_json::to_string(&Seen::default()).expect("JSON");
        assert_eq!(of_row(Some(&before)), []);
    }
}
