//! Tracking plans: which types the fields of projects have. A row is written once, by whoever comes first, and never changed.

use super::{Error, Statement, Store};
use crate::domain::tracking_plan::Category;
use crate::domain::{FieldType, ProjectId};
use tokio_postgres::Row;

/// Rows of one statement.
const MOST_ROWS: usize = 2_000;
/// Fields read at once: what is beyond is asked for by name.
const MOST_LOADED: i64 = 50_000;

/// All fields of some categories.
pub(super) const LOAD_FIELD_TYPES: Statement = Statement {
    name: "load_field_types",
    sql: "-- load_field_types
SELECT f.category, f.name, f.type FROM field_type AS f
WHERE f.project_id = $1::INT4 AND f.category = ANY($2::TEXT[]) LIMIT $3::INT8",
};

/// Gives back which fields were not there: the others have a type already, perhaps since a moment ago.
pub(super) const FIX_FIELD_TYPES: Statement = Statement {
    name: "fix_field_types",
    sql: "-- fix_field_types
INSERT INTO field_type (project_id, category, name, type, first_seen)
SELECT t.project_id, t.category, t.name, t.type, now()
FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) AS t (project_id, category, name, type)
ON CONFLICT (project_id, category, name) DO NOTHING
RETURNING category, name, type",
};

/// The fields of these names.
pub(super) const FIND_FIELD_TYPES: Statement = Statement {
    name: "find_field_types",
    sql: "-- find_field_types
SELECT f.category, f.name, f.type FROM unnest($1::INT4[], $2::TEXT[], $3::TEXT[]) AS t (project_id, category, name)
JOIN field_type AS f ON f.project_id = t.project_id AND f.category = t.category AND f.name = t.name",
};

/// Counts no further than a bound.
pub(super) const COUNT_FIELD_TYPES: Statement = Statement {
    name: "count_field_types",
    sql: "-- count_field_types
SELECT count(*) FROM (
    SELECT f.name FROM field_type AS f WHERE f.project_id = $1::INT4 LIMIT $2::INT8
) AS s",
};

pub(super) const FORGET_FIELD_TYPE: Statement = Statement {
    name: "forget_field_type",
    sql: "-- forget_field_type
DELETE FROM field_type WHERE project_id = $1::INT4 AND category = $2::TEXT AND name = $3::TEXT
RETURNING name",
};

/// A field with its type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypedField {
    pub category: Category,
    pub path: String,
    pub its_type: FieldType,
}

impl Store {
    /// The fields of some categories of a project; of a great many perhaps not all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_field_types(
        &self,
        project_id: ProjectId,
        categories: &[Category],
    ) -> Result<Vec<TypedField>, Error> {
        let categories: Vec<String> = categories.iter().map(Category::to_row).collect();
        let rows = self
            .run(
                &LOAD_FIELD_TYPES,
                &[&project_id.0, &categories, &MOST_LOADED],
            )
            .await?;
        Ok(rows.iter().filter_map(typed_field).collect())
    }

    /// Fixes types, each unless somebody was first; the fields that this call made. Give them sorted, so that two calls do not wait
    /// for each other.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn fix_field_types(
        &self,
        project_id: ProjectId,
        fields: &[TypedField],
    ) -> Result<Vec<TypedField>, Error> {
        let mut made = Vec::new();
        for part in fields.chunks(MOST_ROWS) {
            let (projects, categories, names) = keys(project_id, part);
            let types: Vec<&str> = part.iter().map(|field| field.its_type.as_str()).collect();
            let rows = self
                .run(&FIX_FIELD_TYPES, &[&projects, &categories, &names, &types])
                .await?;
            made.extend(rows.iter().filter_map(typed_field));
        }
        Ok(made)
    }

    /// What the types of fields are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_field_types(
        &self,
        project_id: ProjectId,
        fields: &[TypedField],
    ) -> Result<Vec<TypedField>, Error> {
        let mut found = Vec::new();
        for part in fields.chunks(MOST_ROWS) {
            let (projects, categories, names) = keys(project_id, part);
            let rows = self
                .run(&FIND_FIELD_TYPES, &[&projects, &categories, &names])
                .await?;
            found.extend(rows.iter().filter_map(typed_field));
        }
        Ok(found)
    }

    /// How many fields a project has in all its plans, counted up to `most`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_field_types(
        &self,
        project_id: ProjectId,
        most: usize,
    ) -> Result<usize, Error> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self
            .run(&COUNT_FIELD_TYPES, &[&project_id.0, &most])
            .await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0) as usize))
    }

    /// Forgets the type of a field, so that its next value fixes it anew; false where there is none.
    ///
    /// # Errors
    /// When the database does not take it; a repeat is safe.
    pub async fn forget_field_type(
        &self,
        project_id: ProjectId,
        category: &Category,
        path: &str,
    ) -> Result<bool, Error> {
        let category = category.to_row();
        let rows = self
            .run(&FORGET_FIELD_TYPE, &[&project_id.0, &category, &path])
            .await?;
        Ok(!rows.is_empty())
    }
}

fn keys(project_id: ProjectId, fields: &[TypedField]) -> (Vec<i32>, Vec<String>, Vec<&str>) {
    let categories = fields.iter().map(|field| field.category.to_row());
    let names = fields.iter().map(|field| field.path.as_str());
    (
        vec![project_id.0; fields.len()],
        categories.collect(),
        names.collect(),
    )
}

/// What a newer version wrote and this one does not know counts as nothing.
fn typed_field(row: &Row) -> Option<TypedField> {
    Some(TypedField {
        category: Category::of_row(row.get(0))?,
        path: row.get(1),
        its_type: FieldType::parse(row.get(2))?,
    })
}
