//! Iterable's mobile SDKs, iOS 6.7.3 and Android 3.10.0, by their source (contract section 8): what they send, in their order, with their
//! headers, their queue and their way with refusals.
//!
//! Neither runs here. What a request looks like is a fixture too (`sdk_ios_…`, `sdk_android_…`).

use super::signed::{App, SECRET, token};
use crate::harness::{Project, Service, shared, wait_until};
use roster::domain::Timestamp;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often an SDK tries a call again, whatever the reason.
const MOST_TRIES: usize = 10;

#[derive(Clone, Copy, PartialEq)]
enum Platform {
    Ios,
    Android,
}

impl Platform {
    fn headers(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::Ios => [("SDK-Platform", "iOS"), ("SDK-Version", "6.7.3")],
            Self::Android => [("SDK-Platform", "Android"), ("SDK-Version", "3.10.0")],
        }
    }
}

/// An app on a phone: who is logged in, what waits for a network, and a clock that may be wrong.
struct Phone<'a> {
    platform: Platform,
    project: &'a Project,
    key: &'a str,
    /// `{"email": …}` or `{"userId": …}`.
    who: Value,
    /// What its JWT handler gives, one after the other; none of a key without tokens.
    tokens: VecDeque<String>,
    /// Seconds by which its clock is ahead.
    ahead: i64,
    queue: VecDeque<(&'static str, Value)>,
    /// Answers other than 200, in their order.
    refusals: Vec<(u16, String)>,
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs() as i64
}

impl<'a> Phone<'a> {
    fn new(platform: Platform, project: &'a Project, key: &'a str, who: Value) -> Self {
        Self {
            platform,
            project,
            key,
            who,
            tokens: VecDeque::new(),
            ahead: 0,
            queue: VecDeque::new(),
            refusals: Vec::new(),
        }
    }

    /// The time by the phone's own clock, in seconds.
    fn clock(&self) -> i64 {
        now() + self.ahead
    }

    /// A body about whoever is logged in.
    fn about(&self, mut body: Value) -> Value {
        for (name, value) in self.who.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    }

    /// The same where the person stands within: each SDK has a place of its own for `preferUserId`.
    fn buying(&self, mut body: Value) -> Value {
        body["user"] = self.who.clone();
        let is_user_id = self.who.get("userId").is_some();
        match self.platform {
            Platform::Ios if is_user_id => body["preferUserId"] = json!(true),
            Platform::Android if is_user_id => body["user"]["preferUserId"] = json!(true),
            _ => {}
        }
        body
    }

    fn request(&self, method: reqwest::Method, path: &str, mode: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/{path}", self.project.url);
        let mut request = self.project.client.request(method, url);
        for (name, value) in self.platform.headers() {
            request = request.header(name, value);
        }
        if let Some(token) = self.tokens.front() {
            request = request.bearer_auth(token);
        }
        let request = request.header("Sent-At", self.clock().to_string());
        let request = request.header("SDK-Request-Processor", mode);
        request
            .header("Api-Key", self.key)
            .header("Accept", "application/json")
    }

    /// Sends a call until it is taken: another token where this one is no good, and once more where the service says so.
    async fn send(&mut self, mode: &str, path: &str, body: &Value) -> Value {
        for _ in 0..MOST_TRIES {
            let request = self.request(reqwest::Method::POST, path, mode);
            let reply = request.json(body).send().await.expect("an answer");
            let status = reply.status().as_u16();
            let answer: Value = reply.json().await.expect("every answer is JSON");
            assert!(answer.is_object(), "{path}: {answer}");
            if status == 200 {
                return answer;
            }
            self.refusals.push((status, answer["code"].to_string()));
            match status {
                // Whatever the code says, the next token may do.
                401 if self.tokens.len() > 1 => drop(self.tokens.pop_front()),
                429 | 500.. => tokio::time::sleep(Duration::from_millis(300)).await,
                _ => panic!("{path}: a phone drops what is answered so: {status} {answer}"),
            }
        }
        panic!(
            "{path}: given up after {MOST_TRIES} tries: {:?}",
            self.refusals
        )
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.send("Online", path, &body).await
    }

    async fn get(&self, path: &str) -> Value {
        let reply = self.request(reqwest::Method::GET, path, "Online").send();
        let reply = reply.await.expect("an answer");
        assert_eq!(reply.status(), 200, "{path}");
        reply.json().await.expect("JSON")
    }

    /// Sends what waited, in its order, each only once the one before is there.
    async fn replay(&mut self) {
        while let Some((path, body)) = self.queue.front().cloned() {
            self.send("Offline", path, &body).await;
            self.queue.pop_front();
        }
    }
}

