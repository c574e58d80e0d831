//! Static lists and subscriptions: who is in, by whatever road it was said, through merges, splits and erasures.

use super::call;
use crate::harness::{Project, answer_to, shared, store_at};
use reqwest::{Method, StatusCode};
use roster::domain::{ProjectId, ProjectType, Rules};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn post(project: &Project, path: &str, body: &Value) -> Value {
    let (status, answer) = call(project, Method::POST, path, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn make(project: &Project, name: &str) -> i64 {
    let made = post(project, "lists", &json!({"name": name})).await;
    made["listId"].as_i64().expect("a number")
}

#[tokio::test]
async fn the_largest_number_that_was_brought_along_does_not_end_the_drawing() {
    let project = Project::fresh().await;
    let largest = json!({"name": "moved here", "listId": 999_999_999});
    post(&project, "lists", &largest).await;
    let next = make(&project, "next").await;
    assert_eq!(next, 1);
    subscribe(&project, next, &["ada@example.com"]).await;
    assert_eq!(people(&project, next).await, set(&["ada@example.com"]));
}

/// A text of this API, with its status.
async fn text(project: &Project, path: &str) -> (StatusCode, String) {
    let url = format!("{}/api/{path}", project.url);
    let request = project
        .client
        .get(url)
        .header("Api-Key", &project.server_key);
    let reply = request.send().await.expect("an answer");
    (reply.status(), reply.text().await.expect("text"))
}

/// Who is in a list, by the text, which agrees with the size.
async fn people(project: &Project, list: i64) -> BTreeSet<String> {
    let (status, lines) = text(project, &format!("lists/getUsers?listId={list}")).await;
    assert_eq!(status, StatusCode::OK, "{lines}");
    let all: Vec<String> = lines.lines().map(str::to_owned).collect();
    let people: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(people.len(), all.len(), "somebody twice: {lines}");
    let (_, size) = text(project, &format!("lists/{list}/size")).await;
    assert_eq!(size, people.len().to_string());
    people
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn subscribe(project: &Project, list: i64, emails: &[&str]) -> Value {
    let subscribers: Vec<Value> = emails.iter().map(|email| json!({"email": email})).collect();
    let body = json!({"listId": list, "subscribers": subscribers});
    post(project, "lists/subscribe", &body).await
}

async fn lists_of(project: &Project, reference: &str) -> Value {
    project.profile(reference).await["traits"]["emailListIds"].clone()
}

#[tokio::test]
async fn lists_are_made_under_the_next_number_or_their_own_and_deleted() {
    let project = Project::fresh().await;
    assert_eq!(
        (make(&project, "a").await, make(&project, "b").await),
        (1, 2)
    );
    let own = json!({"name": "moved here", "listId": 4711, "description": "ignored"});
    assert_eq!(post(&project, "lists", &own).await, json!({"listId": 4711}));
    assert_eq!(make(&project, "c").await, 4712);
    let (status, answer) = call(&project, Method::POST, "lists", Some(&own)).await;
    assert_eq!(
        (status, &answer["code"]),
        (StatusCode::BAD_REQUEST, &json!("BadParams"))
    );
    let (status, answer) = call(&project, Method::DELETE, "lists/2", None).await;
    assert_eq!(status, StatusCode::OK);
    let told = format!("List 2 in Project {} was successfully deleted.", project.id);
    assert_eq!(answer["msg"], told);
    let (_, shown) = call(&project, Method::GET, "lists", None).await;
    let lists = shown["lists"].as_array().expect("lists");
    let ids: Vec<&Value> = lists.iter().map(|list| &list["id"]).collect();
    assert_eq!(ids, [1, 4711, 4712]);
    assert_eq!(lists[0]["listType"], "Standard");
    assert!(
        lists[0]["createdAt"].as_i64() > Some(1_700_000_000_000),
        "{lists:?}"
    );
    for path in [
        "lists/2/size",
        "lists/getUsers?listId=2",
        "lists/x/size",
        "lists/getUsers",
    ] {
        assert_eq!(
            text(&project, path).await.0,
            StatusCode::BAD_REQUEST,
            "{path}"
        );
    }
    assert_eq!(
        call(&project, Method::DELETE, "lists/2", None).await.0,
        StatusCode::BAD_REQUEST
    );
    let gone = json!({"listId": 2, "subscribers": []});
    for path in ["lists/subscribe", "lists/unsubscribe"] {
        let (status, answer) = call(&project, Method::POST, path, Some(&gone)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(answer["msg"], "Invalid email list id");
        assert_eq!(
            answer["params"],
            json!({"projectId": project.id, "listId": 2})
        );
    }
}

#[tokio::test]
async fn whoever_subscribes_is_in_and_what_fails_is_named() {
    let project = Project::fresh().await;
    let list = make(&project, "a").await;
    let body = json!({"listId": list, "subscribers": [
        {"email": "Ada@example.com", "dataFields": {"city": "Ulm", "emailListIds": [9]}},
        {"userId": "u2", "preferUserId": null},
        {"email": "bad@"},
    ]});
    let answer = post(&project, "lists/subscribe", &body).await;
    assert_eq!(
        (&answer["successCount"], &answer["failCount"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(answer["failedUpdates"]["invalidEmails"], json!(["bad@"]));
    assert_eq!(
        project.profile("email:ada@example.com").await["traits"]["city"],
        "Ulm"
    );
    assert_eq!(
        people(&project, list).await,
        set(&["ada@example.com", "u2"])
    );
    let (_, one) = text(
        &project,
        &format!("lists/previewUsers?listId={list}&size=1"),
    )
    .await;
    assert_eq!(one.lines().count(), 1);
    let stranger = json!({"listId": list, "updateExistingUsersOnly": true, "subscribers": [{"email": "new@example.com"}, {"userId": "u3"}]});
    let answer = post(&project, "lists/subscribe", &stranger).await;
    assert_eq!(
        answer["failedUpdates"]["notFoundEmails"],
        json!(["new@example.com"])
    );
    assert_eq!(answer["failedUpdates"]["notFoundUserIds"], json!(["u3"]));
    let leaving = json!({"listId": list, "channelUnsubscribe": false, "campaignId": null, "subscribers": [{"email": "ada@example.com"}, {"email": "new@example.com"}]});
    let answer = post(&project, "lists/unsubscribe", &leaving).await;
    assert_eq!(answer["successCount"], 1);
    assert_eq!(
        answer["failedUpdates"]["notFoundEmails"],
        json!(["new@example.com"])
    );
    assert_eq!(people(&project, list).await, set(&["u2"]));
    assert_eq!(lists_of(&project, "email:ada@example.com").await, json!([]));
}

#[tokio::test]
async fn many_people_are_told_page_by_page() {
    let project = Project::fresh().await;
    let list = make(&project, "many").await;
    let address = |number: usize| format!("a{number}@example.com");
    let all: Vec<Value> = (0..4_100)
        .map(|number| json!({"email": address(number)}))
        .collect();
    let body = json!({"listId": list, "subscribers": all});
    assert_eq!(
        post(&project, "lists/subscribe", &body).await["successCount"],
        4_100
    );
    let expected: BTreeSet<String> = (0..4_100).map(address).collect();
    assert_eq!(people(&project, list).await, expected);
    let body = json!({"listId": list, "subscribers": &all[..2_050]});
    assert_eq!(
        post(&project, "lists/unsubscribe", &body).await["successCount"],
        2_050
    );
    let rest: BTreeSet<String> = (2_050..4_100).map(address).collect();
    assert_eq!(people(&project, list).await, rest);
}

/// Calls about one person's lists that say when they were true, or different things.
async fn by(project: &Project, road: &str, lists: &[i64]) {
    match road {
        "whole" => {
            let item = json!({"type": "identify", "userId": "u1", "messageId": "m1", "timestamp": "2024-01-01T00:00:00Z",
                "traits": {"email": "ada@example.com", "emailListIds": [lists[0]]}});
            project.send("/v1/batch", &json!({"batch": [item]})).await;
        }
        "email" => drop(subscribe(project, lists[1], &["ada@example.com"]).await),
        "user id" => {
            let body = json!({"listId": lists[2], "subscribers": [{"userId": "u1"}]});
            post(project, "lists/subscribe", &body).await;
        }
        road => panic!("no road {road}"),
    }
}

#[tokio::test]
async fn lists_end_the_same_in_any_order_of_calls_by_any_road() {
    let roads = ["whole", "email", "user id"];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let project = Project::fresh().await;
        let mut lists = Vec::new();
        for name in roads {
            lists.push(make(&project, name).await);
        }
        for place in order {
            by(&project, roads[place], &lists).await;
        }
        assert_eq!(
            lists_of(&project, "user_id:u1").await,
            json!(lists),
            "{order:?}"
        );
        for list in &lists {
            assert_eq!(
                people(&project, *list).await,
                set(&["ada@example.com"]),
                "{order:?}"
            );
        }
    }
}

#[tokio::test]
async fn who_is_merged_counts_once_who_is_taken_apart_twice_and_who_is_erased_not_at_all() {
    let project = Project::fresh().await;
    let list = make(&project, "a").await;
    let body = json!({"listId": list, "subscribers": [{"email": "ada@example.com", "userId": "u1"}, {"email": "b@example.com", "userId": "u2"}]});
    post(&project, "lists/subscribe", &body).await;
    let merge = json!({"sourceUserId": "u2", "destinationUserId": "u1"});
    post(&project, "users/merge", &merge).await;
    assert_eq!(people(&project, list).await, set(&["ada@example.com"]));
    let other = make(&project, "b").await;
    subscribe(&project, other, &["b@example.com"]).await;
    assert_eq!(people(&project, other).await, set(&["ada@example.com"]));
    let split = project
        .client
        .post(format!("{}/v1/profiles/user_id:u1/split", project.url));
    let split = split.bearer_auth(&project.server_key);
    let split = split.json(&json!({"identities": ["user_id:u2", "email:b@example.com"]}));
    let (_, told) = answer_to(split).await;
    assert!(
        told["id"].is_string() || told["profile_id"].is_string(),
        "{told}"
    );
    assert_eq!(
        people(&project, list).await,
        set(&["ada@example.com", "b@example.com"])
    );
    assert_eq!(project.count("*", "static_list_member").await, 3);
    let (status, _) = call(&project, Method::DELETE, "users/ada@example.com", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(people(&project, list).await, set(&["b@example.com"]));
    let rows = project
        .count("DISTINCT profile_id", "static_list_member")
        .await;
    assert_eq!(rows, 1, "rows of somebody who was erased");
}

#[tokio::test]
async fn people_are_told_by_the_name_that_the_project_knows_them_by() {
    for (project_type, expected) in [
        (ProjectType::Hybrid, ["ada@example.com", "u2"]),
        (ProjectType::UserId, ["u1", "u2"]),
    ] {
        let project = Project::fresh().await;
        let store = store_at(&shared().await.database_url);
        let rules = Rules {
            iterable: project_type,
            ..Rules::default()
        };
        store
            .set_rules(ProjectId(project.id), &rules)
            .await
            .expect("set");
        let list = make(&project, "a").await;
        let body = json!({"listId": list, "subscribers": [{"userId": "u1", "email": "ada@example.com"}, {"userId": "u2"}]});
        post(&project, "lists/subscribe", &body).await;
        assert_eq!(people(&project, list).await, set(&expected));
        let by_id = format!("lists/getUsers?listId={list}&preferUserId=true");
        let (_, lines) = text(&project, &by_id).await;
        assert_eq!(
            lines.lines().map(str::to_owned).collect::<BTreeSet<_>>(),
            set(&["u1", "u2"])
        );
        let (_, shown) = call(&project, Method::GET, "users/byUserId/u1", None).await;
        assert_eq!(
            shown["user"]["dataFields"]["userListIds"],
            json!([list]),
            "{shown}"
        );
    }
}

/// What somebody subscribes to and from, by the document of the user.
async fn subscriptions(project: &Project, email: &str) -> [Value; 3] {
    let (_, shown) = call(project, Method::GET, &format!("users/{email}"), None).await;
    let fields = &shown["user"]["dataFields"];
    [
        "unsubscribedChannelIds",
        "unsubscribedMessageTypeIds",
        "subscribedMessageTypeIds",
    ]
    .map(|name| fields[name].clone())
}

#[tokio::test]
async fn channels_and_types_are_left_and_joined_one_by_one() {
    let project = Project::fresh().await;
    let ada = "ada@example.com";
    let steps = [
        (
            Method::DELETE,
            "messageChannel/7",
            [json!([7]), json!([]), json!([])],
        ),
        (
            Method::DELETE,
            "messageChannel/8",
            [json!([7, 8]), json!([]), json!([])],
        ),
        (
            Method::PATCH,
            "messageChannel/7",
            [json!([8]), json!([]), json!([])],
        ),
        (
            Method::PATCH,
            "messageType/3",
            [json!([8]), json!([]), json!([3])],
        ),
        (
            Method::DELETE,
            "messageType/3",
            [json!([8]), json!([3]), json!([])],
        ),
    ];
    for (method, group, expected) in steps {
        let path = format!("subscriptions/{group}/user/{ada}");
        let (status, answer) = call(&project, method.clone(), &path, None).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::OK, &json!("Success")),
            "{answer}"
        );
        assert_eq!(
            subscriptions(&project, ada).await,
            expected,
            "{method} {group}"
        );
    }
    let list = make(&project, "a").await;
    let many = json!({"users": [ada, "b@example.com"], "usersByUserId": ["u3", ""]});
    let path = format!("subscriptions/emailList/{list}?action=subscribe");
    let (status, answer) = call(&project, Method::PUT, &path, Some(&many)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["params"]["invalidUserIds"], json!([""]), "{answer}");
    assert_eq!(
        people(&project, list).await,
        set(&[ada, "b@example.com", "u3"])
    );
    let path = format!("subscriptions/emailList/{list}/byUserId/u3");
    assert_eq!(
        call(&project, Method::DELETE, &path, None).await.0,
        StatusCode::OK
    );
    assert_eq!(people(&project, list).await, set(&[ada, "b@example.com"]));
    for path in [
        "subscriptions/emailList/99?action=subscribe",
        "subscriptions/pigeon/1?action=subscribe",
        "subscriptions/messageType/x?action=subscribe",
        "subscriptions/messageType/1?action=hold",
        "subscriptions/messageType/1",
    ] {
        let (status, answer) = call(&project, Method::PUT, path, Some(&many)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_user_has_five_hundred_devices_and_no_more() {
    let project = Project::fresh().await;
    for (kind, path, body) in [
        (
            "devices",
            "users/registerDeviceToken",
            json!({"device": {"platform": "GCM", "applicationName": "a"}}),
        ),
        ("browserTokens", "users/registerBrowserToken", json!({})),
    ] {
        let known: serde_json::Map<String, Value> = (0..500)
            .map(|number| (format!("t{number}"), json!({"token": number})))
            .collect();
        let update = json!({"email": "ada@example.com", "dataFields": {kind: known}});
        post(&project, "users/update", &update).await;
        let register = async |token: &str| {
            let mut body = body.clone();
            body["email"] = json!("ada@example.com");
            match kind {
                "devices" => body["device"]["token"] = json!(token),
                _ => body["browserToken"] = json!(token),
            }
            call(&project, Method::POST, path, Some(&body)).await
        };
        assert_eq!(register("t7").await.0, StatusCode::OK);
        let (status, answer) = register("one more").await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::BAD_REQUEST, &json!("BadParams"))
        );
    }
}
