//! What the write path costs, counted: which statements a batch of a hundred runs, and how often. The service's own metric
//! says so, and the database itself where it has pg_stat_statements. One request at a time, so every batch is a request.

use crate::harness::{Project, Service, sql};
use crate::machine::OwnDatabase;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PEOPLE: usize = 100;
/// What a node asks by itself, or to know a key.
const NOT_WRITING: [&str; 22] = [
    "heartbeat",
    "check_tables",
    "missing_rights",
    "load_keys",
    "load_reads",
    "take_turn",
    "keep_turn",
    "end_turn",
    "due_erasures",
    "oldest_erasure",
    "due_splits",
    "expire_merge_records",
    "expire_rejections",
    "expire_conflicts",
    "expire_backfill_rejections",
    "expire_comparisons",
    "expire_import_rejections",
    "due_imports",
    "forget_imports",
    "due_pulls",
    "due_schedules",
    "latest_invalidations",
];
const TABLES: [&str; 7] = [
    "profile",
    "identity",
    "event",
    "rejection",
    "conflict",
    "erasure",
    "erasure_request",
];

/// How often each statement ran.
pub type Counts = BTreeMap<String, u64>;

/// How often each statement ran since a service started, by its own account.
pub async fn counts(url: &str) -> Counts {
    let answer = crate::harness::fetch(format!("{url}/metrics"))
        .await
        .expect("an answer");
    let mut counts = Counts::new();
    for line in answer.text().await.expect("text").lines() {
        let Some(labels) = line.strip_prefix("roster_statement_duration_seconds_count{") else {
            continue;
        };
        let (_, name) = labels.split_once("statement=\"").expect("a name");
        let (name, _) = name.split_once('"').expect("a name");
        let (_, count) = line.rsplit_once(' ').expect("a value");
        *counts.entry(name.to_owned()).or_default() += count.parse::<u64>().expect("a number");
    }
    counts.retain(|name, _| !NOT_WRITING.contains(&name.as_str()));
    counts
}

/// What ran between two counts.
pub fn since(before: &Counts, after: Counts) -> Counts {
    let ran = |(name, count): (String, u64)| {
        let more = count - before.get(&name).unwrap_or(&0);
        (more > 0).then_some((name, more))
    };
    after.into_iter().filter_map(ran).collect()
}

/// A service that nobody else uses, on a database that nobody else uses.
struct Quiet {
    database: OwnDatabase,
    service: Service,
    project: Project,
    /// The database counts too.
    is_counted_twice: bool,
}

impl Quiet {
    async fn start() -> Self {
        let database = OwnDatabase::start().await;
        let loaded = sql(&database.url, "SHOW shared_preload_libraries").await;
        let is_counted_twice = loaded[0].contains("pg_stat_statements");
        if is_counted_twice {
            sql(&database.url, "CREATE EXTENSION pg_stat_statements").await;
        }
        eprintln!("the database counts too: {is_counted_twice}");
        let service = Service::start(&database.url, &[]).await;
        let project = Project::on(&service.url, &database.url).await;
        Self {
            database,
            service,
            project,
            is_counted_twice,
        }
    }

    /// Sends one batch, all of which must be answered with `status`; tells which statements it cost.
    async fn cost(&self, what: &str, items: &[Value], status: &str) -> Counts {
        if self.is_counted_twice {
            sql(&self.database.url, "SELECT pg_stat_statements_reset()").await;
        }
        let before = counts(&self.service.url).await;
        for result in self.project.results(items).await {
            assert_eq!(result["status"], status, "{what}: {result}");
        }
        let ran = since(&before, counts(&self.service.url).await);
        if self.is_counted_twice {
            assert_eq!(self.counted_by_the_database().await, ran, "{what}");
        }
        ran
    }

    /// Our statements begin with their name; there may be no transaction around them.
    async fn counted_by_the_database(&self) -> Counts {
        let question = "SELECT concat(split_part(query, chr(10), 1), '=', sum(calls)) FROM pg_stat_statements
            WHERE query LIKE '-- %' OR query ILIKE 'BEGIN%' OR query ILIKE 'START%' GROUP BY split_part(query, chr(10), 1)";
        let rows = sql(&self.database.url, question).await;
        let counted = |row: &String| {
            let (name, count) = row.rsplit_once('=').expect("a count");
            let name = name.strip_prefix("-- ").unwrap_or(name).to_owned();
            (name, count.parse().expect("a number"))
        };
        let mut counts: Counts = rows.iter().map(counted).collect();
        counts.retain(|name, _| !NOT_WRITING.contains(&name.as_str()));
        counts
    }

