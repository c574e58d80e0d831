//! The command line, as an operator uses it: the real program, its output, its exit code.

use crate::harness::{
    Project, ROSTER, Service, fresh_database, public_dir, shared, sql, wait_until, whole_rows,
};
use reqwest::StatusCode;
use roster::domain::KeyHash;
use serde_json::json;
use std::io::pipe;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use uuid::Uuid;

/// What a command said, and whether it succeeded.
struct Answer {
    success: bool,
    output: String,
    errors: String,
}

impl Answer {
    /// The output of a command that had to succeed.
    fn expect(self) -> String {
        assert!(self.success, "{}", self.errors);
        self.output
    }

    /// The one line that says why a command failed; what it logged before is no part of it.
    fn complaint(self) -> String {
        assert!(!self.success, "it succeeded: {}", self.output);
        let said = self
            .errors
            .lines()
            .filter(|line| line.starts_with("roster: "));
        let said: Vec<&str> = said.collect();
        assert_eq!(said.len(), 1, "{}", self.errors);
        said[0].to_owned()
    }
}

/// Runs a command line, words parted by spaces.
async fn roster(settings: &[(&str, &str)], words: &str) -> Answer {
    let mut command = Command::new(ROSTER);
    command
        .args(words.split(' '))
        .envs(settings.iter().copied());
    let done = command.stdin(Stdio::null()).output().await.expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Answer {
        success: done.status.success(),
        output: text(done.stdout),
        errors: text(done.stderr),
    }
}

/// The same on the shared database.
async fn on_shared(words: &str) -> Answer {
    let url = &shared().await.database_url;
    roster(&[("ROSTER__DATABASE__URL", url)], words).await
}

/// A project and its two keys, made by the command line.
async fn create_project() -> Project {
    let name = Uuid::new_v4().to_string();
    let made = on_shared(&format!("project create {name}")).await.expect();
    let id = made.trim().strip_prefix(&format!("project {name} has id "));
    let id = id.and_then(|id| id.parse().ok());
    let id = id.unwrap_or_else(|| panic!("{made}"));
    let [write_key, server_key] = [
        create_key(&name, "write").await,
        create_key(&name, "server").await,
    ];
    let url = shared().await.url.clone();
    Project {
        id,
        name,
        url,
        write_key,
        server_key,
        client: crate::harness::http(),
    }
}

async fn create_key(project: &str, kind: &str) -> String {
    let shown = on_shared(&format!("key create --project {project} --kind {kind}"))
        .await
        .expect();
    let key = shown.strip_suffix('\n').expect("one line").to_owned();
    assert!(
        key.starts_with(&format!("rk_{kind}_")) && key.len() > 32,
        "{key}"
    );
    key
}

#[tokio::test]
async fn a_key_works_at_once_and_only_its_hash_is_kept() {
    let project = create_project().await;
    project
        .send(
            "/v1/track",
            &json!({"userId": "ada", "event": "Seen", "messageId": "1"}),
        )
        .await;
    assert_eq!(project.timeline("user_id:ada").await.len(), 1);
    let read = project
        .client
        .get(format!("{}/v1/events/1", project.url))
        .bearer_auth(&project.write_key);
    assert_eq!(
        read.send().await.expect("an answer").status(),
        StatusCode::FORBIDDEN
    );

    let kept = whole_rows(
        &shared().await.database_url,
        &format!(
            "SELECT k.* FROM api_key AS k JOIN project AS p USING (project_id) WHERE p.name = '{}'",
            project.name
        ),
    )
    .await;
    assert_eq!(kept.len(), 2);
    for key in [&project.write_key, &project.server_key] {
        let hash: String = KeyHash::of(key)
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(kept.iter().any(|row| row.contains(&hash)), "{kept:?}");
        // Neither the key nor its secret part, which may hold underscores itself.
        let secret = key.splitn(3, '_').nth(2).expect("has parts");
        assert!(!kept.iter().any(|row| row.contains(secret)), "{kept:?}");
    }
    let listed = on_shared("key list").await.expect();
    let fingerprint = KeyHash::of(&project.write_key).fingerprint();
    let line = listed
        .lines()
        .find(|line| line.starts_with(&fingerprint))
        .expect("is listed");
    assert!(
        line.contains(&project.name) && line.contains("write") && line.ends_with("works"),
        "{line}"
    );
    assert!(!listed.contains(&project.write_key));
}

