//! The door: every statement goes through here, is repeated where that helps, and is measured by name.

use super::error::Remedy;
use super::traced::Traced;
use super::{Error, Statement, Store};
use crate::metric_names::{STATEMENT_RETRIES, STATEMENT_SECONDS};
use deadpool_postgres::{ClientWrapper, Object, Transaction};
use metrics::{counter, histogram};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

/// The values of one statement.
pub(super) type Params<'a> = [&'a (dyn ToSql + Sync)];

/// What a transaction's body gives back.
pub type Body<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

const MAX_TRIES: u32 = 10;

/// How much longer than the server's own timeout this side waits before it gives a connection up.
const GRACE: Duration = Duration::from_millis(500);

/// A connection on loan. One that is dropped in the middle of something does not go back to the pool: its answer is still to
/// come, and the next borrower would wait for it.
struct Loan(Option<Object>);

impl Loan {
    fn client(&mut self) -> &mut Object {
        self.0.as_mut().expect("present until it is given back")
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }

    /// Takes the connection out of the pool for good.
    fn keep(mut self) -> ClientWrapper {
        Object::take(self.0.take().expect("present until it is given back"))
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}

impl Store {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    async fn borrow(&self) -> Result<Loan, Error> {
        let began = Instant::now();
        let client = self.pool.get().await;
        self.pool_wait.record(began.elapsed());
        client.map(|client| Loan(Some(client))).map_err(Error::Pool)
    }

    /// Runs one idempotent statement, repeated until it succeeds, fails for good, or the deadline is near.
    pub(super) async fn run(
        &self,
        statement: &'static Statement,
        params: &Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        let mut retries = Retries::new(statement.name, self.deadline);
        loop {
            match self.run_once(statement, params).await {
                Err(error) => retries.after(error, self).await?,
                done => return done,
            }
        }
    }

    /// Runs one statement once.
    pub(super) async fn run_once(
        &self,
        statement: &'static Statement,
        params: &Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        let started = Instant::now();
        let mut traced = Traced::begin(self, statement.name);
        let mut loan = traced.noting(self.borrow().await)?;
        let client = loan.client();
        let answer = timeout(self.statement_timeout + GRACE, async {
            let sql = self.engine.get().map(|engine| statement.sql_for(*engine));
            let sql = sql.as_deref().unwrap_or(statement.sql);
            let prepared = client.prepare_cached(sql).await?;
            client.query(&prepared, params).await
        });
        let result = self.judge(statement.name, answer.await, loan);
        let outcome = if result.is_ok() { "ok" } else { "error" };
        histogram!(STATEMENT_SECONDS, "statement" => statement.name, "outcome" => outcome)
            .record(started.elapsed());
        traced.note_rows(result.as_ref().map_or(0, Vec::len));
        traced.noting(result)
    }

    /// Runs a script of schema changes once, without the time limit of statements, on a connection that is then closed.
    pub(super) async fn run_script(&self, name: &'static str, sql: &str) -> Result<(), Error> {
        let failed = |source| Error::Statement { name, source };
        let client = self.borrow().await?.keep();
        client
            .batch_execute("SET statement_timeout = 0")
            .await
            .map_err(failed)?;
        client.batch_execute(sql).await.map_err(failed)
    }

    fn judge<T>(
        &self,
        name: &'static str,
        answer: Result<Result<T, tokio_postgres::Error>, tokio::time::error::Elapsed>,
        mut loan: Loan,
    ) -> Result<T, Error> {
        let result = match answer {
            Ok(answer) => answer.map_err(|source| Error::Statement { name, source }),
            Err(_) => return Err(Error::Timeout(self.statement_timeout)),
        };
        if result
            .as_ref()
            .is_err_and(|error| error.remedy() == Remedy::Reprepare)
        {
            loan.client().statement_cache.clear();
        }
        loan.give_back();
        result
    }

