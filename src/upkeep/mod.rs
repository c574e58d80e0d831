//! Work that no request waits for. Every kind runs in one frame.

pub mod erasures;
pub mod frame;
pub mod gauges;
pub mod retention;
pub mod splits;
