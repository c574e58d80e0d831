//! What the tracking API serves, for `/openapi.json`: a row for each operation, and the shapes of what it takes and answers.

use super::{BARE_CALL, CALL};
use crate::api::error::ApiError;
use crate::api::openapi::operation::{Group, JSON, Operation, header, query};
use crate::api::openapi::security::{ANYWHERE, HEADERS_OR_QUERY, Keys};
use crate::api::openapi::shape::{Shapes, object};
use crate::domain::KeyKind::{Server, Write};

const TRACKING: Group = group("tracking");
/// Answers are always the same.
const PIXEL: Group = Group {
    tag: "tracking",
    failure: None,
};
/// The same by other names, for SDKs that have them.
const OTHER_NAMES: Group = group("tracking by other names");
const BROWSERS: Group = group("settings of SDKs");

const SENDERS: Keys = Keys(&[Server, Write], ANYWHERE);
/// Nobody but the key counts, and nobody reads why not.
const BEACONS: Keys = Keys(&[Server, Write], HEADERS_OR_QUERY);
/// A key that pages may carry.
const PAGES: Keys = Keys(&[Write], HEADERS_OR_QUERY);
/// The same in the path.
const IN_PATH: Keys = Keys(&[Write], &[]);

const fn group(tag: &'static str) -> Group {
    let failure = Some((JSON, "Failure"));
    Group { tag, failure }
}

/// All of it.
#[rustfmt::skip]
pub fn operations() -> Vec<Operation> {
    let batch = |group: &Group, path: &str| sent(group.row(&format!("POST {path}"), "Stores a batch of calls").takes("Batch"))
        .refuses([ApiError::MissingBatch, ApiError::TooManyItems { count: 0, limit: 0 }]);
    let call = |group: &Group, path: &str| sent(group.row(&format!("POST {path}"), "Stores a call; the path says its type").takes("Call"));
    let pixel = |method: &str| PIXEL.row(&format!("{method} /pixel/v1/{{call:track|page}}"), "Stores the call in the query; always answers with an image")
        .by(BEACONS).answers_as("image/gif", "any");
    let mut rows = vec![
        batch(&TRACKING, "/v1/batch"),
        sent(TRACKING.row("POST /v1/import", "Stores a batch of history, which gives way to what happens now").takes("Batch")),
        call(&TRACKING, CALL),
        call(&OTHER_NAMES, BARE_CALL),
        call(&OTHER_NAMES, "/api/s/{call}"),
        call(&OTHER_NAMES, "/api/s/s2s/{call}"),
        sent(OTHER_NAMES.row("POST /import", "Stores a batch of history").takes("Batch")),
        pixel("GET"),
        pixel("POST").may_take(JSON, "Call").may_take("application/x-www-form-urlencoded", "object"),
        BROWSERS.row("GET /v1/projects/{key}/settings", "Tells Segment's SDKs where to send").by(IN_PATH)
            .answers(200, "Document").refuses([ApiError::UnknownProject]),
        BROWSERS.row("GET /projects/{key}/settings", "Tells Segment's SDKs where to send").by(IN_PATH)
            .answers(200, "Document").refuses([ApiError::UnknownProject]),
        BROWSERS.row("GET /sourceConfig", "Tells RudderStack's browser SDK its settings").by(PAGES)
            .with([query("view", "`ad` answers `{}`")]).answers(200, "Document"),
        BROWSERS.row("POST /v1/m", "Takes what a browser's SDK tells of itself, and throws it away").may_take(JSON, "any")
            .answers(200, "Taken"),
        BROWSERS.row("POST /m", "Takes what a browser's SDK tells of itself, and throws it away").may_take(JSON, "any")
            .answers(200, "Taken"),
    ];
    let batches = ["/v1/b", "/v1", "/", "/sdk/batch", "/beacon/v1/batch", "/api/s/batch", "/api/s/s2s/batch", "/{batch:batch|b}"];
    rows.extend(batches.map(|path| batch(&OTHER_NAMES, path)));
    rows
}

fn sent(row: Operation) -> Operation {
    let parameters = [
        query("results: flag", "Tells what became of each item"),
        header("Idempotency-Key", "The message id of calls without one"),
        header("X-User-Token", "A JWT of the user, for all calls"),
    ];
    let row = row.by(SENDERS).with(parameters).answers(200, "Taken");
    row.refuses([ApiError::WriteKeyNeeded])
}

/// What is taken and answered.
#[rustfmt::skip]
pub fn shapes() -> Shapes {
    vec![
        ("Call", object("type?: text, messageId?: scalar, userId?: scalar, anonymousId?: scalar, groupId?: scalar, previousId?: scalar, event?: text, name?: text?, \
            category?: text?, properties?: object?, traits?: object?, context?: object?, timestamp?: scalar, originalTimestamp?: scalar, sentAt?: scalar, writeKey?: text")),
        ("Batch", object("batch: [Call], context?: object?, sentAt?: scalar, writeKey?: text")),
        ("Taken", object("success: flag, results?: [Result]")),
        ("Result", object("index: count, message_id: text?, status: stored|unchanged|duplicate|rejected, code?: text, field?: text?, message?: text, \
            warnings?: [Warning]")),
        ("Failure", object("code: text, message: text, field?: text, size?: count, limit?: count")),
    ]
}