    /// A digest of every row of the write path's tables, with the transactions that wrote and locked it.
    async fn rows(&self) -> Vec<String> {
        let digest = |table: &str| {
            format!(
                "SELECT concat('{table}', count(*), md5(string_agg(concat(t.xmin, ' ', t.xmax, ' ', t), ',' ORDER BY t.ctid))) FROM {table} AS t"
            )
        };
        let all: Vec<String> = TABLES.map(digest).into();
        sql(&self.database.url, &all.join(" UNION ALL ")).await
    }
}

fn ran(statements: &[&str]) -> Counts {
    statements
        .iter()
        .map(|name| ((*name).to_owned(), 1))
        .collect()
}

/// A hundred calls, each about somebody else.
fn calls(kind: &str, people: &str, ids: &str, plan: &str, second: usize) -> Vec<Value> {
    let call = |number: usize| {
        json!({"type": kind, "userId": format!("{people}-{number}"), "messageId": format!("{ids}-{number}"), "event": "Seen",
            "traits": {"plan": plan, "number": number}, "timestamp": format!("2024-01-01T00:00:{second:02}Z")})
    };
    (0..PEOPLE).map(call).collect()
}

#[tokio::test]
async fn a_write_costs_no_statement_more_than_it_needs() {
    let quiet = Quiet::start().await;
    // Also reads the salt of erased names, once in a node's life.
    quiet
        .cost(
            "people are met",
            &calls("identify", "known", "met", "free", 1),
            "stored",
        )
        .await;
    strangers(&quiet).await;
    known_people(&quiet).await;
    people_of_two_names(&quiet).await;
    what_changes_nothing(&quiet).await;
}

/// A plan costs statements where a node has not seen a field, and none afterwards.
#[tokio::test]
async fn a_tracking_plan_costs_a_statement_for_what_is_new_and_none_for_what_is_known() {
    let quiet = Quiet::start().await;
    let rules = roster::domain::Rules {
        types: roster::domain::TypeRule::Enforce,
        ..Default::default()
    };
    let store = crate::harness::store_at(&quiet.database.url);
    let project_id = roster::domain::ProjectId(quiet.project.id);
    store.set_rules(project_id, &rules).await.expect("set");
    let met = calls("identify", "known", "met", "free", 1);
    let new = quiet.cost("fields are met", &met, "stored").await;
    let of_plan = |ran: &Counts| {
        let named = ran.iter().filter(|(name, _)| name.contains("field_type"));
        named
            .map(|(name, count)| (name.clone(), *count))
            .collect::<Counts>()
    };
    let first = ["load_field_types", "count_field_types", "fix_field_types"];
    assert_eq!(of_plan(&new), ran(&first));
    let stated = calls("identify", "known", "stated", "pro", 3);
    assert_eq!(
        quiet.cost("known fields change", &stated, "stored").await,
        ran(&["resolve_identities", "write_traits", "insert_events"])
    );
    let mut wrong = calls("identify", "known", "wrong", "pro", 4);
    for call in &mut wrong {
        call["traits"]["number"] = json!("x");
    }
    let told = quiet.cost("fields do not fit", &wrong, "stored").await;
    assert_eq!(of_plan(&told), Counts::new(), "{told:?}");
    let mut more = calls("track", "known", "more", "", 5);
    for call in &mut more {
        call["properties"] = json!({"seen": 1});
    }
    let new = quiet.cost("an event has a field", &more, "stored").await;
    assert_eq!(of_plan(&new), ran(&["load_field_types", "fix_field_types"]));
}

