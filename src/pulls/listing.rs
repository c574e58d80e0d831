//! Pages of a store's listing, without the keys that nobody can ask for.
//!
//! The library refuses a whole page, and with it the folder, where a key in it has an empty part, `.` or `..`, or a control character.
//! So these entries are taken out of the page before it is read, and counted.

use bytes::Bytes;
use memchr::memmem;
use object_store::client::{HttpError, HttpRequest, HttpResponse, HttpService};
use object_store::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

/// Names that are told of those that can't be read.
const TOLD: usize = 3;
/// Of a name as much as a person reads.
const SHOWN: usize = 80;

/// Files of a folder that can't be read: how many, and what the first are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    pub count: usize,
    names: Vec<String>,
}

impl Unread {
    /// One more.
    pub fn add(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < TOLD {
            self.names.push(name.chars().take(SHOWN).collect());
        }
    }

    /// With those of another part of the folder.
    pub fn and(mut self, other: Self) -> Self {
        self.count += other.count;
        self.names.extend(other.names);
        self.names.truncate(TOLD);
        self
    }

    /// A sentence for whoever looks after the folder; nothing where all can be read.
    pub fn told(&self) -> Option<String> {
        let names = self.names.iter().map(|name| format!("{name:?}"));
        let names = names.collect::<Vec<_>>().join(", ");
        let more = if self.count > self.names.len() {
            " …"
        } else {
            ""
        };
        (self.count > 0).then(|| {
            let count = self.count;
            format!("source_refused: {count} of the files can't be read: {names}{more}")
        })
    }
}

/// The way of a listing.
#[derive(Clone, Debug)]
pub struct ListingWay {
    pub client: reqwest::Client,
    pub unread: Arc<Mutex<Unread>>,
}

impl ListingWay {
    /// What was left out so far.
    pub fn unread(&self) -> Unread {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.clone()
    }
}

impl HttpService for ListingWay {
    fn call<'a, 'f>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let (parts, body) = self.client.call(request).await?.into_parts();
            let page = body.bytes().await?;
            let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
            let page = readable(&page, &mut unread);
            Ok(HttpResponse::from_parts(parts, page.into()))
        })
    }
}

/// A page without the entries whose keys can't be asked for.
fn readable(page: &Bytes, unread: &mut Unread) -> Bytes {
    const BEGIN: &[u8] = b"<Contents>";
    const END: &[u8] = b"</Contents>";
    let (mut kept, mut rest) = (Vec::with_capacity(page.len()), &page[..]);
    while let Some(begin) = memmem::find(rest, BEGIN) {
        let Some(length) = memmem::find(&rest[begin..], END) else {
            break;
        };
        let end = begin + length + END.len();
        let key = key(&rest[begin..end]);
        let is_readable = Path::parse(&key).is_ok_and(|path| path.as_ref() == key);
        // What stands for the folder itself is no file of it.
        if is_readable || key.ends_with('/') {
            kept.extend_from_slice(&rest[..end]);
        } else {
            kept.extend_from_slice(&rest[..begin]);
            unread.add(&key);
        }
        rest = &rest[end..];
    }
    kept.extend_from_slice(rest);
    kept.into()
}

/// The key of an entry, with what stands for other characters put back.
fn key(entry: &[u8]) -> String {
    let begin = memmem::find(entry, b"<Key>").map_or(0, |at| at + 5);
    let end = memmem::find(entry, b"</Key>").unwrap_or(entry.len());
    let text = String::from_utf8_lossy(entry.get(begin..end).unwrap_or_default());
    let mut key = String::new();
    let mut rest = &*text;
    while let Some(at) = rest.find('&') {
        key.push_str(&rest[..at]);
        let (name, after) = rest[at + 1..].split_once(';').unwrap_or_default();
        key.extend(character(name));
        rest = after;
    }
    key + rest
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix('x') {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(keys: &[&str]) -> Bytes {
        let entry = |key: &&str| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>");
        let entries: String = keys.iter().map(entry).collect();
        format!("<?xml version=\"1.0\"?><List><Name>b</Name>{entries}<More>no</More></List>").into()
    }

    #[test]
    fn what_nobody_can_ask_for_is_left_out_and_counted() {
        let mut unread = Unread::default();
        let all = page(&[
            "in/a.csv",
            "in//b.csv",
            "in/a&amp;b &#xFC;.csv",
            "in/../c",
            "in/x&#10;y",
            "in/./d",
            "in/ü.csv",
        ]);
        let left = page(&["in/a.csv", "in/a&amp;b &#xFC;.csv", "in/ü.csv"]);
        assert_eq!(readable(&all, &mut unread), left);
        assert_eq!(unread.count, 4);
        let told = unread.told().expect("a sentence");
        assert!(
            told.contains(r#"4 of the files can't be read: "in//b.csv", "in/../c", "in/x\ny" …"#),
            "{told}"
        );
        assert_eq!(Unread::default().told(), None);
    }

    #[test]
    fn what_is_no_page_stays_as_it_is() {
        for text in ["", "<Error>no</Error>", "<Contents><Key>a//b"] {
            let bytes = Bytes::from(text);
            assert_eq!(readable(&bytes, &mut Unread::default()), bytes);
        }
    }
}
