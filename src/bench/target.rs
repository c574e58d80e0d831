//! Where requests go, and in whose name.

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use url::Url;

/// A service and a key of one of its projects.
#[derive(Clone)]
pub struct Target {
    pub socket: SocketAddr,
    pub host: String,
    /// What stands before every path.
    pub prefix: String,
    pub key: String,
}

impl Target {
    /// A service of this machine.
    pub fn local(socket: SocketAddr, key: &str) -> Self {
        Self {
            socket,
            host: "localhost".to_owned(),
            prefix: String::new(),
            key: key.to_owned(),
        }
    }

    /// A service that runs somewhere.
    ///
    /// # Errors
    /// For what is no `http://host[:port][/path]`, or a host that nobody knows.
    pub async fn at(url: &str, key: &str) -> Result<Self> {
        let told = || format!("{url:?} is no http://HOST:PORT");
        let url: Url = url.parse().with_context(told)?;
        ensure!(
            url.scheme() == "http",
            "the bench speaks http alone: encryption would be measured here, beside the service. Name the address behind the proxy"
        );
        let host = url.host_str().context("the address names no host")?;
        let port = url.port_or_known_default().unwrap_or(80);
        let mut found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port))
            .await
            .with_context(|| format!("nobody knows {host}"))?;
        Ok(Self {
            socket: found.next().context("the host has no address")?,
            host: format!("{host}:{port}"),
            prefix: url.path().trim_end_matches('/').to_owned(),
            key: key.to_owned(),
        })
    }

    /// The same in the name of another key.
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_may_have_a_port_and_a_path() {
        let target = Target::at("http://127.0.0.1:8080/roster/", "k").await;
        let target = target.expect("an address");
        assert_eq!(target.socket, "127.0.0.1:8080".parse().expect("one"));
        assert_eq!(
            (&*target.host, &*target.prefix),
            ("127.0.0.1:8080", "/roster")
        );
        for wrong in ["https://127.0.0.1", "127.0.0.1:80", "ftp://x/"] {
            assert!(Target::at(wrong, "k").await.is_err(), "{wrong}");
        }
    }
}
