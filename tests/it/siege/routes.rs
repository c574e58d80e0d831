//! Every native route with what no database takes: NUL characters, times before there were any, odd ids.

use super::Siege;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;

fn cursor(micros: i64) -> String {
    let bytes = [&micros.to_be_bytes()[..], &[7; 16]].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Methods and paths that no row can be the answer to.
fn odd_requests() -> Vec<(&'static str, String)> {
    let mut odd: Vec<(&'static str, String)> = Vec::new();
    let references = [
        "user_id:a%00b",
        "%00:x",
        "user_id:%00",
        "id:%00",
        "%00",
        "email:%ff",
        "id:7",
    ];
    for reference in references {
        let base = format!("/v1/profiles/{reference}");
        for path in [&base, &format!("{base}/events"), &format!("{base}/export")] {
            odd.push(("GET", path.clone()));
        }
        odd.push(("DELETE", base.clone()));
        odd.push(("POST", format!("{base}/unforget")));
        odd.push(("POST", format!("{base}/merge")));
        odd.push(("GET", format!("/v1/events/{reference}")));
        odd.push(("GET", format!("/v1/erasures/{reference}")));
    }
    let times = [
        i64::MIN,
        -210_866_803_200_000_001,
        -62_135_596_800_000_001,
        253_402_300_800_000_000,
        i64::MAX,
    ];
    let mut queries: Vec<String> = times
        .iter()
        .map(|time| format!("cursor={}", cursor(*time)))
        .collect();
    queries.extend(["limit=%00", "cursor=%00", "a%00=1", "%00"].map(str::to_owned));
    for query in &queries {
        for list in [
            "/v1/profiles/user_id:ada/events",
            "/v1/conflicts",
            "/v1/rejections",
            "/v1/backfill/rejections",
        ] {
            odd.push(("GET", format!("{list}?{query}")));
        }
    }
    for query in [
        "name=%00",
        "type=%00",
        "from=%00",
        "from=-4714-01-01",
        "to=10000-01-01",
    ] {
        odd.push(("GET", format!("/v1/profiles/user_id:ada/events?{query}")));
    }
    for place in [json!(["a\0", "t", 0, 0]), json!(["s", "\0", 0, 0])] {
        let cursor = URL_SAFE_NO_PAD.encode(place.to_string());
        odd.push(("GET", format!("/v1/backfill/rejections?cursor={cursor}")));
    }
    odd.push(("GET", "/v1/backfill/%00".to_owned()));
    odd.push(("GET", "/v1/profiles?email=%00".to_owned()));
    odd.push(("GET", "/v1/profiles/user_id:ada?min_version=%00".to_owned()));
    odd.push(("GET", "/v1/projects/%00/settings".to_owned()));
    odd
}

/// Methods and paths of the native API, as it declares them.
fn native_routes() -> Vec<(reqwest::Method, String)> {
    let source = include_str!("../../../src/api/native/mod.rs");
    let of = |from: &str, to: &str| {
        let behind = source.split(from).nth(1).expect("it begins");
        behind.split(to).next().expect("it ends")
    };
    let all = of("pub fn configure(", "/// A path;");
    let people = of("fn configure_people(", "fn configure_migration(");
    let migration = of("fn configure_migration(", "/// A path;");
    let mut routes = declared(source, all, "path(", "");
    routes.extend(declared(
        source,
        people,
        "(of(",
        "/v1/profiles/{reference}/",
    ));
    routes.extend(declared(source, migration, "(of(", "/v1/migration/"));
    routes
}

/// The paths and methods that stand behind a word, as texts or as constants.
fn declared(source: &str, part: &str, word: &str, prefix: &str) -> Vec<(reqwest::Method, String)> {
    let text = |said: &str| {
        let said = said.trim_start();
        let name = said.split([',', ')']).next().expect("a word");
        let constant = format!("const {name}: &str = ");
        let text = match said.starts_with('"') {
            true => said,
            false => source.split(&constant).nth(1).expect("a constant"),
        };
        text.split('"').nth(1).expect("a text").to_owned()
    };
    let calls = part.split(word).skip(1);
    let calls = calls.filter(|call| !call.starts_with("&format!"));
    let routes = calls.flat_map(|call| {
        let (_, methods) = call.split_once(',').expect("two arguments");
        let path = format!("{prefix}{}", text(call));
        let methods: Vec<String> = text(methods).split(", ").map(str::to_owned).collect();
        methods
            .into_iter()
            .map(move |method| (method.parse().expect("a method"), path.clone()))
    });
    routes.collect()
}

#[tokio::test]
async fn siege_no_native_route_breaks_over_a_nul_anywhere() {
    let siege = Siege::begin("NUL in every native route").await;
    let project = &siege.project;
    let routes = native_routes();
    assert!(routes.len() >= 30, "{routes:?}");
    let cursors = [i64::MIN, -210_866_803_200_000_001, i64::MAX].map(cursor);
    let mut queries = vec![
        String::new(),
        "?limit=%00".to_owned(),
        "?%00=%00".to_owned(),
    ];
    queries.extend(cursors.map(|cursor| format!("?cursor={cursor}")));
    let bodies = [
        json!({"from": "user_id:\0", "references": ["\0"]}),
        json!("\0"),
        json!({"\0": ["\0"], "from": "\0:\0", "references": ["user_id:\0", "id:\0"]}),
    ];
    for (method, path) in &routes {
        for value in ["%00", "user_id:%00", "user_id:a%00b", "id:%00", "%2500"] {
            let path = path
                .split('/')
                .map(|part| if part.starts_with('{') { value } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            for (number, query) in queries.iter().enumerate() {
                let url = format!("{}{path}{query}", project.url);
                let request = project.client.request(method.clone(), url);
                let request = request.bearer_auth(&project.server_key);
                let request = request.json(&bodies[number % bodies.len()]);
                let status = request.send().await.expect("an answer").status();
                assert!(
                    !status.is_server_error(),
                    "{method} {path}{query}: {status}"
                );
            }
        }
    }
    assert_eq!(siege.service.log.panics.load(Relaxed), 0);
    siege.end().await;
}

#[tokio::test]
async fn siege_no_route_breaks_over_what_no_database_takes() {
    let siege = Siege::begin("odd paths, queries and bodies").await;
    let project = &siege.project;
    project
        .send("/v1/track", &json!({"userId": "ada", "event": "Seen"}))
        .await;
    let odd = odd_requests();
    for (method, path) in &odd {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = project
            .client
            .request(method.clone(), format!("{}{path}", project.url));
        let request = request.bearer_auth(&project.server_key);
        let reply = request
            .json(&json!({"from": "user_id:a\0b"}))
            .send()
            .await
            .expect("an answer");
        let status = reply.status().as_u16();
        assert!([400, 404].contains(&status), "{method} {path}: {status}");
    }
    for (path, body) in [
        (
            "/v1/profiles/lookup",
            json!({"references": ["user_id:a\0b"]}),
        ),
        (
            "/v1/profiles/user_id:ada/merge",
            json!({"from": "user_id:\0"}),
        ),
    ] {
        let request = project.client.post(format!("{}{path}", project.url));
        let reply = request
            .bearer_auth(&project.server_key)
            .json(&body)
            .send()
            .await
            .expect("an answer");
        assert_eq!(reply.status().as_u16(), 400, "{path}");
    }
    assert_eq!(siege.service.log.panics.load(Relaxed), 0);
    siege.end().await;
}

/// A server key in a page would be a leak: the documents that pages load do not know it.
#[tokio::test]
async fn siege_settings_documents_take_write_keys_only() {
    let siege = Siege::begin("settings documents").await;
    let project = &siege.project;
    for (key, settings, source) in [
        (&project.write_key, 200, 200),
        (&project.server_key, 404, 401),
        (&"nobody's".to_owned(), 404, 401),
    ] {
        for (path, expected) in [
            (format!("/v1/projects/{key}/settings"), settings),
            (format!("/projects/{key}/settings"), settings),
            (format!("/sourceConfig?writeKey={key}"), source),
        ] {
            let reply = crate::harness::fetch(format!("{}{path}", project.url))
                .await
                .expect("an answer");
            assert_eq!(reply.status().as_u16(), expected, "{path}");
        }
    }
    siege.end().await;
}
