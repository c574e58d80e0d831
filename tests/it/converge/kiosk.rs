//! A kiosk and a mailbox beside the people: names that everybody says. Who was first is in, so no model tells who that is; what holds
//! in every order is told here.

use super::World;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// People who order at the kiosk, and how many emails one profile gets by itself (`limits.profile_emails`).
const GUESTS: usize = 9;
const EMAILS: usize = 5;
/// Browsers that were seen and then read the mailbox, and how many one profile takes in (`limits.profile_absorbed`).
const BROWSERS: usize = 54;
const ABSORBED: usize = 50;

/// What the crowd did: one order a guest; two calls a browser.
pub const EVENTS: usize = GUESTS + 2 * BROWSERS;

fn guest(seed: u64, number: usize) -> String {
    format!("guest-{seed}-{number}@example.com")
}

fn browser(seed: u64, number: usize) -> String {
    format!("browser-{seed}-{number}")
}

/// All calls, in no order that matters but that a browser is seen before it reads.
fn calls(seed: u64) -> [Vec<Value>; 2] {
    let order = |number: usize| json!({"type": "identify", "anonymousId": format!("kiosk-{seed}"), "traits": {"email": guest(seed, number)}, "messageId": format!("order-{seed}-{number}")});
    let seen = |number: usize| json!({"type": "track", "event": "Seen", "anonymousId": browser(seed, number), "messageId": format!("seen-{seed}-{number}")});
    let reads = |number: usize| json!({"type": "identify", "anonymousId": browser(seed, number), "traits": {"email": format!("office-{seed}@example.com")}, "messageId": format!("reads-{seed}-{number}")});
    let first = (0..GUESTS).map(order).chain((0..BROWSERS).map(seen));
    [first.collect(), (0..BROWSERS).map(reads).collect()]
}

impl World<'_> {
    /// Everybody at the kiosk and the mailbox, by several clients at once, some of it twice.
    pub(super) async fn crowd(&self) {
        for mut part in calls(self.seed) {
            part.extend(part[..part.len() / 3].to_vec());
            self.send_in_lanes(&part, &["stored", "duplicate"]).await;
        }
    }

    /// Each call is one person's, and no profile has more than the limits say; tells how many people the crowd is.
    pub(super) async fn judge_crowd(&self) -> usize {
        let seed = self.seed;
        let kiosk = format!("anonymous_id:kiosk-{seed}");
        let emails = (0..GUESTS).map(|number| format!("email:{}", guest(seed, number)));
        let office = format!("email:office-{seed}@example.com");
        let browsers =
            (0..BROWSERS).map(|number| format!("anonymous_id:{}", browser(seed, number)));
        let names: Vec<String> = emails.chain(browsers).chain([kiosk, office]).collect();
        let asked = json!({"references": names});
        let found = self
            .insist(Method::POST, "/v1/profiles/lookup", &asked)
            .await;
        let found = found["profiles"].as_array().expect("a list").iter();
        let mut people: BTreeMap<String, BTreeSet<&String>> = BTreeMap::new();
        for (profile, name) in found.zip(&names) {
            let id = profile["id"].as_str().map(str::to_owned);
            let id = id.unwrap_or_else(|| panic!("seed {seed}: {name} is nobody"));
            people.entry(id).or_default().insert(name);
        }
        let holder = |name: &String| people.values().find(|names| names.contains(name));
        let of_kind = |names: &BTreeSet<&String>, kind: &str| {
            names.iter().filter(|name| name.starts_with(kind)).count()
        };
        let kiosk = holder(&names[names.len() - 2]).expect("it is somebody");
        assert_eq!(of_kind(kiosk, "email:"), EMAILS, "seed {seed}: {kiosk:?}");
        let office = holder(&names[names.len() - 1]).expect("it is somebody");
        let readers = of_kind(office, "anonymous_id:");
        assert!(
            (ABSORBED..=ABSORBED + 1).contains(&readers),
            "seed {seed}: {readers} browsers are one person"
        );
        people.len()
    }
}
