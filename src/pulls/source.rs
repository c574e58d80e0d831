//! From where a file is fetched, as somebody wrote it, and what of that may be shown.

use std::path::{Component, PathBuf};
use url::Url;

/// Bytes of a source; a presigned address has some two thousand.
const MOST_BYTES: usize = 8_192;

/// What kind of place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Directory,
    Web,
    S3,
    Gcs,
}

/// The address of a file, or of a folder of files.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    kind: Kind,
    url: Url,
    /// The key in a bucket, or the path of a file, decoded once.
    path: String,
}

/// An address may carry a secret in its query.
impl std::fmt::Debug for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown())
    }
}

impl Source {
    /// Reads an address.
    ///
    /// # Errors
    /// One sentence that repeats nothing that may be secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MOST_BYTES {
            return Err(format!("a source has at most {MOST_BYTES} bytes"));
        }
        let url = Url::parse(text).map_err(|error| format!("the source is no URL: {error}"))?;
        let kind = match url.scheme() {
            "file" => Kind::Directory,
            "http" | "https" => Kind::Web,
            "s3" => Kind::S3,
            "gs" => Kind::Gcs,
            other => {
                return Err(format!("{other:?} is none of s3, gs, https and file"));
            }
        };
        refuse_what_is_never_read(kind, &url)?;
        let path = decoded(kind, &url)?;
        Ok(Self { kind, url, path })
    }

    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The whole address; it may hold a secret.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The address as it is listed and logged: without its query.
    pub fn shown(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.into()
    }

    /// The whole address, where it says more than is shown.
    pub fn secret(&self) -> Option<&str> {
        self.url.query().map(|_| self.url.as_str())
    }

    /// The key in a bucket, or the path of a file.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn bucket(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// True where it stands for the files in it.
    pub fn is_folder(&self) -> bool {
        self.path.is_empty() || self.path.ends_with('/')
    }

    /// The name of the file, for the ids of its events.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// A file of this folder, by its name as a listing has it.
    ///
    /// # Errors
    /// Where there can be no such address.
    pub fn child(&self, name: &str) -> Result<Self, String> {
        let mut url = self.url.clone();
        let told = || "the folder has no path".to_owned();
        url.path_segments_mut()
            .map_err(|()| told())?
            .pop_if_empty()
            .push(name);
        let path = decoded(self.kind, &url)?;
        let own = Self {
            kind: self.kind,
            url,
            path,
        };
        // Addresses leave out tabs and line ends: that would be another file.
        if name.is_empty() || own.name() != name {
            return Err("no address can say this name".to_owned());
        }
        Ok(own)
    }
}

fn refuse_what_is_never_read(kind: Kind, url: &Url) -> Result<(), String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "a source has no name and password in it: the settings say what a place needs (imports.pulls.places)"
                .to_owned(),
        );
    }
    if url.fragment().is_some() {
        return Err("a source has no fragment (#): write it as %23".to_owned());
    }
    if kind != Kind::Web && url.query().is_some() {
        return Err("only addresses of the web have a query (?): write it as %3F".to_owned());
    }
    match kind {
        Kind::Directory if url.host_str().is_some_and(|host| !host.is_empty()) => {
            Err("a file is on this machine: file:///directory/name".to_owned())
        }
        Kind::S3 | Kind::Gcs if !is_bucket(url.host_str().unwrap_or_default()) => {
            Err("the source names no bucket".to_owned())
        }
        Kind::S3 | Kind::Gcs if url.port().is_some() => Err("a bucket has no port".to_owned()),
        _ => Ok(()),
    }
}

fn is_bucket(name: &str) -> bool {
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && name.len() <= 255 && name.bytes().all(is_one)
}

