//! What the native API serves, for `/openapi.json`: a row for each operation, and the shapes of what matters.

use super::LOOKUP;
use crate::api::error::ApiError::{self, Import, NotFound};
use crate::api::openapi::operation::{CSV, Group, JSON, NDJSON, Operation, header, query};
use crate::api::openapi::security::{HEADERS, Keys};
use crate::api::openapi::shape::{Shapes, loosely, object};
use crate::domain::KeyKind::{Read, Server};
use crate::imports::Stopped;
use utoipa::openapi::path::Parameter;

const READERS: Keys = Keys(&[Server, Read], HEADERS);
const SERVERS: Keys = Keys(&[Server], HEADERS);
const PROFILES: Group = group("profiles");
const EVENTS: Group = group("events");
const MIGRATION: Group = group("migration");
const IMPORTS: Group = group("imports");
const PIECE: &str = "application/offset+octet-stream";
const SEND: &str =
    "Takes a file of profiles or events, begins an upload, or has the service fetch a `source`";

const fn group(tag: &'static str) -> Group {
    let failure = Some(("application/problem+json", "Problem"));
    Group { tag, failure }
}

/// All of it.
pub fn operations() -> Vec<Operation> {
    let tables = [profiles(), lists(), migration(), imports(), uploads()];
    tables.into_iter().flatten().collect()
}

// Tables: a row a line.
#[rustfmt::skip]
fn profiles() -> Vec<Operation> {
    use ApiError::{LegacyAway, LegacyLate, LegacyUnreadable, NoSuchErasure, NoSuchProfile, NotThatFar};
    let waits = || query("min_version: count", "Waits up to two seconds for this version");
    let one = || [waits(), header("If-None-Match", "The `ETag` of an answer before")];
    let name = |kind| query(kind, "One name of any kind, also of the project's own");
    let no_one = || [NoSuchProfile, NotThatFar, LegacyAway, LegacyUnreadable(String::new()), LegacyLate];
    vec![
        PROFILES.row("GET /v1/profiles", "Shows who has a name").by(READERS)
            .with(["user_id", "email", "anonymous_id", "group_id"].map(name)).with(one())
            .answers(200, "Profile").answers_nothing(304).refuses(no_one()),
        PROFILES.row(&format!("POST {LOOKUP}"), "Shows up to 1000 people").by(READERS).takes("References").answers(200, "Profiles"),
        PROFILES.row("GET /v1/profiles/{reference}", "Shows a person").by(READERS).with(one())
            .answers(200, "Profile").answers_nothing(304).refuses(no_one()),
        PROFILES.row("DELETE /v1/profiles/{reference}", "Erases a person").by(SERVERS).with([query("forget: flag", "For good")])
            .answers(200, "Erasure").answers(202, "Erasure").refuses([NoSuchProfile]),
        PROFILES.row("POST /v1/profiles/{reference}/unforget", "Lifts the block of a person").by(SERVERS)
            .answers(200, "Erasure").refuses([NoSuchErasure]),
        PROFILES.row("GET /v1/profiles/{reference}/events", "Lists a person's events, newest first").by(READERS)
            .with([query("name", "Exactly this"), query("type", "Exactly this")])
            .with([query("from: time", "At or after"), query("to: time", "Before")]).with(pages())
            .answers(200, "EventPage").refuses([NoSuchProfile]),
        PROFILES.row("GET /v1/profiles/{reference}/export", "Tells all that is held about a person").by(READERS)
            .answers_as(NDJSON, "text").refuses([NoSuchProfile]),
        PROFILES.row("POST /v1/profiles/{reference}/merge", "Merges another person into this one").by(SERVERS).takes("Merge")
            .answers(200, "Profile").refuses([NoSuchProfile]),
        PROFILES.row("POST /v1/profiles/{reference}/split", "Takes names out of a person").by(SERVERS).takes("Split")
            .answers(200, "Document").answers(202, "Document").refuses([NoSuchProfile]),
        PROFILES.row("POST /v1/identities/{reference}/block", "Lets a name stand for nobody").by(SERVERS).answers(200, "Block"),
        PROFILES.row("DELETE /v1/identities/{reference}/block", "Lets a name stand for somebody again").by(SERVERS).answers(200, "Block"),
        PROFILES.row("GET /v1/erasures/{id}", "Shows an erasure").by(READERS).answers(200, "Erasure").refuses([NoSuchErasure]),
    ]
}

