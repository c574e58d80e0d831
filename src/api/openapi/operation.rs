//! An operation: a row of a dialect's table, and what becomes of it in the document.

use super::security::Keys;
use super::shape::shape;
use crate::api::error::ApiError;
use utoipa::openapi::path::{Operation as Described, Parameter, ParameterIn};
use utoipa::openapi::{Content, HttpMethod, RefOr, Required, Response};

pub const JSON: &str = "application/json";
pub const NDJSON: &str = "application/x-ndjson";
pub const CSV: &str = "text/csv";

/// What the rows of a part of a dialect share.
pub struct Group {
    pub tag: &'static str,
    /// The media type and the shape of what is answered where something can't be done.
    pub failure: Option<(&'static str, &'static str)>,
}

/// A method of a path.
pub struct Operation {
    pub method: HttpMethod,
    /// As the router has it.
    path: String,
    failure: Option<(&'static str, &'static str)>,
    described: Described,
}

impl Group {
    /// A row: `("GET /v1/events/{message_id}", "Shows an event")`.
    pub fn row(&self, route: &str, summary: &str) -> Operation {
        let (method, path) = route.split_once(' ').unwrap_or(("GET", route));
        let mut described = Described::new();
        described.tags = Some(vec![self.tag.to_owned()]);
        described.summary = Some(summary.to_owned());
        let failed = self
            .failure
            .map(|failure| answer("Refused, or not possible now", Some(failure)));
        let failed = failed.map(|answer| ("default".to_owned(), answer.into()));
        described.responses.responses.extend(failed);
        Operation {
            method: method_of(method),
            path: path.to_owned(),
            failure: self.failure,
            described,
        }
    }
}

impl Operation {
    /// Whose keys it takes.
    pub fn by(mut self, keys: Keys) -> Self {
        self.described.security = Some(keys.requirements());
        self.described.extensions = Some(keys.kinds());
        self
    }

    /// Parameters of the query, and headers.
    pub fn with(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        let own = self.described.parameters.get_or_insert_default();
        own.extend(parameters);
        self
    }

    /// It needs a body of JSON.
    pub fn takes(self, shape: &str) -> Self {
        let mut own = self.may_take(JSON, shape);
        if let Some(body) = &mut own.described.request_body {
            body.required = Some(Required::True);
        }
        own
    }

    /// A body may be of this type.
    pub fn may_take(mut self, media: &str, of: &str) -> Self {
        let body = self.described.request_body.get_or_insert_default();
        let content = Content::new(Some(shape(of)));
        body.content.insert(media.to_owned(), content);
        self
    }

    /// It answers with JSON.
    pub fn answers(self, status: u16, shape: &str) -> Self {
        self.says(status, answer("Done", Some((JSON, shape))))
    }

    /// It answers with something else.
    pub fn answers_as(self, media: &str, of: &str) -> Self {
        self.says(200, answer("Done", Some((media, of))))
    }

    /// It answers without a body.
    pub fn answers_nothing(self, status: u16) -> Self {
        self.says(status, answer("Done", None))
    }

    /// What may be answered instead, beside what any operation may answer.
    pub fn refuses(self, errors: impl IntoIterator<Item = ApiError>) -> Self {
        let refuse = |own: Self, error: ApiError| {
            let (verdict, failure) = (error.verdict(), own.failure);
            own.says(verdict.status.as_u16(), answer(verdict.code, failure))
        };
        errors.into_iter().fold(self, refuse)
    }

    /// Of one status several things may be said.
    fn says(mut self, status: u16, mut answer: Response) -> Self {
        let answers = &mut self.described.responses.responses;
        if let Some(RefOr::T(known)) = answers.remove(&status.to_string()) {
            answer.content.extend(known.content);
            if known.description != answer.description {
                answer.description = format!("{}, {}", known.description, answer.description);
            }
        }
        answers.insert(status.to_string(), answer.into());
        self
    }

    /// What it is at each of the paths of the document that it stands for.
    pub fn at_paths(&self) -> impl Iterator<Item = (String, Described)> {
        expanded(&self.path).into_iter().map(|path| {
            let mut described = self.described.clone();
            let parts = path.split('{').skip(1);
            let names = parts.filter_map(|part| part.split_once('}'));
            let names = names.map(|(name, _)| of_path(name));
            let own = described.parameters.get_or_insert_default();
            own.extend(names);
            described.operation_id = Some(identifier(&self.method, &path));
            (path, described)
        })
    }
}

/// The paths that a pattern of the router stands for: `/{call:page|p}` for `/page` and `/p`.
pub fn expanded(pattern: &str) -> Vec<String> {
    let choices = || {
        let (head, rest) = pattern.split_once(':')?;
        let (before, _) = head.rsplit_once('{')?;
        let (choices, after) = rest.split_once('}')?;
        let choices = choices.split('|');
        Some(choices.map(|one| format!("{before}{one}{after}")).collect())
    };
    choices().unwrap_or_else(|| vec![pattern.to_owned()])
}

/// A parameter of the query: `("limit: count", "1 to 1000")`.
pub fn query(parameter: &str, told: &str) -> Parameter {
    let (name, of) = parameter.split_once(": ").unwrap_or((parameter, "text"));
    said(ParameterIn::Query, (name, of), told)
}

/// A header of the request.
pub fn header(name: &str, told: &str) -> Parameter {
    said(ParameterIn::Header, (name, "text"), told)
}

fn of_path(name: &str) -> Parameter {
    let told = match name {
        "reference" => "`{kind}:{value}`, such as `user_id:ada`, or `id:{uuid}`",
        "message_id" => "The message id as it was sent",
        "key" => "A write key",
        other => other,
    };
    let mut parameter = said(ParameterIn::Path, (name, "text"), told);
    parameter.required = Required::True;
    parameter
}

fn said(place: ParameterIn, (name, of): (&str, &str), told: &str) -> Parameter {
    let mut parameter = Parameter::new(name);
    parameter.parameter_in = place;
    parameter.required = Required::False;
    parameter.description = Some(told.to_owned());
    parameter.schema = Some(shape(of));
    parameter
}

fn answer(told: &str, content: Option<(&str, &str)>) -> Response {
    let mut answer = Response::new(told);
    let content = content.map(|(media, of)| (media.to_owned(), Content::new(Some(shape(of)))));
    answer.content.extend(content);
    answer
}

fn method_of(name: &str) -> HttpMethod {
    match name {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        "HEAD" => HttpMethod::Head,
        "OPTIONS" => HttpMethod::Options,
        _ => HttpMethod::Get,
    }
}

/// A name for functions of generated clients.
fn identifier(method: &HttpMethod, path: &str) -> String {
    let text = format!("{}{path}", serde_json::json!(method));
    let words = text.split(|character: char| !character.is_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("_")
}
