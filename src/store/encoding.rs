//! Tells at the start whether this database keeps every text.

use super::{Error, Statement, Store};

/// What keeps every text as it is; `SQL_ASCII` keeps the bytes that it is given. CockroachDB knows UTF8 alone.
const USABLE: [&str; 2] = ["UTF8", "SQL_ASCII"];

pub(super) const SERVER_ENCODING: Statement = Statement {
    name: "server_encoding",
    sql: "-- server_encoding
SELECT current_setting('server_encoding')",
};

impl Store {
    /// Asks the database how it writes texts down: elsewhere an emoji, or a name in another alphabet, would be refused of each item.
    ///
    /// # Errors
    /// Where its encoding lacks characters.
    pub async fn check_encoding(&self) -> Result<(), Error> {
        let rows = self.run(&SERVER_ENCODING, &[]).await?;
        let encoding: &str = rows[0].get(0);
        if USABLE.contains(&encoding) {
            return Ok(());
        }
        Err(Error::Schema(format!(
            "the database's encoding is {encoding}, which lacks characters: create it with ENCODING 'UTF8'"
        )))
    }
}