#[tokio::test]
async fn a_revoked_key_stops_on_every_node() {
    let project = create_project().await;
    let second = Service::start(&shared().await.database_url, &[]).await;
    let nodes = [&project, &project.through(&second.url)];
    let call = json!({"userId": "ada", "event": "Seen"});
    for node in nodes {
        assert_eq!(node.post("/v1/track", &call).await.status(), StatusCode::OK);
    }
    let fingerprint = KeyHash::of(&project.write_key).fingerprint();
    on_shared(&format!("key revoke {fingerprint}"))
        .await
        .expect();
    let all_refuse = async || {
        let [left, right] = nodes.map(|node| node.post("/v1/track", &call));
        let (left, right) = tokio::join!(left, right);
        [left, right]
            .iter()
            .all(|reply| reply.status() == StatusCode::UNAUTHORIZED)
    };
    wait_until(
        "both nodes refuse the key",
        Duration::from_secs(10),
        all_refuse,
    )
    .await;
    assert_eq!(
        project.get("/v1/profiles/user_id:ada").await.0,
        StatusCode::OK,
        "the other key works on"
    );
    let listed = on_shared("key list").await.expect();
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with(&fingerprint) && line.ends_with("revoked"))
    );
    // The key itself names it too.
    on_shared(&format!("key revoke {}", project.server_key))
        .await
        .expect();
}

#[tokio::test]
async fn what_is_not_there_or_there_already_is_said_in_one_line() {
    let project = create_project().await;
    let again = on_shared(&format!("project create {}", project.name))
        .await
        .complaint();
    assert_eq!(
        again,
        format!("roster: there is a project {} already", project.name)
    );
    let nobody = on_shared("key create --project nobodys --kind write")
        .await
        .complaint();
    assert_eq!(nobody, "roster: there is no project nobodys");
    assert_eq!(
        on_shared("key revoke nobodys").await.complaint(),
        "roster: there is no such key"
    );
    let down = roster(
        &[],
        "project create p --database-url postgresql://127.0.0.1:1/roster",
    )
    .await
    .complaint();
    assert!(down.contains("no connection"), "{down}");
    assert!(
        !on_shared("key create --project p --kind admin")
            .await
            .success
    );
}

#[tokio::test]
async fn migrate_makes_an_empty_database_ready() {
    let url = fresh_database().await;
    let settings = [("ROSTER__DATABASE__URL", url.as_str())];
    let early = roster(&settings, "project create shop").await.complaint();
    assert!(early.contains("project"), "{early}");
    for _ in 0..2 {
        roster(&settings, "migrate").await.expect();
    }
    roster(&settings, "project create shop").await.expect();
    assert_eq!(sql(&url, "SELECT name FROM project").await, ["shop"]);
}

