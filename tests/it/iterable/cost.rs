//! What signed calls cost: a key and its secret are looked up once in a while, never by each call.

use crate::harness::{Project, Service, http, store_at};
use crate::machine::OwnDatabase;
use crate::statements::{counts, since};
use futures_util::{StreamExt, stream};
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::StatusCode;
use roster::domain::{KeyHash, ProjectId};
use serde_json::json;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const SECRET: &str = "a secret of a test";
const CALLS: u64 = 1_000;

fn token(user_id: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    let claims = json!({"userId": user_id, "iat": now.as_secs() - 10, "exp": now.as_secs() + 600});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), &claims, &key).expect("encoded")
}

/// The service's own count of its look-ups of keys.
async fn lookups(url: &str) -> f64 {
    crate::machine::metric(url, "roster_key_lookups_total").await
}

#[tokio::test]
async fn a_thousand_signed_calls_look_a_key_up_a_few_times_and_cost_what_they_write() {
    let database = OwnDatabase::start().await;
    let service = Service::start(&database.url, &[]).await;
    let project = Project::on(&service.url, &database.url).await;
    let key = format!("signed-{}", project.name);
    let store = store_at(&database.url);
    let made = store.create_signed_key(KeyHash::of(&key), ProjectId(project.id), SECRET);
    made.await.expect("made");

    let (client, url) = (http(), format!("{}/api/events/track", service.url));
    let call = |number: u64| {
        let user_id = format!("user-{}", number % 10);
        let request = client.post(&url).header("Api-Key", &key);
        let request = request.bearer_auth(token(&user_id));
        let body = json!({"eventName": "Seen", "id": format!("e{number}")});
        async move {
            request
                .json(&body)
                .send()
                .await
                .expect("an answer")
                .status()
        }
    };
    for number in 0..10 {
        assert_eq!(call(number).await, StatusCode::OK);
    }
    let (before, looked_up, began) = (
        counts(&service.url).await,
        lookups(&service.url).await,
        Instant::now(),
    );
    let calls = stream::iter(10..10 + CALLS).map(call).buffer_unordered(8);
    let statuses: Vec<StatusCode> = calls.collect().await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK));
    // A key in use is asked for again before its five seconds are over.
    let looked_up = lookups(&service.url).await - looked_up;
    let most = 2.0 + began.elapsed().as_secs_f64() / 3.0;
    assert!(looked_up <= most, "{looked_up} look-ups, {most} at most");
    let ran = since(&before, counts(&service.url).await);
    let names: Vec<&str> = ran.keys().map(String::as_str).collect();
    assert_eq!(names, ["insert_events"], "nothing but the events: {ran:?}");
    assert!(ran["insert_events"] <= CALLS);
}
