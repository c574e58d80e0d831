//! Events on their way into the table: which identity tells whose each is, and the columns of the statement.

use super::params::JsonParam;
use crate::domain::{Command, Event, Identity};
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// A command with an event, and the name by which its profile is found.
#[derive(Clone, Copy, Debug)]
pub struct EventRow<'a> {
    pub command: &'a Command,
    pub event: &'a Event,
    /// One of the command's names that is the profile's of whom the event is.
    pub owner: &'a Identity,
    /// Another of its names, where that has still to be found the same profile's.
    pub second: Option<&'a Identity>,
}

impl<'a> EventRow<'a> {
    /// The row of a command's event after a look-up; `None` where it has none. `anchor` is the place of the name among the command's.
    pub fn of(command: &'a Command, anchor: usize) -> Option<Self> {
        Some(Self {
            command,
            event: command.event()?,
            owner: command.identities().get(anchor)?,
            second: None,
        })
    }

    /// The row of the event of a command of one name or two, of which nothing is known; `None` where it has no event.
    pub fn straight(command: &'a Command) -> Option<Self> {
        Some(Self {
            second: command.identities().get(1),
            ..Self::of(command, 0)?
        })
    }

    /// The sender's id, where the key does not spell it.
    fn message_id(&self) -> Option<&'a str> {
        let event = self.event;
        (!event.id.spells(&event.message_id)).then_some(event.message_id.as_str())
    }
}

/// The columns of events, in the order of the statement's parameters.
pub(super) struct EventColumns<'a> {
    pub projects: Vec<i32>,
    pub ids: Vec<Uuid>,
    pub kinds: Vec<&'a str>,
    pub values: Vec<&'a str>,
    pub types: Vec<&'static str>,
    pub names: Vec<Option<&'a str>>,
    message_ids: Vec<Option<&'a str>>,
    occurred: Vec<Timestamp>,
    received: Vec<Timestamp>,
    pub properties: Vec<JsonParam<'a>>,
    contexts: Vec<JsonParam<'a>>,
    vias: Vec<i64>,
    /// Kinds and values of second names; empty where no row has one.
    pub seconds: (Vec<Option<&'a str>>, Vec<Option<&'a str>>),
}

impl<'a> EventColumns<'a> {
    pub fn of(rows: &[EventRow<'a>]) -> Self {
        let each = || rows.iter();
        Self {
            projects: each().map(|row| row.command.project_id().0).collect(),
            ids: each().map(|row| row.event.id.0).collect(),
            kinds: each().map(|row| row.owner.kind.as_str()).collect(),
            values: each().map(|row| row.owner.value.as_str()).collect(),
            types: each().map(|row| row.event.event_type.as_str()).collect(),
            names: each().map(|row| row.event.name.as_deref()).collect(),
            message_ids: each().map(EventRow::message_id).collect(),
            occurred: each()
                .map(|row| row.command.occurred_at().instant())
                .collect(),
            received: each()
                .map(|row| row.command.received_at().instant())
                .collect(),
            properties: each().map(|row| JsonParam(&row.event.properties)).collect(),
            contexts: each().map(|row| JsonParam(&row.event.context)).collect(),
            vias: each().map(|row| row.owner.via()).collect(),
            seconds: seconds(rows),
        }
    }

    pub fn params(&self) -> [&(dyn ToSql + Sync); 12] {
        [
            &self.projects,
            &self.ids,
            &self.kinds,
            &self.values,
            &self.types,
            &self.names,
            &self.message_ids,
            &self.occurred,
            &self.received,
            &self.properties,
            &self.contexts,
            &self.vias,
        ]
    }
}

fn seconds<'a>(rows: &[EventRow<'a>]) -> (Vec<Option<&'a str>>, Vec<Option<&'a str>>) {
    let of_a_row = |row: &EventRow<'a>| {
        let text = row
            .second
            .map(|name| (name.kind.as_str(), name.value.as_str()));
        text.unzip()
    };
    if rows.iter().all(|row| row.second.is_none()) {
        return <_>::default();
    }
    rows.iter().map(of_a_row).unzip()
}
