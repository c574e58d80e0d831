//! `GET /v1/imports`, `GET /v1/imports/{id}`, `POST …/pause|resume|cancel`: where files are, and what to do about them.

use super::pulls::shown_with_source;
use super::{headers, key_of, reader, reply, segment};
use crate::api::State;
use crate::api::error::ApiError;
use crate::api::native::query::Query;
use crate::imports::{Shown, shown};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use uuid::Uuid;

#[derive(Serialize)]
struct Page {
    imports: Vec<Shown>,
    next_cursor: Option<String>,
}

/// Lists a project's imports, newest first.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, page(&request, &state).await)
}

async fn page(request: &HttpRequest, state: &Data<State>) -> Result<Page, ApiError> {
    let caller = reader(request, state).await?;
    let query = Query::parse(request.query_string(), &["name", "limit", "cursor"])?;
    let (limit, name) = (query.limit()?, query.text("name"));
    let before = query.text("cursor").map(|text| Uuid::try_parse(&text));
    let before = before
        .transpose()
        .map_err(|_| headers::invalid("cursor", "is not one that this API gave out"))?;
    let _room = state.reads.room(caller.project_id).await?;
    let _connection = state.reads.connection().await?;
    let imports = &state.imports;
    let found = imports.list(caller.project_id, name.as_deref(), before, limit);
    let found = found.await?;
    let is_full = found.len() as i64 == limit;
    let last = found.last().filter(|_| is_full);
    Ok(Page {
        next_cursor: last.map(|job| job.key.1.to_string()),
        imports: found.iter().map(shown).collect(),
    })
}

/// Shows one.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let showing = async {
        let key = key_of(&request, &state).await?;
        let job = state.imports.find(key).await?;
        shown_with_source(&state, &job).await
    };
    reply::json(&request, &state, showing.await)
}

/// Pauses one, lets it go on, or ends it.
pub async fn change(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let changing = async {
        let key = key_of(&request, &state).await?;
        let imports = &state.imports;
        let job = match segment(&request, 4)?.as_str() {
            "pause" => imports.pause(key, "by request").await,
            "resume" => imports.resume(key).await,
            _ => imports.cancel(key).await,
        };
        Ok(shown(&job?))
    };
    reply::json(&request, &state, changing.await)
}
