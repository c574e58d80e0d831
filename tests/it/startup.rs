//! A start that can't succeed: one clear line, and an exit code that says so.

use crate::harness::{ROSTER, Service, alone, public_dir, shared, sql, wait_until};
use crate::machine::{OwnDatabase, free_address, until_ready_is};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a start that must fail; gives back the one line it says.
async fn refusal(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(ROSTER);
    command
        .arg("serve")
        .args(arguments)
        .env("ROSTER__SERVER__LISTEN", "127.0.0.1:0");
    command.envs(environment.iter().copied()).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let story = format!("{arguments:?} {environment:?}");
    let ending = timeout(PATIENCE, command.output()).await;
    let output = ending
        .unwrap_or_else(|_| panic!("it went on: {story}"))
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{story}: {said}");
    assert_eq!(
        said.lines().count(),
        1,
        "{story} says more than one line:\n{said}"
    );
    assert!(said.starts_with("roster: "), "{story}: {said}");
    assert!(
        output.stdout.is_empty(),
        "{story} speaks on standard output"
    );
    eprint!("{said}");
    said
}

/// The refusal of a database has to name what is wrong, and never the password.
async fn refusal_of_database(url: &str, wanted: &[&str]) {
    let said = refusal(&["--database-url", url], &[]).await;
    for part in wanted {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    assert!(!said.contains("geheim"), "it tells the password: {said}");
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named() {
    let _alone = alone().await;
    let database = OwnDatabase::start().await;
    sql(&database.url, "CREATE ROLE locked LOGIN PASSWORD 'right'").await;
    sql(&database.url, "CREATE ROLE powerless LOGIN").await;
    let rules = database.cluster().join("pg_hba.conf");
    let old = fs::read_to_string(&rules).expect("text");
    fs::write(&rules, format!("local all locked scram-sha-256\n{old}")).expect("written");
    sql(&database.url, "SELECT pg_reload_conf()").await;
    let (there, nobody) = (database.over_tcp().await, free_address());
    let url =
        |user: &str, address: &str, name: &str| format!("postgresql://{user}@{address}/{name}");
    let cases = [
        (
            url("locked:geheim", &there, "roster"),
            vec!["password authentication failed"],
        ),
        (
            url("roster", &there, "missing"),
            vec!["missing", "does not exist"],
        ),
        (
            url("nobody", &there, "roster"),
            vec!["nobody", "does not exist"],
        ),
        (
            url("roster:geheim", &nobody, "roster"),
            vec!["connect", "refused"],
        ),
        (
            url("roster:geheim", "no-such-host.invalid", "roster"),
            vec!["lookup"],
        ),
        (
            format!("{}?sslmode=require", url("roster:geheim", &there, "roster")),
            vec!["TLS"],
        ),
        (
            url("powerless", &there, "roster"),
            vec!["permission denied"],
        ),
        (
            "mysql://roster:geheim@localhost/roster".to_owned(),
            vec!["postgresql://"],
        ),
        ("roster:geheim".to_owned(), vec!["database.url"]),
    ];
    let refusals = cases
        .iter()
        .map(|(url, wanted)| refusal_of_database(url, wanted));
    futures_util::future::join_all(refusals).await;
}

#[tokio::test]
async fn a_user_who_may_connect_and_do_nothing_else_is_refused_though_the_schema_is_there() {
    let database = OwnDatabase::start().await;
    drop(Service::start(&database.url, &[]).await);
    sql(
        &database.url,
        "CREATE ROLE powerless LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO powerless",
    )
    .await;
    let url = database.url.replace("user=roster", "user=powerless");
    for (migrate, named, reason) in [
        ("true", "bring the schema up to date", "permission denied"),
        ("false", "lacks rights", "INSERT on event"),
    ] {
        let migrate = ("ROSTER__DATABASE__MIGRATE", migrate);
        let said = refusal(&["--database-url", &url], &[migrate]).await;
        assert!(said.contains(named) && said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn a_database_that_lacks_characters_is_refused() {
    let _alone = alone().await;
    let database = OwnDatabase::start().await;
    let made = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
    sql(
        &database.url,
        &format!("CREATE DATABASE latin ENCODING 'LATIN1' {made}"),
    )
    .await;
    let url = database.url.replace("/roster?", "/latin?");
    refusal_of_database(&url, &["LATIN1", "ENCODING 'UTF8'"]).await;
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let shared = shared().await;
    let address = shared.url.trim_start_matches("http://");
    let said = refusal(
        &["--database-url", &shared.database_url],
        &[("ROSTER__SERVER__LISTEN", address)],
    )
    .await;
    assert!(said.contains(address) && said.contains("in use"), "{said}");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named() {
    let folder = public_dir("settings");
    let file = folder.join("roster.toml");
    fs::write(&file, "[server]\nport = 80\n").expect("written");
    let file = file.to_str().expect("text");
    let cases: [(&[&str], (&str, &str), &str); 6] = [
        (
            &[],
            ("ROSTER__INGEST__MAX_BATCH_ROWS", "0"),
            "max_batch_rows",
        ),
        (
            &[],
            ("ROSTER__INGEST__MAX_BATCH_ROWS", "many"),
            "max_batch_rows",
        ),
        (&[], ("ROSTER__INGEST__ROWS", "7"), "rows"),
        (&[], ("ROSTER__LOG__LEVEL", "=="), "log.level"),
        (&["--config", file], ("X", ""), "port"),
        (&["--config", "/nowhere.toml"], ("X", ""), "/nowhere.toml"),
    ];
    for (arguments, setting, named) in cases {
        let said = refusal(arguments, &[setting]).await;
        assert!(said.contains(named), "{named:?} is not in: {said}");
    }
}

#[tokio::test]
async fn two_services_on_one_data_directory_are_one_too_many() {
    let _alone = alone().await;
    let data_dir = public_dir("contested");
    let text = data_dir.to_str().expect("text");
    let first = Service::start_by(ROSTER, &["--data-dir", text], &[]).await;
    let said = refusal(&["--data-dir", text], &[]).await;
    assert!(
        said.contains(text) && said.contains("in use by another roster"),
        "{said}"
    );
    let alive = crate::harness::fetch(format!("{}/livez", first.url))
        .await
        .expect("an answer");
    assert!(alive.status().is_success(), "the first was disturbed");
    assert!(first.terminate().await.success());
    fs::remove_dir_all(data_dir).expect("its database has stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_database_that_dies_is_started_again_under_the_service() {
    let _alone = alone().await;
    let data_dir = public_dir("mortal");
    let text = data_dir.to_str().expect("text");
    let service = Service::start_by(ROSTER, &["--data-dir", text], &[]).await;
    let file = data_dir.join("postgres/postmaster.pid");
    let track = async |id: &str| {
        let request = crate::harness::http().post(format!("{}/v1/track", service.url));
        let call = serde_json::json!({"userId": "ada", "event": "Seen", "messageId": id});
        let request = request.basic_auth("dev-write-key", Some("")).json(&call);
        request
            .send()
            .await
            .expect("an answer")
            .status()
            .is_success()
    };
    until_ready_is(&service.url, true, PATIENCE).await;
    assert!(track("before").await);
    let pid = || {
        let lines = fs::read_to_string(&file).ok()?;
        lines.lines().next()?.parse().ok().map(Pid::from_raw)
    };
    for _ in 0..2 {
        let killed = pid().expect("it runs");
        kill(killed, Signal::SIGKILL).expect("it runs");
        wait_until("another one runs", PATIENCE, async || {
            pid().is_some_and(|pid| pid != killed)
        })
        .await;
        wait_until("it serves again", PATIENCE, async || track("after").await).await;
        until_ready_is(&service.url, true, PATIENCE).await;
    }
    assert!(service.terminate().await.success());
    assert!(!file.exists(), "the database still runs");
    fs::remove_dir_all(data_dir).expect("its database has stopped");
}
