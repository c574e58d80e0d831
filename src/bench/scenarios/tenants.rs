//! What many projects cost beside few: the same requests over the same number of people, spread over ten projects or over thousands.

use super::finish;
use crate::bench::bodies;
use crate::bench::kind::Kind;
use crate::bench::load::{Script, closed};
use crate::bench::people::make_people;
use crate::bench::report::{Line, Part};
use crate::bench::request::{BATCH_ITEMS, Request};
use crate::bench::settings::Settings;
use crate::bench::stage::{Service, new_name};
use crate::bench::turn::{counted, take_rounds};
use crate::domain::KeyHash;
use anyhow::Result;
use std::sync::Arc;

/// Projects that the many are held against.
const FEW: u32 = 10;
const KINDS: [Kind; 4] = [
    Kind::FewSingle,
    Kind::ManySingle,
    Kind::FewBatch,
    Kind::ManyBatch,
];

const LAST_PROJECT: &str = "SELECT max(project_id) FROM project";
const MAKE_PROJECTS: &str = "-- bench_make_projects
WITH made AS (
    INSERT INTO project (project_id, name) SELECT t.project_id, $1::TEXT || '-' || t.project_id::TEXT FROM unnest($2::INT4[]) AS t (project_id)
    RETURNING project_id -- CockroachDB refuses a CTE that returns nothing
)
INSERT INTO api_key (key_hash, project_id, kind)
SELECT t.key_hash, t.project_id, 'write' FROM unnest($3::BYTEA[], $2::INT4[]) AS t (key_hash, project_id)";

/// Projects that are sent to in turn.
struct Tenants {
    keys: Arc<[String]>,
    /// Of each project.
    people: u32,
}

/// Measures single events and batches, turn about.
pub async fn run(settings: &Settings, service: &Service) -> Result<Part> {
    service.progress.begin("projects and their people");
    let few = Tenants::make(service, FEW).await?;
    let many = Tenants::make(service, settings.projects).await?;
    let turns = take_rounds(settings, &service.progress, &KINDS, async |kind, round| {
        let tenants = match kind {
            Kind::FewSingle | Kind::FewBatch => &few,
            _ => &many,
        };
        let work = async || closed(tenants.scripts(settings, service, kind), settings.turn()).await;
        service.turn((kind, round), work).await
    })
    .await?;
    let mut part = Part {
        lines: Line::all(&KINDS, &counted(settings, turns)),
        ..Part::default()
    };
    let title = "projects where they are many";
    part.figure(("projects", title), f64::from(settings.projects), "");
    finish(&mut part, service, "tenants");
    Ok(part)
}

impl Tenants {
    async fn make(service: &Service, projects: u32) -> Result<Self> {
        let (name, client) = (new_name(), &service.own()?.client);
        let keys: Vec<String> = (0..projects).map(|n| format!("{name}-{n:07}")).collect();
        let hashes: Vec<KeyHash> = keys.iter().map(|key| KeyHash::of(key)).collect();
        let hashes: Vec<&[u8]> = hashes.iter().map(|hash| &hash.as_bytes()[..]).collect();
        let last: i32 = client.query_one(LAST_PROJECT, &[]).await?.get(0);
        let ids: Vec<i32> = (last + 1..).take(keys.len()).collect();
        client
            .execute(MAKE_PROJECTS, &[&name, &ids, &hashes])
            .await?;
        let people = (service.people / projects).max(1);
        for id in ids {
            make_people(client, id, people).await?;
        }
        Ok(Self {
            keys: keys.into(),
            people,
        })
    }

    fn scripts(&self, settings: &Settings, service: &Service, kind: Kind) -> Vec<Script> {
        let is_single = matches!(kind, Kind::FewSingle | Kind::ManySingle);
        let connections: usize = if is_single {
            settings.connections.into()
        } else {
            settings.batch_connections.into()
        };
        let script = |index: usize| {
            let first = index * self.keys.len() / connections;
            let to = service.target.with_key(&self.keys[first]);
            let request = if is_single {
                Request::single("/v1/track", &to, index)
            } else {
                Request::many("/v1/batch", &to, (index, BATCH_ITEMS), bodies::track)
            };
            Script::new(&to, request, self.people).of_many(&self.keys, first)
        };
        (0..connections).map(script).collect()
    }
}
