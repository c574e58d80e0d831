//! Files that the service fetches by itself.

mod bucket;
mod server;
mod sources;
