//! The ledger tried on itself: it finds nothing where nothing is wrong, and each kind of damage where it was done.

use crate::harness::{Project, shared, sql};
use crate::ledger::{Load, Verdict};
use std::time::Duration;

/// Some acknowledged work, and what judges it.
struct Tried {
    load: Load,
    project: i32,
    database_url: String,
}

impl Tried {
    async fn some_work() -> Self {
        let shared = shared().await;
        let project = Project::fresh().await;
        let mut load = Load::small(&project, &[&shared.url]);
        load.goes_on(80, Duration::from_secs(30)).await;
        load.finish().await;
        Self {
            load,
            project: project.id,
            database_url: shared.database_url.clone(),
        }
    }

    /// Does something to the rows of the project, and judges again.
    async fn after(&self, damage: &str) -> Verdict {
        let damage = damage.replace("$project", &self.project.to_string());
        sql(&self.database_url, &damage).await;
        self.load.judge(&self.database_url).await
    }
}

/// The event that was stored first, in SQL.
const ONE: &str = "(project_id, event_id) = (SELECT project_id, event_id FROM event WHERE project_id = $project AND type = 'track' ORDER BY event_id LIMIT 1)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_wrong_where_nothing_was_done() {
    let tried = Tried::some_work().await;
    let verdict = tried.after("SELECT 1").await;
    eprintln!("a quiet run: {verdict}");
    verdict.assert_clean("a quiet run");
    assert!(verdict.resent > 0 && verdict.refused > 0, "{verdict}");
    assert_eq!(verdict.unknown, 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_damage_is_seen() {
    let tried = Tried::some_work().await;
    let altered = tried
        .after(&format!(
            "UPDATE event SET properties = '{{\"x\": 1}}' WHERE {ONE}"
        ))
        .await;
    assert_eq!(
        (altered.altered, altered.is_clean()),
        (1, false),
        "{altered}"
    );

    let lost = tried.after(&format!("DELETE FROM event WHERE {ONE}")).await;
    assert_eq!(
        (lost.lost, lost.altered, lost.is_clean()),
        (1, 0, false),
        "{lost}"
    );

    let copy = |message_id: &str| {
        format!(
        "INSERT INTO event (project_id, event_id, profile_id, type, name, message_id, occurred_at, received_at, properties, context)
         SELECT project_id, gen_random_uuid(), profile_id, type, name, {message_id}, occurred_at, received_at, properties, context FROM event WHERE {ONE}"
    )
    };
    let phantom = tried.after(&copy("'never sent'")).await;
    assert_eq!(
        (phantom.phantom, phantom.is_clean()),
        (1, false),
        "{phantom}"
    );

    let duplicate = tried
        .after(&copy("COALESCE(message_id, event_id::TEXT)"))
        .await;
    assert_eq!(
        (duplicate.duplicate, duplicate.is_clean()),
        (1, false),
        "{duplicate}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_to_people_is_seen() {
    let tried = Tried::some_work().await;
    let person = "SELECT profile_id FROM event WHERE project_id = $project AND type = 'identify' AND properties::TEXT LIKE '% of %' ORDER BY profile_id LIMIT 1";
    let misfolded = tried.after(&format!("UPDATE profile SET traits = '{{\"plan\": \"stolen\"}}' WHERE project_id = $project AND profile_id = ({person})")).await;
    assert_eq!(
        (misfolded.misfolded, misfolded.is_clean()),
        (1, false),
        "{misfolded}"
    );

    let torn = tried
        .after(&format!(
            "DELETE FROM profile WHERE project_id = $project AND profile_id = ({person})"
        ))
        .await;
    assert!(torn.torn > 0 && !torn.is_clean(), "{torn}");

    let unlisted = tried
        .after("DELETE FROM rejection WHERE project_id = $project")
        .await;
    assert!(unlisted.unlisted > 0, "{unlisted}");
}
