//! The frame of all work that no request waits for: one holder at a time, who writes nothing once it is late, and whose
//! successor goes on where it stopped. Each test has a database of its own, where nobody else takes the turns.

use crate::harness::{fresh_database, sql, store_at, wait_until};
use roster::config::{Config, Upkeep};
use roster::domain::{Identity, IdentityKind, ProjectId, Timestamp};
use roster::store::{ErasureRequest, Error, ExpiringList, Store};
use roster::upkeep::erasures::Erasures;
use roster::upkeep::frame::{self, Turn, Work};
use roster::upkeep::retention::OldEvents;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(40);
const LONG: Duration = Duration::from_secs(60);

async fn with_project() -> (String, Store, ProjectId) {
    let url = fresh_database().await;
    let store = store_at(&url);
    store.migrate().await.unwrap();
    let project = store.create_project("one").await.unwrap().unwrap();
    (url, store, project)
}

/// So many events of one person who is named `user_id:name`.
async fn person(url: &str, project: ProjectId, name: &str, events: usize) -> Uuid {
    let (id, project) = (Uuid::new_v4(), project.0);
    let profile = format!(
        "INSERT INTO profile (project_id, profile_id, traits, stamps, version, created_at, updated_at)
         VALUES ({project}, '{id}', '{{}}', '{{\"base\":0}}', 1, now(), now())"
    );
    let identity = format!(
        "INSERT INTO identity (project_id, kind, value, profile_id, first_seen) VALUES ({project}, 'user_id', '{name}', '{id}', now())"
    );
    let event = format!(
        "INSERT INTO event (project_id, event_id, profile_id, type, occurred_at, received_at, properties, context)
         SELECT {project}, gen_random_uuid(), '{id}', 'track', now(), now() - INTERVAL '40 days', '{{}}', '{{}}' FROM generate_series(1, {events})"
    );
    for text in [profile, identity, event] {
        sql(url, &text).await;
    }
    id
}

fn erasure_of(project: ProjectId, name: &str) -> ErasureRequest {
    ErasureRequest {
        project_id: project,
        id: Uuid::new_v4(),
        at: Timestamp::new(jiff::Timestamp::now()),
        is_forgotten: false,
        identities: vec![Identity {
            kind: IdentityKind::parse("user_id"),
            value: name.to_owned(),
        }],
        profiles: Vec::new(),
        kept: None,
    }
}

/// Erases a person, whose events are left and whose sweep is due at once.
async fn erase(url: &str, store: &Store, project: ProjectId, name: &str) -> ErasureRequest {
    let mut request = erasure_of(project, name);
    request.profiles = store.erase(&request).await.unwrap();
    let due = "UPDATE erasure_request SET sweep_at = now() - INTERVAL '1 second'";
    sql(url, due).await;
    request
}

fn upkeep() -> Upkeep {
    let mut upkeep = Config::load(None, HashMap::new()).unwrap().upkeep;
    upkeep.retention_interval_seconds = 1;
    upkeep.retention_rows_per_second = 50_000;
    upkeep
}

