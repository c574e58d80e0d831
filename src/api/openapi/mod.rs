//! `GET /openapi.json`: what is served over HTTP, for people who generate clients or look things up.
//!
//! Each dialect has a table of its operations (`operations.rs`, `ops.rs`) and the shapes of what it takes and answers; here they become one
//! document. It is the same for everybody, says nothing that the pages do not say, and is made once.

pub mod operation;
pub mod security;
pub mod shape;

use super::{iterable, native, ops, tracking};
use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::web::Data;
use bytes::Bytes;
use futures_util::stream;
use std::convert::Infallible;
use utoipa::openapi::path::Paths;
use utoipa::openapi::{Components, Info, License, OpenApiBuilder, Server};

/// What one step hands to the connection, as of other large answers (`api/answer.rs`). The text itself is everybody's: it takes no room.
const PIECE: usize = 16 * 1024;
const ABOUT: &str = "HEAD is answered wherever GET is. Trailing slashes change nothing, and nothing redirects. The tracking API and \
    Iterable's answer preflights (OPTIONS). `x-key-kinds` says which kinds of key an operation takes. After a 429 or a 503 the same request \
    may be sent again, when `Retry-After` says. docs/API.md and docs/ITERABLE.md have the rest.";

/// The document, as it is sent.
pub struct Described(Bytes);

impl Described {
    /// Describes a service that is reached at `public_url`; where that is empty, at the address that the document came from.
    pub fn new(public_url: &str) -> Self {
        let address = match public_url.trim_end_matches('/') {
            "" => "/",
            address => address,
        };
        let document = OpenApiBuilder::new()
            .info(info())
            .servers(Some([Server::new(address)]))
            .paths(paths())
            .components(Some(components()))
            .build();
        let text = document.to_json();
        Self(text.expect("plain texts always serialise").into())
    }
}

/// Shows it.
pub async fn show(described: Data<Described>) -> HttpResponse {
    let text = described.0.clone();
    let length = text.len();
    let pieces = (0..length)
        .step_by(PIECE)
        .map(move |at| Ok::<_, Infallible>(text.slice(at..length.min(at + PIECE))));
    HttpResponse::Ok()
        .content_type("application/json")
        .body(SizedStream::new(length as u64, stream::iter(pieces)))
}

fn info() -> Info {
    let mut info = Info::new("Roster", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    info.license = Some(License::new(env!("CARGO_PKG_LICENSE")));
    info
}

fn paths() -> Paths {
    let tables = [
        tracking::operations(),
        iterable::operations(),
        native::operations(),
        ops::operations(),
    ];
    let mut paths = Paths::new();
    for operation in tables.into_iter().flatten() {
        for (path, described) in operation.at_paths() {
            paths.add_path_operation(path, vec![operation.method.clone()], described);
        }
    }
    paths
}

fn components() -> Components {
    let mut components = Components::new();
    for (name, scheme) in security::schemes() {
        components.add_security_scheme(name, scheme);
    }
    let own = vec![
        ("Document", shape::loosely("")),
        (
            "Warning",
            shape::object("code: text, field: text, message: text"),
        ),
    ];
    let shapes = [
        own,
        tracking::shapes(),
        iterable::shapes(),
        native::shapes(),
    ];
    for (name, shape) in shapes.into_iter().flatten() {
        components.schemas.insert(name.to_owned(), shape);
    }
    components
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::App;
    use actix_web::test::{TestRequest, call_service, init_service};
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// The patterns of all routes, as actix lists them for itself.
    async fn served() -> BTreeSet<String> {
        let described = Data::new(Described::new(""));
        let app = App::new().configure(|app| crate::api::configure(app, &described));
        let app = init_service(app).await;
        let request = TestRequest::with_uri("/nowhere/at/all").to_request();
        let answer = call_service(&app, request).await;
        let routes = format!("{:?}", answer.request().resource_map());
        let names = routes.split("patterns: Single(\"").skip(1);
        let names = names.filter_map(|rest| rest.split_once("\")"));
        let names = names.map(|(name, _)| name.replace("\\\\", "\\"));
        names.flat_map(|name| operation::expanded(&name)).collect()
    }

    #[tokio::test]
    async fn every_path_that_is_served_is_described() {
        let mut served = served().await;
        assert!(served.contains("/v1/profiles/{reference}") && served.len() > 100);
        // The end of a dialect's paths, where nothing is.
        assert!(served.remove("/api/.*"));
        // One route serves both, Jitsu's batches and its calls.
        let described: BTreeSet<_> = paths().paths.into_keys().collect();
        let own = ["/api/s/batch", "/api/s/s2s/batch"];
        served.extend(own.map(str::to_owned));
        served.remove("");
        assert_eq!(served, described);
    }

    #[test]
    fn it_says_where_the_service_is_and_is_small() {
        for (public_url, shown) in [("", "/"), ("https://a.example/in/", "https://a.example/in")] {
            let text = Described::new(public_url).0;
            assert!(text.len() < 200 * 1024, "{} bytes", text.len());
            let document: Value = serde_json::from_slice(&text).expect("JSON");
            assert_eq!(document["servers"][0]["url"], shown);
            assert_eq!(document["openapi"], "3.1.0");
        }
    }
}
