//! One way to read a file, wherever it is.

use super::bucket::{self, BucketFile};
use super::directory::{self, LocalFile};
use super::listing::Unread;
use super::piece::{Failure, Look, PIECE_TIME, Piece, Version};
use super::source::{Kind, Source};
use super::web::{Ways, WebFile};
use crate::config::{Credential, PullPlace};
use crate::imports::Checksum;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Files of a folder that one run looks at.
const MOST_FILES: usize = 10_000;

/// A file that is being fetched.
#[derive(Debug)]
pub enum Reading {
    Local(Arc<LocalFile>),
    Web(Box<WebFile>),
    Bucket(BucketFile),
}

/// A file in a folder.
#[derive(Debug)]
pub struct Found {
    pub source: Source,
    pub look: Look,
}

impl Reading {
    /// Opens a file of a place.
    pub async fn open(ways: &Ways, source: &Source, place: &PullPlace) -> Result<Self, Failure> {
        match source.kind() {
            Kind::Directory => {
                let (directory, path) = (directory_of(place)?, source.path().to_owned());
                let file = blocking(move || LocalFile::open(&directory, &path)).await?;
                Ok(Self::Local(Arc::new(file)))
            }
            Kind::Web => {
                let secret = place.authorization.as_ref().map(Credential::secret);
                let secret = secret.transpose().map_err(Failure::Denied)?;
                WebFile::new(ways, source, place.internal, secret)
                    .map(|file| Self::Web(Box::new(file)))
            }
            Kind::S3 | Kind::Gcs => BucketFile::new(ways, source, place).map(Self::Bucket),
        }
    }

    /// Says what was done of the file before the place where it goes on.
    pub fn behind(&mut self, offset: u64, checksum: Checksum) {
        // Local files are opened once, and stores hold each piece to their tag.
        if let Self::Web(file) = self {
            file.behind(offset, checksum);
        }
    }

    /// What the file is, before its first byte is read.
    pub async fn look(&mut self) -> Result<Look, Failure> {
        match self {
            Self::Local(file) => {
                let file = file.clone();
                blocking(move || file.look()).await
            }
            Self::Web(file) => file.look().await,
            Self::Bucket(file) => file.look().await,
        }
    }

    /// The bytes from a place on, of the file that was there before.
    ///
    /// # Errors
    /// `Changed` where another file is there by now.
    pub async fn read(&mut self, from: u64, known: &Version) -> Result<Piece, Failure> {
        let piece = match self {
            Self::Local(file) => {
                let file = file.clone();
                blocking(move || file.read(from)).await
            }
            Self::Web(file) => file.read(from, known).await,
            Self::Bucket(file) => {
                let slow = || Failure::Passing("the store is too slow".to_owned());
                let read = timeout(PIECE_TIME, file.read(from, known)).await;
                read.unwrap_or_else(|_| Err(slow()))
            }
        }?;
        if known.is_same(&piece.version) {
            Ok(piece)
        } else {
            Err(Failure::changed(known, &piece.version))
        }
    }
}

/// The files of a folder, by their names.
#[derive(Debug, Default)]
pub struct Listing {
    pub files: Vec<Found>,
    /// Those that can't be asked for: the others come in all the same.
    pub unread: Unread,
}

impl Listing {
    fn of(source: &Source, named: impl Iterator<Item = (String, Look)>, unread: Unread) -> Self {
        let mut own = Self {
            files: Vec::new(),
            unread,
        };
        for (name, look) in named {
            match source.child(&name) {
                Ok(source) => own.files.push(Found { source, look }),
                Err(_) => own.unread.add(&name),
            }
        }
        own
    }
}

/// Lists a folder.
pub async fn list(ways: &Ways, source: &Source, place: &PullPlace) -> Result<Listing, Failure> {
    match source.kind() {
        Kind::Directory => {
            let (directory, path) = (directory_of(place)?, source.path().to_owned());
            let listing = move || directory::list(&directory, &path, MOST_FILES);
            let (all, unread) = blocking(listing).await?;
            let named = all.into_iter().map(|one| (one.name, one.look));
            Ok(Listing::of(source, named, unread))
        }
        Kind::S3 | Kind::Gcs => {
            let (all, unread) = bucket::list(ways, source, place, MOST_FILES).await?;
            let name = |key: &str| key.strip_prefix(source.path()).unwrap_or(key).to_owned();
            let named = all.iter().map(|one| (name(&one.key), one.look.clone()));
            Ok(Listing::of(source, named, unread))
        }
        Kind::Web => Err(Failure::Refused(
            "a web server has no list of files".to_owned(),
        )),
    }
}

fn directory_of(place: &PullPlace) -> Result<String, Failure> {
    let source = Source::parse(&place.url).map_err(Failure::Refused)?;
    Ok(source.path().to_owned())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::Passing(error.to_string())))
}
