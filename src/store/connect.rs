//! Opens one connection: the documented URLs of both databases, TLS, and the session's settings.

use super::Error;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVerifyMode};
use postgres_openssl::MakeTlsConnector;
use std::collections::HashMap;
use std::time::Duration;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use url::form_urlencoded;

/// Which database is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL 15 or newer.
    PostgreSql,
    /// CockroachDB, or an engine that says it is one.
    CockroachDb,
}

impl Engine {
    /// Reads what `version()` gives back. PostgreSQL, and what was made of it, says so first; forks of CockroachDB have names of their own.
    pub fn from_version(version: &str) -> Self {
        if version.starts_with("PostgreSQL ") {
            Self::PostgreSql
        } else {
            Self::CockroachDb
        }
    }
}

/// Where to connect to, and how.
#[derive(Clone)]
pub(super) struct Target {
    pub config: Config,
    pub tls: MakeTlsConnector,
    pub statement_timeout: Duration,
}

/// How much of the server's certificate is checked, as libpq defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verify {
    Nothing,
    Chain,
    ChainAndHost,
}

const TLS_KEYS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

impl Target {
    /// Reads a URL as PostgreSQL and CockroachDB document it. The TLS part is taken out first: the client library knows three
    /// modes only and refuses the rest.
    pub fn parse(
        url: &str,
        connect_timeout: Duration,
        statement_timeout: Duration,
    ) -> Result<Self, Error> {
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Err(Error::Url("it must begin with postgresql://".into()));
        }
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let (tls, rest) = split_query(query);
        let rest = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(rest)
            .finish()
            .replace('+', "%20");
        let mut config: Config = format!("{address}?{rest}")
            .parse()
            .map_err(|reason: tokio_postgres::Error| Error::Url(full_text(&reason)))?;
        let (mode, verify) = tls_mode(&tls)?;
        config
            .ssl_mode(mode)
            .connect_timeout(connect_timeout)
            .keepalives_idle(Duration::from_secs(30));
        if config.get_application_name().is_none() {
            config.application_name("roster");
        }
        Ok(Self {
            config,
            tls: connector(&tls, verify)?,
            statement_timeout,
        })
    }

    /// Connects and sets the session up.
    pub async fn connect(
        &self,
    ) -> Result<(Client, Engine, tokio::task::JoinHandle<()>), tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the connection's own task; the pool ends it by dropping the client"
        )]
        let task = tokio::spawn(async move {
            if let Err(reason) = connection.await {
                tracing::debug!(%reason, "database connection ended");
            }
        });
        let version: String = client.query_one("SELECT version()", &[]).await?.get(0);
        let engine = Engine::from_version(&version);
        set_up_session(&client, engine, self.statement_timeout).await?;
        Ok((client, engine, task))
    }
}

/// What every session is set to. Plans must not depend on statistics, which a fresh PostgreSQL has none of: without these
/// switches it scans or hashes whole tables for a batch of keys. Nor on how many keys are asked for: it would plan anew each time, which for
/// a read of one profile takes four times as long as to run it.
pub fn session_settings(engine: Engine, statement_timeout: Duration) -> String {
    let timeout = statement_timeout.as_millis();
    let common = format!("SET statement_timeout = {timeout}; SET timezone = 'UTC';");
    match engine {
        Engine::CockroachDb => common,
        Engine::PostgreSql => format!(
            "{common} SET idle_in_transaction_session_timeout = {timeout}; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan;"
        ),
    }
}

/// What newer versions of CockroachDB know and older ones refuse. Statistics of a table just made say that it is empty, and then
/// hot statements would be planned as scans of it.
fn cockroachdb_may_know(statement_timeout: Duration) -> [String; 3] {
    let timeout = statement_timeout.as_millis();
    [
        format!("SET idle_in_transaction_session_timeout = {timeout}"),
        "SET avoid_full_table_scans_in_mutations = on".to_owned(),
        "SET optimizer_min_row_count = 1000".to_owned(),
    ]
}