async fn strangers(quiet: &Quiet) {
    let stated = calls("identify", "new", "new", "free", 1);
    assert_eq!(
        quiet.cost("new people identify", &stated, "stored").await,
        ran(&["resolve_identities", "create_identities", "insert_events"])
    );
    // Nobody is known to be new before the straight way was tried.
    let seen = calls("track", "passing", "passed", "", 1);
    let mut expected = ran(&["resolve_identities", "create_identities"]);
    expected.insert("insert_events".to_owned(), 2);
    assert_eq!(
        quiet.cost("new people are seen", &seen, "stored").await,
        expected
    );
}

async fn known_people(quiet: &Quiet) {
    let seen = calls("track", "known", "seen", "", 2);
    assert_eq!(
        quiet.cost("known people are seen", &seen, "stored").await,
        ran(&["insert_events"])
    );
    let stated = calls("identify", "known", "stated", "pro", 3);
    assert_eq!(
        quiet.cost("known people change", &stated, "stored").await,
        ran(&["resolve_identities", "write_traits", "insert_events"])
    );
    assert_eq!(
        quiet.project.profile("user_id:known-7").await["traits"]["plan"],
        "pro"
    );
}

/// Calls of people who are known by two names, and each tells both.
fn of_two_names(kind: &str, ids: &str) -> Vec<Value> {
    let mut calls = calls(kind, "known", ids, "pro", 3);
    for (number, call) in calls.iter_mut().enumerate() {
        call["anonymousId"] = json!(format!("browser-{number}"));
    }
    calls
}

async fn people_of_two_names(quiet: &Quiet) {
    let linked = of_two_names("identify", "linked");
    let all = quiet.cost("people get a name", &linked, "stored").await;
    assert_eq!(all.get("link_identities"), Some(&1));
    let expected = ran(&["insert_events"]);
    let seen = of_two_names("track", "both");
    let cost = quiet
        .cost("known people are seen by both", &seen, "stored")
        .await;
    assert_eq!(cost, expected);
    // Of a batch that says something about some of them the events of the others go straight all the same.
    let mut mixed = of_two_names("track", "mixed");
    for call in mixed.iter_mut().step_by(10) {
        call["type"] = json!("identify");
        call["timestamp"] = json!("2024-01-01T00:00:04Z");
        call["traits"]["plan"] = json!("free");
    }
    let mut expected = ran(&["resolve_identities", "write_traits"]);
    expected.insert("insert_events".to_owned(), 2);
    let cost = quiet
        .cost("some of the known people change", &mixed, "stored")
        .await;
    assert_eq!(cost, expected);
    // Names of two people: the look-up decides, and the event is the stronger one's.
    let mut crossed = of_two_names("track", "crossed");
    for (number, call) in crossed.iter_mut().enumerate() {
        call["anonymousId"] = json!(format!("browser-{}", (number + 1) % PEOPLE));
    }
    let mut expected = ran(&["resolve_identities", "load_names", "insert_conflicts"]);
    expected.insert("insert_events".to_owned(), 2);
    let cost = quiet
        .cost("names of two people are told", &crossed, "stored")
        .await;
    assert_eq!(cost, expected);
    let timeline = quiet
        .project
        .read("/v1/profiles/user_id:known-7/events")
        .await;
    let events = timeline["events"].as_array().expect("a list");
    let ids = events
        .iter()
        .filter_map(|event| event["message_id"].as_str());
    let (own, others): (Vec<_>, Vec<_>) = ids.partition(|id| id.ends_with("-7"));
    assert!(
        own.contains(&"both-7") && own.contains(&"crossed-7"),
        "{own:?}"
    );
    assert!(others.is_empty(), "{others:?}");
}

async fn what_changes_nothing(quiet: &Quiet) {
    let stale = calls("identify", "known", "stale", "pro", 2);
    assert_eq!(
        quiet
            .cost("what is known is stated again", &stale, "stored")
            .await,
        ran(&["resolve_identities", "insert_events"])
    );
    let before = quiet.rows().await;
    let stated = calls("identify", "known", "stated", "pro", 3);
    assert_eq!(
        quiet.cost("a resent identify", &stated, "duplicate").await,
        ran(&["resolve_identities"])
    );
    let seen = calls("track", "known", "seen", "", 2);
    assert_eq!(
        quiet.cost("a resent track", &seen, "duplicate").await,
        ran(&["insert_events", "resolve_identities"])
    );
    assert_eq!(quiet.rows().await, before, "a resend wrote something");
}
