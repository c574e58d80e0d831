//! What can go wrong at the database, and what to do about it.

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

/// A failure at the database. `Display` does not repeat the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL or one of its files can't be used.
    #[error("database.url: {0}")]
    Url(String),
    /// No connection was to be had: the database is down, or all connections are busy.
    #[error("no connection to the database")]
    Pool(#[source] PoolError),
    /// The database did not answer in time.
    #[error("the database did not answer within {0:?}")]
    Timeout(std::time::Duration),
    /// The database refused.
    #[error("statement {name} failed")]
    Statement {
        /// Whose statement it was.
        name: &'static str,
        #[source]
        source: tokio_postgres::Error,
    },
    /// A compare-and-set was lost more often than a busy profile explains.
    #[error("{0} lost every one of its tries")]
    Contended(&'static str),
    /// A worker's turn ran out: somebody else may be at its work.
    #[error("the worker {0} has lost its turn")]
    TurnLost(&'static str),
    /// A piece of a worker's work panicked: a bug, whose place is in the log.
    #[error("the worker {0} panicked")]
    Panicked(&'static str),
    /// A row holds what this program never writes.
    #[error("table {table} column {column}: {reason}")]
    Inconsistent {
        /// Where it was found.
        table: &'static str,
        /// Where it was found.
        column: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The schema is not what this binary can work with.
    #[error("{0}")]
    Schema(String),
}

/// What the door does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Lost against another transaction: again at once, on the same connection.
    Retry,
    /// The connection is gone or the outcome unknown: again on a new one, since every write is idempotent.
    Reconnect,
    /// The database is short of something: again, more slowly.
    Wait,
    /// A prepared plan went stale after a schema change: forget the statements, again once.
    Reprepare,
    /// No use in trying again.
    GiveUp,
}

impl Error {
    /// What to do about it.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Pool(PoolError::Backend(source)) => remedy_of(source),
            Self::Pool(PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle))
            | Self::Timeout(_) => Remedy::Reconnect,
            Self::Statement { source, .. } => remedy_of(source),
            Self::Pool(PoolError::Timeout(TimeoutType::Wait)) => Remedy::Wait,
            Self::Pool(_)
            | Self::Url(_)
            | Self::Contended(_)
            | Self::TurnLost(_)
            | Self::Panicked(_)
            | Self::Inconsistent { .. }
            | Self::Schema(_) => Remedy::GiveUp,
        }
    }

    /// True where the data itself was refused, so that a batch has to be halved until the bad item stands alone.
    pub fn is_data(&self) -> bool {
        let class = self.sql_state().map(|state| &state.code()[..2]);
        // 54 is a program limit such as a row or an index key that is too large.
        matches!(class, Some("22" | "23" | "54"))
    }

    /// The failure with its causes, on one line, for the log.
    pub fn full_text(&self) -> String {
        let (Self::Statement { source, .. } | Self::Pool(PoolError::Backend(source))) = self else {
            return super::connect::full_text(self);
        };
        match source.as_db_error() {
            // Without the detail, which quotes rows.
            Some(refusal) => format!(
                "{self}: {} (SQLSTATE {})",
                refusal.message(),
                refusal.code().code()
            ),
            // Without what the pool says in between: that it was opening a connection.
            None => format!("{self}: {}", super::connect::full_text(source)),
        }
    }

    /// The database's code for the failure.
    pub fn sql_state(&self) -> Option<&SqlState> {
        match self {
            Self::Statement { source, .. } | Self::Pool(PoolError::Backend(source)) => {
                source.code()
            }
            _ => None,
        }
    }
}

fn remedy_of(error: &tokio_postgres::Error) -> Remedy {
    let Some(state) = error.code() else {
        // No code: the failure is the connection's own.
        return if error.is_closed() || is_io(error) {
            Remedy::Reconnect
        } else {
            Remedy::GiveUp
        };
    };
    match state.code() {
        "40001" | "40P01" => Remedy::Retry,
        "40003" | "57P01" | "57P02" | "57P03" => Remedy::Reconnect,
        "53200" | "53300" | "58C00" | "58C01" => Remedy::Wait,
        "0A000" => Remedy::Reprepare,
        code if code.starts_with("08") => Remedy::Reconnect,
        _ => Remedy::GiveUp,
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

impl Remedy {
    /// The label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Reconnect => "reconnect",
            Self::Wait => "wait",
            Self::Reprepare => "reprepare",
            Self::GiveUp => "give_up",
        }
    }
}
