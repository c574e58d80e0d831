//! Files of object stores: S3 and what speaks like it, and Google's.
//!
//! Each piece is a request of its own that names the tag of the file. The library's own resuming within one long answer is not used:
//! it gives up after three minutes, and an import may wait longer than that for live traffic.

use super::address::Forbidden;
use super::listing::{ListingWay, Unread};
use super::piece::{Failure, Look, PIECE, Piece, Version};
use super::source::{Kind, Source};
use super::web::Ways;
use crate::config::{Credential, PullPlace};
use crate::domain::Timestamp;
use futures_util::StreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt,
    RetryConfig,
};
use std::sync::Arc;
use std::time::Duration;

/// A passing failure is tried again here for so long; afterwards the pull itself waits and comes again.
const RETRY_TIME: Duration = Duration::from_secs(20);

/// A file in a bucket.
#[derive(Debug)]
pub struct BucketFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

/// A file of a listing.
#[derive(Debug)]
pub struct Listed {
    pub key: String,
    pub look: Look,
}

impl BucketFile {
    /// Says where it is; nothing is asked yet.
    pub fn new(ways: &Ways, source: &Source, place: &PullPlace) -> Result<Self, Failure> {
        Ok(Self {
            store: store(Way::Files(ways.of(place.internal).clone()), source, place)?,
            path: path(source.path())?,
        })
    }

    /// What it is.
    pub async fn look(&self) -> Result<Look, Failure> {
        let meta = self.store.head(&self.path).await;
        meta.map(|meta| look(&meta)).map_err(failure)
    }

    /// The bytes from a place on, of the file that was there before.
    pub async fn read(&self, from: u64, known: &Version) -> Result<Piece, Failure> {
        let known = if known.size.is_some() {
            known.clone()
        } else {
            version(&self.store.head(&self.path).await.map_err(failure)?)
        };
        let size = known.size.unwrap_or_default();
        if from >= size {
            return Ok(Piece {
                bytes: bytes::Bytes::new(),
                version: known,
                is_last: true,
            });
        }
        let to = size.min(from + PIECE as u64);
        let options = GetOptions {
            range: Some(GetRange::Bounded(from..to)),
            if_match: known.tag.clone(),
            ..GetOptions::default()
        };
        let answer = match self.store.get_opts(&self.path, options).await {
            Ok(answer) => answer,
            Err(Error::Precondition { .. }) => return Err(self.changed(&known).await),
            Err(error) => return Err(failure(error)),
        };
        let found = version(&answer.meta);
        if !known.is_same(&found) {
            return Err(Failure::changed(&known, &found));
        }
        let bytes = answer.bytes().await.map_err(failure)?;
        if bytes.len() as u64 != to - from {
            return Err(Failure::Passing("the answer ended too early".to_owned()));
        }
        Ok(Piece {
            bytes,
            version: known,
            is_last: to == size,
        })
    }

    async fn changed(&self, was: &Version) -> Failure {
        match self.store.head(&self.path).await {
            Ok(meta) => Failure::changed(was, &version(&meta)),
            Err(error) => failure(error),
        }
    }
}

/// The files of a folder, by their names, and those that can't be read; folders in it are not looked into.
pub async fn list(
    ways: &Ways,
    source: &Source,
    place: &PullPlace,
    most: usize,
) -> Result<(Vec<Listed>, Unread), Failure> {
    let way = ListingWay {
        client: ways.of(place.internal).clone(),
        unread: Arc::default(),
    };
    let store = store(Way::Listing(way.clone()), source, place)?;
    let folder = path(source.path().trim_end_matches('/'))?;
    let mut listing = store.list(Some(&folder));
    let mut found = Vec::new();
    while let Some(meta) = listing.next().await {
        let meta = meta.map_err(failure)?;
        let rest = meta.location.as_ref().strip_prefix(source.path());
        if rest.is_some_and(|name| !name.is_empty() && !name.contains('/')) {
            found.push(Listed {
                key: meta.location.to_string(),
                look: look(&meta),
            });
        }
        if found.len() > most {
            return Err(Failure::Refused(format!(
                "there are more than {most} files"
            )));
        }
    }
    found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok((found, way.unread()))
}

