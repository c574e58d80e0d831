//! Files of web servers: by ranges where the server knows them, else as one stream that is read on.

use super::address::{Forbidden, PublicOnly, is_public};
use super::piece::{Failure, Look, PIECE, PIECE_TIME, Piece, Version};
use super::places::number;
use super::source::Source;
use crate::config::Secret;
use crate::domain::Timestamp;
use crate::imports::Checksum;
use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName,
    HeaderValue, IF_MATCH, LAST_MODIFIED, RANGE,
};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A server that is there accepts by then.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// A server that sends nothing for so long has stopped.
const SILENT_TIME: Duration = Duration::from_secs(30);

/// The ways into the web: one to public addresses, one for places that are called internal.
#[derive(Clone, Debug)]
pub struct Ways {
    public: Client,
    internal: Client,
}

impl Ways {
    /// Prepares them; nothing is asked yet.
    ///
    /// # Errors
    /// One sentence.
    pub fn new() -> Result<Self, String> {
        let builder = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                // What a proxy connects to can't be seen from here.
                .no_proxy()
                .connect_timeout(CONNECT_TIME)
                .read_timeout(SILENT_TIME)
        };
        let built =
            |builder: reqwest::ClientBuilder| builder.build().map_err(|error| error.to_string());
        Ok(Self {
            public: built(builder().dns_resolver(Arc::new(PublicOnly)))?,
            internal: built(builder())?,
        })
    }

    pub const fn of(&self, is_internal: bool) -> &Client {
        if is_internal {
            &self.internal
        } else {
            &self.public
        }
    }
}

/// A file of a web server.
#[derive(Debug)]
pub struct WebFile {
    client: Client,
    url: Url,
    authorization: Option<Secret>,
    /// Of a server that knows no ranges: its answer, and the place of the next byte of it.
    stream: Option<(Response, u64, Rest)>,
    /// A place, and the checksum of the bytes before it.
    done: Option<(u64, Checksum)>,
}

/// What is known of an answer that goes on.
#[derive(Clone, Debug)]
struct Rest {
    version: Version,
    /// Bytes that came with the last piece and belong to the next.
    held: Bytes,
}

impl WebFile {
    /// Says where it is; nothing is asked yet.
    ///
    /// # Errors
    /// `Refused` where a number stands in place of a name, and is not that of a public address.
    pub fn new(
        ways: &Ways,
        source: &Source,
        is_internal: bool,
        authorization: Option<Secret>,
    ) -> Result<Self, Failure> {
        match number(source) {
            Some(address) if !is_internal && !is_public(address) => Err(Failure::Refused(format!(
                "{address} is not a public address"
            ))),
            _ => Ok(Self {
                client: ways.of(is_internal).clone(),
                url: source.url().clone(),
                authorization,
                stream: None,
                done: None,
            }),
        }
    }

    /// Says what stands before the place to go on from: who sends that again may send another file by now.
    pub const fn behind(&mut self, offset: u64, checksum: Checksum) {
        self.done = Some((offset, checksum));
    }

    /// The bytes from a place on, of the file that was there before.
    pub async fn read(&mut self, from: u64, known: &Version) -> Result<Piece, Failure> {
        if known.size == Some(from) && from > 0 {
            return Ok(end(known.clone()));
        }
        match self.stream.take() {
            Some((response, at, rest)) if at == from => self.read_on(response, at, rest).await,
            _ => self.ask(from, known).await,
        }
    }

