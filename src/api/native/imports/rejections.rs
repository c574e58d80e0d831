//! `GET /v1/imports/{id}/rejections`: what was refused of a file, as a file: a line for each record, as it was.

use super::{headers, key_of};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::native::query::Query;
use crate::api::native::stream::{self, Pages};
use crate::imports::JobKey;
use crate::store::ImportRefusal;
use actix_web::http::header::ACCEPT;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

/// Rows of one page: each has up to 64 KiB of a record.
const PAGE: i64 = 100;

struct List {
    state: Data<State>,
    key: JobKey,
    after: Option<i64>,
}

#[derive(Serialize)]
struct Shown<'a> {
    line_number: &'a str,
    code: &'a str,
    field: Option<&'a str>,
    reason: &'a str,
    /// The text as it was; nothing of people who were erased.
    line: Option<String>,
}

/// Streams the list.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let list = find(&request, &state).await;
    stream::answer(&state, "application/x-ndjson", list).await
}

async fn find(request: &HttpRequest, state: &Data<State>) -> Result<List, ApiError> {
    let key = key_of(request, state).await?;
    let query = Query::parse(request.query_string(), &["format"])?;
    let wanted = query.text("format");
    let accepted = headers::text(request, ACCEPT.as_str()).unwrap_or_default();
    let _ = (wanted, accepted);
    state.imports.find(key).await?;
    Ok(List {
        state: state.clone(),
        key,
        after: Some(0),
    })
}

impl Pages for List {
    async fn next(&mut self) -> Result<Option<String>, ApiError> {
        let Some(after) = self.after else {
            return Ok(None);
        };
        let state = self.state.clone();
        let _room = state.reads.room().await?;
        let _connection = state.reads.connection().await?;
        let page = state.imports.refusals(self.key, after, PAGE).await?;
        let is_full = page.len() as i64 == PAGE;
        self.after = page.last().filter(|_| is_full).map(|last| last.number);
        Ok(Some(page.iter().map(line).collect()))
    }
}

fn line(refusal: &ImportRefusal) -> String {
    let record = refusal.record.as_deref();
    let shown = Shown {
        line_number: &refusal.place,
        code: &refusal.code,
        field: refusal.field.as_deref(),
        reason: &refusal.message,
        line: record.map(|text| String::from_utf8_lossy(text).into_owned()),
    };
    let text = serde_json::to_string(&shown).expect("plain texts always serialise");
    text + "\n"
}
