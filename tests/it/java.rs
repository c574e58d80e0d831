//! Servers that are written in Java, from the jars that `scripts/setup test` fetches.

use crate::machine::{Frozen, freeze_children};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running server. It outlives no test run: it ends when the pipe to it closes, however this process ends.
pub struct Java(Child);

impl Java {
    /// Starts one in its folder.
    pub fn start(run: &Command, folder: &Path) -> Self {
        let script = r#""$@" & child=$!; read -r _; kill -9 $child; wait $child 2>/dev/null"#;
        let log = File::create(folder.join("log")).expect("a file");
        let mut command = Command::new("bash");
        command
            .args(["-c", script, "server"])
            .arg(run.get_program());
        command.args(run.get_args()).current_dir(folder);
        command
            .stdin(Stdio::piped())
            .stderr(log.try_clone().expect("a file"))
            .stdout(log);
        Self(command.spawn().expect("starts"))
    }

    /// The server stands still until that is dropped.
    pub fn freeze(&self) -> Frozen {
        freeze_children(self.0.id())
    }

    /// kill -9.
    pub fn kill(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it ended");
    }
}

/// `java` with the jars of one server.
pub fn java(server: &str, memory: &str) -> Command {
    let jars = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(".dev")
        .join(server);
    let mut command = Command::new("java");
    let class_path = format!("{0}/*:{0}", jars.display());
    // A server that lives for minutes starts in half the time without the second compiler.
    command.args([
        memory,
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        &class_path,
    ]);
    command
}

/// A port for a server that binds it later. Not one that the system gives to connections that go out: one of those would have it by then.
pub fn free_port() -> u16 {
    let drawn = std::iter::repeat_with(|| rand::random_range(20_000..32_000));
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    drawn.take(100).find(is_free).expect("a port")
}
