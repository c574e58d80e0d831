//! People of an old store, what they do meanwhile, and what must be left: the newest value of each trait, and nothing of who was erased.

use serde_json::{Value, json};

/// How their documents are read.
pub const MAPPING: &str = r#"
preset = "elasticsearch"

[identities]
user_id = "/user"
email = "/email"

[time]
at = "/updated"
format = "epoch_ms"

[traits]
drop = ["user", "updated"]

[traits.types]
age = "integer"
tags = "list"
"#;

/// The first second of everybody's past, in milliseconds.
const BEGINNING: i64 = 1_672_531_200_000;
const DAY: i64 = 86_400_000;

/// Somebody, by number: what the number ends with says what happens.
pub struct Person(pub usize);

impl Person {
    fn is(&self, of: usize, rest: usize) -> bool {
        self.0 % of == rest
    }

    pub fn user(&self) -> String {
        format!("u{}", self.0)
    }

    pub fn id(&self) -> String {
        format!("p{}", self.0)
    }

    fn email(&self) -> Option<String> {
        (!self.is(5, 0)).then(|| format!("p{}@example.com", self.0))
    }

    fn at(&self) -> i64 {
        BEGINNING + self.0 as i64 % 300 * DAY
    }

    /// One in a hundred can't be taken: its user id is longer than an identity may be.
    pub fn is_poison(&self) -> bool {
        self.is(100, 12)
    }

    /// One in a hundred is deleted from the old store.
    pub fn is_gone(&self) -> bool {
        self.is(100, 13)
    }

    pub fn is_erased(&self) -> bool {
        self.is(50, 8) || self.is(50, 9)
    }

    fn has_second(&self) -> bool {
        self.is(20, 1)
    }

    /// What the old store has of a person: one document, or two that have the same email.
    pub fn documents(&self) -> Vec<(String, String)> {
        let mut all = vec![(self.id(), self.document("old").to_string())];
        if self.has_second() {
            all.push((format!("d{}", self.0), self.second().to_string()));
        }
        all
    }

    fn document(&self, plan: &str) -> Value {
        let mut document = self.traits(plan);
        let user = if self.is_poison() {
            "x".repeat(1_100)
        } else {
            self.user()
        };
        document["user"] = json!(user);
        document["updated"] = json!(self.at());
        document
    }

    /// A trait's type differs from document to document, as such stores allow.
    fn traits(&self, plan: &str) -> Value {
        let mut traits = json!({
            "plan": plan,
            "address": {"city": format!("city {}", self.0 % 97), "geo": [self.0 % 90, 1.5]},
        });
        if let Some(email) = self.email() {
            traits["email"] = json!(email);
        }
        let age = self.0 % 80;
        traits["age"] = if self.is(3, 0) {
            json!(age.to_string())
        } else {
            json!(age)
        };
        traits["tags"] = if self.is(4, 0) {
            json!("vip")
        } else {
            json!(["vip", "eu"])
        };
        // From 1 KB to 1 MB.
        for part in 0..self.parts() {
            traits[format!("bio_{part}")] = json!(format!("{part} ").repeat(450 * self.scale()));
        }
        traits
    }

    fn parts(&self) -> usize {
        if self.is(5_000, 777) { 10 } else { 1 }
    }

    fn scale(&self) -> usize {
        if self.is(5_000, 777) || self.is(500, 77) {
            100
        } else {
            1
        }
    }

    /// Older than the first document, and with a trait of its own; it has the email only.
    fn second(&self) -> Value {
        json!({"email": self.email(), "updated": self.at() - DAY, "plan": "older", "nickname": format!("n{}", self.0)})
    }

    /// The document as somebody changes it between two passes.
    pub fn changed(&self) -> Option<(String, String)> {
        self.is(100, 14).then(|| {
            let mut document = self.document("changed");
            document["updated"] = json!(self.at() + 2 * DAY);
            (self.id(), document.to_string())
        })
    }

    /// What a person does while documents are on their way.
    pub fn lives(&self) -> Vec<Value> {
        let identify = |at: i64, traits: Value| json!({"type": "identify", "userId": self.user(), "timestamp": at, "traits": traits, "messageId": format!("{}-{at}", self.user())});
        let anonymous = format!("a{}", self.0);
        match self.0 % 10 {
            5 => vec![identify(self.at() + DAY, json!({"plan": "live"}))],
            6 => vec![identify(
                self.at() - DAY,
                json!({"plan": "stale", "extra": "kept"}),
            )],
            7 => vec![
                json!({"type": "identify", "anonymousId": anonymous, "timestamp": self.at() - DAY, "traits": {"via": "web"}}),
                json!({"type": "alias", "userId": self.user(), "previousId": anonymous}),
                json!({"type": "track", "userId": self.user(), "event": "Seen"}),
            ],
            3 => vec![identify(self.at() + DAY, json!({"plan": "live"}))],
            _ => Vec::new(),
        }
    }

    /// What somebody does who was erased and is there again.
    pub fn comes_back(&self) -> Vec<Value> {
        let call = json!({"type": "identify", "userId": self.user(), "traits": {"plan": "new"}});
        if self.is(50, 9) {
            vec![call]
        } else {
            Vec::new()
        }
    }

    /// What somebody does after the old store has lost the document.
    pub fn lives_on(&self) -> Vec<Value> {
        let call = json!({"type": "identify", "userId": self.user(), "traits": {"plan": "after"}});
        if self.is(200, 13) {
            vec![call]
        } else {
            Vec::new()
        }
    }

    /// The traits in the end; null of nobody.
    pub fn expected(&self) -> Value {
        if self.is_erased() {
            return if self.is(50, 9) {
                json!({"plan": "new"})
            } else {
                Value::Null
            };
        }
        if self.is_gone() {
            return if self.is(200, 13) {
                json!({"plan": "after"})
            } else {
                Value::Null
            };
        }
        if self.is_poison() {
            return Value::Null;
        }
        let mut traits = self.traits("old");
        traits["age"] = json!(self.0 % 80);
        if self.is(4, 0) {
            traits["tags"] = json!(["vip"]);
        }
        let mut also = |name: &str, value: Value| traits[name] = value;
        match self.0 % 10 {
            3 | 5 => also("plan", json!("live")),
            6 => also("extra", json!("kept")),
            7 => also("via", json!("web")),
            _ => {}
        }
        if self.is(100, 14) {
            also("plan", json!("changed"));
        }
        if self.has_second() {
            also("nickname", json!(format!("n{}", self.0)));
        }
        traits
    }
}
