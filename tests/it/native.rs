//! Reading back: shapes, filters, cursors, and who may.

use crate::harness::Project;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_profile_and_its_events_have_the_documented_shape() {
    let project = Project::fresh().await;
    project.send("/v1/identify", &json!({"userId": "ada", "traits": {"plan": "pro"}, "messageId": "m1", "timestamp": "2024-01-02T03:04:05.678Z", "context": {"ip": "203.0.113.7"}})).await;
    let profile = project.profile("user_id:ada").await;
    assert_eq!(profile["traits"], json!({"plan": "pro"}));
    assert_eq!(profile["version"], 1);
    assert_eq!(profile["identities"][0]["kind"], "user_id");
    assert_eq!(profile["identities"][0]["value"], "ada");
    let by_id = project
        .profile(&format!("id:{}", profile["id"].as_str().expect("text")))
        .await;
    assert_eq!(by_id, profile);
    let mut event = project.event("m1").await;
    assert_eq!(event["profile_id"], profile["id"]);
    event
        .as_object_mut()
        .expect("an object")
        .remove("profile_id");
    let page = project.read("/v1/profiles/user_id:ada/events").await;
    assert_eq!(page, json!({"events": [event], "next_cursor": null}));
    assert_eq!(event["type"], "identify");
    assert_eq!(event["name"], json!(null));
    assert_eq!(event["occurred_at"], "2024-01-02T03:04:05.678Z");
    assert_eq!(event["properties"], json!({"plan": "pro"}));
    assert_eq!(event["context"], json!({"ip": "203.0.113.7"}));
}

#[tokio::test]
async fn timelines_are_paged_newest_first_and_filtered() {
    let project = Project::fresh().await;
    let items: Vec<_> = (0..25).map(|number| json!({"type": "track", "userId": "ada", "event": if number % 2 == 0 { "Even" } else { "Odd" }, "messageId": format!("m{number}"), "timestamp": format!("2024-01-01T00:00:{:02}Z", number / 2)})).collect();
    project.results(&items).await;
    let (mut seen, mut path) = (
        Vec::new(),
        "/v1/profiles/user_id:ada/events?limit=10".to_owned(),
    );
    loop {
        let page = project.read(&path).await;
        seen.extend(page["events"].as_array().expect("a list").clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/profiles/user_id:ada/events?limit=10&cursor={cursor}");
    }
    assert_eq!(seen.len(), 25);
    assert!(
        seen.is_sorted_by(
            |left, right| left["occurred_at"].as_str() >= right["occurred_at"].as_str()
        )
    );
    let odd = project
        .read("/v1/profiles/user_id:ada/events?name=Odd&type=track")
        .await;
    assert_eq!(odd["events"].as_array().expect("a list").len(), 12);
    let range = project
        .read("/v1/profiles/user_id:ada/events?from=2024-01-01T00:00:03Z&to=2024-01-01T00:00:05Z")
        .await;
    assert_eq!(range["events"].as_array().expect("a list").len(), 4);
}

#[tokio::test]
async fn only_a_server_key_reads_and_errors_are_problem_details() {
    let project = Project::fresh().await;
    let url = format!("{}/v1/profiles/user_id:ada", project.url);
    let get = |key: &str| project.client.get(&url).basic_auth(key, Some("")).send();
    assert_eq!(
        get(&project.write_key).await.expect("an answer").status(),
        StatusCode::FORBIDDEN
    );
    let refused = get("nobody's").await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        refused.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(
        project
            .client
            .get(&url)
            .send()
            .await
            .expect("an answer")
            .status(),
        StatusCode::UNAUTHORIZED
    );
    let (status, problem) = project.get("/v1/profiles/user_id:nobody").await;
    assert_eq!(
        (status, problem["status"].as_u64(), problem["code"].as_str()),
        (StatusCode::NOT_FOUND, Some(404), Some("no_such_profile"))
    );
    let (status, problem) = project
        .get("/v1/profiles/user_id:ada/events?limit=5000")
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["detail"].as_str().expect("text").contains("limit"));
}

