//! Requests to the store: authenticated, bounded in time and size, and never redirected to anybody else.

use crate::config::{LegacyStore, millis};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Of a server's complaint as much as a person reads.
const SHOWN: usize = 300;
/// Answers about indices; pages of documents have a limit of their own.
const ANSWER_BYTES: usize = 16 << 20;

/// Time of one request under a turn: what is still on its way must end before the turn does.
const TURN_REQUEST_MS: u64 = 8_000;

/// Why the store did not do what it was asked for.
#[derive(Clone, Debug)]
pub enum Failure {
    /// It may do it later: it is away, overloaded, or lacks a shard.
    Passing(String),
    /// It will not: no such index, no right, no such feature.
    Lasting { status: u16, text: String },
    /// The answer has more bytes than were asked for.
    TooLarge(usize),
    /// Whoever asked has no room for the answer.
    NoRoom,
}

/// Takes room for so many more bytes of an answer, before they are held; false where there is none.
pub type Meter<'m> = &'m mut (dyn FnMut(usize) -> bool + Send);

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passing(text) => formatter.write_str(text),
            Self::Lasting { status, text } => write!(formatter, "{status}: {text}"),
            Self::TooLarge(bytes) => write!(formatter, "an answer has more than {bytes} bytes"),
            Self::NoRoom => formatter.write_str("there is no room for the answer"),
        }
    }
}

impl Failure {
    /// True where nothing is there by that name.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Lasting { status: 404, .. })
    }
}

/// A way to the store.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// Prepares the way; nothing is asked yet.
    ///
    /// # Errors
    /// One sentence that names the setting.
    pub fn new(settings: &LegacyStore) -> Result<Self, String> {
        let base = base(&settings.url)?;
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(millis(settings.connect_timeout_ms))
            .timeout(millis(settings.request_timeout_ms))
            .default_headers(headers(settings)?);
        if let Some(path) = &settings.ca_file {
            let shown = path.display();
            let told = |what: String| format!("legacy.ca_file {shown}: {what}");
            let text = std::fs::read(path).map_err(|error| told(error.to_string()))?;
            let all =
                Certificate::from_pem_bundle(&text).map_err(|error| told(error.to_string()))?;
            if all.is_empty() {
                return Err(told("there is no certificate in it".to_owned()));
            }
            builder = builder.tls_certs_only(all);
        }
        let http = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { http, base })
    }

    /// The same for work under a turn: each request ends well before the turn does.
    ///
    /// # Errors
    /// One sentence that names the setting.
    pub fn under_turn(settings: &LegacyStore) -> Result<Self, String> {
        let mut settings = settings.clone();
        settings.request_timeout_ms = settings.request_timeout_ms.min(TURN_REQUEST_MS);
        settings.connect_timeout_ms = settings.connect_timeout_ms.min(TURN_REQUEST_MS);
        Self::new(&settings)
    }

    /// Where the store is, for messages.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Asks for JSON.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let url = self.url(path, query);
        let bytes = self.ask(Method::GET, url, None, ANSWER_BYTES).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.strange(&error))
    }

    /// Sends JSON, or nothing, and takes the answer as it comes, up to so many bytes.
    pub(super) async fn post(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        most_bytes: usize,
    ) -> Result<Vec<u8>, Failure> {
        let url = self.url(path, query);
        self.ask(Method::POST, url, body, most_bytes).await
    }

    /// The same, with room taken for each piece of the answer before it is held.
    pub(super) async fn post_metered(
        &self,
        path: &[&str],
        body: &Value,
        most_bytes: usize,
        meter: Meter<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let request = self.http.post(self.url(path, &[])).json(body);
        self.metered(request, most_bytes, meter).await
    }

    /// Sends lines of JSON.
    pub(super) async fn post_lines(
        &self,
        path: &[&str],
        lines: Vec<u8>,
        most_bytes: usize,
    ) -> Result<Vec<u8>, Failure> {
        let request = self.http.post(self.url(path, &[])).body(lines);
        let request = request.header(CONTENT_TYPE, "application/x-ndjson");
        self.answer(request, most_bytes).await
    }

    async fn ask(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
        most_bytes: usize,
    ) -> Result<Vec<u8>, Failure> {
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request, most_bytes).await
    }

    async fn answer(&self, request: RequestBuilder, most_bytes: usize) -> Result<Vec<u8>, Failure> {
        self.metered(request, most_bytes, &mut |_| true).await
    }

    async fn metered(
        &self,
        request: RequestBuilder,
        most_bytes: usize,
        meter: Meter<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let response = request.send().await.map_err(|error| self.away(&error))?;
        let status = response.status();
        let bytes = self.body(response, most_bytes, meter).await?;
        if status.is_success() {
            return Ok(bytes);
        }
        Err(refused(status, &bytes))
    }

    /// Names of indices may hold what a path may not: each is one segment, encoded.
    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn body(
        &self,
        mut response: Response,
        most_bytes: usize,
        meter: Meter<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.away(&error))? {
            if bytes.len() + chunk.len() > most_bytes {
                return Err(Failure::TooLarge(most_bytes));
            }
            if !meter(chunk.len()) {
                return Err(Failure::NoRoom);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let mut text = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            text = error.to_string();
            cause = error.source();
        }
        Failure::Passing(format!("{} does not answer: {text}", self.address()))
    }

    /// Something else than the store may stand there.
    pub(super) fn strange(&self, error: &serde_json::Error) -> Failure {
        let address = self.address();
        Failure::Passing(format!(
            "{address} answers something else than Elasticsearch does: {error}"
        ))
    }
}

