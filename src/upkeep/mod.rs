//! Work that no request waits for.

pub mod erasures;
pub mod retention;