/// Sets a new connection up. A setting that the server may not know is tried by itself, and its refusal is no failure.
///
/// # Errors
/// When the connection breaks, or a setting is refused that every version has.
pub async fn set_up_session(
    client: &Client,
    engine: Engine,
    statement_timeout: Duration,
) -> Result<(), tokio_postgres::Error> {
    let settings = session_settings(engine, statement_timeout);
    client.batch_execute(&settings).await?;
    if engine == Engine::PostgreSql {
        return Ok(());
    }
    for setting in cockroachdb_may_know(statement_timeout) {
        match client.batch_execute(&setting).await {
            Err(error) if error.as_db_error().is_none() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

type Pairs = HashMap<String, String>;

fn split_query(query: &str) -> (Pairs, Vec<(String, String)>) {
    let pairs = form_urlencoded::parse(query.as_bytes())
        .map(|(key, value)| (key.into_owned(), value.into_owned()));
    let (tls, rest): (Vec<_>, Vec<_>) =
        pairs.partition(|(key, _)| TLS_KEYS.contains(&key.as_str()));
    (tls.into_iter().collect(), rest)
}

/// libpq's rule: `require` with a CA of one's own checks the chain.
fn tls_mode(tls: &Pairs) -> Result<(SslMode, Verify), Error> {
    let own_ca = tls.contains_key("sslrootcert");
    match tls.get("sslmode").map_or("prefer", String::as_str) {
        "disable" => Ok((SslMode::Disable, Verify::Nothing)),
        "allow" | "prefer" => Ok((SslMode::Prefer, Verify::Nothing)),
        "require" => Ok((
            SslMode::Require,
            if own_ca {
                Verify::Chain
            } else {
                Verify::Nothing
            },
        )),
        "verify-ca" => Ok((SslMode::Require, Verify::Chain)),
        "verify-full" => Ok((SslMode::Require, Verify::ChainAndHost)),
        other => Err(Error::Url(format!(
            "sslmode={other} is not one of disable, allow, prefer, require, verify-ca, verify-full"
        ))),
    }
}

fn connector(tls: &Pairs, verify: Verify) -> Result<MakeTlsConnector, Error> {
    let failed = |key: &str| {
        let key = key.to_owned();
        move |reason: openssl::error::ErrorStack| {
            Error::Url(format!("{key} can't be used: {reason}"))
        }
    };
    let mut builder = SslConnector::builder(SslMethod::tls()).map_err(failed("TLS"))?;
    builder.set_verify(if verify == Verify::Nothing {
        SslVerifyMode::NONE
    } else {
        SslVerifyMode::PEER
    });
    if let Some(path) = tls
        .get("sslrootcert")
        .filter(|path| path.as_str() != "system")
    {
        builder.set_ca_file(path).map_err(failed("sslrootcert"))?;
    }
    if let Some(path) = tls.get("sslcert") {
        builder
            .set_certificate_chain_file(path)
            .map_err(failed("sslcert"))?;
    }
    if let Some(path) = tls.get("sslkey") {
        builder
            .set_private_key_file(path, SslFiletype::PEM)
            .map_err(failed("sslkey"))?;
    }
    let mut connector = MakeTlsConnector::new(builder.build());
    connector.set_callback(move |config, _| {
        config.set_verify_hostname(verify == Verify::ChainAndHost);
        Ok(())
    });
    Ok(connector)
}

/// A library error with its causes, on one line; what a library says twice is said once.
pub(super) fn full_text(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| {
            if text.ends_with(&cause) {
                text
            } else {
                format!("{text}: {cause}")
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, Error> {
        Target::parse(url, Duration::from_secs(1), Duration::from_secs(1))
    }

    #[test]
    fn an_engine_is_known_by_its_first_word() {
        let postgres = "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu";
        assert_eq!(Engine::from_version(postgres), Engine::PostgreSql);
        for version in ["CockroachDB CCL v24.1.2 (x86_64)", "KaiwuDB 2.0.3 (x86_64)"] {
            assert_eq!(Engine::from_version(version), Engine::CockroachDb);
        }
    }

    #[test]
    fn documented_urls_are_read() {
        let urls = [
            "postgresql://root@localhost:26257/defaultdb?sslmode=disable",
            "postgresql://maxroach:pass@free-tier.gcp.example:26257/defaultdb?sslmode=verify-full&options=--cluster%3Dblue-1",
            "postgres://roster@localhost/roster?host=/tmp/some%20dir/socket",
            "postgresql://u@h1:1,h2:2/d?sslmode=require&application_name=x&target_session_attrs=any",
        ];
        for url in urls {
            assert!(parse(url).is_ok(), "{url}: {:?}", parse(url).err());
        }
        let target = parse(urls[0]).expect("plain");
        assert_eq!(target.config.get_ssl_mode(), SslMode::Disable);
        assert_eq!(target.config.get_application_name(), Some("roster"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let cases = [
            ("mysql://u:geheim@h/d", "postgresql://"),
            (
                "postgresql://u:geheim@h/d?sslmode=perhaps",
                "sslmode=perhaps",
            ),
            (
                "postgresql://u:geheim@h/d?sslmode=verify-full&sslrootcert=/missing.crt",
                "sslrootcert",
            ),
            ("postgresql://u:geheim@h/d?no_such_key=1", "no_such_key"),
            ("not a url", "database.url"),
        ];
        for (url, expected) in cases {
            let text = parse(url).err().expect(url).to_string();
            assert!(
                text.contains(expected) && !text.contains("geheim"),
                "{url}: {text}"
            );
        }
    }

    #[test]
    fn verification_follows_libpq() {
        let mode = |pairs: &[(&str, &str)]| {
            tls_mode(
                &pairs
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect(),
            )
            .expect("known mode")
        };
        assert_eq!(mode(&[]), (SslMode::Prefer, Verify::Nothing));
        assert_eq!(
            mode(&[("sslmode", "require"), ("sslrootcert", "ca.crt")]),
            (SslMode::Require, Verify::Chain)
        );
        assert_eq!(
            mode(&[("sslmode", "verify-full")]),
            (SslMode::Require, Verify::ChainAndHost)
        );
    }
}
