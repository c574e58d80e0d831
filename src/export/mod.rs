//! Documents of a legacy store into a topic, each once when it is there and again when it has changed.
//!
//! A pass walks every shard in the order of its sequence numbers, from where the pass before began to look for its end (`state.rs`).
//! Nothing is kept open in the store, so nothing there can expire: who is stopped goes on behind the last document that Kafka has.

mod gone;
mod job;
mod kept;
mod pass;
mod plan;

mod run;
mod send;
mod state;
mod walk;

pub use job::{Export, Options, Outcome};
pub use state::Progress;
