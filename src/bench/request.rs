//! Requests that are written once; before each sending only ids, names and times change, in place.

use super::bodies::{
    self, DEVICE_ID, MESSAGE_ID, Sample, TIME, USER_ID, VISITOR_ID, credential, device_id,
    event_id, new_visitor, now, time_text, user_id,
};
use super::target::Target;
use memchr::memmem;
use std::time::Duration;

/// Items of one request of `/v1/batch` and of `users/bulkUpdate`.
pub const BATCH_ITEMS: usize = 100;
/// What stands before the key in a request's head.
const BASIC: &[u8] = b"Authorization: Basic ";
/// Events that a visitor sends before another one comes.
const EVENTS_OF_A_VISITOR: u32 = 8;
/// How long ago a late event was.
const LATE: Duration = Duration::from_secs(3 * 3_600);

/// What becomes of an item from one sending to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// It is a new event of somebody, now.
    New,
    /// It is a new event of hours ago, as phones send that were off.
    Late,
    /// It was sent before: a retry.
    Again,
}

/// Texts with marks, one after the other.
pub struct Template {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

struct Item {
    habit: Habit,
    sendings: u32,
    message_ids: Vec<usize>,
    users: Vec<usize>,
    devices: Vec<usize>,
    visitors: Vec<usize>,
    times: Vec<usize>,
}

impl Item {
    fn find(text: &str, start: usize, habit: Habit) -> Self {
        let places = |mark: &str| {
            let found = memmem::find_iter(text.as_bytes(), mark);
            found.map(|at| start + at).collect()
        };
        Self {
            habit,
            sendings: 0,
            message_ids: places(MESSAGE_ID),
            users: places(USER_ID),
            devices: places(DEVICE_ID),
            visitors: places(VISITOR_ID),
            times: places(TIME),
        }
    }

    fn renew(&mut self, bytes: &mut [u8], people: u32, now: &str, late: &str) {
        let person = rand::random_range(0..people);
        let id = event_id().hyphenated().to_string();
        write(bytes, &self.message_ids, &id);
        write(bytes, &self.users, &user_id(person));
        write(bytes, &self.devices, &device_id(person));
        if self.sendings.is_multiple_of(EVENTS_OF_A_VISITOR) && !self.visitors.is_empty() {
            write(bytes, &self.visitors, &new_visitor());
        }
        let time = if self.habit == Habit::Late { late } else { now };
        write(bytes, &self.times, time);
        self.sendings += 1;
    }
}

fn write(bytes: &mut [u8], places: &[usize], text: &str) {
    for at in places {
        bytes[*at..*at + text.len()].copy_from_slice(text.as_bytes());
    }
}

impl Template {
    /// `items` with `between` after each but the last, in a frame.
    pub fn new(
        (before, after): (&str, &str),
        between: &str,
        items: impl IntoIterator<Item = (String, Habit)>,
    ) -> Self {
        let (mut bytes, mut found) = (before.as_bytes().to_vec(), Vec::new());
        for (text, habit) in items {
            if !found.is_empty() {
                bytes.extend_from_slice(between.as_bytes());
            }
            found.push(Item::find(&text, bytes.len(), habit));
            bytes.extend_from_slice(text.as_bytes());
        }
        found.push(Item::find(after, bytes.len(), Habit::New));
        bytes.extend_from_slice(after.as_bytes());
        Self {
            bytes,
            items: found,
        }
    }

    fn shift(&mut self, head: &str) {
        let moved = head.len();
        for item in &mut self.items {
            let Item {
                message_ids,
                users,
                devices,
                visitors,
                times,
                ..
            } = item;
            for places in [message_ids, users, devices, visitors, times] {
                places.iter_mut().for_each(|at| *at += moved);
            }
        }
        self.bytes.splice(..0, head.bytes());
    }

