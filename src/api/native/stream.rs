//! Long answers, page by page: one page is in memory at a time, in room that it gives back as it is sent.
//!
//! Where the database fails half-way the connection is cut: a part must not pass for the whole.

use super::reply;
use crate::api::State;
use crate::api::answer::Answer;
use crate::api::error::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use futures_util::{Stream, stream};

/// Where the pages of an answer come from.
pub trait Pages {
    /// The next page; `None` after the last.
    fn next(&mut self) -> impl Future<Output = Result<Option<String>, ApiError>>;
}

/// Answers with all pages; what goes wrong before the first is sent is told.
pub async fn answer(
    state: &Data<State>,
    content_type: &'static str,
    pages: Result<impl Pages + 'static, ApiError>,
) -> HttpResponse {
    let begun = async {
        let mut pages = pages?;
        let first = pages.next().await?.unwrap_or_default();
        Ok((state.reads.answer(first)?, pages))
    };
    match begun.await {
        Ok((first, pages)) => HttpResponse::Ok()
            .content_type(content_type)
            .streaming(pieces(state.clone(), first, pages)),
        Err(error) => reply::problem(&error),
    }
}

fn pieces(
    state: Data<State>,
    first: Answer,
    pages: impl Pages,
) -> impl Stream<Item = Result<Bytes, ApiError>> {
    stream::try_unfold((Some(first), pages), move |(mut answer, mut pages)| {
        let state = state.clone();
        async move {
            loop {
                if let Some(piece) = answer.as_mut().and_then(Answer::piece) {
                    return Ok(Some((piece, (answer, pages))));
                }
                // Its room may be what the next page waits for.
                drop(answer.take());
                let Some(text) = pages.next().await? else {
                    return Ok(None);
                };
                answer = Some(state.reads.answer(text)?);
            }
        }
    })
}
