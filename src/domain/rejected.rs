//! An item as it is listed for a person: refused, or stored and mended.

use super::command::Command;
use super::identity::Identity;
use super::warning::Warning;
use super::{Code, Json, ProjectId, Rejection, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

/// An item on its way into the `rejection` table.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Whose data this is.
    pub project_id: ProjectId,
    /// The row's id: a UUIDv7 drawn on receipt, so that a repeated statement writes it once.
    pub id: Uuid,
    /// When the request that carried it arrived.
    pub received_at: Timestamp,
    /// Why.
    pub rejection: Rejection,
    /// The sender's own id of the call, cut to its limit, where it had one.
    pub message_id: Option<String>,
    /// Whom it names, as far as that could be read: of a person who was forgotten, nothing may be kept, and of one who is erased
    /// later it is found by them.
    pub names: Vec<Identity>,
    /// What was mended of it, as JSON, where it is stored: it is listed, but was not refused.
    pub warnings: Option<Json>,
    /// The item itself; where it was cut or is too deep to be kept as JSON, a JSON string of its beginning.
    pub item: Json,
}

impl Rejected {
    /// A command that could be read but not done. Of an erased person's only the type is kept.
    pub fn command(command: &Command, id: Uuid, rejection: Rejection) -> Self {
        let event = command.event();
        let mut item = match event {
            Some(event) => {
                serde_json::json!({"type": event.event_type.as_str(), "messageId": event.message_id})
            }
            None => serde_json::json!({"type": "profile"}),
        };
        let is_erased = rejection.code == Code::Erased;
        if let Some(event) = event.filter(|_| !is_erased) {
            item["name"] = serde_json::json!(event.name);
        }
        let names = command.names().filter(|_| !is_erased).cloned();
        Self {
            project_id: command.project_id,
            id,
            received_at: command.received_at,
            rejection,
            message_id: event.map(|event| event.message_id.clone()),
            names: names.collect(),
            warnings: None,
            item: Json::of(&item),
        }
    }

    /// The same with all that the event says: it is not stored, and may be worth sending again.
    pub fn whole(command: &Command, id: Uuid, rejection: Rejection) -> Self {
        let mut rejected = Self::command(command, id, rejection);
        if let Some(event) = command.event() {
            let names = command.identities.iter();
            let names: Vec<_> = names
                .map(|name| (name.kind.as_str(), &name.value))
                .collect();
            let says = [
                ("type", Json::of(&event.event_type.as_str())),
                ("messageId", Json::of(&event.message_id)),
                ("name", Json::of(&event.name)),
                ("names", Json::of(&names)),
                ("timestamp", Json::of(&command.occurred_at.to_string())),
                ("properties", event.properties.clone()),
                ("context", event.context.clone()),
            ];
            let says = says.map(|(field, value)| (field.to_owned(), value));
            rejected.item = Json::from_members(&BTreeMap::from(says));
        }
        rejected
    }

    /// The same without what it says: somebody whom it names was erased.
    pub fn emptied(&mut self) {
        self.item = Json::null();
        self.names.clear();
    }

    /// A command that was stored, but not just as it came, and without what the write had to leave out; `None` where nothing was
    /// mended, or nothing was lost by it.
    pub fn mended(command: &Command, id: Uuid, left_out: Option<&Warning>) -> Option<Self> {
        let warnings: Vec<&Warning> = command.warnings().iter().chain(left_out).collect();
        let first = warnings.iter().find(|warning| !warning.is_slight())?;
        let code = Code::Mended;
        let rejection = Rejection::of(code, &first.field, first.message.clone());
        let item = command.warnings.item().cloned();
        Some(Self {
            warnings: Some(Json::of(&warnings)),
            item: item.unwrap_or_else(|| Self::command(command, id, rejection.clone()).item),
            ..Self::command(command, id, rejection)
        })
    }
}
