//! What a caller says of a file: in the query, in the metadata of an upload, or in a document.

use super::headers::{self, invalid};
use crate::api::error::ApiError;
use crate::domain::{Json, ProjectId, Timestamp};
use crate::files::{Format, Layout, MOST_COLUMNS};
use crate::imports::{NewJob, Stopped};
use actix_web::HttpRequest;
use std::collections::BTreeMap;
use url::form_urlencoded;

/// All of it.
#[derive(Debug, Default)]
pub struct Said {
    pub name: String,
    pub mapping: Option<String>,
    pub time: Option<Timestamp>,
    pub length: Option<u64>,
    pub layout: Layout,
    has_format: bool,
}

impl Said {
    /// What the query says; of what it does not say, the metadata.
    ///
    /// # Errors
    /// `InvalidParameter`, `Refused` where a layout can't be.
    pub fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut own = Self::default();
        for (key, value) in headers::metadata(request) {
            // Clients send what they like beside what is meant for us.
            own.set(&key, &value)?;
        }
        for (key, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
            if !own.set(&key, &value)? {
                return Err(unknown(&key));
            }
        }
        Ok(own)
    }

    /// What a document says.
    ///
    /// # Errors
    /// As `of`.
    pub fn of_document(document: &BTreeMap<String, Json>) -> Result<Self, ApiError> {
        let mut own = Self::default();
        // Clients write null for what they do not say; of empty cells it is a meaning (`empty`, `quoted_empty`, `empty.COLUMN`).
        let is_said = |(key, value): &(&String, &Json)| !value.is_null() || key.contains("empty");
        for (key, value) in document.iter().filter(is_said) {
            let is_list = value.as_bytes().starts_with(b"[");
            // As they are: a name may have a comma in it.
            if key == "columns" && is_list {
                own.layout.csv.columns = Some(columns(value)?);
                continue;
            }
            let text = if is_list {
                let texts = value.elements(MOST_COLUMNS).into_iter();
                let texts = texts.map(|one| one.as_text().unwrap_or_default());
                texts.collect::<Vec<_>>().join(",")
            } else {
                let text = value.as_text();
                text.unwrap_or_else(|| value.as_str().to_owned())
            };
            if !own.set(key, &text)? {
                return Err(unknown(key));
            }
        }
        Ok(own)
    }

    /// The job that it describes.
    pub fn job(mut self, project_id: ProjectId, length: Option<u64>) -> NewJob {
        if !self.has_format {
            self.layout.format = Format::of_name(&self.name);
        }
        NewJob {
            project_id,
            name: self.name,
            layout: self.layout,
            mapping: self.mapping,
            time: self.time,
            length: length.or(self.length),
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<bool, ApiError> {
        match key {
            "name" | "filename" => value.clone_into(&mut self.name),
            "mapping" => self.mapping = Some(value.to_owned()).filter(|text| !text.is_empty()),
            "time" => self.time = Some(time(value)?),
            "length" => {
                let length = value
                    .parse()
                    .map_err(|_| invalid(key, "is no whole number"))?;
                self.length = Some(length);
            }
            _ => {
                self.has_format |= key == "format";
                let set = self.layout.set(key, value);
                return set.map_err(|unusable| Stopped::Refused(unusable).into());
            }
        }
        Ok(true)
    }
}

/// One more than there may be, so that a layout with too many is refused.
fn columns(list: &Json) -> Result<Vec<String>, ApiError> {
    let name = |one: &Json| Some(one.as_text()?.trim().to_owned());
    let list = list.elements(MOST_COLUMNS + 1);
    let names = list.iter().map(name).collect::<Option<_>>();
    names.ok_or_else(|| invalid("columns", "is a list of texts"))
}

fn unknown(key: &str) -> ApiError {
    let known = Layout::NAMES.join(", ");
    invalid(key, format!("is not one of name, mapping, time, {known}"))
}

/// In a query a plus that was not escaped has become a blank: what `date -Iseconds` says is read all the same.
fn time(text: &str) -> Result<Timestamp, ApiError> {
    let escaped = || {
        let (at, zone) = text.rsplit_once(' ').filter(|(at, _)| at.contains('T'))?;
        Timestamp::parse(&format!("{at}+{zone}"))
    };
    let read = Timestamp::parse(text).or_else(escaped);
    read.ok_or_else(|| invalid("time", "is no time, such as 2026-01-31T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use serde_json::Value;

    fn of_document(document: &Value) -> Result<Said, ApiError> {
        Said::of_document(&Json::of(document).members().unwrap())
    }

    #[test]
    fn null_in_a_document_says_nothing_but_of_empty_cells() {
        let document = serde_json::json!({"name": null, "time": null, "length": null, "mapping": null, "empty": null});
        let said = of_document(&document).unwrap();
        let empty = said.layout.csv.empty;
        assert_eq!(
            (said.name.as_str(), said.time, said.length),
            ("", None, None)
        );
        assert_eq!((said.mapping, empty), (None, crate::files::Empty::Null));
    }

    #[test]
    fn columns_of_a_list_are_called_as_they_stand_there() {
        let of = |columns: Value| {
            let document = serde_json::json!({"format": "csv", "columns": columns});
            of_document(&document)
        };
        let said = of(serde_json::json!(["user_id", " last, first"])).unwrap();
        let names = said.layout.csv.columns.unwrap();
        assert_eq!(names, ["user_id", "last, first"]);
        let said = of(serde_json::json!("user_id,name")).unwrap();
        assert_eq!(said.layout.csv.columns.unwrap().len(), 2);
        assert!(of(serde_json::json!(["user_id", 7])).is_err());
        for many in [
            serde_json::json!(vec!["a"; 9_000]),
            serde_json::json!("a,".repeat(9_000)),
        ] {
            let layout = of(many).unwrap().layout;
            assert_eq!(
                layout.csv.columns.as_ref().map(Vec::len),
                Some(MOST_COLUMNS + 1)
            );
            assert_eq!(layout.check().unwrap_err().code, "too_many_columns");
        }
        let long = of(serde_json::json!(["x".repeat(200_000)])).unwrap().layout;
        assert_eq!(long.check().unwrap_err().code, "layout");
    }

    #[test]
    fn the_query_goes_before_the_metadata_and_what_is_misspelt_is_named() {
        let of = |uri: &str| {
            let request = TestRequest::with_uri(uri);
            let request =
                request.insert_header(("Upload-Metadata", "filename eC5jc3Y=,relativePath"));
            Said::of(&request.to_http_request())
        };
        let job = of("/v1/imports").unwrap().job(ProjectId(1), None);
        assert_eq!(
            (job.name.as_str(), job.layout.format),
            ("x.csv", Format::Csv)
        );
        let job = of("/v1/imports?format=ndjson&name=y%20z").unwrap();
        let job = job.job(ProjectId(1), Some(7));
        assert_eq!(
            (job.name.as_str(), job.layout.format),
            ("y z", Format::Ndjson)
        );
        assert_eq!(job.length, Some(7));
        let time = |query: &str| of(&format!("/v1/imports?time={query}")).map(|said| said.time);
        let noon = Timestamp::parse("2026-01-31T12:00:00Z");
        for same in [
            "2026-01-31T13:00:00+01:00",
            "2026-01-31T13:00:00%2B01:00",
            "2026-01-31%2012:00:00",
        ] {
            assert_eq!(time(same).unwrap(), noon, "{same}");
        }
        for (wrong, named) in [
            ("time=2026-01-31T12:00:00+soon", "time"),
            ("formt=csv", "formt"),
            ("time=soon", "time"),
            ("format=xlsx", "csv"),
        ] {
            let error = of(&format!("/v1/imports?{wrong}")).unwrap_err().to_string();
            assert!(error.contains(named), "{wrong}: {error}");
        }
    }
}
