//! Files that the service fetches by itself.

mod bucket;
mod jobs;
mod schedules;
mod server;
mod sources;
