//! A share of people who are read from Roster already.

use super::{PATIENCE, Pair, read_from};
use crate::harness::{Project, answer_to};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_the_same_people_on_every_node_and_takes_nobody_back() {
    let pair = Pair::start().await;
    let scene = &pair.scene;
    let people: Vec<String> = (0..200).map(|number| format!("p-{number}")).collect();
    let calls: Vec<Value> = people
        .iter()
        .map(|user| json!({"type": "identify", "userId": user, "traits": {"email": format!("{user}@example.com")}}))
        .collect();
    scene.project.results(&calls).await;
    scene.start().await;
    pair.force(3).await;
    let mut before: Vec<String> = Vec::new();
    for share in [20, 60] {
        read_from(&scene.project, "legacy", share).await;
        let first = ramped(&scene.project, &people, share).await;
        assert_eq!(ramped(&pair.there, &people, share).await, first);
        assert!(
            before.iter().all(|user| first.contains(user)),
            "a share that grows"
        );
        for user in &first {
            // By another name it is the same person.
            let by_email = scene
                .project
                .profile(&format!("email:{user}@example.com"))
                .await;
            assert_eq!(by_email["source"], "roster");
        }
        before = first;
    }
}

/// The people whom a node reads from Roster, once they are about as many as the share.
async fn ramped(node: &Project, people: &[String], share: u8) -> Vec<String> {
    let references: Vec<String> = people
        .iter()
        .map(|user| format!("user_id:{user}"))
        .collect();
    let near = usize::from(share) * people.len() / 100;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let url = format!("{}/v1/profiles/lookup", node.url);
        let asked = node.client.post(url).bearer_auth(&node.server_key);
        let asked = asked.json(&json!({"references": references}));
        let (_, all) = answer_to(asked).await;
        let all = all["profiles"].as_array().expect("a list").iter();
        let own = people
            .iter()
            .zip(all)
            .filter(|(_, profile)| profile["source"] == "roster");
        let own: Vec<String> = own.map(|(user, _)| user.clone()).collect();
        if own.len().abs_diff(near) <= people.len() / 10 {
            return own;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} of {near}",
            own.len()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
