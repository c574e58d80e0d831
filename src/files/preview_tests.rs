//! Previews of small files.

use super::*;
use crate::domain::NameByPlace;
use crate::domain::{Class, KeyKind, Kinds, Limits, ProjectId};
use crate::files::testing::{LIMITS, layout};
use bytes::Bytes;

fn preview(
    settings: &[(&str, &str)],
    mapping: Option<&str>,
    file: &[u8],
) -> Result<Preview, Unusable> {
    let layout = layout(settings);
    let mapping = mapping.map(|text| Mapping::parse(text).expect("a mapping"));
    let mapping = mapping.unwrap_or_else(|| layout.default_mapping());
    let (kinds, limits) = (Kinds::default(), Limits::wide());
    let at = Timestamp::parse("2026-05-01T00:00:00Z").expect("a time");
    let gate = Gate {
        project_id: ProjectId(1),
        class: Class::Import,
        by: KeyKind::Server,
        kinds: &kinds,
        limits: &limits,
        received_at: at,
        is_measured: false,
    };
    let calls = |_: &Bytes, _: &Gate<'_>, _: Option<NameByPlace<'_>>| panic!("no message here");
    let sampler = Sampler {
        layout: &layout,
        limits: LIMITS,
        mapping: &mapping,
        gate: &gate,
        start: at,
        calls: &calls,
        name: "users.csv",
    };
    sampler.preview(file, true, 200)
}

const CSV: (&str, &str) = ("format", "csv");

#[test]
fn a_table_is_shown_with_a_mapping_to_begin_with_and_that_mapping_reads_it() {
    let file =
        b"E-Mail;age;born;a/b;zip\na@x.test;36;31/12/1980;x;010\n;7;01/02/1990;y;020\nc@x.test;x\n";
    let preview = preview(&[CSV], None, file).expect("a preview");
    assert_eq!(
        (preview.delimiter, preview.records, preview.lines),
        (Some(';'), 3, 4)
    );
    let proposed = preview.mapping.expect("a mapping");
    let expected = "[identities]\nemail = \"/E-Mail\"\n\n[traits]\nonly = \"*\"\n\n[traits.types]\n\"age\" = \"integer\"\n\
                    \"born\" = { type = \"time\", format = \"%d/%m/%Y\" }\n";
    assert_eq!(proposed, expected);
    let codes: Vec<_> = preview
        .rejections
        .iter()
        .map(|shown| (shown.line_number.as_str(), shown.code))
        .collect();
    assert_eq!(
        codes,
        [("3", "missing_identity"), ("4", "wrong_column_count")]
    );
    let mapped = super::tests::preview(&[CSV], Some(&proposed), file).expect("a preview");
    assert_eq!(
        (mapped.survey.commands.upsert, mapped.rejections.len()),
        (1, 2)
    );
}

#[test]
fn row_8_a_header_with_signs_of_all_kinds_gives_a_mapping_that_reads_it() {
    let file = "\"my\nE-Mail\",\"age \"\"now\"\"\nin years\",a.b,[c],k\\l,\"d=\u{7f}\",'e'\nx,36,1,2,3,4,5\n";
    let proposed = preview(&[CSV], None, file.as_bytes()).expect("a preview");
    let proposed = proposed.mapping.expect("a mapping");
    let mapping = Mapping::parse(&proposed.replace("# user_id", "user_id"));
    let mapping = mapping.map_err(|complaints| (proposed.clone(), complaints));
    let columns = mapping.expect("a mapping that can be read").columns();
    let columns = columns.expect("those that it reads");
    for name in [
        "age \"now\"\nin years",
        "a.b",
        "[c]",
        "k\\l",
        "d=\u{7f}",
        "'e'",
    ] {
        assert!(columns.iter().any(|own| own == name), "{name}: {columns:?}");
    }
}

#[test]
fn rows_3_10_and_21_what_is_odd_about_a_file_is_told() {
    let file =
        b"email,note,at\na@x.test,\"say \\\"hi\\\"\",03/04/2026\nb@x.test,caf\xe9,05/06/2026\n";
    let preview = preview(&[CSV], None, file).expect("a preview");
    let hints: Vec<_> = preview
        .warnings
        .iter()
        .map(|hint| (hint.code.as_str(), hint.message.as_str()))
        .collect();
    assert_eq!(hints[0].0, "looks_like_windows_1252");
    assert!(hints[0].1.contains("line 3"), "{hints:?}");
    assert_eq!(hints[1].0, "escape");
    let dated = b"email,at\na@x.test,03/04/2026\nb@x.test,05/06/2026\n";
    let preview = super::tests::preview(&[CSV], None, dated).expect("a preview");
    assert!(
        preview.warnings[0].message.contains("2 of 2 rows"),
        "{:?}",
        preview.warnings
    );
}

#[test]
fn rows_4_and_18_what_would_be_refused_is_refused_and_an_empty_file_is_told_of() {
    assert_eq!(
        preview(&[CSV], None, b"a,b;c\n1,2;3\n")
            .map(|_| ())
            .map_err(|refused| refused.code),
        Err("delimiter")
    );
    let preview = preview(&[CSV], None, b"email\n").expect("a preview");
    assert_eq!(
        (preview.records, preview.warnings[0].code.as_str()),
        (0, "empty_file")
    );
}

#[test]
fn row_13_columns_for_which_an_import_would_be_refused_are_told_of() {
    let told = |mapping, file: &[u8]| {
        let preview = preview(&[CSV], mapping, file).expect("a preview");
        let hints = preview.warnings.into_iter();
        hints.map(|hint| hint.code).collect::<Vec<_>>()
    };
    assert_eq!(told(None, b"customer,plan\n7,pro\n"), ["missing_columns"]);
    assert_eq!(told(None, b"user id,plan\n7,pro\n"), [""; 0]);
    for alike in ["Email,email,c\n", "user_id,x,User ID\n"] {
        assert_eq!(
            told(None, format!("{alike}1@x,2@x,3\n").as_bytes()),
            ["ambiguous_column"]
        );
    }
    assert_eq!(
        told(None, b"customer,plan\n"),
        ["empty_file", "missing_columns"]
    );
    let mapping = Some("[identities]\nuser_id = \"/customer\"\n");
    assert_eq!(told(mapping, b"kunde,plan\n7,pro\n"), ["missing_columns"]);
    assert_eq!(
        told(mapping, b"Customer,CUSTOMER\n7,8\n"),
        ["ambiguous_column"]
    );
    assert_eq!(told(mapping, b"customer,plan\n7,pro\n"), [""; 0]);
}

#[test]
fn lines_are_previewed_by_their_mapping() {
    let file = b"{\"id\":7,\"plan\":\"pro\"}\n{\"plan\":\"x\"}\nnull\n";
    let preview = preview(&[], Some("[identities]\nuser_id = \"/id\"\n"), file).expect("a preview");
    assert_eq!(
        (preview.survey.commands.upsert, preview.rejections.len()),
        (1, 2)
    );
    assert!(
        serde_json::to_string(&preview)
            .expect("JSON")
            .contains("\"plan\"")
    );
}
