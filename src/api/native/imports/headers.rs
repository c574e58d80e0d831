//! The headers of tus 1.0: reading those of requests, making those of answers.

use crate::api::error::ApiError;
use crate::domain::Timestamp;
use crate::imports::{Job, lacks_its_end, offset_of, state};
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponseBuilder};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub const TUS_RESUMABLE: &str = "tus-resumable";
/// The only version that is spoken.
pub const VERSION: &str = "1.0.0";
/// No concatenation: parts would cut lines.
pub const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,checksum,termination,expiration";
pub const ALGORITHMS: &str = "sha1,sha256,md5";
/// Of the bytes before a piece, as a sender's file has them: the checksum that its job should have. It is our own, and optional.
pub const DONE: &str = "upload-done-checksum";
/// The type of pieces of uploads.
pub const PIECE: &str = "application/offset+octet-stream";

/// Clients leave the signs out that fill a text up, or write the alphabet of addresses.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const USUAL: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const OF_ADDRESSES: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A header's text, where it is one.
pub fn text<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let value = request.headers().get(name)?;
    Some(value.to_str().ok()?.trim())
}

/// A header that is a number.
///
/// # Errors
/// `InvalidParameter` where it is none.
pub fn number(request: &HttpRequest, name: &'static str) -> Result<Option<u64>, ApiError> {
    let read = |text: &str| {
        text.parse()
            .map_err(|_| invalid(name, "is no whole number"))
    };
    let text = request.headers().get(name);
    let text = text.map(|value| value.to_str().unwrap_or("?").trim());
    text.map(read).transpose()
}

/// Bytes of the body, where they are said.
pub fn body_bytes(request: &HttpRequest) -> Option<u64> {
    text(request, CONTENT_LENGTH.as_str())?.parse().ok()
}

/// The media type, without its parameters.
pub fn media_type(request: &HttpRequest) -> Option<String> {
    let named = text(request, CONTENT_TYPE.as_str())?;
    let own = named.split(';').next().unwrap_or_default();
    Some(own.trim().to_ascii_lowercase())
}

/// True where the request is one of tus.
///
/// # Errors
/// `OtherTusVersion`.
pub fn is_tus(request: &HttpRequest) -> Result<bool, ApiError> {
    match text(request, TUS_RESUMABLE) {
        Some(VERSION) => Ok(true),
        Some(_) => Err(ApiError::OtherTusVersion),
        None => {
            let headers = request.headers();
            Ok(
                headers.contains_key("upload-length")
                    || headers.contains_key("upload-defer-length"),
            )
        }
    }
}

/// What a client says of a file: pairs of a key and a text. A value may be missing; one that is no text counts as missing too.
pub fn metadata(request: &HttpRequest) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let mut words = pair.split_whitespace();
        let key = words.next()?.to_owned();
        let decoded = |value| USUAL.decode(value).or_else(|_| OF_ADDRESSES.decode(value));
        let value = words.next().and_then(|value| decoded(value).ok());
        Some((key, String::from_utf8(value?).ok()?))
    };
    let pairs = text(request, "upload-metadata").unwrap_or_default();
    pairs.split(',').filter_map(pair).collect()
}

/// The length that a creation or a piece says; `None` where it is to come.
///
/// # Errors
/// `InvalidParameter`.
pub fn length(request: &HttpRequest) -> Result<Option<u64>, ApiError> {
    if text(request, "upload-concat").is_some() {
        let reason =
            "is not known here: parts of a file would cut its lines; send it as one upload";
        return Err(invalid("Upload-Concat", reason));
    }
    number(request, "upload-length")
}

/// Adds where an upload is. One that has all and has not ended lacks its last byte: a client that hears of its whole length is content, and
/// nobody would end it.
pub fn tell(reply: &mut HttpResponseBuilder, job: &Job) {
    let offset = offset_of(job) - u64::from(lacks_its_end(job));
    reply.insert_header(("upload-offset", offset));
    if job.finished_at.is_none() {
        reply.insert_header(("upload-expires", http_date(job.expires_at)));
    }
}

/// Adds all that is known of an upload.
pub fn tell_all(reply: &mut HttpResponseBuilder, job: &Job) {
    tell(reply, job);
    match job.length {
        Some(length) => reply.insert_header(("upload-length", length)),
        None => reply.insert_header(("upload-defer-length", "1")),
    };
    if !job.name.is_empty() {
        let name = format!("filename {}", STANDARD.encode(&job.name));
        reply.insert_header(("upload-metadata", name));
    }
    reply.insert_header(("import-state", job.state.clone()));
    reply.insert_header(("cache-control", "no-store"));
}

/// True where it is told to clients that ask for it: it goes on, or was done a moment ago.
pub fn is_known(job: &Job, now: Timestamp, known_seconds: u64) -> bool {
    match job.finished_at {
        None => true,
        Some(_) if job.state != state::DONE => false,
        Some(at) => now.micros() - at.micros() < known_seconds as i64 * 1_000_000,
    }
}

fn http_date(at: Timestamp) -> String {
    at.instant()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

pub fn invalid(name: &str, reason: impl Into<String>) -> ApiError {
    ApiError::InvalidParameter {
        name: name.to_owned(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn metadata_of(value: &str) -> Vec<(String, String)> {
        let request = TestRequest::default().insert_header(("Upload-Metadata", value));
        metadata(&request.to_http_request())
    }

    #[test]
    fn row_47_metadata_may_lack_values_and_say_anything() {
        let name = [("filename".to_owned(), "users.csv".to_owned())];
        assert_eq!(metadata_of("filename dXNlcnMuY3N2,filetype"), name);
        assert_eq!(metadata_of("filename dXNlcnMuY3N2,filetype "), name);
        assert_eq!(metadata_of("filetype ,filename  dXNlcnMuY3N2"), name);
        assert_eq!(metadata_of(""), []);
        assert_eq!(metadata_of("filename %%%,x /w=="), []);
        let short = [("filename".to_owned(), "u.csv".to_owned())];
        assert_eq!(metadata_of("filename dS5jc3Y"), short, "not filled up");
        assert_eq!(metadata_of("filename w7w_Pn4-")[0].1, "ü?>~>");
        let odd = format!("filename {}", STANDARD.encode("a\r\nX: \0../\u{fffd}"));
        assert_eq!(metadata_of(&odd)[0].1, "a\r\nX: \0../\u{fffd}");
    }

    #[test]
    fn a_date_is_one_of_http() {
        let at = Timestamp::parse("2026-11-29T01:05:00Z").expect("a time");
        assert_eq!(http_date(at), "Sun, 29 Nov 2026 01:05:00 GMT");
    }
}
