//! Message ids that were taken: a server's event that is not stored, since another one has its id, is not dropped in silence.
//!
//! An id decides whether an event is stored, so that a resend by any road is harmless; whoever guesses one by a write key takes it
//! before its owner. A server key's call is therefore compared with what is stored under its id.

use crate::domain::{Class, Code, Command, Item, KeyKind, Receipt, Rejection};
use crate::store::{Error, EventRow, Store};

/// Turns the receipts of server keys' duplicates that are none into `Taken`. Of most batches nothing is asked.
pub(super) async fn tell(
    store: &Store,
    items: &[&Item],
    receipts: &mut [Receipt],
) -> Result<(), Error> {
    let mut places = Vec::new();
    let mut rows = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let command = item.command().filter(|command| is_asked(command));
        let command = command.filter(|_| receipts[place] == Receipt::Duplicate);
        if let Some(row) = command.and_then(|command| EventRow::of(command, 0)) {
            places.push(place);
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    for index in store.find_others(&rows).await? {
        receipts[places[index]] = Receipt::Taken(taken());
    }
    Ok(())
}

/// A topic is replayed on purpose, and its duplicates are many.
fn is_asked(command: &Command) -> bool {
    command.by() == KeyKind::Server && command.class() != Class::Backfill
}

fn taken() -> Rejection {
    let message = "another event has this message id: the call is not stored, and is listed whole";
    Rejection::of(Code::MessageIdTaken, "messageId", message)
}
