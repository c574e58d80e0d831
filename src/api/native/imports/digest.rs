//! Checksums of pieces: a piece that has one is read whole before anything of it is taken.

use super::headers::{invalid, text};
use crate::api::State;
use crate::api::buffer::{Body, Buffer};
use crate::api::error::ApiError;
use crate::domain::ProjectId;
use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use openssl::hash::{MessageDigest, hash};
use std::time::Duration;
use tokio::time::timeout;

/// What a piece is said to be.
pub struct Expected {
    algorithm: MessageDigest,
    digest: Vec<u8>,
}

/// The checksum of a request, where it has one.
///
/// # Errors
/// `InvalidParameter` where it is none that is known.
pub fn expected(request: &HttpRequest) -> Result<Option<Expected>, ApiError> {
    let Some(said) = text(request, "upload-checksum") else {
        return Ok(None);
    };
    let wrong = || {
        invalid(
            "Upload-Checksum",
            "is no sha1, sha256 or md5 and its Base64",
        )
    };
    let (name, encoded) = said.split_once(' ').ok_or_else(wrong)?;
    let algorithm = match name.to_ascii_lowercase().as_str() {
        "sha1" => MessageDigest::sha1(),
        "sha256" => MessageDigest::sha256(),
        "md5" => MessageDigest::md5(),
        _ => return Err(wrong()),
    };
    let digest = STANDARD.decode(encoded.trim()).map_err(|_| wrong())?;
    Ok(Some(Expected { algorithm, digest }))
}

impl Expected {
    /// Reads a whole body, in room that it holds.
    ///
    /// # Errors
    /// `BodyTooLarge`, `Overloaded`, `BodyCut`, `BodyTimeout`, `ChecksumMismatch`.
    pub async fn read(
        &self,
        mut payload: Payload,
        state: &Data<State>,
        project_id: ProjectId,
        announced: u64,
    ) -> Result<Body, ApiError> {
        let limit = state.server.max_body_bytes;
        if announced > limit as u64 {
            let size = announced;
            return Err(ApiError::BodyTooLarge { size, limit });
        }
        let lane = state.lanes.known.of(project_id);
        let mut buffer = Buffer::new(&lane, limit, announced as usize);
        let idle = Duration::from_secs(state.imports.settings().idle_seconds);
        while let Some(bytes) = timeout(idle, payload.next())
            .await
            .map_err(|_| ApiError::BodyTimeout)?
        {
            buffer.append(&bytes.map_err(|_| ApiError::BodyCut)?)?;
        }
        let body = buffer.into_body();
        let found = hash(self.algorithm, &body.bytes).map_err(|_| ApiError::ChecksumMismatch)?;
        if found[..] == self.digest[..] {
            Ok(body)
        } else {
            Err(ApiError::ChecksumMismatch)
        }
    }
}