    /// Runs a transaction of several statements, SERIALIZABLE, repeated as a whole. `body` may run many times, so it does nothing
    /// but SQL, and what it writes is idempotent: a commit whose answer was lost is repeated too.
    pub async fn run_tx<A: Sync, T>(
        &self,
        name: &'static str,
        args: &A,
        body: impl for<'a> Fn(&'a Transaction<'a>, &'a A) -> Body<'a, T>,
    ) -> Result<T, Error> {
        let mut retries = Retries::new(name, self.deadline);
        loop {
            match self.run_tx_once(name, args, &body).await {
                Err(error) => retries.after(error, self).await?,
                done => return done,
            }
        }
    }

    async fn run_tx_once<A: Sync, T>(
        &self,
        name: &'static str,
        args: &A,
        body: &impl for<'a> Fn(&'a Transaction<'a>, &'a A) -> Body<'a, T>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let failed = |source| Error::Statement { name, source };
        let mut traced = Traced::begin(self, name);
        let mut loan = traced.noting(self.borrow().await)?;
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let begun = loan
            .client()
            .build_transaction()
            .isolation_level(IsolationLevel::Serializable);
        let whole = async {
            let transaction = begun.start().await.map_err(failed)?;
            let result = body(&transaction, args).await;
            match result {
                Ok(value) => transaction.commit().await.map_err(failed).map(|()| value),
                Err(error) => transaction.rollback().await.map_err(failed).and(Err(error)),
            }
        };
        let result = timeout(self.statement_timeout * 2, whole)
            .await
            .unwrap_or(Err(Error::Timeout(self.statement_timeout * 2)));
        if !matches!(result, Err(Error::Timeout(_))) {
            loan.give_back();
        }
        let outcome = if result.is_ok() { "ok" } else { "error" };
        histogram!(STATEMENT_SECONDS, "statement" => name, "outcome" => outcome)
            .record(started.elapsed());
        traced.noting(result)
    }
}

/// Runs one statement of a transaction.
pub(super) async fn query(
    tx: &Transaction<'_>,
    statement: &'static Statement,
    params: &Params<'_>,
) -> Result<Vec<Row>, Error> {
    let failed = |source| Error::Statement {
        name: statement.name,
        source,
    };
    let prepared = tx.prepare_cached(statement.sql).await.map_err(failed)?;
    tx.query(&prepared, params).await.map_err(failed)
}

/// Counts the tries of one operation and paces them.
pub(super) struct Retries {
    name: &'static str,
    tries: u32,
    deadline: Instant,
}

impl Retries {
    pub(super) fn new(name: &'static str, patience: Duration) -> Self {
        Self {
            name,
            tries: 0,
            deadline: Instant::now() + patience,
        }
    }

    /// Returns when it is time to try again, or with the error when it is not.
    pub(super) async fn after(&mut self, error: Error, store: &Store) -> Result<(), Error> {
        self.tries += 1;
        let remedy = error.remedy();
        let pause = pause(remedy, self.tries);
        let hopeless = remedy == Remedy::GiveUp || (remedy == Remedy::Reprepare && self.tries > 1);
        if hopeless || self.tries >= MAX_TRIES || Instant::now() + pause >= self.deadline {
            return Err(error);
        }
        if remedy == Remedy::Reconnect {
            // The others in the pool most likely died with it: all that nobody is using are replaced.
            store.pool.retain(|_, _| false);
        }
        counter!(STATEMENT_RETRIES, "statement" => self.name, "remedy" => remedy.label())
            .increment(1);
        sleep(pause).await;
        Ok(())
    }
}

/// Full jitter: two that met do not meet again.
fn pause(remedy: Remedy, tries: u32) -> Duration {
    let (first, most) = match remedy {
        Remedy::Retry | Remedy::Reprepare | Remedy::GiveUp => (5, 500),
        Remedy::Reconnect => (50, 1_000),
        Remedy::Wait => (200, 2_000),
    };
    let ceiling = (first << tries.min(10)).min(most);
    Duration::from_millis(rand::random_range(first / 2..=ceiling))
}
