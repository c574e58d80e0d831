//! Where requests carry their keys, and which kinds of key an operation takes (`docs/KEYS.md`).

use crate::domain::KeyKind;
use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};

/// What a request has to carry: any one of these sets of schemes.
type Ways = &'static [&'static [&'static str]];

/// Headers alone.
pub const HEADERS: Ways = &[&["basic"], &["bearer"], &["writeKeyHeader"]];
/// The query too.
pub const HEADERS_OR_QUERY: Ways = &[
    &["basic"],
    &["bearer"],
    &["writeKeyHeader"],
    &["writeKeyQuery"],
];
/// Without any of them the body has the key.
pub const ANYWHERE: Ways = &[
    &["basic"],
    &["bearer"],
    &["writeKeyHeader"],
    &["writeKeyQuery"],
    &[],
];
/// As clients of Iterable's API have it.
pub const API_KEY: Ways = &[&["apiKey"], &["apiKeyQuery"]];
/// The same, with a token of the user where the key needs one.
pub const API_KEY_AND_TOKEN: Ways = &[
    &["apiKey"],
    &["apiKeyQuery"],
    &["apiKey", "userToken"],
    &["apiKeyQuery", "userToken"],
];

/// The kinds of key that an operation takes, and where; of an operation without one anybody may ask.
#[derive(Clone, Copy)]
pub struct Keys(pub &'static [KeyKind], pub Ways);

impl Keys {
    pub fn requirements(self) -> Vec<SecurityRequirement> {
        self.1.iter().map(|way| requirement(way)).collect()
    }

    /// The kinds, for machines.
    pub fn kinds(self) -> Extensions {
        let kinds: Vec<_> = self.0.iter().map(|kind| kind.as_str()).collect();
        Extensions::from_iter([("x-key-kinds", json!(kinds))])
    }
}

fn requirement(way: &[&str]) -> SecurityRequirement {
    let all = SecurityRequirement::default();
    way.iter().fold(all, |all, name| all.add(*name, [""; 0]))
}

// A table: a row a line.
#[rustfmt::skip]
pub fn schemes() -> [(&'static str, SecurityScheme); 7] {
    [
        ("basic", http(HttpAuthScheme::Basic, "The key is the user; the password is ignored")),
        ("bearer", http(HttpAuthScheme::Bearer, "The key. In the tracking API a JWT here says who the user is, and the key stands elsewhere")),
        ("writeKeyHeader", SecurityScheme::ApiKey(ApiKey::Header(key("X-Write-Key", "A key of any kind")))),
        ("writeKeyQuery", SecurityScheme::ApiKey(ApiKey::Query(key("writeKey", "The tracking API alone takes it from here")))),
        ("apiKey", SecurityScheme::ApiKey(ApiKey::Header(key("Api-Key", "In Iterable's API")))),
        ("apiKeyQuery", SecurityScheme::ApiKey(ApiKey::Query(key("api_key", "In Iterable's API, for old clients: queries end up in logs")))),
        ("userToken", http(HttpAuthScheme::Bearer, "A JWT of the user, by HS256, for keys that were made with `--jwt`")),
    ]
}

fn http(scheme: HttpAuthScheme, told: &str) -> SecurityScheme {
    let http = HttpBuilder::new().scheme(scheme).description(Some(told));
    SecurityScheme::Http(http.build())
}

fn key(name: &str, told: &str) -> ApiKeyValue {
    ApiKeyValue::with_description(name, told)
}
