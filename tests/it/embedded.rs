//! The embedded database from the outside: a data directory, the real PostgreSQL programs, and what a crash leaves.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use roster::embedded::Embedded;
use tempfile::TempDir;
use tokio_postgres::{NoTls, Row};

/// Makes a directory that the user `postgres` can enter too, as an ordinary data directory of root's.
fn open_dir() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

async fn query(server: &Embedded, sql: &str) -> Vec<Row> {
    let (client, connection) = tokio_postgres::connect(server.database_url(), NoTls)
        .await
        .unwrap();
    let work = async move { client.query(sql, &[]).await };
    tokio::join!(work, connection).0.unwrap()
}

async fn write_note(server: &Embedded) {
    query(server, "CREATE TABLE note AS SELECT 'kept' AS text").await;
}

async fn read_note(server: &Embedded) -> String {
    query(server, "SELECT text FROM note").await[0].get(0)
}

fn server_pid(data_dir: &Path) -> Pid {
    let text = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap())
}

fn socket_dir(server: &Embedded) -> String {
    server
        .database_url()
        .split_once("host=")
        .unwrap()
        .1
        .to_owned()
}

async fn until_gone(pid: Pid) {
    while kill(pid, None).is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_restart_keeps_the_data() {
    let dir = open_dir();
    let data_dir = dir.path().join("new/.roster");
    let server = Embedded::start(&data_dir).await.unwrap();
    write_note(&server).await;
    let pid = server_pid(&data_dir);
    server.stop().await.unwrap();
    assert!(
        kill(pid, None).is_err(),
        "stop returned before the server was gone"
    );

    let server = Embedded::start(&data_dir).await.unwrap();
    assert_eq!(read_note(&server).await, "kept");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_database_is_utf8_in_c_order_and_durable() {
    let dir = open_dir();
    let server = Embedded::start(dir.path()).await.unwrap();
    let row = query(
        &server,
        "SELECT current_user::text, pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text,
                current_setting('fsync'), current_setting('synchronous_commit'), current_setting('listen_addresses')
           FROM pg_database WHERE datname = current_database()",
    )
    .await;
    let said: Vec<String> = (0..7).map(|column| row[0].get(column)).collect();
    assert_eq!(said, ["roster", "UTF8", "C", "C", "on", "on", ""]);
    let mode = fs::metadata(socket_dir(&server)).unwrap().mode();
    assert_eq!(mode & 0o777, 0o700, "others can reach the socket");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn two_data_directories_stand_side_by_side() {
    let (left, right) = (open_dir(), open_dir());
    let (left, right) = tokio::join!(Embedded::start(left.path()), Embedded::start(right.path()));
    let (left, right) = (left.unwrap(), right.unwrap());
    write_note(&left).await;
    let tables = "SELECT 1 FROM pg_tables WHERE tablename = 'note'";
    assert_eq!(query(&left, tables).await.len(), 1);
    assert_eq!(query(&right, tables).await.len(), 0);
    left.stop().await.unwrap();
    right.stop().await.unwrap();
}

#[tokio::test]
async fn a_data_directory_has_one_user_at_a_time() {
    let dir = open_dir();
    let server = Embedded::start(dir.path()).await.unwrap();
    let refused = Embedded::start(dir.path())
        .await
        .err()
        .expect("a second start must fail");
    let path = dir.path().display();
    let expected = format!(
        "data directory {path} is in use by another roster (pid {})",
        std::process::id()
    );
    assert_eq!(format!("{refused:#}"), expected);
    assert_eq!(
        query(&server, "SELECT 1").await.len(),
        1,
        "the refused start disturbed the first"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_outlived_its_owner_is_taken_over_and_stopped() {
    let dir = open_dir();
    let server = Embedded::start(dir.path()).await.unwrap();
    write_note(&server).await;
    let pid = server_pid(dir.path());
    drop(server); // frees the lock and leaves the server, as kill -9 does

    let server = Embedded::start(dir.path()).await.unwrap();
    assert_eq!(server_pid(dir.path()), pid);
    assert_eq!(read_note(&server).await, "kept");
    server.stop().await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), until_gone(pid))
        .await
        .expect("still runs");
}

#[tokio::test]
async fn a_killed_server_recovers_at_the_next_start() {
    let dir = open_dir();
    let server = Embedded::start(dir.path()).await.unwrap();
    write_note(&server).await;
    kill(server_pid(dir.path()), Signal::SIGKILL).unwrap();
    drop(server);

    let server = Embedded::start(dir.path()).await.unwrap(); // at once: its children may still be leaving
    assert_eq!(read_note(&server).await, "kept");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_that_another_program_has_now_neither_stops_the_start_nor_is_signalled() {
    let dir = open_dir();
    let server = Embedded::start(dir.path()).await.unwrap();
    write_note(&server).await;
    let pid = server_pid(dir.path());
    kill(pid, Signal::SIGKILL).unwrap();
    drop(server);
    until_gone(pid).await;

    let cluster = dir.path().join("postgres");
    let owner = fs::metadata(&cluster).unwrap().uid();
    let mut stranger = Command::new("sleep").arg("100").uid(owner).spawn().unwrap();
    for file in [
        cluster.join("postmaster.pid"),
        dir.path().join("socket/.s.PGSQL.5432.lock"),
    ] {
        let text = fs::read_to_string(&file).unwrap();
        fs::write(
            &file,
            text.replacen(&pid.to_string(), &stranger.id().to_string(), 1),
        )
        .unwrap();
    }
    let server = Embedded::start(dir.path()).await.unwrap();
    assert_eq!(read_note(&server).await, "kept");
    server.stop().await.unwrap();
    assert!(
        stranger.try_wait().unwrap().is_none(),
        "the other program was stopped"
    );
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_path_that_no_socket_address_can_hold_works() {
    for name in ["long".repeat(30), "with space, comma & é".to_owned()] {
        let dir = open_dir();
        let data_dir = dir.path().join(name);
        let server = Embedded::start(&data_dir).await.unwrap();
        let socket_dir = socket_dir(&server);
        assert!(socket_dir.starts_with("/tmp/roster-"), "{socket_dir}");
        assert_eq!(query(&server, "SELECT 1").await.len(), 1);
        server.stop().await.unwrap();
        assert!(!Path::new(&socket_dir).exists(), "left {socket_dir} behind");
    }
}

#[tokio::test]
async fn a_socket_directory_that_others_can_enter_is_refused() {
    let dir = open_dir();
    fs::create_dir(dir.path().join("socket")).unwrap();
    fs::set_permissions(dir.path().join("socket"), fs::Permissions::from_mode(0o777)).unwrap();
    let refused = Embedded::start(dir.path())
        .await
        .err()
        .expect("an open socket directory");
    assert!(format!("{refused:#}").contains("mode 0700"), "{refused:#}");
}

#[tokio::test]
async fn an_initdb_that_was_killed_half_way_is_done_again() {
    let dir = open_dir();
    let half = dir.path().join("postgres.new.4711");
    fs::create_dir_all(half.join("base")).unwrap();
    fs::write(half.join("PG_VERSION"), "15").unwrap();
    let server = Embedded::start(dir.path()).await.unwrap();
    assert!(!half.exists());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why_in_one_line() {
    let dir = open_dir();
    Embedded::start(dir.path())
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    let settings = dir.path().join("postgres/postgresql.conf");
    fs::write(&settings, "work_mem = 'plenty'\n").unwrap();
    let refused = Embedded::start(dir.path())
        .await
        .err()
        .expect("nonsense settings");
    let line = format!("{refused:#}");
    assert!(
        line.contains("ended while starting") && line.contains("work_mem"),
        "{line}"
    );
    assert!(!line.contains('\n'), "{line}");
}

/// As root the server runs as `postgres`, which cannot enter this directory; for anybody else it is an ordinary one.
#[tokio::test]
async fn a_directory_closed_to_the_servers_user_works() {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = dir.path().join("x");
    let server = Embedded::start(&data_dir).await.unwrap();
    write_note(&server).await;
    server.stop().await.unwrap();
    let server = Embedded::start(&data_dir).await.unwrap();
    assert_eq!(read_note(&server).await, "kept");
    server.stop().await.unwrap();

    let cluster = fs::canonicalize(data_dir.join("postgres")).unwrap();
    assert_eq!(
        cluster.starts_with("/var/lib/roster"),
        Uid::effective().is_root(),
        "{cluster:?}"
    );
    if Uid::effective().is_root() {
        fs::remove_dir_all(cluster.parent().unwrap()).unwrap();
        let refused = Embedded::start(&data_dir)
            .await
            .err()
            .expect("the data is gone");
        assert!(format!("{refused:#}").contains("not there"), "{refused:#}");
    }
}
