//! Batches that some template wrote: `[, {…}, , {…}]`. What is a call is read; a hole or what is no JSON becomes an item that is
//! refused, in its place. A body that ends before its list does stays unreadable: it may have lost more than is seen.

use serde::de::IgnoredAny;

/// The batch with something readable in each place; `None` where its list has no end, or there is none, or it would have more than
/// `most` bytes: a hole becomes five times what it was.
pub fn filled(text: &str, most: usize) -> Option<String> {
    let start = list_of_batch(text)?;
    let mut filled = text[..start].to_owned();
    let mut is_first = true;
    let end = for_each_place(text, start, |place, is_last| {
        // A comma before the end is a habit, and no hole.
        if !(is_last && place.is_empty()) {
            filled.push_str(if is_first { "" } else { "," });
            filled.push_str(&readable(place));
            is_first = false;
        }
        filled.len() <= most
    })?;
    filled.push_str(&text[end..]);
    (filled.len() <= most).then_some(filled)
}

/// Where the list named `batch` of the outer object begins, behind its bracket.
fn list_of_batch(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = end_of_text(bytes, at)?;
                let rest = text[end..].trim_start();
                let list = rest.strip_prefix(':').map(str::trim_start);
                let list = list.and_then(|list| list.strip_prefix('['));
                if let (1, "\"batch\"", Some(list)) = (depth, &text[at..end], list) {
                    return Some(text.len() - list.len());
                }
                at = end;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Goes along what stands between the commas of a list, as long as it is to go on; where its closing bracket is.
fn for_each_place(
    text: &str,
    start: usize,
    mut goes_on: impl FnMut(&str, bool) -> bool,
) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut began, mut depth) = (start, start, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = end_of_text(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b']' if depth == 0 => return goes_on(text[began..at].trim(), true).then_some(at),
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                if !goes_on(text[began..at].trim(), false) {
                    return None;
                }
                began = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Behind the closing quote.
fn end_of_text(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn readable(place: &str) -> String {
    if place.is_empty() {
        return "null".to_owned();
    }
    if serde_json::from_str::<IgnoredAny>(place).is_ok() {
        return place.to_owned();
    }
    serde_json::Value::from(place).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_stays_and_each_piece_has_its_place() {
        let cases = [
            (
                r#"{"batch":[,{"a":1},,{"b":"],"}]}"#,
                r#"{"batch":[null,{"a":1},null,{"b":"],"}]}"#,
            ),
            (
                r#"{"batch": [ {"a":1} , ] ,"x":[1]}"#,
                r#"{"batch": [{"a":1}] ,"x":[1]}"#,
            ),
            (
                r#"{"x":{"batch":[1]},"batch":[{"a":},{}]}"#,
                r#"{"x":{"batch":[1]},"batch":["{\"a\":}",{}]}"#,
            ),
            (r#"{"batch":[undefined]}"#, r#"{"batch":["undefined"]}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text, 1_000).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_million_holes_do_not_grow_beyond_what_is_allowed() {
        let text = format!("{{\"batch\":[{}1]}}", ",".repeat(1_000_000));
        assert_eq!(filled(&text, 2_000_000), None);
    }

    #[test]
    fn a_list_without_an_end_is_none() {
        for text in [
            "",
            "{}",
            r#"{"batch":[{},"#,
            r#"{"batch":[{"a":"b]}"#,
            r#"{"batch":5}"#,
            "a=1",
        ] {
            assert_eq!(filled(text, 1_000), None, "{text}");
        }
    }
}
