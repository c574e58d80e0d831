//! Two services over one database are one service.

use crate::harness::{Project, Service, shared};
use serde_json::{Value, json};

/// A project seen through two nodes.
struct Pair {
    left: Project,
    right: Project,
    _second: Service,
}

impl Pair {
    async fn start() -> Self {
        let shared = shared().await;
        let left = Project::fresh().await;
        let second = Service::start(&shared.database_url, &[]).await;
        let right = left.through(&second.url);
        Self {
            left,
            right,
            _second: second,
        }
    }

    /// Sends one call to each node at the same moment.
    async fn send_at_once(&self, left: &Value, right: &Value) {
        let (left, right) = (json!({"batch": [left]}), json!({"batch": [right]}));
        tokio::join!(
            self.left.send("/v1/batch", &left),
            self.right.send("/v1/batch", &right)
        );
    }
}

#[tokio::test]
async fn what_one_node_took_the_other_shows_at_once() {
    let pair = Pair::start().await;
    for round in 0..20 {
        let (writer, reader) = match round % 2 {
            0 => (&pair.left, &pair.right),
            _ => (&pair.right, &pair.left),
        };
        let message_id = format!("m{round}");
        writer.send("/v1/identify", &json!({"userId": "ada", "anonymousId": format!("a{round}"), "messageId": message_id, "traits": {"round": round}})).await;
        assert_eq!(
            reader.event(&message_id).await,
            writer.event(&message_id).await
        );
        let seen = reader.profile(&format!("anonymous_id:a{round}")).await;
        assert_eq!(seen, writer.profile("user_id:ada").await);
        assert_eq!(seen["traits"]["round"], round);
        assert_eq!(reader.timeline("user_id:ada").await.len(), round + 1);
    }
}

#[tokio::test]
async fn somebody_new_to_both_nodes_at_once_is_one_person() {
    let pair = Pair::start().await;
    let call = |round: usize, side: &str, names: Value| {
        let mut call = json!({"type": "identify", "messageId": format!("{side}-{round}"), "traits": {side: round}});
        for (field, value) in names.as_object().expect("an object") {
            call[field] = value.clone();
        }
        call
    };
    for round in 0..50 {
        let (user, device) = (format!("user-{round}"), format!("device-{round}"));
        let both = json!({"userId": user, "anonymousId": device});
        let right = match round % 4 {
            0 => both.clone(),
            1 => json!({"userId": user}),
            2 => json!({"userId": user, "anonymousId": format!("other-{round}")}),
            _ => json!({"anonymousId": device}),
        };
        pair.send_at_once(&call(round, "left", both), &call(round, "right", right))
            .await;
        let person = pair.left.profile(&format!("user_id:{user}")).await;
        assert_eq!(
            pair.right.profile(&format!("anonymous_id:{device}")).await,
            person,
            "round {round}"
        );
        assert_eq!(
            person["traits"],
            json!({"left": round, "right": round}),
            "round {round}"
        );
        assert_eq!(
            pair.right.timeline(&format!("user_id:{user}")).await.len(),
            2,
            "round {round}"
        );
    }
    // 50 users, 50 devices, and the other devices of every fourth round.
    let counts = (
        pair.left.count("DISTINCT t.profile_id", "identity").await,
        pair.left.count("*", "identity").await,
        pair.left.count("*", "event").await,
    );
    assert_eq!(counts, (50, 50 + 50 + 12, 100));
}
