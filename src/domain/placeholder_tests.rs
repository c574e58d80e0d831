use super::super::gate::tests::limits;
use super::*;

fn is(text: &str) -> bool {
    is_placeholder(text, &Rules::default(), &limits())
}

#[test]
fn what_programs_send_for_nothing_names_nobody() {
    let texts = [
        "undefined",
        "null",
        "None",
        "NaN",
        "[object Object]",
        "true",
        "FALSE",
        "0",
        "-1",
        "anonymous",
        "Guest",
        "UNKNOWN",
        "n/a",
        "00000000-0000-0000-0000-000000000000",
        "00:00:00:00:00:00",
        "0000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "xxxxxxxx",
        "11111111",
        "",
        "  ",
        "\u{feff}",
        "--",
        "\"\"",
        "{}",
        "[]",
        "\"null\"",
        " 'undefined' ",
        "\u{0}",
        "{{ user.id }}",
        "${userId}",
        "null@null",
        "-0.0",
        "#N/A",
        "#REF!",
        "#DIV/0!",
        "#NAME?",
        "#NV",
        "\\N",
        "[NULL]",
        "<NA>",
        "#VALEUR!",
        "Err:502",
        "#GETTING_DATA",
        "#FIELD!",
        "#BUSY!",
        "Loading...",
    ];
    for text in texts {
        assert!(is(text), "{text:?}");
    }
}

#[test]
fn what_somebody_may_be_called_is_a_name() {
    let texts = [
        "7",
        "11",
        "111",
        "4444444",
        "a",
        "xx",
        "zzz",
        "Ada",
        "nulla",
        "guest-7",
        "00000001",
        "100",
        "-12",
        "\u{1f986}",
        "null@example.com",
        "anonymous-5e2f",
        "true north",
        "#7",
        "#ada!",
        "#NO",
        // pandas writes NaT for a time that is missing, and people are called so.
        "Nat",
        "N",
        "\\NA",
        "Err:5",
        "10000000-0000-0000-0000-000000000000",
    ];
    for text in texts {
        assert!(!is(text), "{text:?}");
    }
}

#[test]
fn an_id_is_trimmed_and_loses_pairs_of_quotes() {
    let cases = [
        (" ada\t", "ada"),
        ("\"ada\"", "ada"),
        ("'ada' \n", "ada"),
        ("\u{7}\u{feff}\" ada \"", "ada"),
        ("\"\"ada\"\"", "ada"),
        ("\" 'ada' \"", "ada"),
        ("\"ada'", "\"ada'"),
        ("\"", "\""),
        ("o'hara", "o'hara"),
    ];
    for (text, expected) in cases {
        assert_eq!(bare(text), expected, "{text:?}");
    }
}

proptest::proptest! {
    /// An id as it is shown leads to whom it is shown of.
    #[test]
    fn laws_what_is_bare_stays_as_it_is(text in "[ \"'a\t]{0,12}") {
        proptest::prop_assert_eq!(bare(bare(&text)), bare(&text));
    }
}

#[test]
fn the_project_comes_before_the_installation_and_both_before_the_usual() {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let limits = Limits {
        placeholders: "kiosk, Demo".to_owned(),
        no_placeholders: "0,guest".to_owned(),
        ..limits()
    };
    let rules = Rules {
        placeholders: list(&["Web-User", "0"]),
        no_placeholders: list(&["demo", "N/A"]),
        ..Rules::default()
    };
    let usual = Rules::default();
    for (text, installation, project) in [
        ("kiosk", true, true),
        ("DEMO", true, false),
        ("guest", false, false),
        ("0", false, true),
        ("web-user", false, true),
        ("n/a", true, false),
        ("null", true, true),
    ] {
        assert_eq!(
            is_placeholder(text, &usual, &limits),
            installation,
            "{text}"
        );
        assert_eq!(is_placeholder(text, &rules, &limits), project, "{text}");
    }
}