    /// What it is: by its first byte, since an address that is signed for reading is of no use for anything else.
    pub async fn look(&self) -> Result<Look, Failure> {
        let response = self.request((0, 1), &Version::default()).await?;
        let (status, headers) = (response.status(), response.headers());
        let changed_at = text(headers, LAST_MODIFIED).and_then(moment);
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(Look {
                    version: version(headers, status),
                    changed_at,
                })
            }
            status => Err(refused(status)),
        }
    }

    async fn request(
        &self,
        (from, count): (u64, usize),
        known: &Version,
    ) -> Result<Response, Failure> {
        let last = from + count as u64 - 1;
        let mut request = self
            .client
            .get(self.url.clone())
            .header(ACCEPT_ENCODING, "identity")
            .header(RANGE, format!("bytes={from}-{last}"));
        // A weak tag never matches; what is there is then compared with what the answer says.
        if let Some(tag) = known.tag.as_deref().filter(|tag| tag.starts_with('"')) {
            request = request.header(IF_MATCH, tag);
        }
        if let Some(secret) = &self.authorization {
            let mut value = HeaderValue::from_str(secret.reveal())
                .map_err(|_| Failure::Denied("the authorization is no header".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.send().await.map_err(failure)
    }

    async fn ask(&mut self, from: u64, known: &Version) -> Result<Piece, Failure> {
        let response = self.request((from, PIECE), known).await?;
        let version = version(response.headers(), response.status());
        match response.status() {
            StatusCode::PARTIAL_CONTENT => self.part(response, from, (known, version)).await,
            StatusCode::OK if known.is_same(&version) => {
                let rest = Rest {
                    version,
                    held: Bytes::new(),
                };
                self.skip(response, from, rest).await
            }
            StatusCode::RANGE_NOT_SATISFIABLE if is_end(from, known, &version) => Ok(end(version)),
            StatusCode::OK
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::RANGE_NOT_SATISFIABLE => Err(Failure::changed(known, &version)),
            status => Err(refused(status)),
        }
    }

    /// An answer of just what was asked for.
    async fn part(
        &self,
        mut response: Response,
        from: u64,
        (known, version): (&Version, Version),
    ) -> Result<Piece, Failure> {
        if !known.is_same(&version) {
            return Err(Failure::changed(known, &version));
        }
        if first(response.headers()) != Some(from) {
            let told = "the server answered with another range than was asked for";
            return Err(Failure::Refused(told.to_owned()));
        }
        let (bytes, held) = gather(&mut response, Bytes::new()).await?;
        if !held.is_empty() {
            return Err(Failure::Refused(
                "the server sent more than was asked for".to_owned(),
            ));
        }
        let size = version.size;
        let at = from + bytes.len() as u64;
        // A server may give less than was asked for: without a size only nothing is the end.
        let is_last = size.map_or(bytes.is_empty(), |size| at >= size);
        if bytes.is_empty() && !is_last {
            return Err(Failure::Passing("the server sent nothing".to_owned()));
        }
        Ok(Piece {
            bytes,
            version,
            is_last,
        })
    }

    /// The server sends all from the beginning: what was taken before is read, held against that, and dropped.
    async fn skip(
        &mut self,
        mut response: Response,
        from: u64,
        mut rest: Rest,
    ) -> Result<Piece, Failure> {
        let (mut left, mut pace) = (from, Pace::begin());
        let mut passed = Checksum::EMPTY;
        while left > 0 {
            let Some(mut bytes) = pace.chunk(&mut response).await? else {
                return Err(Failure::Passing(
                    "the file ended before the place to go on from".to_owned(),
                ));
            };
            let taken = left.min(bytes.len() as u64);
            rest.held = bytes.split_off(taken as usize);
            passed.add(&bytes);
            left -= taken;
        }
        let done = self.done.filter(|(offset, _)| *offset == from);
        if let Some((_, done)) = done.filter(|(_, done)| *done != passed) {
            return Err(Failure::begins_otherwise(from, done, passed));
        }
        self.read_on(response, from, rest).await
    }

    async fn read_on(
        &mut self,
        mut response: Response,
        at: u64,
        rest: Rest,
    ) -> Result<Piece, Failure> {
        let (bytes, held) = gather(&mut response, rest.held).await?;
        let next = at + bytes.len() as u64;
        let is_last = bytes.len() < PIECE || rest.version.size == Some(next);
        if is_last && rest.version.size.is_some_and(|size| next < size) {
            return Err(Failure::Passing("the answer ended too early".to_owned()));
        }
        let version = rest.version;
        if !is_last {
            let rest = Rest {
                version: version.clone(),
                held,
            };
            self.stream = Some((response, next, rest));
        }
        Ok(Piece {
            bytes,
            version,
            is_last,
        })
    }
}

/// How long bytes may take: as many as a piece has, each time anew.
struct Pace {
    until: Instant,
    seen: usize,
}

impl Pace {
    fn begin() -> Self {
        Self {
            until: Instant::now() + PIECE_TIME,
            seen: 0,
        }
    }

    /// The next bytes of an answer.
    async fn chunk(&mut self, response: &mut Response) -> Result<Option<Bytes>, Failure> {
        let slow = |_| Failure::Passing("the server is too slow".to_owned());
        let chunk = timeout_at(self.until, response.chunk()).await;
        let chunk = chunk.map_err(slow)?.map_err(failure)?;
        self.seen += chunk.as_ref().map_or(0, Bytes::len);
        if self.seen >= PIECE {
            *self = Self::begin();
        }
        Ok(chunk)
    }
}

/// Up to a piece of an answer, and what came with it that belongs to the next.
async fn gather(response: &mut Response, held: Bytes) -> Result<(Bytes, Bytes), Failure> {
    let (mut gathered, mut pace) = (BytesMut::from(held.as_ref()), Pace::begin());
    while gathered.len() < PIECE {
        match pace.chunk(response).await? {
            Some(bytes) => gathered.extend_from_slice(&bytes),
            None => break,
        }
    }
    let held = gathered.split_off(gathered.len().min(PIECE)).freeze();
    Ok((gathered.freeze(), held))
}

/// Whether nothing behind a place means that the file ends there: it does where nobody ever said how long the file is.
fn is_end(from: u64, known: &Version, version: &Version) -> bool {
    let is_unknown = known.size.is_none() && from > 0;
    version.size.map_or(is_unknown, |size| size == from)
}

fn end(version: Version) -> Piece {
    Piece {
        bytes: Bytes::new(),
        version,
        is_last: true,
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn version(headers: &HeaderMap, status: StatusCode) -> Version {
    let tag = text(headers, ETAG).or_else(|| text(headers, LAST_MODIFIED));
    let whole = text(headers, CONTENT_RANGE).and_then(|range| range.rsplit_once('/'));
    let size = match status {
        StatusCode::OK => text(headers, CONTENT_LENGTH),
        _ => whole.map(|(_, size)| size),
    };
    Version {
        tag: tag.map(str::to_owned),
        size: size.and_then(|size| size.trim().parse().ok()),
    }
}

/// `Fri, 27 Nov 2026 12:00:00 GMT`.
fn moment(text: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::new(parsed.timestamp()))
}

/// The first byte of an answer: `bytes 5-9/20`.
fn first(headers: &HeaderMap) -> Option<u64> {
    let range = text(headers, CONTENT_RANGE)?.trim().strip_prefix("bytes")?;
    range.trim().split_once('-')?.0.parse().ok()
}

fn refused(status: StatusCode) -> Failure {
    let told = format!("the server answered {}", status.as_u16());
    match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Failure::Denied(told),
        StatusCode::NOT_FOUND | StatusCode::GONE => Failure::Missing(told),
        status if status.is_redirection() => {
            Failure::Refused(format!("{told}: redirects are not followed"))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Failure::Passing(told),
        status if status.is_server_error() => Failure::Passing(told),
        _ => Failure::Refused(told),
    }
}

/// The chain of an error, without the address: a query may be a secret.
pub fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut told = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&error);
    while let Some(inner) = cause {
        if let Some(forbidden) = inner.downcast_ref::<Forbidden>() {
            return Failure::Refused(forbidden.to_string());
        }
        told = format!("{told}: {inner}");
        cause = inner.source();
    }
    Failure::Passing(told)
}
