//! Statements as parts of a request that is traced: their names, how many rows came back, and with which code they failed. No text, no value.

use super::{Engine, Error, Store};
use crate::traces::{self, Kind, Span};

/// One try of a statement or of a transaction; nothing where its request is not traced.
pub(super) struct Traced(Option<Span>);

impl Traced {
    /// Begins with the wait for a connection.
    pub fn begin(store: &Store, name: &'static str) -> Self {
        let mut span = traces::child(name, Kind::Client);
        if let Some(span) = &mut span {
            let system = match store.engine.get() {
                Some(Engine::CockroachDb) => "cockroachdb",
                _ => "postgresql",
            };
            span.note("db.system.name", system);
            span.note("db.operation.name", name);
        }
        Self(span)
    }

    /// Hands a result on, and notes it where it is a failure.
    pub fn noting<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let (Some(span), Err(error)) = (&mut self.0, &result) {
            match error.sql_state() {
                Some(state) => span.fail(state.code().to_owned()),
                None => span.fail("no_answer"),
            }
        }
        result
    }

    /// Notes how many rows came back.
    pub fn note_rows(&mut self, rows: usize) {
        if let Some(span) = &mut self.0 {
            span.note("db.response.returned_rows", rows);
        }
    }
}
