//! How long trouble may last before a file is given up.

use super::upload::Trouble;
use anyhow::{Result, bail};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// After trouble it is tried again so much later at first, and twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The trouble of one file, since something went well last.
pub struct Patience {
    most: Duration,
    since: Option<Instant>,
    pause: Duration,
}

impl Patience {
    /// For trouble that may last so long.
    pub const fn new(most: Duration) -> Self {
        Self {
            most,
            since: None,
            pause: FIRST_PAUSE,
        }
    }

    /// Something went well.
    pub fn renew(&mut self) {
        (self.since, self.pause) = (None, FIRST_PAUSE);
    }

    /// Waits until it may be tried again; `say` hears why.
    ///
    /// # Errors
    /// With the trouble, where it will not pass or has lasted too long.
    pub async fn wait(&mut self, trouble: Trouble, say: impl FnOnce(&str)) -> Result<()> {
        let Trouble::Passing(text, again) = trouble else {
            return Err(trouble.into_error());
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.most {
            bail!("{text}; the same command again goes on from here");
        }
        say(&format!("waits: {text}"));
        sleep(again.unwrap_or(self.pause).min(LONGEST_PAUSE)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
