//! The settings of the log.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// What is logged, and how.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
    pub lines_per_minute: u32,
}

/// One line of text or one JSON object for each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Log {
    /// What is wrong, and whether it is.
    pub(super) fn complaints(&self) -> Vec<(bool, &'static str)> {
        vec![
            (
                !self.is_readable(),
                "log.level can't be read: error, warn, info, debug, trace or off, then pairs like roster::store=debug",
            ),
            (
                self.lines_per_minute == 0,
                "log.lines_per_minute must be at least 1: nothing would be logged, not even why a start failed",
            ),
        ]
    }

    /// A word that is no level would count as a module: of all others nothing would be logged then.
    fn is_readable(&self) -> bool {
        let mut words = self.level.split(',');
        let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
        words.all(|word| word.contains('=') || is_level(word))
            && EnvFilter::try_new(&self.level).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(level: &str) -> bool {
        let level = level.to_owned();
        let log = Log {
            format: LogFormat::Text,
            level,
            lines_per_minute: 1,
        };
        log.is_readable()
    }

    #[test]
    fn what_would_log_nothing_by_mistake_is_no_level() {
        for level in ["info", "WARN", "off", "info,roster::store=debug"] {
            assert!(is_readable(level), "{level}");
        }
        for level in [
            "verbose",
            "info,verbose",
            "==",
            "a=b=c",
            "info, warn",
            "roster",
        ] {
            assert!(!is_readable(level), "{level}");
        }
    }
}
