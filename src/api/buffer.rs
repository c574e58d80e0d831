//! Bytes in memory with the room they take: reserved before they grow, given back when they are dropped.

use super::error::ApiError;
use super::lane::Lane;
use crate::ingest::Reservation;
use bytes::Bytes;

const SMALLEST_STEP: usize = 1024;
/// Each step may copy all that is there, and an allocator keeps the old place for a while: few, large steps.
const LARGEST_STEP: usize = 4 * 1024 * 1024;

/// A whole body and the room it takes.
#[derive(Debug)]
pub struct Body {
    /// The decoded bytes.
    pub bytes: Bytes,
    /// Held until the request is answered.
    pub room: Option<Reservation>,
    /// Where more room comes from.
    pub lane: Lane,
}

impl Body {
    /// Bytes outside any request, for tests and benchmarks.
    pub fn loose(bytes: Bytes) -> Self {
        Self {
            bytes,
            room: None,
            lane: Lane::new(64 << 20, 1),
        }
    }
}

/// Bytes that gather under a limit, each in room that was reserved before.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    room: Option<Reservation>,
    lane: Lane,
    limit: usize,
    expected: usize,
}

impl Buffer {
    /// An empty buffer that takes `limit` bytes at most and grows past `expected` only if it must.
    pub fn new(lane: &Lane, limit: usize, expected: usize) -> Self {
        Self {
            bytes: Vec::new(),
            room: None,
            lane: lane.clone(),
            limit,
            expected,
        }
    }

    /// Adds some bytes.
    ///
    /// # Errors
    /// `DecodedTooLarge` past the limit, `Overloaded` where there is no room.
    pub fn append(&mut self, more: &[u8]) -> Result<(), ApiError> {
        let needed = self.bytes.len() + more.len();
        if needed > self.limit {
            return Err(ApiError::DecodedTooLarge { limit: self.limit });
        }
        if needed > self.bytes.capacity() {
            self.grow(needed)?;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// Doubles while small, then goes in steps, and stops at what was announced.
    fn grow(&mut self, needed: usize) -> Result<(), ApiError> {
        let old = self.bytes.capacity();
        let stepped = old + old.clamp(SMALLEST_STEP, LARGEST_STEP);
        let bound = self.expected.max(needed).min(self.limit);
        let new = stepped.max(needed).min(bound);
        let more = self
            .lane
            .room
            .try_reserve(new - old)
            .ok_or(ApiError::Overloaded)?;
        match &mut self.room {
            Some(room) => room.absorb(more),
            None => self.room = Some(more),
        }
        self.bytes.reserve_exact(new - self.bytes.len());
        Ok(())
    }

    /// What has gathered so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the room from another lane from now on, and gives the old one back.
    ///
    /// # Errors
    /// `Overloaded` where the other has no room.
    pub fn change_to(&mut self, lane: &Lane) -> Result<(), ApiError> {
        let room = lane.room.try_reserve(self.bytes.capacity());
        self.room = Some(room.ok_or(ApiError::Overloaded)?);
        self.lane = lane.clone();
        Ok(())
    }

    /// The bytes with their room.
    pub fn into_body(self) -> Body {
        Body {
            bytes: self.bytes.into(),
            room: self.room,
            lane: self.lane,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_follows_what_arrived() {
        let lane = Lane::new(10_000, 1);
        let mut buffer = Buffer::new(&lane, 8_000, 600);
        buffer.append(&[1; 10]).expect("room");
        assert_eq!(lane.room.available_bytes(), 10_000 - 600);
        buffer.append(&[1; 590]).expect("room");
        assert_eq!(lane.room.available_bytes(), 10_000 - 600);
        buffer.append(&[1; 7_400]).expect("room");
        assert!(matches!(
            buffer.append(&[1]),
            Err(ApiError::DecodedTooLarge { limit: 8_000 })
        ));
        let body = buffer.into_body();
        assert_eq!(body.bytes.len(), 8_000);
        assert_eq!(lane.room.available_bytes(), 2_000);
        drop(body);
        assert_eq!(lane.room.available_bytes(), 10_000);
    }

    #[test]
    fn no_room_is_told_and_nothing_is_kept() {
        let lane = Lane::new(1_500, 1);
        let mut buffer = Buffer::new(&lane, 8_000, 0);
        buffer.append(&[1; 1_000]).expect("room");
        assert!(matches!(
            buffer.append(&[1; 1_000]),
            Err(ApiError::Overloaded)
        ));
        drop(buffer);
        assert_eq!(lane.room.available_bytes(), 1_500);
    }

    #[test]
    fn a_lie_about_the_length_reserves_little() {
        let lane = Lane::new(1_000_000, 1);
        let mut buffer = Buffer::new(&lane, 900_000, 900_000);
        buffer.append(b"{").expect("room");
        assert_eq!(lane.room.available_bytes(), 1_000_000 - SMALLEST_STEP);
    }

    #[test]
    fn a_change_of_lane_moves_the_room() {
        let (strangers, known) = (Lane::new(10_000, 1), Lane::new(10_000, 1));
        let mut buffer = Buffer::new(&strangers, 8_000, 0);
        buffer.append(&[1; 3_000]).expect("room");
        buffer.change_to(&known).expect("room");
        buffer.append(&[1; 4_000]).expect("room");
        assert_eq!(strangers.room.available_bytes(), 10_000);
        assert_eq!(known.room.available_bytes(), 10_000 - 7_000);
        assert!(buffer.change_to(&Lane::new(5_000, 1)).is_err());
    }
}