#[tokio::test]
async fn values_with_every_character_are_found() {
    let project = Project::fresh().await;
    for (number, user) in ["a/b", "a+b@x.org", "ü:ñ %2F", "id:7"].iter().enumerate() {
        project
            .send(
                "/v1/track",
                &json!({"userId": user, "event": "Seen", "messageId": format!("m/{number}")}),
            )
            .await;
        let encoded: String = url::form_urlencoded::byte_serialize(user.as_bytes())
            .collect::<String>()
            .replace('+', "%20");
        let profile = project.profile(&format!("user_id:{encoded}")).await;
        assert_eq!(profile["identities"][0]["value"], **user);
        assert_eq!(
            project.event(&format!("m%2F{number}")).await["profile_id"],
            profile["id"]
        );
    }
}

#[tokio::test]
async fn profiles_are_found_by_name_and_many_at_once() {
    let project = Project::fresh().await;
    let call = |id: &str, user: &str, at: &str| json!({"type": "identify", "userId": user, "anonymousId": format!("{user}-phone"), "messageId": id, "timestamp": at, "traits": {"email": format!("{user}@Example.com")}});
    project
        .results(&[
            call("1", "ada", "2024-01-02T00:00:00Z"),
            call("2", "ada", "2024-01-01T00:00:00Z"),
            call("3", "bob", "2024-01-03T00:00:00Z"),
            json!({"type": "track", "event": "Seen", "anonymousId": "ada-phone", "messageId": "4", "timestamp": "2024-01-04T00:00:00Z"}),
        ])
        .await;
    let ada = project.profile("user_id:ada").await;
    assert_eq!(
        (&ada["first_seen"], &ada["last_seen"]),
        (
            &json!("2024-01-01T00:00:00.000Z"),
            &json!("2024-01-04T00:00:00.000Z")
        )
    );
    assert_eq!(
        project.read("/v1/profiles?email=ADA%40example.com").await,
        ada
    );
    assert_eq!(
        project.read("/v1/profiles?anonymous_id=ada-phone").await,
        ada
    );
    for (path, status) in [
        ("/v1/profiles?email=eve@example.com", StatusCode::NOT_FOUND),
        ("/v1/profiles", StatusCode::BAD_REQUEST),
        ("/v1/profiles?email=a&user_id=b", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(project.get(path).await.0, status, "{path}");
    }

    let by_id = format!("id:{}", ada["id"].as_str().unwrap());
    let asked = [
        "email:ada@example.com",
        "user_id:nobody",
        &by_id,
        "user_id:bob",
        "email:ada@example.com",
    ];
    let found = lookup(&project, &json!({"references": asked})).await;
    let ids: Vec<_> = found.1["profiles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    let bob = project.profile("user_id:bob").await;
    assert_eq!(
        ids,
        [&ada["id"], &json!(null), &ada["id"], &bob["id"], &ada["id"]]
    );
    assert_eq!(found.1["profiles"][0], ada);
    let many = |count: usize| json!({"references": vec!["user_id:ada"; count]});
    assert_eq!(
        lookup(&project, &many(1_000)).await.1["profiles"]
            .as_array()
            .unwrap()
            .len(),
        1_000
    );
    assert_eq!(
        lookup(&project, &many(1_001)).await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        lookup(&project, &json!({"references": ["ada"]})).await.0,
        StatusCode::BAD_REQUEST
    );
}

async fn lookup(project: &Project, body: &serde_json::Value) -> (StatusCode, serde_json::Value) {
    let request = project
        .client
        .post(format!("{}/v1/profiles/lookup", project.url));
    let reply = request
        .bearer_auth(&project.server_key)
        .json(body)
        .send()
        .await
        .unwrap();
    (reply.status(), reply.json().await.unwrap())
}

#[tokio::test]
async fn a_reader_who_has_the_profile_is_told_so() {
    let project = Project::fresh().await;
    let identify = |id: &str, plan: &str| json!({"type": "identify", "userId": "ada", "messageId": id, "traits": {"plan": plan}});
    project.results(&[identify("1", "free")]).await;
    let url = format!("{}/v1/profiles/user_id:ada", project.url);
    let read = async |tag: &str| {
        let request = project.client.get(&url).bearer_auth(&project.server_key);
        request.header("if-none-match", tag).send().await.unwrap()
    };
    let first = read("\"nothing\"").await;
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(
        (first.status(), read(&tag).await.status()),
        (StatusCode::OK, StatusCode::NOT_MODIFIED)
    );
    project.results(&[identify("2", "pro")]).await;
    assert_eq!(read(&tag).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_read_waits_for_the_version_that_its_caller_has_seen() {
    let project = Project::fresh().await;
    let identify = |id: &str, plan: &str| json!({"type": "identify", "userId": "ada", "messageId": id, "traits": {"plan": plan}});
    project.results(&[identify("1", "free")]).await;
    assert_eq!(
        project.read("/v1/profiles/user_id:ada?min_version=1").await["version"],
        1
    );
    let later = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        project.results(&[identify("2", "pro")]).await;
    };
    let path = "/v1/profiles/user_id:ada?min_version=2";
    let waiting = async {
        // It waits for two seconds at a time; a busy machine may need more.
        for _ in 0..20 {
            let (status, profile) = project.get(path).await;
            if status == StatusCode::OK {
                return profile;
            }
        }
        panic!("the version was never reached");
    };
    let (waited, ()) = tokio::join!(waiting, later);
    assert_eq!(
        (&waited["version"], &waited["traits"]["plan"]),
        (&json!(2), &json!("pro"))
    );
    let (status, problem) = project.get("/v1/profiles/user_id:ada?min_version=9").await;
    assert_eq!(
        (status, &problem["code"]),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            &json!("version_not_reached")
        )
    );
    let (status, _) = project
        .get("/v1/profiles/user_id:nobody?min_version=1")
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        project
            .get("/v1/profiles/user_id:ada?min_version=x")
            .await
            .0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_told_which_it_takes() {
    let project = Project::fresh().await;
    let ask = async |method: Method, path: &str| {
        let request = project
            .client
            .request(method, format!("{}{path}", project.url));
        let request = request.bearer_auth(&project.server_key);
        request.send().await.expect("an answer")
    };
    for (method, path, takes) in [
        (Method::POST, "/v1/profiles/user_id:a", "GET, HEAD, DELETE"),
        (Method::PATCH, "/v1/rejections", "GET, HEAD"),
        (Method::OPTIONS, "/v1/rejections", "GET, HEAD"),
        (Method::GET, "/v1/profiles/lookup", "POST"),
        (Method::GET, "/v1/profiles/user_id:a/merge", "POST"),
        (Method::GET, "/v1/migration/reads", "PUT"),
        (
            Method::PATCH,
            "/v1/imports",
            "GET, HEAD, POST, PUT, OPTIONS",
        ),
        (Method::POST, "/readyz", "GET, HEAD"),
    ] {
        let reply = ask(method, path).await;
        assert_eq!(reply.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(reply.headers()["allow"], takes, "{path}");
        let is_problem = reply.headers()["content-type"] == "application/problem+json";
        assert_eq!(is_problem, path != "/readyz", "{path}");
        let answer: Value = reply.json().await.expect("JSON");
        assert_eq!(answer["code"], "method_not_allowed", "{path}");
    }
    for (path, status) in [
        ("/v1/rejections", StatusCode::OK),
        ("/v1/profiles/user_id:nobody", StatusCode::NOT_FOUND),
    ] {
        let reply = ask(Method::HEAD, path).await;
        assert_eq!(reply.status(), status, "{path}");
        assert_eq!(reply.text().await.expect("nothing"), "", "{path}");
    }
}
