//! What people really send: nothing worth keeping is lost, and what was mended is told, counted and listed.

use crate::harness::{Project, answer_to};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::StatusCode;
use reqwest::header::CONTENT_ENCODING;
use serde_json::{Value, json};
use std::io::Write;

fn track(id: &str, more: Value) -> Value {
    let mut call = json!({"type": "track", "userId": "ada", "event": "E", "messageId": id});
    let more = more.as_object().expect("an object").clone();
    call.as_object_mut().expect("an object").extend(more);
    call
}

fn told(result: &Value) -> Vec<(&str, &str)> {
    assert_eq!(result["status"], "stored", "{result}");
    let warnings = result["warnings"].as_array().into_iter().flatten();
    warnings
        .map(|it| {
            let member = |name: &str| it[name].as_str().expect("a text");
            (member("code"), member("field"))
        })
        .collect()
}

async fn post_raw(project: &Project, path: &str, encoding: Option<&str>, body: Vec<u8>) -> Value {
    let request = project.client.post(format!("{}{path}", project.url));
    let mut request = request.basic_auth(&project.write_key, Some("")).body(body);
    if let Some(encoding) = encoding {
        request = request.header(CONTENT_ENCODING, encoding);
    }
    let reply = request.send().await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK, "{path}");
    reply.json().await.expect("JSON")
}

#[tokio::test]
async fn what_is_mended_is_stored_told_and_listed_with_the_item() {
    let project = Project::fresh().await;
    let odd = track(
        "m1",
        json!({"timestamp": "soon", "properties": [1], "anonymousId": true}),
    );
    let results = project
        .results(&[
            odd.clone(),
            track("m2", json!({})),
            track("m3", json!({"properties": []})),
        ])
        .await;
    assert_eq!(
        told(&results[0]),
        [
            ("not_an_object", "properties"),
            ("not_an_id", "anonymousId"),
            ("bad_time", "timestamp")
        ]
    );
    assert!(results[1].get("warnings").is_none(), "{}", results[1]);
    assert_eq!(told(&results[2]), [("empty_object", "properties")]);
    let listed = project.rejections().await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["stored"], true);
    assert_eq!(listed[0]["code"], "mended");
    assert_eq!(listed[0]["message_id"], "m1");
    assert_eq!(listed[0]["item"], odd);
    assert_eq!(listed[0]["warnings"], results[0]["warnings"]);
    project.results(&[odd]).await;
    assert_eq!(
        project.rejections().await.len(),
        1,
        "a resend is listed once"
    );
    project
        .results(&[json!({"type": "dance", "userId": "ada"})])
        .await;
    assert_eq!(project.rejections().await[0]["stored"], false);
}

#[tokio::test]
async fn times_of_all_kinds_are_read_or_left_to_the_next() {
    let project = Project::fresh().await;
    let cases = [
        ("٢٠٢٤-٠١-٠٢T٠٣:٠٤:٠٥Z", "2024-01-02T03:04:05.000Z"),
        ("2024-01-02T3:04:05 PMZ", "2024-01-02T15:04:05.000Z"),
        ("2021-10-16T16:00:27.029:Z", "2021-10-16T16:00:27.029Z"),
        ("2017-1-05T16:44:34+0800", "2017-01-05T08:44:34.000Z"),
        (
            "2016-07-18 10:00:00.123 +0000 UTC",
            "2016-07-18T10:00:00.123Z",
        ),
        ("2019-11-11T21.10.14.988Z", "2019-11-11T21:10:14.988Z"),
        ("10013-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z"),
        ("0000-00-00", "2020-01-01T00:00:00.000Z"),
    ];
    for (index, (text, expected)) in cases.iter().enumerate() {
        let id = format!("t{index}");
        let call = track(
            &id,
            json!({"timestamp": text, "originalTimestamp": "2020-01-01", "sentAt": "0001-01-01T00:00:00Z"}),
        );
        let results = project.results(&[call]).await;
        let fields: Vec<&str> = told(&results[0]).iter().map(|told| told.1).collect();
        assert_eq!(fields, ["timestamp", "sentAt"], "{text}");
        assert_eq!(project.event(&id).await["occurred_at"], *expected, "{text}");
    }
}