async fn one(url: &str, question: &str) -> String {
    sql(url, question).await.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_empty_the_same_events_count_each_once() {
    let (url, first, project) = with_project().await;
    let second = store_at(&url);
    for round in 0..5 {
        let name = format!("ada-{round}");
        person(&url, project, &name, 3_000).await;
        let request = erase(&url, &first, project, &name).await;
        let until = Instant::now() + LONG;
        let (one, other) = tokio::join!(
            first.clear(&request, until.into()),
            second.clear(&request, until.into())
        );
        assert!(one.unwrap() && other.unwrap());
        let receipt = first.load_erasure(project, request.id).await.unwrap();
        assert_eq!(receipt.unwrap().events, 3_000, "round {round}");
    }
    let left = "SELECT count(*) FROM event WHERE type <> 'erased'";
    assert_eq!(one(&url, left).await, "0");
}

#[tokio::test]
async fn who_is_late_has_lost_the_turn_and_writes_nothing() {
    let (url, late, project) = with_project().await;
    let next = store_at(&url);
    let take = async |store: &Store| store.take_turn("erasures", Uuid::new_v4(), LONG).await;
    let (lost, _) = take(&late).await.unwrap().unwrap();
    assert!(take(&next).await.unwrap().is_none(), "two have the turn");
    person(&url, project, "ada", 10).await;
    erase(&url, &late, project, "ada").await;
    sql(
        &url,
        "UPDATE worker SET expires_at = now() - INTERVAL '1 second'",
    )
    .await;
    let (held, _) = take(&next).await.unwrap().unwrap();
    assert!(held.token > lost.token);

    let erasure = late.due_erasures(1).await.unwrap().remove(0);
    let until = (Instant::now() + LONG).into();
    let swept = late.sweep(lost, &erasure, until).await;
    assert!(swept.unwrap_err().to_string().contains("lost its turn"));
    let untouched = "SELECT (SELECT count(*) FROM event WHERE type = 'track')::TEXT || ' ' || (event_count = 0 AND finished_at IS NULL)::TEXT FROM erasure_request";
    assert_eq!(one(&url, untouched).await, "10 true");
    let kept = late.keep_turn(lost, LONG, Some("nonsense")).await;
    assert!(kept.unwrap_err().to_string().contains("lost its turn"));
    late.end_turn(lost, LONG).await.unwrap();

    assert!(next.sweep(held, &erasure, until).await.unwrap());
    next.keep_turn(held, LONG, Some("here")).await.unwrap();
    assert_eq!(
        one(&url, "SELECT event_count FROM erasure_request").await,
        "10"
    );
    assert_eq!(one(&url, "SELECT progress FROM worker").await, "here");
}

#[tokio::test]
async fn a_sweep_that_fails_waits_by_itself_and_the_others_go_on() {
    let (url, store, project) = with_project().await;
    for name in ["bad", "good"] {
        person(&url, project, name, 10).await;
    }
    let bad = erase(&url, &store, project, "bad").await;
    let good = erase(&url, &store, project, "good").await;
    let broken = format!(
        "UPDATE erasure_request SET identities = '[1]', sweep_at = now() - INTERVAL '1 hour' WHERE erasure_id = '{}'",
        bad.id
    );
    sql(&url, &broken).await;
    let working = tokio::spawn(frame::run(store.clone(), Erasures));
    let finished = async || {
        let receipt = store.load_erasure(project, good.id).await.unwrap();
        receipt.unwrap().finished_at.is_some()
    };
    wait_until("the good one is finished", PATIENCE, finished).await;
    let waits = format!(
        "SELECT attempts >= 1 AND sweep_at > now() - INTERVAL '1 minute' AND finished_at IS NULL FROM erasure_request WHERE erasure_id = '{}'",
        bad.id
    );
    assert_eq!(one(&url, &waits).await.chars().next(), Some('t'));
    working.abort();
}

/// Counts its steps, of which the first panics.
struct Poisoned(Arc<AtomicUsize>);

impl Work for Poisoned {
    const NAME: &'static str = "poisoned";

    fn interval(&self) -> Duration {
        Duration::from_millis(10)
    }

    async fn step(&self, _: &mut Turn) -> Result<(), Error> {
        assert!(self.0.fetch_add(1, Relaxed) > 0, "the first step");
        Ok(())
    }
}

#[tokio::test]
async fn a_step_that_panics_does_not_end_its_worker() {
    let (_, store, _) = with_project().await;
    let steps = Arc::<AtomicUsize>::default();
    let working = tokio::spawn(frame::run(store, Poisoned(steps.clone())));
    wait_until("it works again", PATIENCE, async || steps.load(Relaxed) > 1).await;
    working.abort();
}

/// Has one piece, which lasts until its turn was kept six times: longer than a turn. Then it writes, by its fence.
struct Slow(String);

impl Work for Slow {
    const NAME: &'static str = "slow";

    fn interval(&self) -> Duration {
        Duration::from_millis(10)
    }

    async fn step(&self, turn: &mut Turn) -> Result<(), Error> {
        let mut seen = HashSet::new();
        while seen.len() <= 6 {
            seen.insert(
                one(
                    &self.0,
                    "SELECT expires_at::TEXT FROM worker WHERE name = 'slow'",
                )
                .await,
            );
            sleep(Duration::from_millis(500)).await;
        }
        let token = turn.fence.token;
        turn.keep_at(format!("written under {token}")).await
    }
}

#[tokio::test]
async fn a_piece_that_takes_longer_than_a_turn_does_not_lose_it() {
    let (url, store, _) = with_project().await;
    let working = tokio::spawn(frame::run(store, Slow(url.clone())));
    let written = "SELECT count(*) FROM worker WHERE progress = 'written under 1'";
    wait_until("the piece is done", LONG * 3, async || {
        one(&url, written).await == "1"
    })
    .await;
    working.abort();
}

#[tokio::test]
async fn the_databases_clock_says_when_a_sweep_is_due() {
    let (url, store, project) = with_project().await;
    let mut request = erasure_of(project, "ada");
    // A node whose clock is a day ahead.
    request.at = request.at.plus(Duration::from_secs(86_400));
    store.erase(&request).await.unwrap();
    let soon = "SELECT (sweep_at BETWEEN now() AND now() + INTERVAL '1 minute')::TEXT FROM erasure_request";
    assert_eq!(one(&url, soon).await, "true");
}

#[tokio::test]
async fn a_killed_walk_over_events_goes_on_where_it_stopped() {
    let (url, store, project) = with_project().await;
    person(&url, project, "ada", 1_200).await;
    store.set_retention(project, Some(30), 30).await.unwrap();
    store.create_project("idle").await.unwrap();
    let take = async || store.take_turn("old events", Uuid::new_v4(), LONG).await;
    let (fence, _) = take().await.unwrap().unwrap();
    let walks = store.due_walks(10).await.unwrap();
    assert_eq!(walks.len(), 1, "an idle project has no walk");
    let page = store
        .expire_events(fence, &walks[0], Uuid::nil(), 500)
        .await;
    let (end, gone) = page.unwrap();
    assert_eq!(gone, 500);
    // The holder dies here, and its turn runs out.
    sql(
        &url,
        "UPDATE worker SET expires_at = now() - INTERVAL '1 second'",
    )
    .await;
    take().await.unwrap().unwrap();
    let resumed = store.due_walks(10).await.unwrap()[0];
    assert_eq!(Some(resumed.after), end);
    let late = store
        .expire_events(fence, &resumed, resumed.after, 500)
        .await;
    assert_eq!(late.unwrap().1, 0, "the dead one's turn deletes nothing");

    sql(
        &url,
        "UPDATE worker SET expires_at = now() - INTERVAL '1 second'",
    )
    .await;
    let working = tokio::spawn(frame::run(store.clone(), OldEvents(upkeep())));
    wait_until("the rest goes", PATIENCE, async || {
        one(&url, "SELECT count(*) FROM event").await == "0"
    })
    .await;
    working.abort();
}

#[tokio::test]
async fn a_thousand_idle_projects_cost_one_statement_for_each_list() {
    let (url, store, project) = with_project().await;
    sql(&url, "INSERT INTO project (project_id, name) SELECT n, 'p' || n::TEXT FROM generate_series(100, 1098) AS g (n)").await;
    for (table, columns, values) in [
        (
            "rejection",
            "received_at, rejection_id, code, message, item",
            "'c', 'm', '{}'",
        ),
        (
            "conflict",
            "first_seen, conflict_id, kind, value, owner_id, claimant_id",
            "'email', 'e', gen_random_uuid(), gen_random_uuid()",
        ),
    ] {
        for (of, days) in [(project.0, 40), (project.0, 1), (700, 40), (700, 20)] {
            sql(&url, &format!("INSERT INTO {table} (project_id, {columns}) VALUES ({of}, now() - INTERVAL '{days} days', gen_random_uuid(), {values})")).await;
        }
    }
    let taken = store.take_turn("old lists", Uuid::new_v4(), LONG).await;
    let (fence, _) = taken.unwrap().unwrap();
    for list in [ExpiringList::Rejections, ExpiringList::Conflicts] {
        let expired = store.expire(fence, list, ProjectId(0), 500).await;
        let (last, gone) = expired.unwrap();
        assert_eq!((last, gone), (Some(ProjectId(1_098)), 2), "{list:?}");
        let rest = store.expire(fence, list, ProjectId(1_098), 500).await;
        assert_eq!(rest.unwrap(), (None, 0));
    }
    for table in ["rejection", "conflict"] {
        let left = one(&url, &format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(left, "2", "{table}");
    }
}