#[rustfmt::skip]
fn lists() -> Vec<Operation> {
    vec![
        EVENTS.row("GET /v1/events/{message_id}", "Shows an event").by(READERS).answers(200, "Event").refuses([ApiError::NoSuchEvent]),
        EVENTS.row("GET /v1/rejections", "Lists what was refused, or mended, newest first").by(READERS).with(pages())
            .answers(200, "RejectionPage"),
        PROFILES.row("GET /v1/conflicts", "Lists names that belong to others than they were given to").by(READERS).with(pages())
            .answers(200, "Document"),
        MIGRATION.row("GET /v1/backfill", "Shows the sources that had records of the project").by(READERS).answers(200, "Document"),
        MIGRATION.row("GET /v1/backfill/rejections", "Lists records that could not be taken").by(READERS).with(pages())
            .answers(200, "Document"),
    ]
}

#[rustfmt::skip]
fn migration() -> Vec<Operation> {
    use ApiError::{MigrationMoved, NoMigration, StepRefused, TargetNotAllowed};
    let not_now = || [NoMigration, StepRefused(String::new()), MigrationMoved("")];
    vec![
        MIGRATION.row("GET /v1/migration", "Shows how far it is").by(READERS).answers(200, "Migration").refuses([NoMigration]),
        MIGRATION.row("GET /v1/migration/history", "Lists the steps that were taken").by(READERS).with(pages()).answers(200, "Document"),
        MIGRATION.row("POST /v1/migration/verify", "Begins a verification, or tells which goes on").by(SERVERS)
            .with([query("direction: forward|reverse", "Forward where none is said")]).answers(200, "Document").refuses(not_now()),
        MIGRATION.row("GET /v1/migration/verify/{id}", "Shows a verification").by(READERS).answers(200, "Document").refuses([NotFound]),
        MIGRATION.row("PUT /v1/migration/reads", "Says where profiles are read from").by(SERVERS).takes("Document")
            .answers(200, "Migration").refuses(not_now()),
        MIGRATION.row("POST /v1/migration/{verb}", "Takes a step: plan, start, advance, rollback").by(SERVERS).may_take(JSON, "Document")
            .answers(200, "Migration").refuses(not_now()).refuses([TargetNotAllowed(String::new())]),
    ]
}

#[rustfmt::skip]
fn imports() -> Vec<Operation> {
    use Stopped::{NoSuchImport, Over};
    let gone = || [Import(NoSuchImport), Import(Over(String::new()))];
    let send = |route| IMPORTS.row(route, SEND).by(SERVERS).with(said())
        .with([tus(), header("Upload-Length", "Bytes of the upload that begins")])
        .may_take(CSV, "text").may_take(NDJSON, "text").may_take(JSON, "Document")
        .answers(201, "ImportJob").refuses([ApiError::OtherTusVersion]);
    vec![
        send("POST /v1/imports"),
        send("PUT /v1/imports"),
        IMPORTS.row("GET /v1/imports", "Lists imports, newest first").by(READERS).with([query("name", "Of the file")]).with(pages())
            .answers(200, "ImportPage"),
        IMPORTS.row("POST /v1/imports/preview", "Tells what a file would come to").by(SERVERS).with(said()).may_take(CSV, "text")
            .may_take(NDJSON, "text").answers(200, "Document"),
        IMPORTS.row("GET /v1/imports/{id}", "Shows an import").by(READERS).answers(200, "ImportJob").refuses([Import(NoSuchImport)]),
        IMPORTS.row("GET /v1/imports/{id}/rejections", "Lists what was refused, as a file").by(READERS)
            .with([query("format: ndjson|csv", "Else by `Accept`")])
            .answers_as(NDJSON, "text").answers_as(CSV, "text").refuses([Import(NoSuchImport)]),
        IMPORTS.row("POST /v1/imports/{id}/{verb:pause|resume|cancel}", "Pauses an import, lets it go on, or ends it").by(SERVERS)
            .answers(200, "ImportJob").refuses(gone()),
        IMPORTS.row("POST /v1/imports/{id}/source", "Says where the file is by now").by(SERVERS).takes("Source")
            .answers(200, "ImportJob").refuses(gone()),
        IMPORTS.row("GET /v1/imports/schedules", "Lists schedules").by(READERS).answers(200, "Document"),
        IMPORTS.row("POST /v1/imports/schedules", "Has files fetched by the calendar").by(SERVERS).takes("Document")
            .answers(201, "Document"),
        IMPORTS.row("DELETE /v1/imports/schedules/{id}", "Ends a schedule").by(SERVERS).answers_nothing(204).refuses([NotFound]),
    ]
}

