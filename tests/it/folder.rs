//! Folders of a test run.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use uuid::Uuid;

/// A new folder that other users may enter: as root, PostgreSQL runs as one of them.
pub fn public_dir(name: &str) -> PathBuf {
    let unique = Uuid::new_v4().simple().to_string();
    let path = run_dir().join(format!("{name}-{}", &unique[..8]));
    make_dir(&path);
    path
}

/// The folder of this run. It goes when the run has ended, however that was: a shell waits for its end.
fn run_dir() -> &'static Path {
    static FOLDER: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let begin = || {
        let unique = Uuid::new_v4().simple().to_string();
        let path = std::env::temp_dir().join(format!("roster-it-{}", &unique[..8]));
        make_dir(&path);
        // Servers that hear of the end by a closed pipe as well need a moment to leave.
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "read -r _; sleep 5; rm -rf \"$0\""])
            .arg(&path);
        let waits = shell.stdin(Stdio::piped()).spawn().expect("a shell");
        (path, waits)
    };
    &FOLDER.get_or_init(begin).0
}

fn make_dir(path: &Path) {
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o755).create(path).expect("a folder");
}
