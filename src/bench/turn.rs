//! One kind of request or statement for some seconds.

use super::machine::Cpu;
use super::plan::Kind;
use super::tally::Tally;

/// What one turn gave.
pub struct Turn {
    pub kind: Kind,
    pub round: usize,
    pub tally: Tally,
    pub seconds: f64,
    pub cpu: Cpu,
}
