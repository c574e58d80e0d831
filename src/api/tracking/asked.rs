//! The types of calls, by the names that senders give them.

use crate::domain::EventType;

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    Event(EventType),
    /// RudderStack's merge, stored as the alias that it is.
    Merge,
}

impl Asked {
    /// Reads the name of a type in any case.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(event_type) = EventType::parse(name) {
            return Some(Self::Event(event_type));
        }
        match name.trim().to_ascii_lowercase().as_str() {
            "merge" => Some(Self::Merge),
            plain => EventType::parse(plain).map(Self::Event),
        }
    }

    /// What is stored of it.
    pub fn event_type(self) -> EventType {
        match self {
            Self::Event(event_type) => event_type,
            Self::Merge => EventType::Alias,
        }
    }
}
