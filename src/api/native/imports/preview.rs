//! `POST /v1/imports/preview`: what a file would come to, by its beginning.

use super::said::Said;
use super::{reader, reply};
use crate::api::State;
use crate::api::buffer::Buffer;
use crate::api::error::ApiError;
use crate::files::Preview;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes of a body that are looked at; the rest is not read.
const SAMPLE: usize = 1 << 20;

/// Shows it.
pub async fn preview(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    reply::json(&request, &state, shown(&request, payload, &state).await)
}

async fn shown(
    request: &HttpRequest,
    mut payload: Payload,
    state: &Data<State>,
) -> Result<Preview, ApiError> {
    let project_id = reader(request, state).await?.project_id;
    let said = Said::of(request)?;
    let lane = state.lanes.known.of(project_id);
    let mut buffer = Buffer::new(&lane, 2 * SAMPLE, 0);
    let idle = Duration::from_secs(state.imports.settings().idle_seconds);
    let mut is_all = false;
    while !is_all && buffer.bytes().len() < SAMPLE {
        let next = timeout(idle, payload.next()).await;
        match next.map_err(|_| ApiError::BodyTimeout)? {
            Some(bytes) => buffer.append(&bytes.map_err(|_| ApiError::BodyCut)?)?,
            None => is_all = true,
        }
    }
    let body = buffer.into_body();
    let sample = (body.bytes.clone(), is_all);
    let new = said.job(project_id, None);
    let preview = state.imports.preview(new, sample, state.clock.now());
    Ok(preview.await?)
}
