//! `GET /v1/imports/{id}/rejections`: what was refused of a file, as a file that can be mended and sent again.

use super::{headers, key_of};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::native::query::Query;
use crate::api::native::reply;
use crate::api::stream::Pages;
use crate::domain::ProjectId;
use crate::files::{Place, RefusedLine, Seen, csv_header};
use crate::imports::JobKey;
use crate::store::ImportRefusal;
use actix_web::http::header::ACCEPT;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

/// Rows of one page: each has up to 64 KiB of a record.
const PAGE: i64 = 100;

/// How the list is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Ndjson,
    Csv,
}

struct List {
    state: Data<State>,
    key: JobKey,
    form: Form,
    /// What comes before the first row.
    head: Option<Vec<u8>>,
    after: Option<i64>,
}

/// Streams the list.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let found = find(&request, &state).await;
    let is_table = found.as_ref().is_ok_and(|list| list.form == Form::Csv);
    let content_type = if is_table {
        "text/csv; charset=utf-8"
    } else {
        "application/x-ndjson"
    };
    reply::streamed(&state, content_type, found).await
}

async fn find(request: &HttpRequest, state: &Data<State>) -> Result<List, ApiError> {
    let key = key_of(request, state).await?;
    let form = form_of(request)?;
    let job = state.imports.find(key).await?;
    let seen = job.seen.as_deref().unwrap_or_default();
    let seen: Seen = serde_json::from_str(seen).unwrap_or_default();
    Ok(List {
        state: state.clone(),
        key,
        form,
        head: Some(head(form, &seen)),
        after: Some(0),
    })
}

/// What the query says goes before what the client accepts.
fn form_of(request: &HttpRequest) -> Result<Form, ApiError> {
    let query = Query::parse(request.query_string(), &["format"])?;
    match query.text("format").as_deref() {
        Some("csv") => Ok(Form::Csv),
        Some("ndjson") => Ok(Form::Ndjson),
        Some(_) => Err(headers::invalid("format", "is neither ndjson nor csv")),
        None => {
            let accepted = headers::text(request, ACCEPT.as_str());
            let is_table = accepted.is_some_and(|own| own.contains("text/csv"));
            Ok(if is_table { Form::Csv } else { Form::Ndjson })
        }
    }
}

/// Records of a table can't be read without its header, or where its columns were said, without the delimiter.
fn head(form: Form, seen: &Seen) -> Vec<u8> {
    let columns = match form {
        Form::Csv => csv_header(),
        Form::Ndjson => Vec::new(),
    };
    let header = seen.delimiter.map(|delimiter| {
        let header = seen.header.as_deref().unwrap_or_default();
        written(
            form,
            &RefusedLine::header(header, delimiter.encode_utf8(&mut [0; 4])),
        )
    });
    [columns, header.unwrap_or_default()].concat()
}

impl Pages for List {
    /// A line that is no text stands in a table as it is.
    type Page = Vec<u8>;

    fn project_id(&self) -> ProjectId {
        self.key.0
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        let Some(after) = self.after else {
            return Ok(None);
        };
        let state = self.state.clone();
        let _room = state.reads.room(self.key.0).await?;
        let _connection = state.reads.connection().await?;
        let page = state.imports.refusals(self.key, after, PAGE).await?;
        let is_full = page.len() as i64 == PAGE;
        self.after = page.last().filter(|_| is_full).map(|last| last.number);
        let is_empty = page.is_empty() && after == 0;
        let head = self
            .head
            .take()
            .filter(|_| !is_empty || self.form == Form::Csv);
        let rows = page.iter().map(|refusal| row(self.form, refusal));
        Ok(Some(head.into_iter().chain(rows).flatten().collect()))
    }
}

/// Of people who were erased the text is gone.
fn row(form: Form, refusal: &ImportRefusal) -> Vec<u8> {
    let text = refusal.record.as_deref().unwrap_or_default();
    let line = RefusedLine {
        place: place(&refusal.place),
        code: &refusal.code,
        field: refusal.field.as_deref(),
        reason: &refusal.message,
        text,
        is_cut: refusal.record.is_some() && refusal.record_bytes > text.len() as i64,
    };
    written(form, &line)
}

fn written(form: Form, line: &RefusedLine<'_>) -> Vec<u8> {
    match form {
        Form::Ndjson => line.to_ndjson(),
        Form::Csv => line.to_csv(),
    }
}

/// As it was written by itself.
fn place(text: &str) -> Place {
    let (line, part) = text.split_once('.').unwrap_or((text, ""));
    Place {
        line: line.parse().unwrap_or_default(),
        part: part.parse().ok(),
    }
}
