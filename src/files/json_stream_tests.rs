//! Lists and pretty-printed objects.

use crate::files::testing::{seen, told_of, unusable};

const JSON: [(&str, &str); 1] = [("format", "json")];

#[test]
fn row_35_lists_and_objects_over_many_lines_are_read_as_they_come() {
    let expected = ["2 {\"a\":1}", "3 {\"a\":[1,{}]}", "3.2 {}"];
    assert_eq!(
        told_of(&JSON, "[\n{\"a\":1},\n{\"a\":[1,{}]},{}\n]"),
        expected
    );
    let file = "{\n \"a\": \"]}\\\"\"\n}\n{\"b\":\n2}";
    assert_eq!(
        told_of(&JSON, file),
        ["1 {\n \"a\": \"]}\\\"\"\n}", "4 {\"b\":\n2}"]
    );
    assert_eq!(seen(&JSON, file).lines, 5);
}

#[test]
fn what_is_no_object_is_refused_by_itself() {
    let file = "[1, null,\"x,y\", {\"a\":1}, oops, 2]";
    let expected = [
        "1 !not_an_object",
        "1.2 !not_an_object",
        "1.3 !not_an_object",
        "1.4 {\"a\":1}",
        "1.5 !not_json",
        "1.6 !not_an_object",
    ];
    assert_eq!(told_of(&JSON, file), expected);
}

#[test]
fn a_file_that_ends_within_an_object_says_so() {
    assert_eq!(
        told_of(&JSON, "{\"a\":1}\n{\"b\":{\"c\":1}"),
        ["1 {\"a\":1}", "2 !not_json"]
    );
}

#[test]
fn a_list_that_was_cut_between_two_of_its_objects_is_no_whole_file() {
    for cut in [
        "[{\"a\":1},\n{\"a\":[2]},\n",
        "[{\"a\":1},\n{\"b\":{",
        "[[1]",
        "[",
    ] {
        assert_eq!(unusable(&JSON, cut).code, "truncated", "{cut}");
    }
    let whole = "[{\"a\":[1]},[{\"b\":\"[\"}]]\n[]{\"c\":1}]";
    assert_eq!(told_of(&JSON, whole).len(), 3);
}

#[test]
fn an_object_over_the_limit_is_one_rejection() {
    let file = format!("[{{\"a\":\"{}\"}},\n{{\"b\":1}}]", "x".repeat(5_000));
    assert_eq!(told_of(&JSON, file), ["1 !record_too_large", "2 {\"b\":1}"]);
}

#[test]
fn an_object_with_a_text_that_is_not_closed_costs_no_other() {
    let file = "[\n  {\"a\":1},\n  {\n    \"a\": \"open,\n    \"b\": {}\n  },\n  {\"a\":3},\n  {\"a\":4}\n]";
    assert_eq!(
        told_of(&JSON, file),
        ["2 {\"a\":1}", "3 !not_json", "7 {\"a\":3}", "8 {\"a\":4}"]
    );
    let file = "[{\"a\":\"open},\n{\"a\":2},\n{\"a\":3}]";
    assert_eq!(
        told_of(&JSON, file),
        ["1 !not_json", "2 {\"a\":2}", "3 {\"a\":3}"]
    );
}

#[test]
fn an_object_that_never_closes_is_left_where_it_is_over_the_limit() {
    let file = format!("{{\"a\":[1\n{}{{\"b\":2}}\n", "\"x\",\n".repeat(200));
    let told = told_of(&JSON, file);
    assert_eq!(told, ["1 !record_too_large", "202 {\"b\":2}"]);
}
