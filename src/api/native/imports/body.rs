//! The bytes of a request on their way into a file's intake: as fast as they are done, in a little memory.

use crate::api::error::ApiError;
use crate::imports::{Intake, Stopped};
use actix_web::web::{Bytes, Payload};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes that are gathered before they are handed over: with the last of a connection's small pieces about one of an intake.
const GATHERED: usize = 128 << 10;
/// How long is waited for more before what was gathered is taken in and noted: what came by then is not sent again after a cut.
const MOMENT: Duration = Duration::from_secs(1);
/// Moments without a byte after which is looked whether somebody else sends the file by now.
const LOOK: u64 = 5;

/// How the body of a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    Whole,
    /// The connection broke, or nothing came for too long.
    Cut,
}

/// A body on its way.
pub struct Arriving<'a> {
    intake: &'a mut Intake,
    gathered: Vec<u8>,
    idle: u64,
}

impl<'a> Arriving<'a> {
    pub fn new(intake: &'a mut Intake) -> Self {
        let gathered = Vec::new();
        Self {
            intake,
            gathered,
            idle: 0,
        }
    }

    /// Takes in all that arrives; when it returns, that is done.
    ///
    /// # Errors
    /// Why it goes no further.
    pub async fn take(mut self, mut payload: Payload, idle: u64) -> Result<Arrival, ApiError> {
        let arrival = loop {
            let next = tokio::select! {
                biased;
                stopped = self.intake.cut() => return Err(stopped.into()),
                next = timeout(MOMENT, payload.next()) => next,
            };
            match next {
                Ok(Some(Ok(bytes))) => self.gather(bytes).await?,
                Ok(Some(Err(_))) => break Arrival::Cut,
                Ok(None) => break Arrival::Whole,
                Err(_) if self.idle >= idle => break Arrival::Cut,
                Err(_) => self.rest().await?,
            }
        };
        self.flush().await?;
        self.intake.settle().await?;
        Ok(arrival)
    }

    async fn gather(&mut self, bytes: Bytes) -> Result<(), Stopped> {
        self.idle = 0;
        self.gathered.extend_from_slice(&bytes);
        if self.gathered.len() >= GATHERED {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Stopped> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let taken = self.intake.take(&self.gathered).await;
        self.gathered.clear();
        taken
    }

    /// Nothing comes at the moment.
    async fn rest(&mut self) -> Result<(), Stopped> {
        self.idle += 1;
        self.flush().await?;
        self.intake.settle().await?;
        if self.idle.is_multiple_of(LOOK) {
            self.intake.look().await?;
        }
        Ok(())
    }
}