#[tokio::test]
async fn settings_are_checked_and_shown_without_secrets() {
    let url = "postgresql://roster:hunter2@db.example/roster?sslmode=verify-full";
    let settings = [
        ("ROSTER__DATABASE__URL", url),
        ("ROSTER__INGEST__PARALLEL_FLUSHES", "2"),
    ];
    assert_eq!(
        roster(&settings, "config check").await.expect(),
        "the settings can be used\n"
    );
    let shown = roster(&settings, "config show").await.expect();
    assert!(shown.contains("parallel_flushes = 2"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    // What it shows is a settings file, once its secrets are put in again.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("roster.toml");
    std::fs::write(&file, &shown).expect("written");
    let check = format!("config check --config {}", file.display());
    let complaint = roster(&[], &check).await.complaint();
    assert!(complaint.contains("database.url"), "{complaint}");
    roster(&settings, &check).await.expect();

    let wrong = [
        ("ROSTER__KEYS__CACHE_SECONDS", "60"),
        ("ROSTER__LIMITS__DEPTH", "101"),
        ("ROSTER__DATABASE__URL", "mysql://u:hunter2@h/d"),
        ("ROSTER__SERVER__LISTEN", "everywhere"),
    ];
    let complaint = roster(&wrong, "config check").await.complaint();
    for told in ["cache_seconds", "depth", "database.url", "listen"] {
        assert!(complaint.contains(told), "{told}: {complaint}");
    }
    assert!(!complaint.contains("hunter2"), "{complaint}");
    let unknown = roster(&[("ROSTER__SERVER__PORT", "80")], "config check")
        .await
        .complaint();
    assert!(unknown.contains("port"), "{unknown}");
}

#[tokio::test]
async fn help_names_every_verb() {
    let help = roster(&[], "--help").await.expect();
    for word in [
        "serve",
        "migrate",
        "project",
        "key",
        "config",
        "--database-url",
        "--data-dir",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let help = roster(&[], "key --help").await.expect();
    assert!(
        ["create", "list", "revoke"]
            .iter()
            .all(|verb| help.contains(verb)),
        "{help}"
    );
}

#[tokio::test]
async fn without_a_service_the_private_database_runs_for_the_length_of_a_command() {
    let home = public_dir("cli");
    let data_dir = home.join("data");
    let settings = [("ROSTER__DATA_DIR", data_dir.to_str().expect("text"))];
    roster(&settings, "project create shop").await.expect();
    assert!(!is_running(&data_dir), "it was left running");
    assert_eq!(
        roster(&settings, "project create shop").await.complaint(),
        "roster: there is a project shop already"
    );
    assert!(
        !is_running(&data_dir),
        "it was left running after a failure"
    );
    let key = roster(&settings, "key create --project shop --kind server")
        .await
        .expect();

    let service = Service::start("", &settings).await;
    let read = crate::harness::http()
        .get(format!("{}/v1/profiles/user_id:ada", service.url))
        .bearer_auth(key.trim());
    assert_eq!(
        read.send().await.expect("an answer").status(),
        StatusCode::NOT_FOUND,
        "the key is known"
    );
    // Now the commands use the service's database, and leave it running.
    roster(&settings, "project create second").await.expect();
    assert!(
        roster(&settings, "key list")
            .await
            .expect()
            .contains("shop")
    );
    assert!(is_running(&data_dir));
    assert!(service.terminate().await.success());
    std::fs::remove_dir_all(home).expect("ours");
}

fn is_running(data_dir: &Path) -> bool {
    roster::embedded::running_url(data_dir).is_ok()
}

const REFUSED: &str = "
[database]
statement_timeout_ms = 9000000000
[legacy]
url = 'http://127.0.0.1:9'
ca_file = '/nowhere/ca.pem'
[[imports.pulls.places]]
url = 'ftp://files.test/'
projects = ['*']
[[imports.pulls.places]]
url = 'http://files.test/'
projects = ['*']
[[backfill.sources]]
name = 'early'
topic = 'people'
start = 'yesterday'
[[backfill.sources]]
name = 'unmapped'
topic = 'people'
mapping = '/nowhere/mapping.toml'
[[backfill.sources]]
name = 'odd'
topic = 'people'
kafka = { 'no.such.property' = '1' }
";

#[tokio::test]
async fn a_check_of_the_settings_tells_all_that_a_start_refuses() {
    let file = public_dir("checked").join("roster.toml");
    std::fs::write(&file, REFUSED).expect("written");
    for verb in ["config check", "serve"] {
        let words = format!("{verb} --config {}", file.display());
        let said = roster(&[], &words).await.complaint();
        for part in [
            "statement_timeout_ms",
            "/nowhere/ca.pem",
            "ftp://files.test/",
            "http is for places that are internal",
            "yesterday",
            "/nowhere/mapping.toml",
            "no.such.property",
        ] {
            assert!(said.contains(part), "{verb}: {part:?} is not in: {said}");
        }
    }
}

/// As behind `| head`.
#[tokio::test]
async fn a_command_whose_reader_is_gone_ends_without_a_word() {
    let url = &shared().await.database_url;
    let project = create_project().await;
    let plan = json!({"mapping": crate::migration::MAPPING, "index": project.name});
    crate::migration::step(&project, "plan", plan).await;
    let name = &project.name;
    let watch = format!("migration status {name} --watch");
    for words in ["config show", "docs", "key list", &watch] {
        let (reader, writer) = pipe().expect("a pipe");
        let mut command = Command::new(ROSTER);
        command.args(words.split(' ')).args(["--database-url", url]);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let running = command.stdout(writer).spawn().expect("runs");
        drop((command, reader));
        let done = running.wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&done.stderr);
        let said: Vec<&str> = said
            .lines()
            .filter(|line| !line.contains(" INFO "))
            .collect();
        assert_eq!((done.status.code(), said), (Some(141), vec![]), "{words}");
    }
}

/// What goes on and on ends with its reader, too.
#[tokio::test]
async fn a_command_that_is_watched_ends_when_its_reader_goes() {
    let project = create_project().await;
    let plan = json!({"mapping": crate::migration::MAPPING, "index": project.name});
    crate::migration::step(&project, "plan", plan).await;
    let url = &shared().await.database_url;
    let roster = format!("{ROSTER} migration status {} --watch", project.name);
    let mut shell = Command::new("sh");
    let line = format!("{{ {roster}; echo $? >&2; }} | head -c 100");
    shell.args(["-c", &line]).env("ROSTER__DATABASE__URL", url);
    let done = shell.stdin(Stdio::null()).output().await.expect("it ends");
    assert_eq!(done.stdout.len(), 100);
    let said = String::from_utf8_lossy(&done.stderr);
    let said: Vec<&str> = said
        .lines()
        .filter(|line| !line.contains(" INFO "))
        .collect();
    assert_eq!(said, ["141"]);
}
