//! Connections: what one may hold before it is a request, and one request at a time.

pub mod connection;
mod framing;
pub mod in_turn;