/// A key as it is: what was decoded once is not encoded again.
fn path(key: &str) -> Result<Path, Failure> {
    Path::parse(key).map_err(|error| Failure::Refused(format!("the key can't be read: {error}")))
}

fn look(meta: &ObjectMeta) -> Look {
    Look {
        version: version(meta),
        changed_at: Timestamp::from_micros(meta.last_modified.timestamp_micros()),
    }
}

fn version(meta: &ObjectMeta) -> Version {
    Version {
        tag: meta.e_tag.clone(),
        size: Some(meta.size),
    }
}

/// The way in, whose connections are ours: to public addresses, without redirects.
#[derive(Debug)]
enum Way {
    Files(reqwest::Client),
    Listing(ListingWay),
}

impl HttpConnector for Way {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(match self {
            Self::Files(client) => HttpClient::new(client.clone()),
            Self::Listing(way) => HttpClient::new(way.clone()),
        })
    }
}

fn store(way: Way, source: &Source, place: &PullPlace) -> Result<Arc<dyn ObjectStore>, Failure> {
    match source.kind() {
        Kind::S3 => s3(way, source.bucket(), place),
        _ => gcs(way, source.bucket(), place),
    }
}

fn s3(way: Way, bucket: &str, place: &PullPlace) -> Result<Arc<dyn ObjectStore>, Failure> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(place.region.as_deref().unwrap_or("us-east-1"))
        .with_allow_http(place.internal)
        .with_retry(retry())
        .with_http_connector(way);
    if let Some(endpoint) = &place.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder = match secret(place.access_key_id.as_ref())? {
        Some(id) => {
            let key = secret(place.secret_access_key.as_ref())?.unwrap_or_default();
            builder.with_access_key_id(id).with_secret_access_key(key)
        }
        // Else the library would ask the machine's own provider for its rights.
        None => builder.with_skip_signature(true),
    };
    if let Some(token) = secret(place.session_token.as_ref())? {
        builder = builder.with_token(token);
    }
    Ok(Arc::new(builder.build().map_err(failure)?))
}

fn gcs(way: Way, bucket: &str, place: &PullPlace) -> Result<Arc<dyn ObjectStore>, Failure> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_retry(retry())
        .with_http_connector(way);
    if let Some(endpoint) = &place.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    builder = match secret(place.service_account.as_ref())? {
        Some(account) => builder.with_service_account_key(account),
        None => builder.with_skip_signature(true),
    };
    if place.internal {
        builder = builder.with_client_options(ClientOptions::new().with_allow_http(true));
    }
    Ok(Arc::new(builder.build().map_err(failure)?))
}

fn retry() -> RetryConfig {
    RetryConfig {
        max_retries: 2,
        retry_timeout: RETRY_TIME,
        ..RetryConfig::default()
    }
}

fn secret(credential: Option<&Credential>) -> Result<Option<String>, Failure> {
    let secret = credential.map(Credential::secret).transpose();
    let secret = secret.map_err(Failure::Denied)?;
    Ok(secret.map(|secret| secret.reveal().to_owned()))
}

fn failure(error: Error) -> Failure {
    let text = chain(&error);
    if forbidden(&error) {
        return Failure::Refused(
            "the store stands for an address that is not a public one".to_owned(),
        );
    }
    match error {
        Error::NotFound { .. } => Failure::Missing(text),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Failure::Denied(text),
        Error::InvalidPath { .. } => Failure::Refused(text),
        _ => Failure::Passing(text),
    }
}

fn forbidden(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<Forbidden>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// The innermost reason: the outer ones repeat it with the address.
fn chain(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
