//! Tells at the start whether this database user may do what the service does.
//!
//! What that is follows from the texts of the statements, so that no right can be forgotten.

use super::schema::STEPS;
use super::{Error, Statement, Store, catalogue};
use std::collections::BTreeSet;

/// What only the owner runs, who migrates and manages projects and keys.
const OWNERS: [&str; 17] = [
    "create_project",
    "find_project",
    "set_kinds",
    "set_rules",
    "set_criteria",
    "drop_criteria",
    "set_retention",
    "create_key",
    "create_signed_key",
    "list_keys",
    "revoke_key",
    "record_step",
    "take_lease",
    "end_lease",
    "forget_field_type",
    "load_export",
    "save_export",
];

pub(super) const MISSING_RIGHTS: Statement = Statement {
    name: "missing_rights",
    sql: "-- missing_rights
SELECT t.privilege, t.table_name FROM unnest($1::TEXT[], $2::TEXT[]) AS t (table_name, privilege)
WHERE NOT has_table_privilege(t.table_name, t.privilege) ORDER BY t.table_name, t.privilege",
};

/// A table and what is to be done with it.
pub type Right = (&'static str, &'static str);

/// Every right that the running service needs.
pub fn needed_rights() -> BTreeSet<Right> {
    let tables = tables();
    let is_services = |statement: &&Statement| !OWNERS.contains(&statement.name);
    let services = catalogue().into_iter().filter(is_services);
    services
        .flat_map(|statement| rights_of(statement.sql, &tables))
        .collect()
}

/// The tables that the schema makes.
fn tables() -> BTreeSet<&'static str> {
    let made = STEPS
        .iter()
        .filter_map(|step| step.sql.split_once("CREATE TABLE IF NOT EXISTS "));
    made.filter_map(|(_, rest)| rest.split_whitespace().next())
        .collect()
}

/// Reads a text word by word: what stands before a table's name tells what is done with it. Whatever changes rows also reads them,
/// to find them or to give them back.
fn rights_of(sql: &'static str, tables: &BTreeSet<&str>) -> Vec<Right> {
    let is_end = |character: char| !character.is_alphanumeric() && character != '_';
    let words: Vec<&'static str> = sql.split(is_end).filter(|word| !word.is_empty()).collect();
    let (mut rights, mut filled) = (Vec::new(), None);
    for (place, word) in words.iter().enumerate() {
        let before = words[place.saturating_sub(2)..place].join(" ");
        if before == "DO UPDATE" && *word == "SET" {
            rights.extend(filled.map(|table| (table, "UPDATE")));
        }
        let verb = before.rsplit(' ').next().unwrap_or_default();
        if !tables.contains(word) || !["INTO", "UPDATE", "FROM", "JOIN"].contains(&verb) {
            continue;
        }
        rights.push((*word, "SELECT"));
        match (before.as_str(), verb) {
            ("INSERT INTO", _) => {
                filled = Some(*word);
                rights.push((*word, "INSERT"));
            }
            ("DELETE FROM", _) => rights.push((*word, "DELETE")),
            (_, "UPDATE") => rights.push((*word, "UPDATE")),
            _ => {}
        }
    }
    rights
}

impl Store {
    /// Asks the database for each right.
    ///
    /// # Errors
    /// With the first that is missing.
    pub async fn check_rights(&self) -> Result<(), Error> {
        let (tables, rights): (Vec<&str>, Vec<&str>) = needed_rights().into_iter().unzip();
        let missing = self.run(&MISSING_RIGHTS, &[&tables, &rights]).await?;
        let text = |row: &tokio_postgres::Row| {
            format!("{} on {}", row.get::<_, &str>(0), row.get::<_, &str>(1))
        };
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<String> = missing.iter().map(text).collect();
        Err(Error::Schema(format!("it may not {}", missing.join(", "))))
    }
}
