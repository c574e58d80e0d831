//! The price of a row: what each promise of the table of events costs the ideal client, beside a table that keeps none.
//!
//! Each piece has a table of its own, with what the ones before it have and one thing more; all are filled in turns, by the same client
//! with the same rows. The last is the service's own statement on its own table.

use super::finish;
use crate::bench::kind::Kind;
use crate::bench::report::{Line, Part};
use crate::bench::settings::Settings;
use crate::bench::stage::{Own, Service};
use crate::bench::tally::Tally;
use crate::bench::turn::Turn;
use crate::bench::work::{clients, gather};
use anyhow::Result;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinSet;

/// As many as the machine has processors, so that nobody waits for one.
const CONNECTIONS: u32 = 2;

/// Columns in the order of the service's table, and with the widest first: then nothing lies between them to align them.
const AS_THEY_ARE: &str = "project_id INT4 NOT NULL, event_id UUID NOT NULL, profile_id UUID NOT NULL, type TEXT NOT NULL, name TEXT,
    message_id TEXT, occurred_at TIMESTAMPTZ NOT NULL, received_at TIMESTAMPTZ NOT NULL, properties JSON NOT NULL, context JSON NOT NULL, via INT8";
const BY_WIDTH: &str = "occurred_at TIMESTAMPTZ NOT NULL, received_at TIMESTAMPTZ NOT NULL, via INT8, event_id UUID NOT NULL,
    profile_id UUID NOT NULL, project_id INT4 NOT NULL, type TEXT NOT NULL, name TEXT, message_id TEXT, properties JSON NOT NULL, context JSON NOT NULL";

/// What a table keeps.
struct Piece {
    name: &'static str,
    title: &'static str,
    columns: &'static str,
    json: &'static str,
    has_key: bool,
    is_joined: bool,
    has_timeline: bool,
    is_guarded: bool,
}

const NOTHING: Piece = Piece {
    name: "append",
    title: "a row without a key, JSON as text",
    columns: AS_THEY_ARE,
    json: "JSON",
    has_key: false,
    is_joined: false,
    has_timeline: false,
    is_guarded: false,
};
const KEYED: Piece = Piece {
    name: "key",
    title: "and a key of project and event",
    has_key: true,
    ..NOTHING
};
const BINARY: Piece = Piece {
    name: "jsonb",
    title: "and JSONB",
    json: "JSONB",
    ..KEYED
};
const JOINED: Piece = Piece {
    name: "join",
    title: "and its profile by a name",
    is_joined: true,
    ..BINARY
};
const LISTED: Piece = Piece {
    name: "timeline",
    title: "and an index by profile and time",
    has_timeline: true,
    ..JOINED
};
const GUARDED: Piece = Piece {
    name: "conflict",
    title: "and nothing where the key is there",
    is_guarded: true,
    ..LISTED
};
const ALIGNED: Piece = Piece {
    name: "by-width",
    title: "the same, columns by their width",
    columns: BY_WIDTH,
    ..GUARDED
};
const TEXT: Piece = Piece {
    name: "text",
    title: "the same, JSON as text",
    json: "JSON",
    ..GUARDED
};
const PIECES: [Piece; 8] = [
    NOTHING, KEYED, BINARY, JOINED, LISTED, GUARDED, ALIGNED, TEXT,
];

impl Piece {
    fn table(&self) -> String {
        format!("bench_row_{}", self.name.replace('-', "_"))
    }

    fn make(&self) -> String {
        let (table, columns) = (self.table(), self.columns.replace("JSON", self.json));
        let mut sql = format!("-- bench_row\nCREATE TABLE {table} ({columns});");
        if self.has_key {
            sql += &format!("ALTER TABLE {table} ADD PRIMARY KEY (project_id, event_id);");
        }
        if self.has_timeline {
            sql += &format!("CREATE INDEX ON {table} (profile_id, occurred_at DESC);");
        }
        sql
    }

    /// Takes the parameters of `insert_events`.
    fn insert(&self) -> String {
        let (table, json) = (self.table(), self.json);
        let (profile, join) = match self.is_joined {
            true => (
                "i.profile_id",
                "JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value",
            ),
            false => ("t.event_id", ""),
        };
        let guard = match self.is_guarded {
            true => "ON CONFLICT (project_id, event_id) DO NOTHING",
            false => "",
        };
        format!(
            "-- row_{}
INSERT INTO {table} (project_id, event_id, profile_id, type, name, message_id, occurred_at, received_at, properties, context, via)
SELECT t.project_id, t.event_id, {profile}, t.type, t.name, t.message_id, t.occurred_at, t.received_at, t.properties, t.context, t.via
FROM unnest($1::INT4[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TIMESTAMPTZ[], $9::TIMESTAMPTZ[], $10::{json}[], $11::{json}[], $12::INT8[], $13::TIMESTAMPTZ[], $14::TEXT[], $15::TEXT[])
    AS t (project_id, event_id, kind, value, type, name, message_id, occurred_at, received_at, properties, context, via, earliest, second_kind, second_value)
{join} {guard} RETURNING project_id, event_id",
            self.name
        )
    }
}

/// Measures every piece in every round.
pub async fn run(settings: &Settings, service: &Service) -> Result<Part> {
    let own = service.own()?;
    let mut names = Vec::new();
    for piece in PIECES {
        own.client.batch_execute(&piece.make()).await?;
        let name = format!("row-{}", piece.name);
        names.push((name, piece.title.to_owned(), Some(piece.insert())));
    }
    let title = "the service's own, which looks at two names";
    names.push(("row".to_owned(), title.to_owned(), None));
    let mut turns: BTreeMap<&str, Vec<Turn>> = BTreeMap::new();
    for round in 0..usize::from(settings.rounds) {
        for (name, title, sql) in &names {
            service.progress.begin(title);
            let work = async || fill(own, service.people, sql.as_deref(), settings.turn()).await;
            let turn = service.turn((Kind::RawEvents2, round), work).await?;
            if round >= settings.warm_ups() {
                turns.entry(name).or_default().push(turn);
            }
        }
    }
    let mut part = Part::default();
    for (name, title, _) in &names {
        let own: Vec<&Turn> = turns[&**name].iter().collect();
        part.lines.push(Line::of_turns((name, title), &own));
    }
    finish(&mut part, service, "row");
    Ok(part)
}

/// Fills a table for a time.
async fn fill(own: &Own, people: u32, sql: Option<&str>, time: Duration) -> Result<Tally> {
    let (mut tasks, mut writers) = (JoinSet::new(), JoinSet::new());
    for mut client in clients(own, people, CONNECTIONS, &mut tasks).await? {
        if let Some(sql) = sql {
            client.insert_by(sql).await?;
        }
        writers.spawn(client.store_events(time));
    }
    gather(writers).await
}
