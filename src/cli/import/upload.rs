//! Sends a file to a service by the tus protocol, and asks what became of it.

use super::outgoing::Outgoing;
use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A service that is there accepts by then.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// A piece waits for live traffic; a service that says nothing for so long is gone.
const SILENT_TIME: Duration = Duration::from_secs(120);
/// Between two looks at what was taken.
const LOOK: Duration = Duration::from_millis(500);
/// Of an answer as much as a person reads.
const SHOWN: usize = 500;

/// Why a request came to nothing.
#[derive(Debug)]
pub enum Trouble {
    /// Later it may go: after so long, where the service says it.
    Passing(String, Option<Duration>),
    /// It will not.
    Lasting(StatusCode, String),
}

impl Trouble {
    /// As an error that ends the upload.
    pub fn into_error(self) -> anyhow::Error {
        match self {
            Self::Passing(text, _) => anyhow!(text),
            Self::Lasting(status, text) => anyhow!("{}: {text}", status.as_u16()),
        }
    }
}

/// A job as the service shows it, as far as this program needs it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Job {
    pub id: String,
    pub name: String,
    pub state: String,
    pub reason: Option<String>,
    pub time: Option<String>,
    /// Of a part of a file that is not its first: the line with which it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_line: Option<u64>,
    pub offset: u64,
    pub length: Option<u64>,
    /// Of the bytes that are done.
    #[serde(skip_serializing)]
    pub checksum: String,
    pub lines: u64,
    pub blank: u64,
    pub stored: u64,
    pub unchanged: u64,
    pub duplicate: u64,
    pub rejected: u64,
    pub warned: u64,
}

impl Job {
    /// True while it may go on.
    pub fn is_open(&self) -> bool {
        ["waiting", "running", "paused"].contains(&self.state.as_str())
    }

    /// True of one that came to its end.
    pub fn is_done(&self) -> bool {
        self.state == "done"
    }
}

#[derive(Deserialize)]
struct Jobs {
    imports: Vec<Job>,
}

/// Where files go.
#[derive(Clone, Debug)]
pub struct Service {
    http: Client,
    /// For requests that last as long as bytes are taken.
    sending: Client,
    base: Url,
    key: String,
}

