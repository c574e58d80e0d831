//! Random lives on two nodes with a real legacy store: at rest the documents are what Roster says. `ROSTER_TEST_SEEDS=7,8` runs these
//! seeds alone, `make faults` twenty.

use super::{Scene, merge, of_form};
use crate::harness::Project;
use crate::migration::step;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::StatusCode;
use serde_json::{Value, json};

const PEOPLE: u32 = 8;

fn seeds() -> Vec<u64> {
    match std::env::var("ROSTER_TEST_SEEDS") {
        Ok(list) => list
            .split(',')
            .map(|seed| seed.parse().expect("a number"))
            .collect(),
        Err(_) => (1..=u64::from(of_form(3, 20))).collect(),
    }
}

struct Life {
    dice: StdRng,
    nodes: [Project; 2],
}

impl Life {
    fn person(&mut self) -> String {
        format!("p-{}", self.dice.random_range(0..PEOPLE))
    }

    fn node(&mut self) -> usize {
        self.dice.random_range(0..2)
    }

    fn value(&mut self) -> Value {
        match self.dice.random_range(0..6) {
            0 => Value::Null,
            1 => json!({"k": self.dice.random_range(0..3), "l": [1]}),
            2 => json!(1.50),
            3 => json!("2023-05-01"),
            _ => json!(self.dice.random_range(0..100)),
        }
    }

    async fn happen(&mut self, scene: &Scene) {
        let node = self.node();
        match self.dice.random_range(0..20) {
            0..12 => self.writes(node).await,
            12 | 13 => self.merges(node).await,
            14 | 15 => self.erases(node).await,
            16 => self.splits(node).await,
            17 => self.sees(node).await,
            18 => self.moves_on().await,
            _ => scene.at_rest().await,
        }
    }

    /// Some calls at once, some of them late.
    async fn writes(&mut self, node: usize) {
        let count = self.dice.random_range(1..6);
        let call = |life: &mut Self| {
            let second = life.dice.random_range(0..50);
            let traits = json!({(["a", "b", "c"][life.dice.random_range(0..3)]): life.value()});
            let mut call = json!({"type": "identify", "userId": life.person(), "traits": traits});
            if life.dice.random_bool(0.4) {
                call["timestamp"] = json!(format!("2024-01-01T00:00:{second:02}Z"));
            }
            if life.dice.random_bool(0.2) {
                call["anonymousId"] = json!(format!("phone-{}", life.dice.random_range(0..3)));
            }
            call
        };
        let calls: Vec<Value> = (0..count).map(|_| call(self)).collect();
        for result in self.nodes[node].results(&calls).await {
            // What is older than an erasure of the person is refused.
            let status = result["status"].as_str().expect("a status");
            assert!(matches!(status, "stored" | "rejected"), "{result}");
        }
    }

    async fn sees(&mut self, node: usize) {
        let seen = json!({"type": "track", "event": "Seen", "userId": self.person()});
        self.nodes[node].results(&[seen]).await;
    }

    /// Who is not there can't be joined.
    async fn merges(&mut self, node: usize) {
        let (into, from) = (self.person(), self.person());
        let project = &self.nodes[node];
        let there = [
            project.get(&format!("/v1/profiles/user_id:{into}")).await,
            project.get(&format!("/v1/profiles/user_id:{from}")).await,
        ];
        let ids: Vec<&Value> = there.iter().map(|(_, profile)| &profile["id"]).collect();
        if there.iter().all(|(status, _)| *status == StatusCode::OK) && ids[0] != ids[1] {
            merge(project, &into, &from).await;
        }
    }

    async fn erases(&mut self, node: usize) {
        let person = self.person();
        let project = &self.nodes[node];
        let url = format!("{}/v1/profiles/user_id:{person}", project.url);
        let request = project.client.delete(url).bearer_auth(&project.server_key);
        request.send().await.expect("an answer");
    }

    async fn splits(&mut self, node: usize) {
        let person = self.person();
        let project = &self.nodes[node];
        let url = format!("{}/v1/profiles/user_id:{person}/split", project.url);
        let request = project.client.post(url).bearer_auth(&project.server_key);
        let body = json!({"names": [format!("user_id:{person}")]});
        // Who has one name is nobody to be taken apart.
        request.json(&body).send().await.expect("an answer");
    }

    async fn moves_on(&mut self) {
        let state = self.nodes[0].read("/v1/migration").await["state"].take();
        let force = json!({"force": true, "reason": "a drill"});
        let verb = match state.as_str().expect("a name") {
            "rolled_back" => "start",
            "soak" => "rollback",
            _ => ["advance", "advance", "rollback"][self.dice.random_range(0..3)],
        };
        step(&self.nodes[0], verb, force).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_people_do_on_two_nodes_the_documents_are_what_roster_says_at_rest() {
    for seed in seeds() {
        // A field may be a number today and an object tomorrow.
        let settings =
            json!({"settings": {"number_of_replicas": 0}, "mappings": {"dynamic": false}});
        let scene = Scene::with(settings).await;
        let second = Scene::node(&scene.database, &scene.store.url, &[]).await;
        scene.start().await;
        let nodes = [&scene.project.url, &second.url].map(|url| scene.project.through(url));
        let dice = StdRng::seed_from_u64(seed);
        let mut life = Life { dice, nodes };
        for _ in 0..60 {
            life.happen(&scene).await;
        }
        eprintln!("seed {seed} lived");
        scene.is_equal().await;
        let status = scene.status().await;
        assert_eq!(
            (&status["refused"], &status["reason"]),
            (&json!(0), &json!("")),
            "seed {seed}"
        );
    }
}
