//! An item as it is listed for a person: refused, or stored and mended.

use super::command::Command;
use super::identity::Identity;
use super::warning::Warning;
use super::{Code, Json, ProjectId, Rejection, Timestamp};
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
    /// Whom it names, as far as that could be read: of a person who was forgotten, nothing may be kept.
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
        if let Some(event) = event.filter(|_| rejection.code != Code::Erased) {
            item["name"] = serde_json::json!(event.name);
        }
        Self {
            project_id: command.project_id,
            id,
            received_at: command.received_at,
            rejection,
            message_id: event.map(|event| event.message_id.clone()),
            names: Vec::new(),
            warnings: None,
            item: Json::of(&item),
        }
    }

    /// A command that was stored, but not just as it came; `None` where nothing was mended, or nothing was lost by it.
    pub fn mended(command: &Command, id: Uuid) -> Option<Self> {
        let first = command.warnings().first()?;
        if command.warnings().iter().all(Warning::is_slight) {
            return None;
        }
        let code = Code::Mended;
        let rejection = Rejection::of(code, &first.field, first.message.clone());
        let item = command.warnings.item().cloned();
        Some(Self {
            names: command.identities.clone(),
            warnings: Some(Json::of(&command.warnings())),
            item: item.unwrap_or_else(|| Self::command(command, id, rejection.clone()).item),
            ..Self::command(command, id, rejection)
        })
    }
}
