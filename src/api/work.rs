//! Deadlines of requests, and where their heavy work is done.

use super::State;
use super::body::{LIGHT_BYTES, heavily};
use super::error::ApiError;
use crate::config::millis;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// Waits no longer than a sender does.
///
/// # Errors
/// `Timeout`; whether anything was stored is not known then, and sending it again is safe.
pub async fn by<T>(
    until: Instant,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    timeout_at(until, work)
        .await
        .unwrap_or(Err(ApiError::Timeout))
}

/// The end of the time for a request that starts now.
pub fn deadline(state: &State) -> Instant {
    Instant::now() + millis(state.server.request_timeout_ms)
}

/// Does the work here where it is light, else where it keeps nobody waiting.
///
/// # Errors
/// What the work says; `Draining` where there is nobody to do it any more.
pub async fn work<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    size: usize,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    if size <= LIGHT_BYTES {
        work()
    } else {
        heavily(permits, work).await
    }
}