#[tokio::test]
async fn a_zero_time_freezes_no_traits() {
    let project = Project::fresh().await;
    for plan in ["z", "a"] {
        let call =
            json!({"userId": "ada", "timestamp": "0001-01-01T00:00:00Z", "traits": {"plan": plan}});
        project.send("/v1/identify", &call).await;
    }
    let profile = project.profile("user_id:ada").await;
    assert_eq!(profile["traits"]["plan"], "a");
}

#[tokio::test]
async fn of_two_identifies_in_one_request_the_later_wins() {
    let project = Project::fresh().await;
    let identify =
        |plan: &str| json!({"type": "identify", "userId": "ada", "traits": {"plan": plan}});
    project.results(&[identify("z"), identify("a")]).await;
    assert_eq!(project.profile("user_id:ada").await["traits"]["plan"], "a");
    let ahead = |plan: &str| json!({"type": "identify", "userId": "eve", "traits": {"plan": plan}, "timestamp": "2099-01-01"});
    project.results(&[ahead("z"), ahead("a")]).await;
    assert_eq!(project.profile("user_id:eve").await["traits"]["plan"], "a");
}

#[tokio::test]
async fn a_batch_with_holes_is_read_and_a_cut_one_is_not() {
    let project = Project::fresh().await;
    let (one, two) = (track("h1", json!({})), track("h2", json!({})));
    let body = format!(r#"{{"batch":[, {one}, , {two}, {{"a":}}, ]}}"#);
    let reply = post_raw(
        &project,
        "/v1/batch?results=true",
        None,
        body.clone().into_bytes(),
    )
    .await;
    let statuses: Vec<&Value> = reply["results"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| &it["status"])
        .collect();
    assert_eq!(
        statuses,
        ["rejected", "stored", "rejected", "stored", "rejected"]
    );
    let listed = project.rejections().await;
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|it| it["code"] == "not_an_object"));
    assert!(
        listed
            .iter()
            .any(|it| it["item"] == r#""{\"a\":}""# || it["item"] == r#"{"a":}"#),
        "{listed:?}"
    );
    let with_key = body.replacen('{', &format!(r#"{{"writeKey":"{}","#, project.write_key), 1);
    let unkeyed = project.client.post(format!("{}/v1/batch", project.url));
    let reply = unkeyed.body(with_key).send().await.expect("an answer");
    assert_eq!(reply.status(), StatusCode::OK);
    let cut = project.client.post(format!("{}/v1/batch", project.url));
    let cut = cut.basic_auth(&project.write_key, Some(""));
    let reply = cut
        .body(format!(r#"{{"batch":[, {one}, "#))
        .send()
        .await
        .expect("an answer");
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn codings_are_told_by_the_body() {
    let project = Project::fresh().await;
    let body = |id: &str| {
        json!({"batch": [track(id, json!({}))]})
            .to_string()
            .into_bytes()
    };
    let zipped = |id: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&body(id)).expect("memory");
        gzip.finish().expect("memory")
    };
    post_raw(&project, "/v1/batch", None, zipped("c1")).await;
    post_raw(&project, "/v1/batch", Some("utf-8"), body("c2")).await;
    post_raw(&project, "/v1/batch", Some("utf-8"), zipped("c3")).await;
    // The header is wrong: what a body is, its first bytes say.
    for name in ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, gzip"] {
        post_raw(&project, "/v1/batch", Some(name), body(name)).await;
        let zipped = zipped(&format!("zipped {name}"));
        post_raw(&project, "/v1/batch", Some(name), zipped).await;
    }
    assert_eq!(project.timeline("user_id:ada").await.len(), 3 + 2 * 6);
}

#[tokio::test]
async fn mobile_paths_without_their_version_are_taken() {
    let project = Project::fresh().await;
    let paths = ["/t", "/track", "/p", "/page", "/s", "/screen"];
    for path in paths {
        project.send(path, &track(path, json!({"name": "N"}))).await;
    }
    for path in ["/i", "/identify"] {
        project
            .send(path, &json!({"userId": "ada", "traits": {}}))
            .await;
    }
    for path in ["/g", "/group"] {
        project
            .send(path, &json!({"userId": "ada", "groupId": "g"}))
            .await;
    }
    for path in ["/a", "/alias"] {
        project
            .send(path, &json!({"userId": "ada", "previousId": "ada"}))
            .await;
    }
    for path in ["/b", "/batch", "/import"] {
        project
            .send(path, &json!({"batch": [track(path, json!({}))]}))
            .await;
    }
    project.send("/m", &json!({})).await;
    assert_eq!(project.timeline("user_id:ada").await.len(), 15);
}

/// A key that is no ASCII is a key; of one that stands for nothing the sender is told.
#[tokio::test]
async fn a_request_is_known_by_its_key_in_any_script_or_told_that_it_is_not() {
    let project = Project::fresh().await;
    let call = json!({"batch": [{"type": "track", "event": "Seen", "userId": "ada"}]});
    let send = async |key: &[u8]| {
        let url = format!("{}/v1/batch?results=true", project.url);
        let request = project.client.post(url).bearer_auth(&project.write_key);
        let request = request.header("Idempotency-Key", key).json(&call);
        let (_, told) = answer_to(request).await;
        told["results"][0].clone()
    };
    for (key, id) in [("kéy".as_bytes(), "kéy-0"), (b"k\xe9".as_slice(), "ké-0")] {
        assert_eq!(send(key).await["message_id"], id);
        assert_eq!(send(key).await["status"], "duplicate");
    }
    let told = send(b"null").await;
    assert_eq!(told["status"], "stored");
    let warning = &told["warnings"][0];
    let expected = ["placeholder_message_id", "Idempotency-Key"];
    assert_eq!([&warning["code"], &warning["field"]], expected);
}

#[tokio::test]
async fn pixels_may_be_posted_and_have_milliseconds() {
    let project = Project::fresh().await;
    let query = format!(
        "writeKey={}&userId=ada&timestamp=1704164645678",
        project.write_key
    );
    let pixel = format!("{}/pixel/v1/track?{query}", project.url);
    let mended = "\u{feff} {\"event\":\"E\",\"properties\":{\"x\":NaN,\"y\":\"\\ud83d\"}}";
    let bodies = ["", "event=E", r#"{"event":"E"}"#, mended];
    for (id, body) in ["p1", "p2", "p3", "p4"].into_iter().zip(bodies) {
        let event = if body.is_empty() { "&event=E" } else { "" };
        let request = project
            .client
            .post(format!("{pixel}&messageId={id}{event}"));
        let reply = request.body(body).send().await.expect("an answer");
        assert_eq!(reply.status(), StatusCode::OK);
        assert_eq!(
            project.event(id).await["occurred_at"],
            "2024-01-02T03:04:05.678Z"
        );
    }
    let properties = &project.event("p4").await["properties"];
    assert_eq!(properties, &json!({"x": null, "y": "\u{fffd}"}));
}

#[tokio::test]
async fn an_alias_without_a_user_and_a_merge_join_two_names() {
    let project = Project::fresh().await;
    project
        .send("/v1/track", &json!({"anonymousId": "before", "event": "E"}))
        .await;
    project
        .send(
            "/v1/alias",
            &json!({"anonymousId": "now", "previousId": "before"}),
        )
        .await;
    let id = |profile: &Value| profile["id"].clone();
    let now = project.profile("anonymous_id:now").await;
    assert_eq!(id(&now), id(&project.profile("anonymous_id:before").await));
    let both =
        json!([{"type": "email", "value": "a@b.c"}, {"type": "anonymousId", "value": "now"}]);
    project
        .send("/v1/merge", &json!({"mergeProperties": both}))
        .await;
    assert_eq!(id(&project.profile("email:a@b.c").await), id(&now));
}

#[tokio::test]
async fn the_first_of_many_proxies_names_the_protocol() {
    let project = Project::fresh().await;
    let url = format!("{}/v1/projects/{}/settings", project.url, project.write_key);
    for (list, expected) in [
        ("https,http", "https"),
        (" HTTPS , http", "https"),
        ("http,https", "http"),
    ] {
        let request = project.client.get(&url).header("x-forwarded-proto", list);
        let (_, settings) = answer_to(request).await;
        assert_eq!(
            settings["integrations"]["Segment.io"]["protocol"], expected,
            "{list}"
        );
    }
}
