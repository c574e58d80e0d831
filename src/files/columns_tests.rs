//! Columns by the names that a mapping has for them.

use crate::files::testing::{LIMITS, layout, line, read_in};
use crate::mapping::Mapping;
use serde_json::{Value, json};

const CSV: (&str, &str) = ("format", "csv");

#[test]
fn a_column_may_have_several_names_in_a_mapping() {
    let mapping = "[identities]\nuser_id = \"/ID\"\n[time]\nat = \"/created\"\n[traits]\nonly = [\"Created\", \"#2\"]\n";
    let mapping = Mapping::parse(mapping).expect("a mapping");
    let layout = layout(&[CSV]).used_by(&mapping);
    let file = b"id,created,plan\n7,2026-01-01,pro\n";
    let (records, seen) = read_in(&layout, LIMITS, file, 100, true).expect("a file");
    let object: Value =
        serde_json::from_slice(records[0].read.as_ref().expect("read")).expect("JSON");
    let at = "2026-01-01";
    assert_eq!(
        object,
        json!({"ID": "7", "created": at, "Created": at, "#2": at})
    );
    assert!(seen.warnings.is_empty(), "{:?}", seen.warnings);
}

#[test]
fn what_is_dropped_is_found_in_any_case_of_letters() {
    let mapping =
        "[identities]\nuser_id = \"/id\"\n[traits]\nonly = \"*\"\ndrop = [\"Password\"]\n";
    let mapping = Mapping::parse(mapping).expect("a mapping");
    let layout = layout(&[CSV]).used_by(&mapping);
    let file = b"id,a,password\n7,1,hush\n";
    let (records, _) = read_in(&layout, LIMITS, file, 100, true).expect("a file");
    let expected = "2 {\"id\":\"7\",\"a\":\"1\",\"Password\":\"hush\"}";
    assert_eq!(
        line(&records[0]),
        expected,
        "the name that the mapping drops"
    );
}
