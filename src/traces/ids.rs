//! Names of traces and spans, as W3C's Trace Context writes them.

use serde::{Serialize, Serializer};
use std::fmt;

/// Which trace a span belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceId(u128);

/// Which span of a trace it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanId(u64);

impl TraceId {
    pub fn random() -> Self {
        Self(rand::random_range(1..=u128::MAX))
    }

    /// True for one trace in so many, always the same: as OpenTelemetry's own sampler has it (`TraceIdRatioBased`), so that services with
    /// the same ratio trace the same requests.
    pub fn is_sampled(self, ratio: f64) -> bool {
        let drawn = (self.0 as u64) >> 1;
        (drawn as f64) < ratio * (1_u64 << 63) as f64
    }
}

impl SpanId {
    pub fn random() -> Self {
        Self(rand::random_range(1..=u64::MAX))
    }
}

/// Reads the header `traceparent`: of which trace the caller is a part, and as which span. What it says about sampling is left
/// alone: who may send requests does not decide what they cost.
pub(super) fn caller(header: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = header.split('-');
    let version = hex(parts.next()?, 2)?;
    let trace = hex(parts.next()?, 32)?;
    let span = hex(parts.next()?, 16)?;
    hex(parts.next()?, 2)?;
    // A version of the future may say more behind.
    let is_known = version < 0xff && (version > 0 || parts.next().is_none());
    let is_valid = is_known && trace != 0 && span != 0;
    is_valid.then_some((TraceId(trace), SpanId(span as u64)))
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_hex = text.len() == digits && text.bytes().all(is_digit);
    is_hex
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_caller_is_known_by_a_whole_header_only() {
        let (trace, span) = caller(&format!("00-{TRACE}-{SPAN}-01")).expect("a whole header");
        assert_eq!(
            (trace.to_string(), span.to_string()),
            (TRACE.into(), SPAN.into())
        );
        assert!(caller(&format!("cc-{TRACE}-{SPAN}-00-more")).is_some());
        for wrong in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-+{}-01", &SPAN[1..]),
        ] {
            assert!(caller(&wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn so_many_of_a_thousand_are_traced_and_the_same_ones_for_a_larger_ratio() {
        let ids: Vec<TraceId> = (0..10_000).map(|_| TraceId::random()).collect();
        let sampled = |ratio| ids.iter().filter(move |id| id.is_sampled(ratio));
        assert_eq!((sampled(0.0).count(), sampled(1.0).count()), (0, 10_000));
        let tenth = sampled(0.1).count();
        assert!((800..1_200).contains(&tenth), "{tenth}");
        assert!(sampled(0.1).all(|id| id.is_sampled(0.2)));
    }
}
