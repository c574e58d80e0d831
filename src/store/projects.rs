//! Tenants and their keys.

use super::params::JsonParam;
use super::{Error, Statement, Store};
use crate::domain::{Caller, Json, KeyHash, KeyKind, Kinds, ProjectId, Rules, TokenSecret};
use std::sync::Arc;

/// Draws the next small id; a race for it shows as no row, and is tried again.
pub(super) const CREATE_PROJECT: Statement = Statement {
    name: "create_project",
    sql: "-- create_project
INSERT INTO project (project_id, name)
SELECT (COALESCE(max(p.project_id), 0) + 1)::INT4, $1::TEXT FROM project AS p
ON CONFLICT DO NOTHING
RETURNING project_id",
};

pub(super) const FIND_PROJECT: Statement = Statement {
    name: "find_project",
    sql: "-- find_project\nSELECT project_id FROM project WHERE name = $1::TEXT",
};

pub(super) const LOAD_PROJECT: Statement = Statement {
    name: "load_project",
    sql: "-- load_project
SELECT p.project_id, p.identity_kinds::TEXT, p.identity_rules::TEXT,
    (SELECT COALESCE(jsonb_agg(jsonb_build_array(b.kind, b.value)), '[]'::JSONB) FROM blocked_name AS b WHERE b.project_id = p.project_id)::TEXT
FROM project AS p WHERE p.name = $1::TEXT",
};

pub(super) const LOAD_KINDS: Statement = Statement {
    name: "load_kinds",
    sql: "-- load_kinds
SELECT p.identity_kinds::TEXT, p.identity_rules::TEXT,
    (SELECT COALESCE(jsonb_agg(jsonb_build_array(b.kind, b.value)), '[]'::JSONB) FROM blocked_name AS b WHERE b.project_id = p.project_id)::TEXT
FROM project AS p WHERE p.project_id = $1::INT4",
};

pub(super) const CREATE_KEY: Statement = Statement {
    name: "create_key",
    sql: "-- create_key
INSERT INTO api_key (key_hash, project_id, kind) VALUES ($1::BYTEA, $2::INT4, $3::TEXT)
ON CONFLICT (key_hash) DO NOTHING",
};

pub(super) const CREATE_SIGNED_KEY: Statement = Statement {
    name: "create_signed_key",
    sql: "-- create_signed_key
INSERT INTO api_key (key_hash, project_id, kind, token_secret) VALUES ($1::BYTEA, $2::INT4, 'write', $3::TEXT)
ON CONFLICT (key_hash) DO NOTHING",
};

pub(super) const LOAD_KEYS: Statement = Statement {
    name: "load_keys",
    sql: "-- load_keys
SELECT k.key_hash, k.project_id, k.kind, p.identity_kinds::TEXT, p.identity_rules::TEXT,
    (SELECT COALESCE(jsonb_agg(jsonb_build_array(b.kind, b.value)), '[]'::JSONB) FROM blocked_name AS b WHERE b.project_id = p.project_id)::TEXT, k.token_secret
FROM unnest($1::BYTEA[]) AS t (key_hash)
JOIN api_key AS k ON k.key_hash = t.key_hash
JOIN project AS p ON p.project_id = k.project_id
WHERE k.revoked_at IS NULL",
};

pub(super) const SET_KINDS: Statement = Statement {
    name: "set_kinds",
    sql: "-- set_kinds\nUPDATE project SET identity_kinds = $2::JSONB WHERE project_id = $1::INT4",
};

pub(super) const SET_RULES: Statement = Statement {
    name: "set_rules",
    sql: "-- set_rules\nUPDATE project SET identity_rules = $2::JSONB WHERE project_id = $1::INT4",
};

pub(super) const LIST_KEYS: Statement = Statement {
    name: "list_keys",
    sql: "-- list_keys
SELECT p.name, k.key_hash, k.kind, k.created_at, k.revoked_at IS NOT NULL
FROM api_key AS k JOIN project AS p ON p.project_id = k.project_id
ORDER BY k.project_id, k.created_at, k.key_hash",
};

pub(super) const LOAD_PROJECT_NAMES: Statement = Statement {
    name: "load_project_names",
    sql: "-- load_project_names
SELECT p.name FROM unnest($1::INT4[]) AS t (project_id) JOIN project AS p ON p.project_id = t.project_id",
};

pub(super) const REVOKE_KEY: Statement = Statement {
    name: "revoke_key",
    sql: "-- revoke_key
UPDATE api_key SET revoked_at = COALESCE(revoked_at, now())
WHERE key_hash = $1::BYTEA
RETURNING project_id",
};

/// A key as a list shows it.
#[derive(Debug)]
pub struct ListedKey {
    pub project: String,
    pub hash: KeyHash,
    pub kind: String,
    pub created_at: String,
    pub revoked: bool,
}

const MAX_RACES: usize = 20;

impl Store {
    /// Makes a project; `None` where the name is taken.
    pub async fn create_project(&self, name: &str) -> Result<Option<ProjectId>, Error> {
        for _ in 0..MAX_RACES {
            if let Some(row) = self.run(&CREATE_PROJECT, &[&name]).await?.first() {
                return Ok(Some(ProjectId(row.get(0))));
            }
            if self.find_project(name).await?.is_some() {
                return Ok(None);
            }
        }
        Err(Error::Contended("create_project"))
    }

