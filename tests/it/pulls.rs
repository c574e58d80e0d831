//! Files that the service fetches by itself.

mod bucket;
mod jobs;
mod server;
mod sources;
