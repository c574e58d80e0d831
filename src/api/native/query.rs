//! Query parameters of reads. An unknown one is an error: a misspelt filter would return everything.

use super::cursor;
use crate::api::error::ApiError;
use crate::domain::Timestamp;
use std::collections::HashMap;
use url::form_urlencoded;
use uuid::Uuid;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1_000;

/// The parameters of one request.
#[derive(Debug)]
pub struct Query(HashMap<String, String>);

impl Query {
    /// Reads the parameters; all must be among `known`.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, ApiError> {
        let pairs: HashMap<String, String> = form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect();
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.contains('\0')) {
            return Err(invalid(name, "has a NUL character"));
        }
        match pairs.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(invalid(name, format!("is not one of {}", known.join(", ")))),
            None => Ok(Self(pairs)),
        }
    }

    /// A text, where it was given.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// A time, where it was given.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let read = |text: &String| {
            Timestamp::parse(text)
                .ok_or_else(|| invalid(name, "is no time, such as 2026-01-31T12:00:00Z"))
        };
        self.0.get(name).map(read).transpose()
    }

    /// A whole number that is not negative, where it was given.
    pub fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let read = |text: &String| {
            let number = text.parse().ok().filter(|number| *number >= 0);
            number.ok_or_else(|| invalid(name, "is no whole number"))
        };
        self.0.get(name).map(read).transpose()
    }

    /// All parameters but these.
    pub fn others<'a>(&'a self, but: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter(|(name, _)| !but.contains(name))
    }

    /// A switch; off where it was not given.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.0.get(name).map(String::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(name, "is neither true nor false")),
        }
    }

    /// How many rows a page has.
    pub fn limit(&self) -> Result<i64, ApiError> {
        let Some(text) = self.0.get("limit") else {
            return Ok(DEFAULT_LIMIT);
        };
        let limit = text
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| invalid("limit", format!("is no whole number from 1 to {MAX_LIMIT}")))
    }

    /// Where the page before ended.
    pub fn cursor(&self) -> Result<Option<(Timestamp, Uuid)>, ApiError> {
        let read = |text: &String| {
            cursor::decode(text)
                .ok_or_else(|| invalid("cursor", "is not one that this API gave out"))
        };
        self.0.get("cursor").map(read).transpose()
    }
}

fn invalid(name: &str, reason: impl Into<String>) -> ApiError {
    ApiError::InvalidParameter {
        name: name.to_owned(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let names = |text: &str| {
            let query = Query::parse(text, &["from", "limit", "cursor"])?;
            query
                .time("from")
                .and(query.limit().map(drop))
                .and(query.cursor().map(drop))
        };
        assert!(names("from=2026-01-31T12:00:00Z&limit=1000").is_ok());
        for (text, name) in [
            ("form=x", "form"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("from=soon", "from"),
            ("cursor=x", "cursor"),
        ] {
            let message = names(text).expect_err(text).to_string();
            assert!(message.contains(name), "{text}: {message}");
        }
    }
}
