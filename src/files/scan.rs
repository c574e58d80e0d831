//! Where JSON values end, told without parsing them: by their braces, brackets and quotes.

use serde::{Deserialize, Serialize};

/// What was seen of a value so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    pub depth: usize,
    pub in_text: bool,
    is_escaped: bool,
}

impl Scan {
    /// Takes the next byte; true where it closes the outermost object or list.
    pub fn step(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                let was_open = self.depth > 0;
                self.depth = self.depth.saturating_sub(1);
                return was_open && self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

/// Where the first value of a text ends; `None` where it does not end within it.
pub fn end_of_value(text: &[u8]) -> Option<usize> {
    let mut scan = Scan::default();
    text.iter()
        .position(|byte| scan.step(*byte))
        .map(|at| at + 1)
}

/// True where another object seems to begin behind the first one: nearly no line has one, and this is cheap.
pub fn may_have_several(text: &[u8]) -> bool {
    memchr::memchr_iter(b'}', text).any(|at| {
        let mut behind = text[at + 1..].iter();
        behind.find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
    })
}
