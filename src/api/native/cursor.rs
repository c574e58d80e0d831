//! Cursors: the key of the last row of a page, so that the next page starts right behind it whatever was added meanwhile.

use crate::domain::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Writes a row's key as opaque text.
pub fn encode(time: Timestamp, id: Uuid) -> String {
    let mut bytes = time.micros().to_be_bytes().to_vec();
    bytes.extend_from_slice(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what `encode` wrote; `None` for anything else.
pub fn decode(text: &str) -> Option<(Timestamp, Uuid)> {
    let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (time, id) = bytes.split_at(8);
    let time = Timestamp::from_micros(i64::from_be_bytes(time.try_into().ok()?))?;
    // The databases know no times that are much earlier, and no row has one.
    if !(Timestamp::MIN..=Timestamp::MAX).contains(&time) {
        return None;
    }
    Some((time, Uuid::from_slice(id).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let time = Timestamp::parse("2024-01-02T03:04:05.678901Z").expect("a time");
        let id = Uuid::from_u128(7);
        assert_eq!(decode(&encode(time, id)), Some((time, id)));
        for micros in [i64::MIN, -210_866_803_200_000_001, 253_402_300_800_000_000] {
            let mut bytes = micros.to_be_bytes().to_vec();
            bytes.extend_from_slice(id.as_bytes());
            assert_eq!(decode(&URL_SAFE_NO_PAD.encode(bytes)), None, "{micros}");
        }
        assert_eq!(decode(""), None);
        assert_eq!(decode("AAAA"), None);
        assert_eq!(decode("not base64!"), None);
    }
}
