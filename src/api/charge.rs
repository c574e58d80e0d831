//! What the items of a request hold, reserved while they are made and before there are more of them.

use super::error::ApiError;
use crate::domain::{Event, Item};
use crate::ingest::Reservation;
use bytes::Bytes;

/// Reserved at a time, so that a request of many small items does not ask for each.
const STEP: usize = 64 * 1024;

/// The room of a request, and what its events may come to.
#[derive(Debug)]
pub struct Charge {
    room: Reservation,
    owed: usize,
    stored: usize,
    most_stored: usize,
}

impl Charge {
    /// Goes on with the room that the body holds; the events of the request may take as many bytes as a body may have, also
    /// where a few bytes of the body stand in each of them.
    pub fn new(room: Reservation, most_stored: usize) -> Self {
        Self {
            room,
            owed: 0,
            stored: 0,
            most_stored,
        }
    }

    /// Charges for an item, which may have views of `body`: that is paid for.
    ///
    /// # Errors
    /// `Overloaded` where there is no room, `DecodedTooLarge` where the events come to more than a body may have.
    pub fn take(&mut self, item: &Item, body: &Bytes) -> Result<(), ApiError> {
        self.owed += item.bytes_beside(body);
        let event = item.command().and_then(|command| command.event());
        self.stored += event.map_or(0, Event::bytes);
        if self.stored > self.most_stored {
            return Err(ApiError::DecodedTooLarge {
                limit: self.most_stored,
            });
        }
        if self.owed >= STEP {
            self.settle()?;
        }
        Ok(())
    }

    /// The room with all that the items hold.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn into_room(mut self) -> Result<Reservation, ApiError> {
        self.settle()?;
        Ok(self.room)
    }

    fn settle(&mut self) -> Result<(), ApiError> {
        let owed = std::mem::take(&mut self.owed);
        self.room
            .grow(owed)
            .then_some(())
            .ok_or(ApiError::Overloaded)
    }
}
