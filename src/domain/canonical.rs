//! A spelling that equal values share on every node and both databases: sorted keys, no spaces, plain decimals.
//!
//! It is written token by token. Our JSON library's own values would not do: under its features a sender's key may mean something to
//! them (`$serde_json::private::Number`), and two different values were one.

use super::tokens::next_token;
use std::collections::BTreeMap;

/// As deep as our JSON library reads.
const MAX_DEPTH: usize = 128;

/// Spells a valid value whose numbers are plain; `None` where it is no such value, or nests too deep.
pub(super) fn spelled(json: &[u8]) -> Option<String> {
    spelled_by(json, str::to_owned)
}

/// The same by what numbers say, however many zeros they end in: 1.0 is 1.
pub(super) fn meant(json: &[u8]) -> Option<String> {
    spelled_by(json, without_zeros)
}

fn spelled_by(json: &[u8], word: fn(&str) -> String) -> Option<String> {
    let mut reader = Reader { json, at: 0, word };
    let value = reader.value(MAX_DEPTH)?;
    reader.token().is_none().then_some(value)
}

struct Reader<'a> {
    json: &'a [u8],
    at: usize,
    /// How numbers, and the words of JSON, are spelled.
    word: fn(&str) -> String,
}

impl<'a> Reader<'a> {
    /// The next token that is no space.
    fn token(&mut self) -> Option<&'a [u8]> {
        while self.at < self.json.len() {
            let (start, (_, end)) = (self.at, next_token(self.json, self.at));
            self.at = end;
            let token = &self.json[start..end];
            if !token[0].is_ascii_whitespace() {
                return Some(token);
            }
        }
        None
    }

    fn value(&mut self, depth: usize) -> Option<String> {
        let token = self.token()?;
        self.value_from(token, depth)
    }

    fn value_from(&mut self, token: &[u8], depth: usize) -> Option<String> {
        match token[0] {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.list(depth.checked_sub(1)?),
            b'"' => Some(quoted(&text(token)?)),
            _ => std::str::from_utf8(token).ok().map(self.word),
        }
    }

    /// Of equal keys the last counts, as in both databases.
    fn object(&mut self, depth: usize) -> Option<String> {
        let mut members = BTreeMap::new();
        loop {
            match self.token()? {
                b"}" => break,
                b"," => {}
                key => {
                    let key = text(key)?;
                    self.token().filter(|colon| *colon == b":")?;
                    members.insert(key, self.value(depth)?);
                }
            }
        }
        let member = |(key, value): (&String, &String)| format!("{}:{value}", quoted(key));
        let members: Vec<String> = members.iter().map(member).collect();
        Some(format!("{{{}}}", members.join(",")))
    }

    fn list(&mut self, depth: usize) -> Option<String> {
        let mut elements = Vec::new();
        loop {
            match self.token()? {
                b"]" => break,
                b"," => {}
                element => elements.push(self.value_from(element, depth)?),
            }
        }
        Some(format!("[{}]", elements.join(",")))
    }
}

fn without_zeros(word: &str) -> String {
    let short = match word.contains('.') {
        true => word.trim_end_matches('0').trim_end_matches('.'),
        false => word,
    };
    if short == "-0" { "0" } else { short }.to_owned()
}

fn text(token: &[u8]) -> Option<String> {
    serde_json::from_slice(token).ok()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
