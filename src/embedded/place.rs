//! Where one private server lives: which user runs it, which directories hold it, and who may enter them.
//!
//! Directories are created with the rights they need and checked when they exist. One service at a time holds a place.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink,
};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{Uid, User};
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::{POLL, last_lines};

/// The longest directory whose `/.s.PGSQL.5432` still fits the 107 bytes of a Unix socket address.
const LONGEST_SOCKET_DIR: usize = 107 - "/.s.PGSQL.5432".len();
/// How long a lock may outlive its holder: a program that the holder had just forked keeps it until exec.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// Where the cluster goes when root's data directory is closed to the user `postgres`.
const ROOT_HOME: &str = "/var/lib/roster";

/// Where one private server lives; all paths are absolute and resolved.
pub(super) struct Place {
    pub(super) cluster: PathBuf,
    pub(super) link: PathBuf, // the cluster as the data directory names it: itself, or a symlink to it
    pub(super) socket_dir: PathBuf,
    pub(super) log: PathBuf,
    pub(super) account: Option<Account>,
}

impl Place {
    pub(super) fn find(data_dir: &Path) -> Result<Place> {
        let link = data_dir.join("postgres");
        let account = Account::choose(&link)?;
        let cluster = match account {
            // A dangling link is an error, never a reason to start empty.
            _ if link.symlink_metadata().is_ok() => fs::canonicalize(&link).with_context(|| {
                format!("{} leads to a database that is not there", link.display())
            })?,
            Some(account) if !account.can_enter(data_dir) => {
                create_root_home(data_dir, account)?.join("postgres")
            }
            _ => link.clone(),
        };
        let socket_dir = socket_dir(&cluster.with_file_name("socket"));
        Ok(Place {
            cluster,
            link,
            socket_dir,
            log: data_dir.join("postgres.log"),
            account,
        })
    }

    /// Claims the place for our lifetime. The lock stands beside the cluster, so a copied link cannot get round it.
    pub(super) async fn lock(&self, data_dir: &Path) -> Result<File> {
        let path = self.cluster.with_file_name("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        let taken = timeout(LOCK_PATIENCE, until_locked(&file)).await;
        let Ok(locked) = taken else {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            bail!(
                "data directory {} is in use by another roster (pid {})",
                data_dir.display(),
                holder.trim()
            );
        };
        locked.with_context(|| format!("cannot lock {}", path.display()))?;
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(file)
    }

    /// Creates the cluster under a name of our own and moves it into place whole: a half-made one is never used.
    pub(super) async fn initialise(&self, programs: &Path) -> Result<()> {
        if !self.cluster.exists() {
            let home = self.cluster.with_file_name("");
            sweep_unfinished(&home)?;
            // Our pid in the name: an initdb orphaned by our predecessor must not write into this one.
            let fresh = home.join(format!("postgres.new.{}", std::process::id()));
            private_dir(&fresh, self.account)?;
            self.run_initdb(programs, &fresh).await?;
            fs::rename(&fresh, &self.cluster)
                .with_context(|| format!("cannot create {}", self.cluster.display()))?;
            File::open(&home)?.sync_all()?;
        }
        if self.link.symlink_metadata().is_err() {
            symlink(&self.cluster, &self.link)
                .with_context(|| format!("cannot create {}", self.link.display()))?;
        }
        Ok(())
    }

    /// Lets initdb sync its files: no later checkpoint would, and a power cut could then take acknowledged data along.
    async fn run_initdb(&self, programs: &Path, fresh: &Path) -> Result<()> {
        let mut initdb = self.command(&programs.join("initdb"));
        initdb.args([
            "--locale=C",
            "--encoding=UTF8",
            "--auth=trust",
            "-U",
            "roster",
            "--no-instructions",
            "-D",
        ]);
        let done = initdb
            .arg(fresh)
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run initdb")?;
        ensure!(
            done.status.success(),
            "initdb failed: {}",
            last_lines(&done.stderr)
        );
        Ok(())
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // Our own working directory may be closed to the account.
        command
            .current_dir("/")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }
}

/// The user that PostgreSQL runs as when we are root.
#[derive(Clone, Copy)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// Chooses the owner of an existing cluster, else `postgres`; none means ourselves.
    fn choose(cluster: &Path) -> Result<Option<Account>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        if let Ok(made) = fs::metadata(cluster) {
            return Ok(Some(Account {
                uid: made.uid(),
                gid: made.gid(),
            }));
        }
        let user = User::from_name("postgres")?.context(
            "PostgreSQL does not run as root, and there is no user postgres to run it as: \
             install the Debian package postgresql, or start roster as an ordinary user",
        )?;
        Ok(Some(Account {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }))
    }

    fn can_enter(self, dir: &Path) -> bool {
        dir.ancestors().all(|dir| {
            fs::metadata(dir).is_ok_and(|found| {
                let bit = if found.uid() == self.uid {
                    0o100
                } else if found.gid() == self.gid {
                    0o010
                } else {
                    0o001
                };
                found.mode() & bit != 0
            })
        })
    }
}

