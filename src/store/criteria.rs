//! When the apps of a project make users of people whom they do not know yet.

use super::params::JsonParam;
use super::{Error, Statement, Store};
use crate::domain::{Json, ProjectId};

pub(super) const LOAD_CRITERIA: Statement = Statement {
    name: "load_criteria",
    sql: "-- load_criteria\nSELECT p.unknown_user_criteria::TEXT FROM project AS p WHERE p.project_id = $1::INT4",
};

pub(super) const SET_CRITERIA: Statement = Statement {
    name: "set_criteria",
    sql: "-- set_criteria\nUPDATE project SET unknown_user_criteria = $2::JSONB WHERE project_id = $1::INT4",
};

pub(super) const DROP_CRITERIA: Statement = Statement {
    name: "drop_criteria",
    sql: "-- drop_criteria\nUPDATE project SET unknown_user_criteria = NULL WHERE project_id = $1::INT4",
};

impl Store {
    /// The document that SDKs are told, as JSON; `None` where the project has none.
    pub async fn load_criteria(&self, project_id: ProjectId) -> Result<Option<String>, Error> {
        let rows = self.run(&LOAD_CRITERIA, &[&project_id.0]).await?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    /// Sets the document, or takes it away.
    pub async fn set_criteria(
        &self,
        project_id: ProjectId,
        criteria: Option<&Json>,
    ) -> Result<(), Error> {
        let set = match criteria {
            Some(criteria) => {
                let criteria = JsonParam(criteria);
                self.run(&SET_CRITERIA, &[&project_id.0, &criteria]).await
            }
            None => self.run(&DROP_CRITERIA, &[&project_id.0]).await,
        };
        set.map(drop)
    }
}