    /// Makes new items of it: new message ids, people drawn from all, the time now. Returns how many new events it has.
    pub fn renew(&mut self, people: u32) -> u64 {
        let time = now();
        let (now, late) = (time_text(time), time_text(time - LATE));
        let mut events = 0;
        for item in &mut self.items {
            if item.habit == Habit::Again && item.sendings > 0 {
                continue;
            }
            item.renew(&mut self.bytes, people, &now, &late);
            events += item.message_ids.len() as u64;
        }
        events
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A whole HTTP request in one buffer.
pub struct Request {
    template: Template,
    /// Items that it has.
    pub items: u64,
}

impl Request {
    /// One event to a path of the tracking API.
    pub fn single(path: &str, to: &Target, index: usize) -> Self {
        let call = bodies::call(&bodies::track(index));
        let body = Template::new(("", ""), "", [(call, Habit::New)]);
        Self::new(path, to, &basic(to), (body, 1))
    }

    /// So many calls, of the `index`th sort, to a path that takes batches.
    pub fn many(
        path: &str,
        to: &Target,
        (index, items): (usize, usize),
        sample: fn(usize) -> Sample,
    ) -> Self {
        let first = index * items;
        let calls = (first..first + items).map(|item| (bodies::call(&sample(item)), Habit::New));
        Self::batch_of(path, to, (calls, items))
    }

    /// A batch of what people do all day: of ten items seven are of known people with two names, two of visitors, one is an
    /// identify; of a hundred five are late and two were sent before.
    pub fn mixed(to: &Target, index: usize) -> Self {
        let first = index * BATCH_ITEMS;
        let calls = (0..BATCH_ITEMS).map(|item| {
            let text = match item % 10 {
                0..7 => bodies::call_of_two_names(&bodies::track(first + item)),
                7..9 => bodies::call_of_a_visitor(&bodies::track(first + item)),
                _ => bodies::call_of_two_names(&bodies::identify(first + item)),
            };
            let habit = match item {
                3 | 23 | 43 | 63 | 83 => Habit::Late,
                15 | 55 => Habit::Again,
                _ => Habit::New,
            };
            (text, habit)
        });
        Self::batch_of("/v1/batch", to, (calls, BATCH_ITEMS))
    }

    /// A batch about one profile that everybody writes about: events and identifies in turn.
    pub fn about_one(to: &Target, index: usize) -> Self {
        Self::many("/v1/batch", to, (index, BATCH_ITEMS), |item| {
            if item.is_multiple_of(2) {
                bodies::track(item)
            } else {
                bodies::identify(item)
            }
        })
    }

    fn batch_of(
        path: &str,
        to: &Target,
        (calls, items): (impl Iterator<Item = (String, Habit)>, usize),
    ) -> Self {
        let after = format!(r#"],"sentAt":"{TIME}"}}"#);
        let body = Template::new((r#"{"batch":["#, &after), ",", calls);
        Self::new(path, to, &basic(to), (body, items))
    }

    /// The profile of somebody with a user id.
    pub fn read(to: &Target) -> Self {
        let Target {
            host, prefix, key, ..
        } = to;
        let head = format!(
            "GET {prefix}/v1/profiles/user_id:{USER_ID} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nAuthorization: Bearer {key}\r\n\r\n"
        );
        Self {
            template: Template::new(("", ""), "", [(head, Habit::New)]),
            items: 1,
        }
    }

    /// One user to the Iterable-compatible API.
    pub fn update(to: &Target, index: usize) -> Self {
        let body = Template::new(("", ""), "", [(bodies::user(index), Habit::New)]);
        Self::new("/api/users/update", to, &api_key(to), (body, 1))
    }

    /// Many users to it.
    pub fn bulk_update(to: &Target, index: usize) -> Self {
        let first = index * BATCH_ITEMS;
        let users = (first..first + BATCH_ITEMS).map(|item| (bodies::user(item), Habit::New));
        let body = Template::new((r#"{"users":["#, "]}"), ",", users);
        Self::new(
            "/api/users/bulkUpdate",
            to,
            &api_key(to),
            (body, BATCH_ITEMS),
        )
    }

    fn new(path: &str, to: &Target, key: &str, (body, items): (Template, usize)) -> Self {
        let (host, prefix, length) = (&to.host, &to.prefix, body.bytes.len());
        let mut template = body;
        template.shift(&format!(
            "POST {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: analytics-node/2.3.0\r\nAccept: */*\r\n{key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ));
        Self {
            template,
            items: items as u64,
        }
    }

    /// Sends in the name of another key of the same length.
    pub fn address(&mut self, key: &str) {
        let (key, bytes) = (credential(key), &mut self.template.bytes);
        let at = memmem::find(bytes, BASIC).expect("written here") + BASIC.len();
        bytes[at..at + key.len()].copy_from_slice(key.as_bytes());
    }

    /// What was last made of it.
    pub fn bytes(&self) -> &[u8] {
        &self.template.bytes
    }

    /// Makes new items of it; how many new events it has.
    pub fn renew(&mut self, people: u32) -> u64 {
        self.template.renew(people)
    }
}

fn basic(to: &Target) -> String {
    format!("Authorization: Basic {}", credential(&to.key))
}

fn api_key(to: &Target) -> String {
    format!("Api-Key: {}", to.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::local("127.0.0.1:1".parse().expect("an address"), "key")
    }

    fn body(request: &Request) -> serde_json::Value {
        let bytes = request.bytes();
        let at = memmem::find(bytes, b"\r\n\r\n").expect("a body") + 4;
        let length = format!("Content-Length: {}\r\n", bytes.len() - at);
        assert!(memmem::find(bytes, length.as_bytes()).is_some());
        serde_json::from_slice(&bytes[at..]).expect("JSON")
    }

    #[test]
    fn an_event_has_about_600_bytes_and_no_mark_is_left() {
        let mut request = Request::many("/v1/batch", &target(), (3, BATCH_ITEMS), bodies::track);
        assert_eq!(request.renew(200_000), BATCH_ITEMS as u64);
        let first = request.bytes().to_vec();
        assert_eq!(memmem::find_iter(&first, b"@").count(), BATCH_ITEMS);
        let size = first.len() / BATCH_ITEMS;
        assert!((560..640).contains(&size), "{size} bytes");
        request.renew(200_000);
        assert_ne!(first, request.bytes());
    }

    #[test]
    fn what_is_sent_is_json() {
        for mut request in [
            Request::about_one(&target(), 0),
            Request::single("/v1/track", &target(), 7),
            Request::update(&target(), 7),
            Request::bulk_update(&target(), 7),
        ] {
            request.renew(10);
            let text = body(&request).to_string().replace("@segment/", "");
            assert!(!text.contains('@'), "{text}");
        }
    }

    #[test]
    fn a_read_is_of_somebody_else_each_time_and_makes_no_event() {
        let mut request = Request::read(&target());
        assert_eq!(request.renew(1), 0);
        let of_the_first = b"GET /v1/profiles/user_id:user-0000000 HTTP/1.1\r\n";
        assert!(request.bytes().starts_with(of_the_first));
        assert!(request.bytes().ends_with(b"Bearer key\r\n\r\n"));
    }

    #[test]
    fn of_a_mixed_batch_two_items_come_again_and_visitors_stay_for_a_while() {
        let mut request = Request::mixed(&target(), 0);
        assert_eq!(request.renew(1_000_000), 100);
        let before = body(&request);
        assert_eq!(request.renew(1_000_000), 98);
        let after = body(&request);
        let is =
            |item: usize, name: &str| before["batch"][item][name] == after["batch"][item][name];
        assert!(is(15, "messageId") && is(15, "timestamp") && is(15, "userId"));
        assert!(!is(16, "messageId") && is(17, "anonymousId") && !is(17, "messageId"));
        let kinds = after["batch"].as_array().expect("a list").iter();
        let identifies = kinds.filter(|item| item["type"] == "identify").count();
        assert_eq!(identifies, 10);
        let time = |item: usize| -> jiff::Timestamp {
            let text = after["batch"][item]["timestamp"].as_str();
            text.and_then(|text| text.parse().ok()).expect("a time")
        };
        assert!(time(3) + Duration::from_secs(3_600) < time(4));
        (2..8).for_each(|_| _ = request.renew(10));
        let seventh = body(&request)["batch"][17]["anonymousId"].clone();
        request.renew(10);
        assert_ne!(seventh, body(&request)["batch"][17]["anonymousId"]);
    }
}