fn base(url: &str) -> Result<Url, String> {
    if url.is_empty() {
        return Err("legacy.url is not set: where is the store that people leave?".to_owned());
    }
    let base = Url::parse(url).map_err(|error| format!("legacy.url: {error}"))?;
    if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
        return Err("legacy.url begins with http:// or https://".to_owned());
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(
            "legacy.url holds a secret: legacy.username and legacy.password are for that"
                .to_owned(),
        );
    }
    Ok(base)
}

/// An API key where there is one, else name and password.
fn headers(settings: &LegacyStore) -> Result<HeaderMap, String> {
    use base64::Engine as _;
    let mut headers = HeaderMap::new();
    let (key, password) = (settings.api_key.reveal(), settings.password.reveal());
    let text = if !key.is_empty() {
        format!("ApiKey {key}")
    } else if !settings.username.is_empty() {
        let pair = format!("{}:{password}", settings.username);
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        )
    } else {
        return Ok(headers);
    };
    let value = HeaderValue::from_str(&text);
    let mut value = value.map_err(|_| "legacy.api_key holds what no header can".to_owned())?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(headers)
}

fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let mut text = complaint(body);
    if text.trim().is_empty() {
        text = status.canonical_reason().unwrap_or("no reason").to_owned();
    }
    let is_passing = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    if is_passing {
        return Failure::Passing(format!("{}: {text}", status.as_u16()));
    }
    let status = status.as_u16();
    Failure::Lasting { status, text }
}

/// `error.type: error.reason`, with the cause of the first shard where that says more; else the beginning of whatever came.
fn complaint(body: &[u8]) -> String {
    let told = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|value| {
            let error = value.get("error")?;
            let cause = error.pointer("/root_cause/0").unwrap_or(error);
            let (kind, reason) = (cause.get("type")?.as_str()?, cause.get("reason")?.as_str()?);
            Some(format!("{kind}: {reason}"))
        });
    plain(&told.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()))
}

/// A text of a server's as a log and a database take it: short, and without what no text is made of.
pub(super) fn plain(text: &str) -> String {
    let shown = text.chars().take(SHOWN);
    let shown = shown.map(|one| match one.is_control() {
        true => ' ',
        false => one,
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_secret_or_of_another_kind_is_refused() {
        for url in ["", "people", "ftp://store", "http://user:secret@store:9200"] {
            let told = base(url).expect_err(url);
            assert!(!told.contains("secret@"), "{told}");
        }
        assert!(base("https://store:9200/prefix").is_ok());
    }

    #[test]
    fn complaints_are_short_and_tell_the_cause() {
        let body = br#"{"error":{"root_cause":[{"type":"index_not_found_exception","reason":"no such index [x]"}],"type":"a","reason":"b"},"status":404}"#;
        assert_eq!(
            complaint(body),
            "index_not_found_exception: no such index [x]"
        );
        assert_eq!(complaint(&[b'<'; 1_000]).len(), SHOWN);
        assert_eq!(complaint(b"bad\0gate\x1b[31mway\n"), "bad gate [31mway ");
        assert!(refused(StatusCode::NOT_FOUND, body).is_not_found());
        let silent = refused(StatusCode::PAYLOAD_TOO_LARGE, b" ");
        assert_eq!(silent.to_string().matches("413").count(), 1, "{silent}");
        assert!(silent.to_string().contains("Payload Too Large"), "{silent}");
        assert!(matches!(
            refused(StatusCode::TOO_MANY_REQUESTS, b""),
            Failure::Passing(_)
        ));
    }
}
