//! A checksum that can be kept as a number and gone on with: by it a file that changed under its job is noticed.

/// FNV-1a over 64 bits: no protection against who wants to deceive, who could only deceive himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum(u64);

impl Checksum {
    /// Of no bytes.
    pub const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    /// As a row keeps it.
    pub const fn of_row(stored: i64) -> Self {
        Self(stored.cast_unsigned())
    }

    /// For a row.
    pub const fn to_row(self) -> i64 {
        self.0.cast_signed()
    }

    /// Goes on with the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
        self.0 = bytes.iter().fold(self.0, step);
    }

    /// As people and commands compare it: sixteen hexadecimal digits.
    pub fn to_text(self) -> String {
        format!("{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_known_function_and_goes_on_from_a_row() {
        let mut whole = Checksum::EMPTY;
        whole.add(b"foobar");
        assert_eq!(whole.to_text(), "85944171f73967e8");
        let mut first = Checksum::EMPTY;
        first.add(b"foo");
        let mut second = Checksum::of_row(first.to_row());
        second.add(b"bar");
        assert_eq!(second, whole);
    }
}
