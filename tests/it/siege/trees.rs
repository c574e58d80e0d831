//! Bodies and files that are small, and would be large as trees: `{"":0}` takes a hundred times its text.

use super::{Siege, assert_proper, gzip};
use futures_util::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

const AT_ONCE: usize = 8;

/// A list of so many bytes that are nearly all objects.
fn objects(bytes: usize) -> String {
    format!("[{}0]", "{\"\":0},".repeat(bytes / 7))
}

impl Siege {
    async fn post_packed(&self, path: &str, body: &str) -> Response {
        let request = self
            .project
            .client
            .post(format!("{}{path}", self.project.url));
        let request = request
            .bearer_auth(&self.project.server_key)
            .header("content-type", "application/json")
            .header("content-encoding", "gzip");
        request
            .body(gzip(body.as_bytes()))
            .send()
            .await
            .expect("an answer")
    }

    /// The same several times at once, in each of which nothing is right.
    async fn refused(&self, path: &str, body: &str) {
        let posts = (0..AT_ONCE).map(|_| self.post_packed(path, body));
        for reply in join_all(posts).await {
            assert_proper(&reply, path);
            assert!(!reply.status().is_success(), "{path}: {}", reply.status());
        }
    }

    /// A file with a mapping, sent whole.
    async fn import(&self, mapping: &str, file: &str) -> Value {
        let described =
            json!({"name": "x.ndjson", "mapping": mapping, "length": file.len()}).to_string();
        let reply = self.post_packed("/v1/imports", &described).await;
        let made: Value = reply.json().await.expect("JSON");
        let path = format!("/v1/imports/{}", made["id"].as_str().expect("an id"));
        let url = format!("{}{path}", self.project.url);
        let request = self.project.client.patch(url);
        let request = request.bearer_auth(&self.project.server_key);
        let sent = request.header("upload-offset", "0").body(file.to_owned());
        assert_proper(&sent.send().await.expect("an answer"), "a file");
        self.project.read(&path).await
    }
}

