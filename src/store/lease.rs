//! Leases: what only one node may do at a time. A holder that dies loses it by time; a holder that is merely late has lost it too, so
//! whatever is done under a lease must also be harmless when two do it.

use super::{Error, Statement, Store};
use std::time::Duration;
use uuid::Uuid;

pub(super) const TAKE_LEASE: Statement = Statement {
    name: "take_lease",
    sql: "-- take_lease
INSERT INTO lease AS held (name, owner, expires_at)
VALUES ($1::TEXT, $2::UUID, now() + ($3::FLOAT8 * '1 second'::INTERVAL))
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
WHERE held.expires_at < now() OR held.owner = excluded.owner
RETURNING owner",
};

pub(super) const END_LEASE: Statement = Statement {
    name: "end_lease",
    sql: "-- end_lease\nDELETE FROM lease WHERE name = $1::TEXT AND owner = $2::UUID",
};

impl Store {
    /// Takes or renews a lease; false where somebody else holds it.
    pub async fn take_lease(&self, name: &str, owner: Uuid, time: Duration) -> Result<bool, Error> {
        let rows = self
            .run(&TAKE_LEASE, &[&name, &owner, &time.as_secs_f64()])
            .await?;
        Ok(!rows.is_empty())
    }

    /// Gives a lease back.
    pub async fn end_lease(&self, name: &str, owner: Uuid) -> Result<(), Error> {
        self.run(&END_LEASE, &[&name, &owner]).await.map(drop)
    }
}
