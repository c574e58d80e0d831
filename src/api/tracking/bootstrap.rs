//! The settings documents without which browser SDKs send nothing (contract section 6).

use super::reply::{self, Failure};
use crate::api::State;
use crate::api::credentials::{Candidates, query_value};
use crate::api::error::ApiError;
use crate::api::work::{by, deadline};
use crate::domain::{Caller, KeyKind};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HOST, HeaderValue};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

/// Settings for analytics-next, Customer.io's browser SDK and React Native.
///
/// Without `apiKey` they send no key at all; anything else among `integrations` makes them load code from elsewhere.
///
/// # Errors
/// 404 for an unknown key, as the CDN they expect.
pub async fn settings(
    request: HttpRequest,
    key: Path<String>,
    state: Data<State>,
) -> Result<HttpResponse, Failure> {
    let found = async {
        state
            .keys
            .find(&key)
            .await
            .map_err(|_| ApiError::Unavailable)
    };
    by(deadline(&state), found)
        .await?
        .filter(is_public)
        .ok_or(ApiError::UnknownProject)?;
    let (protocol, host) = public_address(&request, &state);
    Ok(document(&json!({
        "integrations": {
            "Segment.io": {
                "apiKey": key.as_str(),
                "apiHost": format!("{host}/v1"),
                "protocol": protocol,
                "unbundledIntegrations": [],
                "addBundledMetadata": true,
            }
        },
        "plan": { "track": { "__default": { "enabled": true, "integrations": {} } } },
        "metrics": { "sampleRate": 0 },
    })))
}

/// The source's configuration for RudderStack's browser SDK, and its check for ad blockers.
///
/// # Errors
/// 401 for a missing or unknown key.
pub async fn source_config(
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Failure> {
    if query_value(request.query_string(), "view").as_deref() == Some("ad") {
        return Ok(document(&json!({})));
    }
    let candidates = Candidates::of(&request);
    let known = by(deadline(&state), candidates.known(&state.keys)).await?;
    let (caller, key) = known.ok_or(ApiError::MissingKey)?;
    if !is_public(&caller) {
        return Err(ApiError::UnknownKey.into());
    }
    let id = caller.project_id.0.to_string();
    Ok(document(&json!({
        "source": {
            "id": id,
            "name": "roster",
            "writeKey": key,
            "enabled": true,
            "workspaceId": "roster",
            "config": {
                "statsCollection": { "errors": { "enabled": false }, "metrics": { "enabled": false } }
            },
            "destinations": [],
            "dataplanes": {},
        },
        "updatedAt": "2024-01-01T00:00:00.000Z",
    })))
}

/// Pages carry write keys only: a server key in one would be a leak, and a document for it would make it work.
fn is_public(caller: &Caller) -> bool {
    caller.kind == KeyKind::Write
}

/// Protocol and host with path, as a browser reaches us: from the settings, else from the request itself.
fn public_address(request: &HttpRequest, state: &State) -> (String, String) {
    let configured = state.server.public_url.trim_end_matches('/');
    if let Some((protocol, host)) = configured.split_once("://") {
        return (protocol.to_owned(), host.to_owned());
    }
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    // Of several proxies each adds its own: the first is what the page was asked by.
    let forwarded = header("x-forwarded-proto").and_then(|list| list.split(',').next());
    let protocol = match forwarded.map(str::trim) {
        Some(protocol) if protocol.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    };
    let host = header(HOST.as_str()).unwrap_or("localhost");
    (protocol.to_owned(), host.to_owned())
}

/// The document names the host it was asked at, so that no cache between may keep it.
fn document(document: &serde_json::Value) -> HttpResponse {
    let mut response = reply::json(StatusCode::OK, document);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
