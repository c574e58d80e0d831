//! The columns of a table: their names, which of them are read, and what a record of them is as an object.

use super::layout::{CsvLayout, Empty};
use super::unusable::Unusable;
use crate::domain::Gate;
use crate::mapping::kind_of;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    pub all: Vec<Column>,
    /// Fewer cells are too few.
    pub least: usize,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// As the header has it, without blanks around it.
    pub name: String,
    /// The member of the object; `None` of one that is not read.
    pub member: Option<String>,
    /// The other names that the mapping has for it, each a member too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<String>,
    pub empty: Empty,
    pub quoted_empty: Empty,
}

impl Column {
    /// All members that it is.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        let all = self.member.iter().chain(&self.more);
        all.map(String::as_str)
    }
}

/// In the mapping: whatever has no other meaning.
const ALL: &str = "*";

impl Columns {
    /// Those of a header, or of the layout. `used` are the names that the mapping has; all are read where there is none.
    ///
    /// # Errors
    /// What is wrong with the names.
    pub fn of(
        names: &[String],
        layout: &CsvLayout,
        used: Option<&[String]>,
        most: usize,
    ) -> Result<Self, Unusable> {
        if names.len() > most {
            let message = format!(
                "the table has {} columns, over the limit of {most}",
                names.len()
            );
            return Err(Unusable::of("too_many_columns", message));
        }
        let Some(last) = names.iter().rposition(|name| !name.is_empty()) else {
            return Err(Unusable::of("header", "no column of the table has a name"));
        };
        let mut members = vec![Vec::new(); names.len()];
        match used {
            Some(used) => {
                let found = named(names, used, &mut members)?;
                if found == 0 && !used.iter().any(|name| name == ALL) {
                    let message = "the table has none of the columns that the mapping reads";
                    return Err(Unusable::of("missing_columns", message));
                }
                if used.iter().any(|name| name == ALL) {
                    others(names, &mut members)?;
                }
            }
            None => others(names, &mut members)?,
        }
        let said = empty(names, &layout.empty_columns);
        let column = |((name, members), own): ((&String, Vec<String>), Option<Empty>)| {
            let mut members = members.into_iter();
            let empty = own.unwrap_or(layout.empty);
            let quoted_empty = own.or(layout.quoted_empty).unwrap_or(empty);
            Column {
                name: name.clone(),
                member: members.next(),
                more: members.collect(),
                empty,
                quoted_empty,
            }
        };
        let all = names.iter().zip(members).zip(said).map(column).collect();
        let least = last + 1;
        Ok(Self { all, least })
    }

    /// The names that the mapping reads and the table does not have.
    pub fn missing<'u>(&self, used: &'u [String]) -> Vec<&'u str> {
        let has = |name: &str| {
            let mut members = self.all.iter().flat_map(Column::members);
            members.any(|member| member == name)
        };
        let used = used.iter().map(String::as_str);
        used.filter(|name| *name != ALL && !has(name)).collect()
    }

    /// The columns of which an empty cell is said and that the table does not have.
    pub fn not_there<'l>(&self, layout: &'l CsvLayout) -> Vec<&'l str> {
        let (names, said) = (self.names(), layout.empty_columns.keys());
        let said = said.map(String::as_str);
        said.filter(|name| called(&names, name).is_empty())
            .collect()
    }

    /// Columns that have a name.
    pub fn names(&self) -> Vec<String> {
        self.all.iter().map(|column| column.name.clone()).collect()
    }
}

/// Why a table without a mapping is refused at once: no column says who a row is about, so that each of them would be; or two of one kind
/// do, so that each row could join two people.
pub fn unclear(names: &[String], gate: &Gate<'_>) -> Option<Unusable> {
    let named = names
        .iter()
        .filter_map(|name| Some((kind_of(name, gate)?, name)));
    let mut known = BTreeMap::new();
    for (kind, name) in named {
        if let Some(other) = known.insert(kind, name) {
            return Some(alike(kind, [other, name]));
        }
    }
    known.is_empty().then(|| {
        let message = "no column of the table is called as a kind of identity, like user_id or email: a mapping says which column has it";
        Unusable::of("missing_columns", message)
    })
}

/// Gives columns the names that the mapping has for them, one or several: their own, their own in other letters, or `#` and their number.
fn named(
    names: &[String],
    used: &[String],
    members: &mut [Vec<String>],
) -> Result<usize, Unusable> {
    let mut found = 0;
    for name in used {
        match called(names, name)[..] {
            [] => {}
            [place] => {
                members[place].push(name.clone());
                found += 1;
            }
            _ => return Err(twice(name)),
        }
    }
    Ok(found)
}

/// What is said of an empty cell of each column; of several that are called so, of all.
fn empty(names: &[String], said: &BTreeMap<String, Empty>) -> Vec<Option<Empty>> {
    let mut all = vec![None; names.len()];
    for (name, empty) in said {
        for place in called(names, name) {
            all[place] = Some(*empty);
        }
    }
    all
}

/// The places of the columns that somebody means by a name: theirs, theirs in other letters, or `#` and their number.
fn called(names: &[String], sought: &str) -> Vec<usize> {
    let number = sought
        .strip_prefix('#')
        .and_then(|number| number.parse::<usize>().ok());
    if let Some(number) = number {
        let place = number.checked_sub(1).filter(|place| *place < names.len());
        return place.into_iter().collect();
    }
    let folded = sought.trim().to_lowercase();
    let all = |is_it: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let places = names.iter().enumerate().filter(|(_, name)| is_it(name));
        places.map(|(place, _)| place).collect()
    };
    let exact = all(&|name| name == sought.trim());
    if exact.is_empty() {
        all(&|name| name.to_lowercase() == folded)
    } else {
        exact
    }
}

/// All others by their own names.
fn others(names: &[String], members: &mut [Vec<String>]) -> Result<(), Unusable> {
    for place in 0..names.len() {
        let name = &names[place];
        if !members[place].is_empty() || name.is_empty() {
            continue;
        }
        if members.iter().flatten().any(|member| member == name) {
            return Err(twice(name));
        }
        members[place].push(name.clone());
    }
    Ok(())
}

fn alike(kind: &str, [one, other]: [&str; 2]) -> Unusable {
    let message = format!(
        "the columns {one:?} and {other:?} are both called as the kind {kind}: a mapping says which of them names the person"
    );
    Unusable::of("ambiguous_column", message)
}

fn twice(name: &str) -> Unusable {
    let message = format!(
        "two columns are called {name:?}: name them in the mapping by their numbers, like \"/#3\""
    );
    Unusable::of("ambiguous_column", message)
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