#[rustfmt::skip]
fn uploads() -> Vec<Operation> {
    use Stopped::{Changed, Elsewhere, NoSuchImport, Over, TakenOver};
    let gone = || [Import(NoSuchImport), Import(Over(String::new())), ApiError::OtherTusVersion];
    let piece = [
        header("Upload-Offset", "The first byte of this piece; needed"),
        header("Upload-Checksum", "Of this piece"),
        header("Upload-Done-Checksum", "Of all before it"),
    ];
    vec![
        IMPORTS.row("OPTIONS /v1/imports", "Tells what of tus 1.0 is spoken, in headers").answers_nothing(204),
        IMPORTS.row("HEAD /v1/imports/{id}", "Tells where an upload is, in headers").by(READERS).with([tus()])
            .answers_nothing(200).refuses(gone()),
        IMPORTS.row("PATCH /v1/imports/{id}", "Takes the next bytes of an upload").by(SERVERS).with([tus()]).with(piece)
            .may_take(PIECE, "text").answers_nothing(204)
            .refuses(gone()).refuses([Elsewhere(0), TakenOver, Changed(0)].map(Import))
            .refuses([ApiError::NoPiece, ApiError::ChecksumMismatch]),
        IMPORTS.row("DELETE /v1/imports/{id}", "Ends an upload; what was taken in stays").by(SERVERS).with([tus()])
            .answers_nothing(204).refuses(gone()),
    ]
}

fn tus() -> Parameter {
    header("Tus-Resumable", "`1.0.0`, by clients of tus")
}

fn pages() -> [Parameter; 2] {
    let limit = query("limit: count", "1 to 1000; 100 where none is said");
    [limit, query("cursor", "`next_cursor` of the page before")]
}

/// What a caller says of a file.
fn said() -> [Parameter; 4] {
    [
        query("format: ndjson|json|csv", "Else by the end of the name"),
        query("name", "Of the file"),
        query("time: time", "Of the file, for records without one"),
        query("mapping", "The text of a mapping file"),
    ]
}

/// What is taken and answered.
#[rustfmt::skip]
pub fn shapes() -> Shapes {
    vec![
        ("Problem", object("type: text, title: text, status: count, detail: text, code: text")),
        ("References", object("references: [text]")),
        ("Merge", object("from: text")),
        ("Split", object("identities: [text]")),
        ("Source", object("source: text")),
        ("Block", object("kind: text, value: text, blocked: flag")),
        ("Identity", object("kind: text, value: text, first_seen: time?")),
        ("Profile", object("id: uuid?, traits: object, identities: [Identity], version: count, created_at: time?, updated_at: time?, first_seen: time?, \
            last_seen: time?, groups: [text], source?: roster|legacy")),
        // Of each reference a profile, null, or a problem.
        ("Profiles", object("profiles: [any]")),
        ("Event", object("id: uuid, message_id: text, type: text, name: text?, occurred_at: time, received_at: time, properties: object, \
            context: object, profile_id?: uuid")),
        ("EventPage", object("events: [Event], next_cursor: text?")),
        ("Rejection", object("id: uuid, received_at: time, code: text, field: text?, message: text, message_id: text?, item: any, stored: flag, \
            warnings?: [Warning]")),
        ("RejectionPage", object("rejections: [Rejection], next_cursor: text?")),
        ("Erasure", object("id: uuid, requested_at: time, forgotten: flag, state: erasing|sweeping|finished, identities: count, events: count, \
            cleared_at: time?, finished_at: time?")),
        ("ImportJob", object("id: uuid, name: text, state: waiting|running|paused|done|failed|cancelled|incomplete, reason?: text, \
            format: ndjson|json|csv, first_line?: count, time: time, offset: count, length: count?, checksum: text, lines: count, blank: count, \
            records: count, stored: count, unchanged: count, duplicate: count, rejected: count, warned: count, mended: [Mended], records_per_second: count, \
            seconds_left: count?, file: object?, compression: text?, created_at: time, updated_at: time, finished_at: time?, expires_at: time, \
            source?: text")),
        ("Mended", object("code: text, field: text, reason: text, line_number: text, count: count")),
        ("ImportPage", object("imports: [ImportJob], next_cursor: text?")),
        ("Migration", loosely("state: text, version: count, since: time, mirrors: flag, index: text")),
    ]
}