/// The path, decoded exactly once; what can't be read or leads elsewhere is refused.
fn decoded(kind: Kind, url: &Url) -> Result<String, String> {
    let path = percent_encoding::percent_decode_str(url.path());
    let path = path
        .decode_utf8()
        .map_err(|_| "the path of the source is not UTF-8".to_owned())?;
    if kind == Kind::Web {
        return Ok(path.into_owned());
    }
    let inside = path.strip_prefix('/').unwrap_or(&path);
    let is_bad = |part: &str| part.is_empty() || part == "." || part == "..";
    let trimmed = inside.strip_suffix('/').unwrap_or(inside);
    if !trimmed.is_empty() && trimmed.split('/').any(is_bad) {
        return Err("a path with an empty part, \".\" or \"..\" can't be read".to_owned());
    }
    if inside.chars().any(char::is_control) {
        return Err("a path with a control character can't be read".to_owned());
    }
    Ok(if kind == Kind::Directory {
        path.into_owned()
    } else {
        inside.to_owned()
    })
}

/// The parts of a path below a directory, where it is below it.
pub fn below(directory: &str, path: &str) -> Option<PathBuf> {
    let rest = std::path::Path::new(path).strip_prefix(directory).ok()?;
    let is_plain = |part| matches!(part, Component::Normal(_));
    rest.components().all(is_plain).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::parse(text).unwrap_or_else(|told| panic!("{text}: {told}"))
    }

    #[test]
    fn row_53_keys_are_decoded_once() {
        for (text, key) in [
            ("s3://b/%C3%BC/%C3%A4%20b.csv", "ü/ä b.csv"),
            ("s3://b/ü/ä b.csv", "ü/ä b.csv"),
            ("gs://b/[x].csv", "[x].csv"),
            ("s3://b/~a", "~a"),
            ("s3://b/100%25.csv", "100%.csv"),
            ("s3://b/100%2525.csv", "100%25.csv"),
            ("s3://b/a+b.csv", "a+b.csv"),
        ] {
            assert_eq!(source(text).path(), key, "{text}");
        }
    }

    #[test]
    fn row_53_what_no_store_reads_is_named() {
        for text in [
            "s3://b/a//b",
            "s3://b/a/%2e%2e%2Fb",
            "gs://b/a%2F..%2F..%2Fb",
            "file:///data/%2E%2E%2Fetc/passwd",
            "file:///data//x",
            "s3://b/a%00b",
            "s3://b/a%0Ab",
            "s3://b/%FF",
        ] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
        // What a URL's own rules resolve is resolved before it is judged.
        assert_eq!(source("s3://b/a/../c").path(), "c");
        assert_eq!(source("file:///data/../etc/passwd").path(), "/etc/passwd");
    }

    #[test]
    fn row_57_neither_query_nor_password_is_shown() {
        let signed = source("https://h.test/x.csv?X-Amz-Signature=hush&a=b");
        assert_eq!(signed.shown(), "https://h.test/x.csv");
        assert!(signed.secret().is_some() && !format!("{signed:?}").contains("hush"));
        let told = Source::parse("https://u:hush@h.test/x").expect_err("a password");
        assert!(!told.contains("hush"), "{told}");
    }

    #[test]
    fn only_known_schemes_and_whole_addresses_are_read() {
        for text in [
            "",
            "x.csv",
            "/data/x.csv",
            "ftp://h/x",
            "s3:///x",
            "s3://b:9000/x",
            "s3://b/x?versionId=1",
            "file://host/x",
            "https://h/x#part",
            "data:,x",
        ] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_folder_has_files_by_their_own_names() {
        let folder = source("s3://b/in/");
        assert!(folder.is_folder() && !source("s3://b/in").is_folder());
        for name in ["a b.csv", "100%.csv", "ü.csv", "a?b#c.csv"] {
            let file = folder.child(name).expect("a file");
            assert_eq!(file.path(), format!("in/{name}"));
            assert_eq!(file.name(), name);
            assert_eq!(source(&file.shown()), file);
        }
        for name in ["a\nb.csv", "a\tb", "..", ""] {
            assert!(folder.child(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn below_is_decided_by_whole_parts() {
        assert_eq!(below("/data/in", "/data/in/x"), Some(PathBuf::from("x")));
        assert_eq!(
            below("/data/in/", "/data/in/a/x"),
            Some(PathBuf::from("a/x"))
        );
        assert_eq!(below("/data/in", "/data/inner/x"), None);
        assert_eq!(below("/data/in", "/data/in/../x"), None);
        assert_eq!(below("/data/in", "/etc/passwd"), None);
    }
}
