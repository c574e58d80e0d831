//! The cache of keys against a database that is a closure.

use super::*;
use crate::domain::{KeyKind, ProjectId};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn the_caller() -> Caller {
    Caller {
        project_id: ProjectId(7),
        kind: KeyKind::Write,
        kinds: Arc::default(),
        secret: None,
    }
}

#[derive(Default)]
struct Database {
    queries: AtomicUsize,
    asked: AtomicUsize,
    down: AtomicBool,
    revoked: Mutex<bool>,
}

fn keys(database: &Arc<Database>, cache_seconds: u64) -> Keys {
    let settings = config::Keys {
        cache_seconds,
        cache_entries: 1_000,
    };
    let database = database.clone();
    let lookup: Lookup = Box::new(move |hashes| {
        let database = database.clone();
        Box::pin(async move {
            database.queries.fetch_add(1, Ordering::Relaxed);
            database.asked.fetch_add(hashes.len(), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            if database.down.load(Ordering::Relaxed) {
                return Err("the database is down".into());
            }
            let revoked = *database.revoked.lock().expect("no panic");
            let known = hashes
                .into_iter()
                .filter(|hash| !revoked && *hash == KeyHash::of("known"));
            Ok(known.map(|hash| (hash, the_caller())).collect())
        })
    });
    let (keys, task) = Keys::new(&settings, lookup);
    #[expect(clippy::disallowed_methods, reason = "the test's runtime ends it")]
    tokio::spawn(task);
    keys
}

#[tokio::test]
async fn found_and_unknown_keys_are_asked_for_once() {
    let database = Arc::new(Database::default());
    let keys = keys(&database, 60);
    for _ in 0..3 {
        assert_eq!(keys.find("known").await, Ok(Some(the_caller())));
        assert_eq!(keys.find("unknown").await, Ok(None));
        assert_eq!(keys.find("").await, Ok(None));
        assert_eq!(keys.find(&"k".repeat(513)).await, Ok(None));
    }
    assert_eq!(database.queries.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_a_few_queries() {
    let database = Arc::new(Database::default());
    let keys = keys(&database, 60);
    let flood = (0..900).map(|number| {
        let keys = keys.clone();
        async move { keys.find(&format!("made-up-{number}")).await }
    });
    let answers = futures_util::future::join_all(flood).await;
    assert!(answers.iter().all(|answer| *answer == Ok(None)));
    assert!(database.queries.load(Ordering::Relaxed) <= 3);
    assert_eq!(database.asked.load(Ordering::Relaxed), 900);
}

#[tokio::test]
async fn a_thousand_requests_with_one_key_ask_once() {
    let database = Arc::new(Database::default());
    let keys = keys(&database, 60);
    let all = futures_util::future::join_all((0..1_000).map(|_| keys.find("known"))).await;
    assert!(all.iter().all(|answer| *answer == Ok(Some(the_caller()))));
    assert_eq!(database.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_database_that_is_down_makes_no_key_unknown() {
    let database = Arc::new(Database::default());
    let keys = keys(&database, 60);
    database.down.store(true, Ordering::Relaxed);
    assert_eq!(keys.find("known").await, Err(LookupFailed));
    database.down.store(false, Ordering::Relaxed);
    assert_eq!(keys.find("known").await, Ok(Some(the_caller())));
}

#[tokio::test]
async fn a_revoked_key_stops_after_the_cache_time() {
    let database = Arc::new(Database::default());
    let keys = keys(&database, 1);
    assert_eq!(keys.find("known").await, Ok(Some(the_caller())));
    *database.revoked.lock().expect("no panic") = true;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(keys.find("known").await, Ok(None));
}

#[test]
fn a_key_in_use_is_asked_for_again_once_before_it_is_forgotten() {
    let remembered = Remembered {
        cache: Cache::new(10),
        lifetime: Duration::from_secs(5),
    };
    let (asked_at, [known, unknown]) = (Instant::now(), ["known", "unknown"].map(KeyHash::of));
    let found = HashMap::from([(known, the_caller())]);
    remembered.keep(HashSet::from([known, unknown]), &found, asked_at);
    let after = |millis| asked_at + Duration::from_millis(millis);
    let renews = |hash: &KeyHash, at| {
        let entry = remembered.get(hash, at).expect("is remembered");
        remembered.is_to_be_renewed(&entry, at)
    };
    assert!(!renews(&known, after(3_900)));
    assert!(renews(&known, after(4_100)));
    assert!(!renews(&known, after(4_200)), "it was asked for already");
    assert!(!renews(&unknown, after(4_900)));
    assert!(remembered.get(&known, after(5_000)).is_none());
}

#[tokio::test]
async fn the_task_ends_with_the_last_user() {
    let settings = config::Keys {
        cache_seconds: 1,
        cache_entries: 10,
    };
    let (keys, task) = Keys::new(&settings, Box::new(|_| Box::pin(async { Ok(Vec::new()) })));
    drop(keys);
    tokio::time::timeout(Duration::from_secs(1), task)
        .await
        .expect("ends");
}
