//! Whose names are, many at once: what a dialect has to know before it writes.

use super::{Error, Statement, Store};
use crate::domain::{Identity, ProfileId, ProjectId};
use std::collections::HashMap;
use tokio_postgres::Row;

/// Reads only. Of several user ids of a person, which only a merge by a caller's word makes, any one tells that there is one.
pub(super) const LOAD_OWNERS: Statement = Statement {
    name: "load_owners",
    sql: "-- load_owners
SELECT t.place, i.profile_id, ARRAY(SELECT u.value FROM identity AS u WHERE u.profile_id = i.profile_id AND u.kind = 'user_id'),
    EXISTS (SELECT 1 FROM identity AS e WHERE e.profile_id = i.profile_id AND e.kind = 'email')
FROM unnest($1::INT4[], $2::INT4[], $3::TEXT[], $4::TEXT[]) AS t (place, project_id, kind, value)
JOIN identity AS i ON i.project_id = t.project_id AND i.kind = t.kind AND i.value = t.value",
};

/// Whose a name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub profile_id: ProfileId,
    pub user_ids: Vec<String>,
    pub has_email: bool,
}

impl Store {
    /// Who the names of a project lead to; those that lead to nobody are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_owners(
        &self,
        project_id: ProjectId,
        names: &[Identity],
    ) -> Result<HashMap<Identity, Owner>, Error> {
        let names: Vec<&Identity> = names.iter().filter(|name| name.can_be_held()).collect();
        let places: Vec<i32> = (0..).take(names.len()).collect();
        let projects = vec![project_id.0; names.len()];
        let kinds: Vec<&str> = names.iter().map(|name| name.kind.as_str()).collect();
        let values: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
        let rows = self
            .run(&LOAD_OWNERS, &[&places, &projects, &kinds, &values])
            .await?;
        let owner = |row: &Row| {
            let name = names[row.get::<_, i32>(0) as usize].clone();
            let owner = Owner {
                profile_id: ProfileId(row.get(1)),
                user_ids: row.get(2),
                has_email: row.get(3),
            };
            (name, owner)
        };
        Ok(rows.iter().map(owner).collect())
    }
}
