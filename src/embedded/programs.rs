//! Finds the PostgreSQL programs of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use tokio::process::Command;

const OLDEST_VERSION: u32 = 15;

/// Finds the directory with `postgres` and `initdb`: of the cluster's version if there is one, else new enough.
pub(super) async fn find_programs(cluster: &Path) -> Result<PathBuf> {
    let made_by: Option<u32> = fs::read_to_string(cluster.join("PG_VERSION"))
        .ok()
        .and_then(|version| version.trim().parse().ok());
    for dir in program_dirs() {
        let version = program_version(&dir).await;
        if version.is_some_and(|version| {
            made_by.map_or(version >= OLDEST_VERSION, |made_by| version == made_by)
        }) {
            return Ok(dir);
        }
    }
    match made_by {
        Some(version) => bail!(
            "the database in {} needs PostgreSQL {version}: install the Debian package postgresql-{version}",
            cluster.display()
        ),
        None => bail!(
            "no database is configured and no PostgreSQL {OLDEST_VERSION} or newer is here to run one: \
             install the Debian package postgresql"
        ),
    }
}

/// Lists PATH first, then Debian's directories, newest version first.
fn program_dirs() -> Vec<PathBuf> {
    let numbered = |dir: PathBuf| {
        Some((
            dir.file_name()?.to_str()?.parse::<u32>().ok()?,
            dir.join("bin"),
        ))
    };
    let packages = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut packaged: Vec<_> = packages
        .filter_map(|entry| numbered(entry.path()))
        .collect();
    packaged.sort_unstable_by(|a, b| b.cmp(a));
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain(packaged.into_iter().map(|(_, dir)| dir))
        .filter(|dir| {
            dir.is_absolute() && dir.join("postgres").is_file() && dir.join("initdb").is_file()
        })
        .collect()
}

async fn program_version(programs: &Path) -> Option<u32> {
    let said = Command::new(programs.join("postgres"))
        .arg("--version")
        .output()
        .await
        .ok()?
        .stdout;
    let said = String::from_utf8(said).ok()?; // such as "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    let (_, version) = said.split_once("(PostgreSQL) ")?;
    version
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Whether pg_stat_statements is installed beside these programs, in the layouts of Debian, Arch and Fedora.
pub(super) fn has_statement_statistics(programs: &Path) -> bool {
    let program = fs::canonicalize(programs.join("postgres")).unwrap_or_default();
    let prefix = program.ancestors().nth(2).unwrap_or(&program);
    ["lib", "lib/postgresql", "lib64/pgsql"]
        .iter()
        .any(|dir| prefix.join(dir).join("pg_stat_statements.so").exists())
}