pub(super) fn create_data_dir(data_dir: &Path) -> Result<PathBuf> {
    // Root's must let the user postgres pass; what is private in it is closed by itself.
    let mode = if Uid::effective().is_root() {
        0o755
    } else {
        0o700
    };
    create_dir(data_dir, mode)?;
    ensure!(
        data_dir.is_dir(),
        "{} is not a directory",
        data_dir.display()
    );
    fs::canonicalize(data_dir).with_context(|| format!("cannot open {}", data_dir.display()))
}

async fn until_locked(file: &File) -> std::io::Result<()> {
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => sleep(POLL).await,
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
}

fn create_root_home(data_dir: &Path, account: Account) -> Result<PathBuf> {
    let home = Path::new(ROOT_HOME).join(short_hash(data_dir));
    create_dir(Path::new(ROOT_HOME), 0o755)?;
    create_dir(&home, 0o755)?;
    ensure!(
        account.can_enter(&home),
        "PostgreSQL's user (uid {}) can enter neither {} nor {}",
        account.uid,
        data_dir.display(),
        home.display()
    );
    Ok(home)
}

/// Creates a directory with exactly these rights, whatever the umask; leaves an existing one as it is.
fn create_dir(dir: &Path, mode: u32) -> Result<()> {
    if !dir.exists() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        fs::set_permissions(dir, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Creates a directory that only the account can enter, or checks that it is one: another user may have been first.
pub(super) fn private_dir(path: &Path, account: Option<Account>) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            bail!("cannot create {}: {error}", path.display())
        }
        _ => {}
    }
    let owner = account.map_or(Uid::effective().as_raw(), |account| account.uid);
    if let Some(Account { uid, gid }) = account
        && fs::symlink_metadata(path)?.uid() == 0
    {
        lchown(path, Some(uid), Some(gid))?;
    }
    let found = fs::symlink_metadata(path)?;
    let private = found.is_dir() && found.uid() == owner && found.mode() & 0o077 == 0;
    ensure!(
        private,
        "{} must be a directory of user {owner} with mode 0700: remove it",
        path.display()
    );
    Ok(())
}

/// Keeps the preferred directory when a socket address and a URL can hold it as it is, else takes one under /tmp.
fn socket_dir(preferred: &Path) -> PathBuf {
    let path = preferred.as_os_str().as_bytes();
    let plain = path
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte));
    if plain && path.len() <= LONGEST_SOCKET_DIR {
        return preferred.to_owned();
    }
    Path::new("/tmp").join(format!("roster-{}", short_hash(preferred)))
}

fn short_hash(path: &Path) -> String {
    Sha256::digest(path.as_os_str().as_bytes())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn sweep_unfinished(home: &Path) -> Result<()> {
    for entry in fs::read_dir(home)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(b"postgres.new.") {
            fs::remove_dir_all(entry.path()).ok(); // an orphaned initdb may still fill it: swept again later
        }
    }
    Ok(())
}