fn in_app(phone: &Phone<'_>, more: Value) -> Value {
    let mut body = phone.about(json!({
        "messageId": "m1",
        "messageContext": {"saveToInbox": true, "silentInbox": false, "location": "inbox"},
        "deviceInfo": {"deviceId": "d1", "platform": "iOS", "appPackageName": "com.example.app"},
        "inboxSessionId": "s1",
    }));
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

const ITEMS: &str = r#"[{"id": "i1", "name": "Shoe", "price": 9.5, "quantity": 2, "sku": "s", "categories": ["a"]}]"#;

fn items() -> Value {
    serde_json::from_str(ITEMS).expect("JSON")
}

/// Puts what an iPhone's user did without a network into its queue, a second between each.
fn do_things_offline(phone: &mut Phone<'_>) {
    let at = phone.clock() - 600;
    let mut put = |path, mut body: Value| {
        body["createdAt"] = json!(at + phone.queue.len() as i64);
        phone.queue.push_back((path, body));
    };
    put(
        "events/track",
        json!({"email": "ada@example.com", "eventName": "Browsed", "dataFields": {"page": 1}}),
    );
    put(
        "events/trackPushOpen",
        json!({"email": "ada@example.com", "campaignId": 5, "templateId": 6, "messageId": "m0", "appAlreadyRunning": false}),
    );
    put(
        "commerce/updateCart",
        json!({"user": {"email": "ada@example.com"}, "items": items()}),
    );
    put(
        "commerce/trackPurchase",
        json!({"user": {"email": "ada@example.com"}, "items": items(), "total": 19}),
    );
    let seen = json!({"email": "ada@example.com", "messageId": "m1", "deviceInfo": {"deviceId": "d1", "platform": "iOS", "appPackageName": "com.example.app"}});
    let with = |name: &str, value: Value| {
        let mut seen = seen.clone();
        seen[name] = value;
        seen
    };
    put("events/trackInAppOpen", seen.clone());
    put(
        "events/trackInAppClick",
        with("clickedUrl", json!("https://example.com/")),
    );
    put("events/trackInAppClose", with("closeAction", json!("link")));
    put(
        "events/inAppConsume",
        with("deleteAction", json!("inbox-swipe")),
    );
    put(
        "events/trackInboxSession",
        with("inboxSessionStart", json!(at * 1000)),
    );
    put(
        "embedded-messaging/events/click",
        with("buttonIdentifier", json!("b")),
    );
    put(
        "embedded-messaging/events/session",
        with(
            "session",
            json!({"id": "s1", "start": at * 1000, "end": at * 1000}),
        ),
    );
}

/// What the queue above becomes, in its order.
const TOLD: [&str; 11] = [
    "Browsed",
    "pushOpen",
    "updateCart",
    "purchase",
    "inAppOpen",
    "inAppClick",
    "inAppClose",
    "inAppDelete",
    "inboxSession",
    "embeddedClick",
    "embeddedSession",
];

fn ada(before: i64, after: i64) -> String {
    token(json!({"email": "ada@example.com"}), SECRET, (before, after))
}

#[tokio::test]
async fn an_iphone_tells_what_happened_without_a_network_in_its_order_and_at_its_time() {
    let app = App::fresh().await;
    let who = json!({"email": "ada@example.com"});
    let mut phone = Phone::new(Platform::Ios, &app.project, &app.key, who);
    phone.ahead = 3_600;
    phone.tokens = [ada(10, 600)].into();
    let configuration = phone.get("mobile/getRemoteConfiguration").await;
    assert_eq!(
        configuration,
        json!({"offlineMode": true, "autoRetry": true})
    );
    let device = json!({"device": {"token": "t1", "platform": "APNS", "applicationName": "com.example.app",
        "dataFields": {"deviceId": "d1", "iterableSdkVersion": "6.7.3", "notificationsEnabled": true, "appVersion": "1.2",
            "mobileFrameworkInfo": {"frameworkType": "native", "iterableSdkVersion": "6.7.3"}}}});
    phone
        .post("users/registerDeviceToken", phone.about(device))
        .await;
    let messages = "inApp/getMessages?email=ada%40example.com&count=100&platform=iOS&SDKVersion=6.7.3&packageName=com.example.app";
    assert_eq!(phone.get(messages).await, json!({"inAppMessages": []}));
    do_things_offline(&mut phone);
    // By the time there is a network again the token is old.
    phone.tokens = [ada(600, -120), ada(10, 600)].into();
    phone.replay().await;
    assert_eq!(phone.refusals, [(401, "\"InvalidJwtPayload\"".to_owned())]);
    let timeline = app.project.timeline("email:ada@example.com").await;
    let told: Vec<&Value> = timeline.iter().rev().map(|event| &event["name"]).collect();
    assert_eq!(told, TOLD);
    for (place, event) in timeline.iter().rev().enumerate() {
        let at = event["occurred_at"].as_str().and_then(Timestamp::parse);
        let at = at.expect("a time").micros() / 1_000_000;
        // An hour's error of the clock is put right; how long the run took is not known.
        let wanted = now() - 600 + place as i64;
        assert!(
            (wanted - 120..=wanted).contains(&at),
            "{event} at {at}, not {wanted}"
        );
    }
    let profile = app.project.profile("email:ada@example.com").await;
    assert_eq!(profile["traits"]["shoppingCartItems"], json!([]));
    assert_eq!(
        profile["traits"]["devices"]["t1"]["mobileFrameworkInfo"]["frameworkType"],
        "native"
    );
    // Logged out: for this user, without a token, and then for whoever had the phone.
    phone.tokens.clear();
    phone
        .post("users/disableDevice", phone.about(json!({"token": "t1"})))
        .await;
    phone
        .post("users/disableDevice", json!({"token": "t1"}))
        .await;
    let profile = app.project.profile("email:ada@example.com").await;
    assert_eq!(profile["traits"]["devices"]["t1"]["endpointEnabled"], false);
    assert_eq!(app.project.rejections().await, [json!(null); 0]);
}

#[tokio::test]
async fn an_android_phone_makes_a_user_of_somebody_unknown_and_merges_them_at_the_login() {
    let project = Project::fresh().await;
    let id = uuid::Uuid::new_v4().to_string();
    let who = json!({"userId": id});
    let mut phone = Phone::new(Platform::Android, &project, &project.write_key, who);
    assert_eq!(
        phone.get("unknownuser/list").await,
        json!({"count": 0, "criteriaSets": []})
    );
    let at = now() - 60;
    let device =
        json!({"appPackageName": "com.example.app", "deviceId": "d1", "platform": "Android"});
    phone
        .post("unknownuser/events/session", json!({
            "user": {"userId": id, "preferUserId": true, "mergeNestedObjects": true, "createNewFields": true, "dataFields": {"city": "Ulm"}},
            "createdAt": at, "deviceInfo": device,
            "unknownSessionContext": {"totalUnknownSessionCount": 2, "lastUnknownSession": at, "firstUnknownSession": at, "matchedCriteriaId": 7}}))
        .await;
    phone
        .post("unknownuser/consent", json!({"consentTimestamp": at * 1000, "userId": id, "isUserKnown": false, "deviceInfo": device}))
        .await;
    // What waited is told again: at its own time, in milliseconds and in quotes.
    let browsed = json!({"eventName": "Browsed", "createdAt": ((at + 1) * 1000).to_string(), "dataFields": {"a": 1}, "createNewFields": true});
    phone.post("events/track", phone.about(browsed)).await;
    let bought = json!({"items": items(), "total": 19, "createdAt": (at + 2) * 1000});
    phone
        .post("commerce/trackPurchase", phone.buying(bought))
        .await;
    let open = in_app(&phone, json!({"createdAt": at + 3}));
    phone.post("events/trackInAppOpen", open).await;
    // Somebody logs in, whom the service knows.
    phone.who = json!({"userId": "ada"});
    let update = phone.about(json!({"preferUserId": true, "dataFields": {"plan": "pro"}}));
    phone.post("users/update", update).await;
    let merge = json!({"sourceUserId": id, "destinationUserId": "ada"});
    phone.post("users/merge", merge).await;
    phone
        .post(
            "events/track",
            phone.about(json!({"eventName": "Known", "createdAt": now()})),
        )
        .await;
    let ada = project.profile("user_id:ada").await;
    assert_eq!(ada["traits"]["city"], "Ulm");
    assert_eq!(ada["traits"]["plan"], "pro");
    assert_eq!(
        project.profile(&format!("user_id:{id}")).await["id"],
        ada["id"]
    );
    let timeline = project.timeline("user_id:ada").await;
    let told: Vec<&Value> = timeline.iter().rev().map(|event| &event["name"]).collect();
    assert_eq!(
        told,
        [
            "unknownSession",
            "Browsed",
            "purchase",
            "inAppOpen",
            "Known"
        ]
    );
    assert_eq!(phone.refusals, []);
}

#[tokio::test]
async fn a_phone_that_is_too_fast_or_finds_nobody_there_loses_nothing() {
    let database = &shared().await.database_url;
    let slow = [("ROSTER__RATES__KEY_REQUESTS_PER_SECOND", "5")];
    let service = Service::start(database, &slow).await;
    let project = Project::on(&service.url, database).await;
    let who = json!({"userId": "ada"});
    let mut phone = Phone::new(Platform::Android, &project, &project.write_key, who);
    let at = now() - 600;
    for number in 0..12 {
        let body = json!({"eventName": format!("e{number:02}"), "createdAt": at + number});
        phone.queue.push_back(("events/track", phone.about(body)));
    }
    phone.replay().await;
    let codes = phone.refusals.iter();
    assert!(
        codes.clone().any(|(status, _)| *status == 429),
        "{:?}",
        phone.refusals
    );
    assert!(
        codes
            .clone()
            .all(|(_, code)| code == "\"RateLimitExceeded\"")
    );
    let has_all = async || project.timeline("user_id:ada").await.len() == 12;
    wait_until("all is there", Duration::from_secs(10), has_all).await;
    let timeline = project.timeline("user_id:ada").await;
    assert!(timeline.is_sorted_by(|newer, older| newer["name"].as_str() > older["name"].as_str()));
}