    /// Finds a project by its name.
    pub async fn find_project(&self, name: &str) -> Result<Option<ProjectId>, Error> {
        let rows = self.run(&FIND_PROJECT, &[&name]).await?;
        Ok(rows.first().map(|row| ProjectId(row.get(0))))
    }

    /// The name of a project.
    pub async fn project_name(&self, project_id: ProjectId) -> Result<Option<String>, Error> {
        let rows = self
            .run(&LOAD_PROJECT_NAMES, &[&[project_id.0].as_slice()])
            .await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Finds a project by its name, with what it says about identities.
    pub async fn load_project(&self, name: &str) -> Result<Option<(ProjectId, Kinds)>, Error> {
        let rows = self.run(&LOAD_PROJECT, &[&name]).await?;
        Ok(rows
            .first()
            .map(|row| (ProjectId(row.get(0)), kinds(row, 1))))
    }

    /// What a project says about identities; nothing where there is no such project.
    pub async fn load_kinds(&self, project_id: ProjectId) -> Result<Kinds, Error> {
        let rows = self.run(&LOAD_KINDS, &[&project_id.0]).await?;
        Ok(rows
            .first()
            .map_or_else(Kinds::default, |row| kinds(row, 0)))
    }

    /// Adds a key to a project; a key that exists stays as it is.
    pub async fn create_key(
        &self,
        hash: KeyHash,
        project_id: ProjectId,
        kind: KeyKind,
    ) -> Result<(), Error> {
        self.run(
            &CREATE_KEY,
            &[&hash.as_bytes().as_slice(), &project_id.0, &kind.as_str()],
        )
        .await
        .map(drop)
    }

    /// Adds a write key whose calls need a token that is signed with a secret; a key that exists stays as it is.
    pub async fn create_signed_key(
        &self,
        hash: KeyHash,
        project_id: ProjectId,
        secret: &str,
    ) -> Result<(), Error> {
        let hash = hash.as_bytes().as_slice();
        self.run(&CREATE_SIGNED_KEY, &[&hash, &project_id.0, &secret])
            .await
            .map(drop)
    }

    /// Sets a project's own kinds of identity. What is stored already stays under the names it has.
    pub async fn set_kinds(&self, project_id: ProjectId, kinds: &Kinds) -> Result<(), Error> {
        let text = Json::of(kinds);
        self.run(&SET_KINDS, &[&project_id.0, &JsonParam(&text)])
            .await
            .map(drop)
    }

    /// Sets how far a project believes its write keys.
    pub async fn set_rules(&self, project_id: ProjectId, rules: &Rules) -> Result<(), Error> {
        let text = Json::of(rules);
        self.run(&SET_RULES, &[&project_id.0, &JsonParam(&text)])
            .await
            .map(drop)
    }

    /// Tells who the working ones among these keys belong to.
    pub async fn load_keys(&self, hashes: &[KeyHash]) -> Result<Vec<(KeyHash, Caller)>, Error> {
        let asked: Vec<&[u8]> = hashes
            .iter()
            .map(|hash| hash.as_bytes().as_slice())
            .collect();
        let rows = self.run(&LOAD_KEYS, &[&asked]).await?;
        Ok(rows.iter().filter_map(known_key).collect())
    }

    /// Every key of every project, revoked ones too.
    pub async fn list_keys(&self) -> Result<Vec<ListedKey>, Error> {
        let rows = self.run(&LIST_KEYS, &[]).await?;
        let listed = |row: &tokio_postgres::Row| {
            let hash = key_hash(row.get(1))?;
            Some(ListedKey {
                project: row.get(0),
                hash,
                kind: row.get(2),
                created_at: row
                    .get::<_, jiff::Timestamp>(3)
                    .strftime("%Y-%m-%dT%H:%M:%SZ")
                    .to_string(),
                revoked: row.get(4),
            })
        };
        Ok(rows.iter().filter_map(listed).collect())
    }

    /// Revokes a key for good; false where there is none.
    pub async fn revoke_key(&self, hash: KeyHash) -> Result<bool, Error> {
        Ok(!self
            .run(&REVOKE_KEY, &[&hash.as_bytes().as_slice()])
            .await?
            .is_empty())
    }
}

fn known_key(row: &tokio_postgres::Row) -> Option<(KeyHash, Caller)> {
    let kind = KeyKind::parse(row.get(2))?;
    Some((
        key_hash(row.get(0))?,
        Caller {
            project_id: ProjectId(row.get(1)),
            kind,
            kinds: Arc::new(kinds(row, 3)),
            secret: row.get::<_, Option<&str>>(6).map(TokenSecret::new),
        },
    ))
}

/// What a project says about identities, in three columns. What somebody wrote past this program counts as nothing.
pub(super) fn kinds(row: &tokio_postgres::Row, column: usize) -> Kinds {
    let kinds: Kinds = serde_json::from_str(row.get(column)).unwrap_or_default();
    let mut rules: Rules = serde_json::from_str(row.get(column + 1)).unwrap_or_default();
    let blocked: Vec<(String, String)> =
        serde_json::from_str(row.get(column + 2)).unwrap_or_default();
    for (kind, value) in blocked {
        rules.blocked.entry(kind).or_default().insert(value);
    }
    Kinds { rules, ..kinds }
}

fn key_hash(bytes: &[u8]) -> Option<KeyHash> {
    bytes.try_into().ok().map(KeyHash::from_bytes)
}
