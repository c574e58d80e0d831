//! Where files may be fetched: the places of the settings, and to which of them an address belongs.

use super::address::is_public;
use super::source::{Kind, Source, below};
use crate::config::{PullPlace, Pulls};
use std::net::IpAddr;

/// The places of the settings, read once.
#[derive(Clone, Debug)]
pub struct Places(Vec<(Source, PullPlace)>);

impl Places {
    /// Reads the settings.
    ///
    /// # Errors
    /// One sentence that names the place.
    pub fn new(settings: &Pulls) -> Result<Self, String> {
        let read = |place: &PullPlace| {
            let told = |what: String| format!("imports.pulls.places: {:?}: {what}", place.url);
            let source = Source::parse(&place.url).map_err(told)?;
            if !place.internal && is_plain(&source, place) {
                return Err(told("http is for places that are internal".to_owned()));
            }
            if !place.internal && leads_inside(place.endpoint.as_deref()) {
                return Err(told("its endpoint is no public address".to_owned()));
            }
            Ok((source, place.clone()))
        };
        settings
            .places
            .iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The place that an address of a project is in: the one with the longest address.
    ///
    /// # Errors
    /// One sentence for whoever named it. A project learns nothing of places of others.
    pub fn of(&self, project: &str, source: &Source) -> Result<&PullPlace, String> {
        let mine = self.0.iter().filter(|(_, place)| place.is_for(project));
        let fitting = mine.filter(|(place, _)| is_in(place, source));
        let longest = fitting.max_by_key(|(place, _)| place.url().as_str().len());
        let Some((_, place)) = longest else {
            return Err(format!(
                "{} is in no place that the settings allow this project (imports.pulls.places)",
                source.shown()
            ));
        };
        Ok(place)
    }
}

/// True where something would go over the wire that anybody on the way can read.
fn is_plain(source: &Source, place: &PullPlace) -> bool {
    let endpoint = place.endpoint.as_deref().unwrap_or("https://");
    source.url().scheme() == "http" || !endpoint.starts_with("https://")
}

/// True where a number stands in place of a server's name, and is not that of a public address.
fn leads_inside(endpoint: Option<&str>) -> bool {
    let source = endpoint.and_then(|endpoint| Source::parse(endpoint).ok());
    source
        .and_then(|source| number(&source))
        .is_some_and(|address| !is_public(address))
}

fn is_in(place: &Source, source: &Source) -> bool {
    if place.kind() != source.kind() || place.url().scheme() != source.url().scheme() {
        return false;
    }
    match place.kind() {
        Kind::Directory => below(place.path(), source.path()).is_some(),
        Kind::Web => {
            let origin = |source: &Source| {
                let url = source.url();
                (
                    url.host_str().map(str::to_owned),
                    url.port_or_known_default(),
                )
            };
            origin(place) == origin(source) && begins(place.path(), source.path())
        }
        Kind::S3 | Kind::Gcs => {
            place.bucket() == source.bucket() && begins(place.path(), source.path())
        }
    }
}

/// A folder has what is below it; a whole name only itself.
fn begins(place: &str, path: &str) -> bool {
    let has_steps = path.split('/').any(|part| part == ".." || part == ".");
    !has_steps && (place == path || (is_folder(place) && path.starts_with(place)))
}

fn is_folder(path: &str) -> bool {
    path.is_empty() || path.ends_with('/')
}

/// The number that stands in place of a name, if one does: it is resolved by nobody.
pub fn number(source: &Source) -> Option<IpAddr> {
    let host = source.url().host_str()?;
    host.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Result<Places, String> {
        Places::new(&toml::from_str(&format!("parallel = 1\n{text}")).expect("settings"))
    }

    fn two() -> Places {
        places(
            "[[places]]\nurl = 'file:///data/in/'\nprojects = ['shop']\n\
             [[places]]\nurl = 'https://files.test/out/'\nprojects = ['*']\n\
             [[places]]\nurl = 's3://bucket/shop/'\nprojects = ['shop']\nregion = 'eu'\n\
             [[places]]\nurl = 's3://bucket/'\nprojects = ['all']\n",
        )
        .expect("places")
    }

    fn is_allowed(project: &str, text: &str) -> bool {
        let source = Source::parse(text).expect("a source");
        two().of(project, &source).is_ok()
    }

    #[test]
    fn a_project_gets_what_is_below_its_own_places() {
        for (project, text) in [
            ("shop", "file:///data/in/x.csv"),
            ("shop", "file:///data/in/a/x.csv"),
            ("news", "https://files.test/out/x.csv?sig=1"),
            ("news", "https://FILES.test:443/out/x.csv"),
            ("shop", "s3://bucket/shop/x.csv"),
            ("shop", "s3://bucket/shop/"),
            ("all", "s3://bucket/other/x.csv"),
        ] {
            assert!(is_allowed(project, text), "{project} {text}");
        }
    }

    #[test]
    fn and_nothing_else() {
        for (project, text) in [
            ("news", "file:///data/in/x.csv"),
            ("shop", "file:///data/inner/x.csv"),
            ("shop", "file:///data/in/../x.csv"),
            ("shop", "file:///etc/passwd"),
            ("news", "https://files.test/outer"),
            ("news", "https://files.test/out/%2e%2e/secret"),
            ("news", "https://files.test/out/..%2fsecret"),
            ("news", "https://files.test:8443/out/x"),
            ("news", "http://files.test/out/x"),
            ("news", "https://files.test.evil.test/out/x"),
            ("news", "https://127.0.0.1/out/x"),
            ("shop", "s3://bucket/other/x.csv"),
            ("shop", "s3://bucket/shopping/x.csv"),
            ("shop", "gs://bucket/shop/x.csv"),
        ] {
            assert!(!is_allowed(project, text), "{project} {text}");
        }
    }

    #[test]
    fn http_is_for_internal_places_only() {
        let of = |more: &str| places(&format!("[[places]]\nprojects = ['*']\n{more}"));
        assert!(of("url = 'http://h/'").is_err());
        assert!(of("url = 'http://h/'\ninternal = true").is_ok());
        assert!(of("url = 's3://b/'\nendpoint = 'http://h:9000'").is_err());
        assert!(of("url = 's3://b/'\nendpoint = 'http://h:9000'\ninternal = true").is_ok());
        assert!(of("url = 's3://b/'\nendpoint = 'https://169.254.1.1'").is_err());
    }

    #[test]
    fn row_58_a_number_in_any_spelling_is_seen() {
        for text in [
            "https://127.0.0.1/x",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://0177.0.0.1/x",
            "https://[::1]/x",
            "https://[::ffff:10.0.0.1]/x",
        ] {
            let source = Source::parse(text).expect("a source");
            let number = number(&source).unwrap_or_else(|| panic!("{text}"));
            assert!(!super::super::address::is_public(number), "{text}");
        }
        let name = Source::parse("https://7f000001.nip.test/x").expect("a source");
        assert_eq!(number(&name), None);
    }
}
