//! The store that people leave: a server that speaks Elasticsearch's REST API (Elasticsearch from 7, OpenSearch).
//!
//! The only place that asks it anything. It is asked as a guest: nothing is kept open there between two requests.

mod client;
mod index;
mod page;
mod read;
pub mod record;
mod write;

pub use client::{Client, Failure, Meter};
pub use index::{Index, Source};
pub use page::{Hit, PageAsk, hits};
pub use read::{Found, MOST_BYTES};
pub use write::Outcome;