/// 1,940 MiB once: the call was read as a tree to take its token out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_refused_calls_that_carry_a_token() {
    let siege = Siege::begin("refused calls with a token").await;
    let call = format!(
        r#"{{"type":"dance","userId":"a","context":{{"userToken":"x"}},"y":{}}}"#,
        objects(9_900_000)
    );
    let body = gzip(format!(r#"{{"batch":[{call}]}}"#).as_bytes());
    let posts = (0..AT_ONCE).map(|_| siege.post("gzip", body.clone()));
    for reply in join_all(posts).await {
        assert_proper(&reply, "a refused call");
    }
    let kept = siege.project.rejections().await;
    assert!(
        kept.iter()
            .all(|one| !one.to_string().contains("userToken"))
    );
    siege.end().await;
}

/// 993 MiB by one description, 784 by a mapping, 201 by a look-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_documents_of_the_native_api() {
    let siege = Siege::begin("documents as trees").await;
    let tree = format!(r#"{{"x":{}}}"#, objects(9_900_000));
    siege.refused("/v1/imports", &tree).await;
    siege.refused("/v1/imports/schedules", &tree).await;
    let tree = format!(r#"{{"name":"x","x":{}}}"#, objects(900_000));
    siege.refused("/v1/imports", &tree).await;
    let mapping = json!({"mapping": format!("a=[{}]", "[],".repeat(300_000))});
    siege.refused("/v1/imports", &mapping.to_string()).await;
    let columns = json!({"format": "csv", "columns": "c,".repeat(400_000)});
    siege.refused("/v1/imports", &columns.to_string()).await;
    let references = format!(r#"{{"references":[{}""]}}"#, r#""","#.repeat(3_300_000));
    siege.refused("/v1/profiles/lookup", &references).await;
    let names = format!(r#"{{"identities":[{}""]}}"#, r#""","#.repeat(3_300_000));
    siege
        .refused("/v1/profiles/user_id:ada/split", &names)
        .await;
    siege.end().await;
}

/// 2,467 MiB by a place that is named thousands of times, 1,777 by long names above short ones, 521 by defaults, and a process without
/// a stack by dots.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_mappings_that_multiply() {
    let siege = Siege::begin("mappings that multiply").await;
    let identity = "[identities]\nuser_id = \"/id\"\n";
    let named: String = (0..9_000)
        .map(|number| format!("p{number} = \"/x\"\n"))
        .collect();
    let named = format!("{identity}[event]\nname = \"Seen\"\n[event.properties]\n{named}");
    let record = format!("{{\"id\":\"a\",\"x\":{}}}\n", objects(100_000));
    let job = siege.import(&named, &record).await;
    assert_eq!(job["rejected"], 1, "{job}");

    let flatten = format!("{identity}[traits]\nflatten = true\n");
    let leaves: Vec<String> = (0..1_500).map(|number| format!("\"{number}\":0")).collect();
    let mut tree = format!("{{{}}}", leaves.join(","));
    for _ in 0..50 {
        tree = format!("{{\"{}\":{tree}}}", "k".repeat(8_000));
    }
    let job = siege
        .import(&flatten, &format!("{{\"id\":\"a\",\"x\":{tree}}}\n"))
        .await;
    assert_eq!(
        (&job["stored"], &job["warned"]),
        (&json!(1), &json!(1)),
        "{job}"
    );

    let defaults = ["a", "b"].map(|name| format!("{name} = \"{}\"\n", "x".repeat(80_000)));
    let defaults = format!("{identity}[traits.defaults]\n{}", defaults.concat());
    let lines: String = (1..=60)
        .map(|number| format!("{{\"id\":\"{number}\"}}\n"))
        .collect();
    let job = siege.import(&defaults, &lines).await;
    assert_eq!(job["stored"], 60, "{job}");

    let expand = format!("{identity}[traits]\nexpand_dots = true\n");
    let dots = vec!["a"; 20_000].join(".");
    let job = siege
        .import(&expand, &format!("{{\"id\":\"d\",\"{dots}\":1}}\n"))
        .await;
    assert_eq!(job["rejected"], 1, "{job}");
    siege.end().await;
}

/// 844 MiB and a minute by a kilobyte for each row, of which each says the names of its columns again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_tables_with_names_that_are_written_out() {
    let siege = Siege::begin("names of columns that are written out").await;
    let names: Vec<String> = (0..1_999)
        .map(|number| format!("{number}{}", "\u{1}".repeat(55)))
        .collect();
    let rows: String = (0..1_000)
        .map(|number| format!("u{number}{}\n", ",".repeat(1_999)))
        .collect();
    let table = format!("user_id,{}\n{rows}", names.join(","));
    let reply = siege
        .post_packed("/v1/imports/preview?format=csv&empty=null", &table)
        .await;
    assert_eq!(reply.status(), StatusCode::OK);
    let seen: Value = reply.json().await.expect("JSON");
    assert!(
        seen["records"].as_u64().is_some_and(|count| count > 0),
        "{}",
        seen["records"]
    );
    siege.end().await;
}

/// 950 MiB for one list of 24 jobs with nine megabytes of columns: now there is none with so many, and a list has none of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_lists_of_imports_with_many_columns() {
    let siege = Siege::begin("a list of wide imports").await;
    let columns: Vec<String> = (0..1_900).map(|number| format!("{number:060}")).collect();
    let described = json!({"name": "wide", "format": "csv", "columns": columns}).to_string();
    for _ in 0..24 {
        let reply = siege.post_packed("/v1/imports", &described).await;
        assert_eq!(reply.status(), StatusCode::CREATED);
    }
    let listed = siege.project.read("/v1/imports?limit=1000").await;
    let jobs = listed["imports"].as_array().expect("a list");
    assert!(
        jobs.len() == 24 && jobs.iter().all(|job| job["format"] == "csv"),
        "{listed}"
    );
    siege.end().await;
}

/// 74 MiB for a profile of one: a tree was built to write its dates.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn siege_profiles_shown_by_the_other_dialect() {
    let siege = Siege::begin("a profile of objects, shown eight times").await;
    for part in 0..18 {
        let traits = json!({format!("t{part}"): vec![json!({"": 0}); 7_900]});
        let call = json!({"userId": "tree", "traits": traits});
        // The last ones are more than a person may have.
        siege.project.post("/v1/identify", &call).await;
    }
    let url = format!("{}/api/users/byUserId/tree", siege.project.url);
    let reads = (0..AT_ONCE).map(|_| {
        let request = siege.project.client.get(&url);
        request.header("api-key", &siege.project.server_key).send()
    });
    for reply in join_all(reads).await {
        let reply = reply.expect("an answer");
        assert_proper(&reply, "a profile");
        if reply.status() == StatusCode::OK {
            let shown: Value = reply.json().await.expect("JSON");
            assert_eq!(shown["user"]["dataFields"]["t7"][7_899], json!({"": 0}));
        }
    }
    siege.end().await;
}
