//! The settings of pulls: from where the service itself fetches files.

use super::{Secret, holds_secret};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;

/// Files that the service fetches.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pulls {
    pub parallel: usize,
    pub places: Vec<PullPlace>,
}

/// A place below which files may be fetched, and by whom.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PullPlace {
    /// `s3://bucket/`, `gs://bucket/`, `https://host/`, `file:///directory/`, or a folder below.
    pub url: String,
    /// The projects that may use it, by their names; `*` is all of them.
    pub projects: Vec<String>,
    /// True where its addresses may be those of a private network, and its scheme `http`.
    #[serde(default)]
    pub internal: bool,
    /// Of a bucket: the server that has it, where that is not the provider's own.
    pub endpoint: Option<String>,
    /// Of an S3 bucket.
    pub region: Option<String>,
    pub access_key_id: Option<Credential>,
    pub secret_access_key: Option<Credential>,
    pub session_token: Option<Credential>,
    /// Of a bucket of Google's: the JSON of a service account.
    pub service_account: Option<Credential>,
    /// Of a web server: the value of the header `Authorization`.
    pub authorization: Option<Credential>,
}

/// Where a secret is: `env:NAME` or `file:PATH`. A file is read again for each use, so that it may be changed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Credential {
    Environment { name: String, value: Option<Secret> },
    File(PathBuf),
}

impl TryFrom<String> for Credential {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Environment {
                name: name.to_owned(),
                value: None,
            }),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            // Whatever stands there may be the secret itself: it is not repeated.
            _ => Err("a credential of a place is env:NAME or file:PATH, not the secret itself"),
        }
    }
}

impl From<Credential> for String {
    fn from(credential: Credential) -> Self {
        match credential {
            Credential::Environment { name, .. } => format!("env:{name}"),
            Credential::File(path) => format!("file:{}", path.display()),
        }
    }
}

impl Credential {
    /// The secret.
    ///
    /// # Errors
    /// One sentence that says where it was looked for.
    pub fn secret(&self) -> Result<Secret, String> {
        match self {
            Self::Environment {
                value: Some(secret),
                ..
            } => Ok(secret.clone()),
            Self::Environment { name, .. } => {
                Err(format!("the environment variable {name} is not set"))
            }
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Secret::from(text.trim().to_owned())),
                Err(error) => Err(format!("{} can't be read: {error}", path.display())),
            },
        }
    }
}

impl PullPlace {
    fn credentials(&mut self) -> [&mut Option<Credential>; 5] {
        [
            &mut self.access_key_id,
            &mut self.secret_access_key,
            &mut self.session_token,
            &mut self.service_account,
            &mut self.authorization,
        ]
    }

    fn holds_secret(&self) -> bool {
        holds_secret(&self.url) || self.endpoint.as_deref().is_some_and(holds_secret)
    }

    /// Whether a project may use it.
    pub fn is_for(&self, project: &str) -> bool {
        self.projects
            .iter()
            .any(|name| name == "*" || name == project)
    }
}

impl Pulls {
    /// Takes what credentials refer to out of the environment.
    pub(super) fn take_from(&mut self, environment: &HashMap<String, String>) {
        let all = self.places.iter_mut().flat_map(PullPlace::credentials);
        for credential in all.flatten() {
            if let Credential::Environment { name, value } = credential {
                *value = environment.get(name).cloned().map(Secret::from);
            }
        }
    }

    /// What is wrong, and whether it is.
    pub(super) fn complaints(&self) -> Vec<(bool, &'static str)> {
        vec![
            (
                self.parallel == 0,
                "imports.pulls.parallel must be at least 1",
            ),
            (
                self.places.iter().any(|place| place.projects.is_empty()),
                "each place of imports.pulls.places says by projects who may use it",
            ),
            (
                self.places.iter().any(PullPlace::holds_secret),
                "a place of imports.pulls.places holds a secret in its url or endpoint: its credentials are for that",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulls(credential: &str) -> Result<Pulls, toml::de::Error> {
        let place = "url = 's3://b/'\nprojects = ['shop']\naccess_key_id = ";
        toml::from_str(&format!("parallel = 1\n[[places]]\n{place}'{credential}'"))
    }

    #[test]
    fn row_57_a_secret_is_referred_to_and_never_shown() {
        let mut pulls = pulls("env:KEY").expect("a reference");
        let environment = [("KEY".to_owned(), "hush".to_owned())];
        pulls.take_from(&environment.into_iter().collect());
        let credential = pulls.places[0].access_key_id.as_ref().expect("given");
        assert_eq!(credential.secret().expect("set").reveal(), "hush");
        let shown = format!("{pulls:?} {}", toml::to_string(&pulls).expect("text"));
        assert!(
            shown.contains("env:KEY") && !shown.contains("hush"),
            "{shown}"
        );
    }

    #[test]
    fn a_secret_in_the_settings_is_refused_without_being_repeated() {
        let error = pulls("AKIA-hush")
            .expect_err("no reference")
            .message()
            .to_owned();
        assert!(
            error.contains("env:NAME") && !error.contains("hush"),
            "{error}"
        );
    }

    #[test]
    fn what_is_missing_is_said_by_its_name() {
        let unset = pulls("env:NOWHERE").expect("a reference");
        let unset = unset.places[0].access_key_id.as_ref().expect("given");
        let told = unset.secret().expect_err("not set");
        assert!(told.contains("NOWHERE"), "{told}");
        let missing = Credential::File("/nowhere/secret".into());
        let told = missing.secret().expect_err("not there");
        assert!(told.contains("/nowhere/secret"), "{told}");
    }

    #[test]
    fn a_place_is_for_those_it_names() {
        let mut place = pulls("env:K").expect("one").places.remove(0);
        assert!(place.is_for("shop") && !place.is_for("news"));
        place.projects = vec!["*".to_owned()];
        assert!(place.is_for("news"));
    }
}
