//! What handlers that read share, whatever dialect they speak: the way to the database, and the parts of a path.

use super::State;
use super::error::ApiError;
use crate::config::millis;
use crate::store;
use actix_web::HttpRequest;
use tokio::time::timeout;

/// Waits for one of the connections of reads, then for the database as long as a request may take; the reason of a failure goes to the log, once.
pub async fn answer_of<T>(
    state: &State,
    reading: impl Future<Output = Result<T, store::Error>>,
) -> Result<T, ApiError> {
    let _connection = state.reads.connection().await?;
    match timeout(millis(state.server.request_timeout_ms), reading).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::error!(reason = %error.full_text(), "read failed");
            Err(ApiError::Unavailable)
        }
        Err(_) => Err(ApiError::Timeout),
    }
}

/// The part of the path at `position`, decoded; the router's own decoding leaves some characters encoded.
pub fn segment(request: &HttpRequest, position: usize) -> Result<String, ApiError> {
    let encoded = request
        .uri()
        .path()
        .split('/')
        .nth(position)
        .unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(encoded).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| ApiError::NotFound)
}
