//! What the items of a request hold, reserved while they are made and before there are more of them.

use super::error::ApiError;
use crate::domain::{Event, Item};
use crate::ingest::Reservation;
use bytes::Bytes;

/// Reserved at a time, so that a request of many small items does not ask for each.
const STEP: usize = 64 * 1024;

/// Takes more room for a request.
///
/// # Errors
/// `Overloaded` where there is none just now; `HoldsTooMuch` where there never is: the same request is not to come again.
pub fn grow(room: &mut Reservation, bytes: usize) -> Result<(), ApiError> {
    if room.grow(bytes) {
        return Ok(());
    }
    Err(match room.never_grows(bytes) {
        true => ApiError::HoldsTooMuch,
        false => ApiError::Overloaded,
    })
}

/// The room of a request, and what its events may come to.
#[derive(Debug)]
pub struct Charge {
    room: Reservation,
    /// Of the room, what is held already for what the items are made of, and is free as each is made.
    paid: usize,
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
            paid: 0,
            owed: 0,
            stored: 0,
            most_stored,
        }
    }

    /// The same where so much of the room is held for what the items take the place of.
    pub fn with_paid(self, paid: usize) -> Self {
        Self { paid, ..self }
    }

    /// Charges for an item, which may have views of `body`: that is paid for.
    ///
    /// # Errors
    /// As `grow` where there is no room, `DecodedTooLarge` where the events come to more than a body may have.
    pub fn take(&mut self, item: &Item, body: &Bytes) -> Result<(), ApiError> {
        let bytes = item.bytes_beside(body);
        let paid = bytes.min(self.paid);
        self.paid -= paid;
        self.owed += bytes - paid;
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
    /// As `grow`.
    pub fn into_room(mut self) -> Result<Reservation, ApiError> {
        self.settle()?;
        Ok(self.room)
    }

    fn settle(&mut self) -> Result<(), ApiError> {
        let owed = std::mem::take(&mut self.owed);
        grow(&mut self.room, owed)
    }
}