impl Service {
    /// Prepares the way; nothing is asked yet.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn new(url: &str, key: String) -> Result<Self> {
        let mut base = Url::parse(url).with_context(|| format!("{url:?} is no address"))?;
        if !["http", "https"].contains(&base.scheme()) {
            bail!("{url:?} is no address of a web server");
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let client = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_TIME)
        };
        let http = client().read_timeout(SILENT_TIME).build()?;
        let sending = client().build()?;
        Ok(Self {
            http,
            sending,
            base,
            key,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_by(&self.http, method, path)
    }

    fn request_by(&self, client: &Client, method: Method, path: &str) -> RequestBuilder {
        let url = self.base.join(path).unwrap_or_else(|_| self.base.clone());
        client
            .request(method, url)
            .basic_auth(&self.key, Some(""))
            .header("tus-resumable", "1.0.0")
    }

    /// The project's jobs of a name, the newest first.
    pub async fn jobs(&self, name: &str) -> Result<Vec<Job>, Trouble> {
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let request = self.request(Method::GET, &format!("v1/imports?limit=1000&name={name}"));
        let answer = done(request).await?;
        let jobs: Jobs = json(answer).await?;
        Ok(jobs.imports)
    }

    pub async fn job(&self, id: &str) -> Result<Job, Trouble> {
        json(done(self.request(Method::GET, &format!("v1/imports/{id}"))).await?).await
    }

    /// Begins an upload: the id of its job.
    pub async fn create(
        &self,
        said: &[(String, String)],
        length: Option<u64>,
    ) -> Result<String, Trouble> {
        let pairs = said.iter();
        let pairs = pairs.map(|(name, value)| format!("{name} {}", STANDARD.encode(value)));
        let metadata = pairs.collect::<Vec<_>>().join(",");
        let request = self.request(Method::POST, "v1/imports");
        let request = match length {
            Some(length) => request.header("upload-length", length),
            None => request.header("upload-defer-length", "1"),
        };
        let answer = done(request.header("upload-metadata", metadata)).await?;
        let place = text(answer.headers(), LOCATION.as_str()).unwrap_or_default();
        match place.rsplit('/').next() {
            Some(id) if !id.is_empty() => Ok(id.to_owned()),
            _ => Err(Trouble::Lasting(
                answer.status(),
                "the service says no place for the upload".to_owned(),
            )),
        }
    }

    /// How much of a job the service has; `None` where it is over or gone.
    pub async fn offset(&self, id: &str) -> Result<Option<u64>, Trouble> {
        let request = self.request(Method::HEAD, &format!("v1/imports/{id}"));
        match done(request).await {
            Ok(answer) => Ok(number(answer.headers(), "upload-offset")),
            Err(Trouble::Lasting(StatusCode::GONE | StatusCode::NOT_FOUND, _)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Sends bytes; how much the service has then. `told` hears meanwhile how many were given out.
    pub async fn send(
        &self,
        id: &str,
        offset: u64,
        outgoing: Outgoing,
        told: impl Fn(u64),
    ) -> Result<u64, Trouble> {
        let mut request = self
            .request_by(&self.sending, Method::PATCH, &format!("v1/imports/{id}"))
            .header("content-type", "application/offset+octet-stream")
            .header("content-length", outgoing.bytes.size())
            .header("upload-offset", offset);
        if outgoing.is_last {
            request = request.header("upload-length", outgoing.end);
        }
        if let Some(done) = outgoing.done {
            request = request.header("upload-done-checksum", done.to_text());
        }
        let given = Arc::new(AtomicU64::new(0));
        let body = outgoing.bytes.body(given.clone());
        let told = || {
            let given = given.load(Ordering::Relaxed);
            told(given);
            given
        };
        let answer = watched(done(request.body(body)), told).await?;
        let told = "the service does not say how much it has";
        number(answer.headers(), "upload-offset")
            .ok_or_else(|| Trouble::Passing(told.to_owned(), None))
    }

    /// Hands the refused records of a job to `take`, as they come; how that ended.
    ///
    /// # Errors
    /// Where the list can't be had, or breaks off.
    pub async fn rejections(
        &self,
        id: &str,
        format: &str,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<std::io::Result<()>, Trouble> {
        let path = format!("v1/imports/{id}/rejections?format={format}");
        let mut answer = done(self.request(Method::GET, &path)).await?;
        let broken = |error: reqwest::Error| Trouble::Passing(error.to_string(), None);
        while let Some(bytes) = answer.chunk().await.map_err(broken)? {
            if let Err(error) = take(&bytes) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

/// Gives a request up once nothing more of it is taken, and nothing is answered, for long. `given` tells what was taken of it so far.
async fn watched(
    request: impl Future<Output = Result<Response, Trouble>>,
    given: impl Fn() -> u64,
) -> Result<Response, Trouble> {
    let mut request = std::pin::pin!(request);
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        tokio::select! {
            answer = &mut request => return answer,
            () = sleep(LOOK) => {}
        }
        let now = given();
        if now != last {
            (last, moved) = (now, Instant::now());
        } else if moved.elapsed() >= SILENT_TIME {
            let told = "the service neither takes more nor answers";
            return Err(Trouble::Passing(told.to_owned(), None));
        }
    }
}

/// Sends a request; whatever is not a success is trouble.
async fn done(request: RequestBuilder) -> Result<Response, Trouble> {
    let answer = request.send().await.map_err(|error| {
        let mut told = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            told = format!("{told}: {inner}");
            cause = inner.source();
        }
        Trouble::Passing(told, None)
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let again = number(answer.headers(), RETRY_AFTER.as_str()).map(Duration::from_secs);
    let body = answer.text().await.unwrap_or_default();
    let told = explained(&body);
    // A job that somebody else sends, or a service that drains, may be ours again later.
    let is_passing = status.is_server_error()
        || [
            StatusCode::CONFLICT,
            StatusCode::LOCKED,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::REQUEST_TIMEOUT,
        ]
        .contains(&status);
    Err(if is_passing {
        Trouble::Passing(format!("{}: {told}", status.as_u16()), again)
    } else {
        Trouble::Lasting(status, told)
    })
}

/// Of a problem document what is for people.
fn explained(body: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let part = |name: &str| document.get(name).and_then(serde_json::Value::as_str);
    let told = part("detail").or_else(|| part("title")).unwrap_or(body);
    told.chars().take(SHOWN).collect()
}

async fn json<T: serde::de::DeserializeOwned>(answer: Response) -> Result<T, Trouble> {
    let status = answer.status();
    let read = answer.json().await;
    read.map_err(|error| Trouble::Lasting(status, format!("the answer can't be read: {error}")))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_problem_document_the_sentence_is_told() {
        let body = r#"{"title":"no","detail":"the file is a zip","status":415}"#;
        assert_eq!(explained(body), "the file is a zip");
        assert_eq!(explained("<html>"), "<html>");
    }

    #[test]
    fn an_address_may_have_a_path_before_it() {
        let service = Service::new("http://h:8080/roster", "k".to_owned()).expect("an address");
        let request = service.request(Method::GET, "v1/imports").build();
        let request = request.expect("a request");
        assert_eq!(request.url().as_str(), "http://h:8080/roster/v1/imports");
        assert!(Service::new("ftp://h/", String::new()).is_err());
    }
}
