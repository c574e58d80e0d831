//! Legacy profiles through Kafka. The only place that knows Kafka.

pub mod kafka;
