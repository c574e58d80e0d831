//! What this dialect serves, for `/openapi.json`: a row for each operation. What bodies and documents hold is the original's to say, and
//! `docs/ITERABLE.md`'s.

use super::messages::MESSAGES;
use super::request::Access::{self, Apps, Open, Readers, Servers};
use super::sdk::FIXED;
use crate::api::openapi::operation::{Group, JSON, Operation, query};
use crate::api::openapi::security::{API_KEY, API_KEY_AND_TOKEN, Keys};
use crate::api::openapi::shape::{Shapes, object};
use crate::domain::KeyKind::{Read, Server, Write};

const GROUP: Group = Group {
    tag: "Iterable-compatible",
    failure: Some((JSON, "Envelope")),
};

/// Method and path, whose key, the shape of the answer, and what it does.
type Row = (&'static str, Access, &'static str, &'static str);

#[rustfmt::skip]
const ROWS: [Row; 46] = [
    ("POST users/update", Apps, "Envelope", "Makes or changes a user"),
    ("POST users/bulkUpdate", Servers, "Document", "Makes or changes up to 8,000 users"),
    ("POST users/updateEmail", Apps, "Envelope", "Gives a user another address"),
    ("POST users/merge", Open, "Envelope", "Merges a user into another"),
    ("POST users/updateSubscriptions", Apps, "Envelope", "Replaces a user's subscriptions"),
    ("POST users/bulkUpdateSubscriptions", Servers, "Document", "Replaces those of many"),
    ("POST users/registerDeviceToken", Apps, "Envelope", "Keeps a device"),
    ("POST users/registerBrowserToken", Apps, "Envelope", "Keeps a browser"),
    ("POST users/disableDevice", Open, "Envelope", "Switches a device off"),
    ("POST users/forget", Servers, "Envelope", "Erases a user for good"),
    ("POST users/unforget", Servers, "Envelope", "Lifts that"),
    ("GET users/getByEmail", Readers, "Document", "Shows a user, or `{}`"),
    ("GET users/getFields", Readers, "Document", "Lists the fields of users"),
    ("GET users/forgotten", Readers, "Document", "Lists hashes of addresses that were forgotten"),
    ("GET users/forgottenUserIds", Readers, "Document", "Lists hashes of user ids that were forgotten"),
    ("GET users/byUserId", Readers, "Document", "Shows a user, or `{}`"),
    ("GET users/byUserId/{id}", Readers, "Document", "Shows a user"),
    ("DELETE users/byUserId/{id}", Servers, "Envelope", "Erases a user"),
    ("GET users/{email}", Readers, "Document", "Shows a user"),
    ("DELETE users/{email}", Servers, "Envelope", "Erases a user"),
    ("POST events/track", Apps, "Envelope", "Stores an event"),
    ("POST events/trackBulk", Servers, "Document", "Stores up to 8,000 events"),
    ("GET events/{email}", Readers, "Document", "Lists a user's events, newest first"),
    ("GET events/byUserId/{id}", Readers, "Document", "Lists a user's events, newest first"),
    ("POST commerce/trackPurchase", Apps, "Envelope", "Stores a purchase"),
    ("POST commerce/updateCart", Apps, "Envelope", "Sets a user's cart"),
    ("POST unknownuser/events/session", Open, "Envelope", "Makes an unknown user"),
    ("POST anonymoususer/events/session", Open, "Envelope", "The same by its older name"),
    ("GET unknownuser/list", Open, "Document", "Shows the project's criteria"),
    ("GET anonymoususer/list", Open, "Document", "The same by its older name"),
    ("POST unknownuser/consent", Open, "Envelope", "Answered, and not kept"),
    ("POST anonymoususer/consent", Open, "Envelope", "The same by its older name"),
    ("POST auth/jwts/invalidate", Servers, "Envelope", "Ends a user's tokens"),
    ("GET lists", Readers, "Document", "Shows static lists"),
    ("POST lists", Servers, "Document", "Makes a list"),
    ("DELETE lists/{id}", Servers, "Envelope", "Deletes a list"),
    ("POST lists/subscribe", Servers, "Document", "Puts up to 8,000 people into a list"),
    ("POST lists/unsubscribe", Servers, "Document", "Takes up to 8,000 people out of a list"),
    ("GET lists/getUsers", Readers, "text", "Lists who is in a list, a line each"),
    ("GET lists/previewUsers", Readers, "text", "Lists the first of them"),
    ("GET lists/{id}/size", Readers, "text", "Counts them"),
    ("PUT subscriptions/{group}/{id}", Servers, "Envelope", "Subscribes many, or takes them out"),
    ("PATCH subscriptions/{group}/{id}/user/{email}", Servers, "Envelope", "Subscribes a user"),
    ("DELETE subscriptions/{group}/{id}/user/{email}", Servers, "Envelope", "Takes a user out"),
    ("PATCH subscriptions/{group}/{id}/byUserId/{userId}", Servers, "Envelope", "Subscribes a user"),
    ("DELETE subscriptions/{group}/{id}/byUserId/{userId}", Servers, "Envelope", "Takes a user out"),
];

/// What the query of an operation says.
const PARAMETERS: [(&str, &str); 10] = [
    ("users/getByEmail", "email"),
    ("users/byUserId", "userId"),
    ("events/{email}", "limit: count"),
    ("events/byUserId/{id}", "limit: count"),
    ("lists/getUsers", "listId: count"),
    ("lists/getUsers", "maxResults: count"),
    ("lists/getUsers", "preferUserId: flag"),
    ("lists/previewUsers", "listId: count"),
    ("lists/previewUsers", "size: count"),
    (
        "subscriptions/{group}/{id}",
        "action: subscribe|unsubscribe",
    ),
];

/// All of it.
pub fn operations() -> Vec<Operation> {
    let messages = MESSAGES.iter().map(|(path, _)| {
        let summary = "Stores what became of a message, as an event";
        operation((&format!("POST {path}"), Apps, "Envelope", summary))
    });
    let fixed = FIXED.iter().map(|(path, access, _)| {
        let summary = "Always the same: nothing is sent from here";
        operation((&format!("GET {path}"), *access, "Document", summary))
    });
    let own = ROWS.into_iter().map(operation);
    own.chain(messages).chain(fixed).collect()
}

fn operation((route, access, answer, summary): (&str, Access, &str, &str)) -> Operation {
    let (method, path) = route.split_once(' ').unwrap_or(("GET", route));
    let own = PARAMETERS.iter().filter(|(of, _)| *of == path);
    let row = GROUP.row(&format!("{method} /api/{path}"), summary);
    let row = row.by(keys(method, access));
    let row = row.with(own.map(|(_, parameter)| query(parameter, "docs/ITERABLE.md")));
    let row = match method {
        "POST" | "PUT" => row.takes("Document"),
        _ => row,
    };
    match answer {
        "text" => row.answers_as("text/plain", answer),
        shape => row.answers(200, shape),
    }
}

/// As `Access` has it of projects that ask for no tokens.
fn keys(method: &str, access: Access) -> Keys {
    match access {
        Apps => Keys(&[Server, Write], API_KEY_AND_TOKEN),
        Open if method == "GET" => Keys(&[Server, Write, Read], API_KEY),
        Open => Keys(&[Server, Write], API_KEY),
        Readers => Keys(&[Server, Read], API_KEY),
        Servers => Keys(&[Server], API_KEY),
    }
}

/// What is answered, but for documents.
pub fn shapes() -> Shapes {
    vec![("Envelope", object("msg: text, code: text, params: any"))]
}
