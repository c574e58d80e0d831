//! Long answers, page by page: one page is in memory at a time, in room that it gives back as it is sent.
//!
//! Where the database fails half-way the connection is cut: a part must not pass for the whole.

use super::State;
use super::answer::Answer;
use super::error::ApiError;
use crate::domain::ProjectId;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use futures_util::{Stream, stream};

/// Where the pages of an answer come from.
pub trait Pages {
    /// A text, or bytes that need not be one.
    type Page: Into<Bytes>;

    /// Whose they are.
    fn project_id(&self) -> ProjectId;

    /// The next page; `None` after the last.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Page>, ApiError>>;
}

/// Answers with all pages.
///
/// # Errors
/// What goes wrong before the first is sent.
pub async fn answer(
    state: &Data<State>,
    content_type: &'static str,
    mut pages: impl Pages + 'static,
) -> Result<HttpResponse, ApiError> {
    let first = pages.next().await?.map(Into::into).unwrap_or_default();
    let first = state.reads.answer(pages.project_id(), first)?;
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .streaming(pieces(state.clone(), first, pages)))
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
                answer = Some(state.reads.answer(pages.project_id(), text)?);
            }
        }
    })
}
