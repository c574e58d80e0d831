//! Files of a directory of this machine: below what the settings allow, and never through a link.
//!
//! The way down is opened part by part, each from the one before and none through a link: what is put there meanwhile leads nowhere else.

use super::listing::Unread;
use super::piece::{Failure, Look, PIECE, Piece, Version};
use super::source::below;
use crate::domain::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use std::fs::{File, Metadata};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// An open file.
#[derive(Debug)]
pub struct LocalFile(File);

/// A file of a listing.
#[derive(Debug)]
pub struct Listed {
    pub name: String,
    pub look: Look,
}

impl LocalFile {
    /// Opens a file below a directory.
    pub fn open(directory: &str, path: &str) -> Result<Self, Failure> {
        let inside = inside(directory, path)?;
        let Some(name) = inside.file_name() else {
            return Err(Failure::Refused("that is a directory".to_owned()));
        };
        let folder = folder(directory, inside.parent().unwrap_or(Path::new("")))?;
        // A pipe without a writer would hold the one who opens it.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = openat(&folder, Path::new(name), flags, Mode::empty()).map_err(failure)?;
        let file = File::from(file);
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(Self(file)),
            Ok(_) => Err(Failure::Refused("that is no regular file".to_owned())),
            Err(error) => Err(Failure::Passing(error.to_string())),
        }
    }

    /// What it is.
    pub fn look(&self) -> Result<Look, Failure> {
        let metadata = self.0.metadata();
        let metadata = metadata.map_err(|error| Failure::Passing(error.to_string()))?;
        Ok(look(&metadata))
    }

    /// The bytes from a place on.
    pub fn read(&self, from: u64) -> Result<Piece, Failure> {
        let told = |error: std::io::Error| Failure::Passing(error.to_string());
        let mut bytes = vec![0; PIECE];
        let mut filled = 0;
        while filled < PIECE {
            match self.0.read_at(&mut bytes[filled..], from + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(told(error)),
            }
        }
        bytes.truncate(filled);
        // After the reading: what was written meanwhile shows.
        let version = version(&self.0.metadata().map_err(told)?);
        let is_last = version
            .size
            .is_some_and(|size| from + filled as u64 >= size);
        Ok(Piece {
            bytes: bytes.into(),
            version,
            is_last,
        })
    }
}

/// The regular files of a directory below another one, by their names, and those whose names are no text.
pub fn list(directory: &str, path: &str, most: usize) -> Result<(Vec<Listed>, Unread), Failure> {
    let told = |error: std::io::Error| Failure::Passing(error.to_string());
    let inside = inside(directory, path)?;
    // Seen to be no link; what is replaced after this is looked at again when it is opened.
    folder(directory, &inside)?;
    let (mut found, mut unread) = (Vec::new(), Unread::default());
    for entry in std::fs::read_dir(path).map_err(told)? {
        let entry = entry.map_err(told)?;
        let name = match entry.file_name().into_string() {
            Ok(name) => name,
            Err(name) => {
                unread.add(&name.to_string_lossy());
                continue;
            }
        };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => found.push(Listed {
                name,
                look: look(&metadata),
            }),
            _ => {}
        }
        if found.len() > most {
            return Err(Failure::Refused(format!(
                "there are more than {most} files"
            )));
        }
    }
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok((found, unread))
}

fn inside(directory: &str, path: &str) -> Result<std::path::PathBuf, Failure> {
    below(directory, path).ok_or_else(|| Failure::Refused("that is outside".to_owned()))
}

/// The directory itself may be reached through links: the settings say where it is.
fn folder(directory: &str, inside: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut folder = open(directory, flags, Mode::empty()).map_err(failure)?;
    for part in inside {
        let flags = flags | OFlag::O_NOFOLLOW;
        folder = openat(&folder, Path::new(part), flags, Mode::empty()).map_err(failure)?;
    }
    Ok(folder)
}

fn failure(error: Errno) -> Failure {
    match error {
        Errno::ENOENT => Failure::Missing("there is no such file".to_owned()),
        Errno::EACCES | Errno::EPERM => Failure::Denied("the service may not read it".to_owned()),
        Errno::ELOOP | Errno::ENOTDIR => Failure::Refused("links are not followed".to_owned()),
        other => Failure::Passing(other.desc().to_owned()),
    }
}

fn look(metadata: &Metadata) -> Look {
    let micros = metadata.mtime() * 1_000_000 + metadata.mtime_nsec() / 1_000;
    Look {
        version: version(metadata),
        changed_at: Timestamp::from_micros(micros),
    }
}

fn version(metadata: &Metadata) -> Version {
    let (seconds, nanos) = (metadata.mtime(), metadata.mtime_nsec());
    Version {
        tag: Some(format!("{}-{seconds}.{nanos:09}", metadata.ino())),
        size: Some(metadata.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Scene {
        _folder: tempfile::TempDir,
        inside: String,
        root: std::path::PathBuf,
    }

    fn scene() -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_owned();
        std::fs::create_dir_all(root.join("in/deep")).expect("folders");
        std::fs::write(root.join("in/a.csv"), "abc").expect("a file");
        std::fs::write(root.join("in/deep/b.csv"), "de").expect("a file");
        std::fs::write(root.join("secret"), "hush").expect("a file");
        Scene {
            inside: root.join("in").display().to_string(),
            _folder: folder,
            root,
        }
    }

    fn read(scene: &Scene, path: &str) -> Result<Vec<u8>, Failure> {
        let file = LocalFile::open(&scene.inside, &format!("{}/{path}", scene.inside))?;
        file.read(0).map(|piece| piece.bytes.to_vec())
    }

    #[test]
    fn files_below_are_read_to_their_ends() {
        let scene = scene();
        assert_eq!(read(&scene, "a.csv"), Ok(b"abc".to_vec()));
        assert_eq!(read(&scene, "deep/b.csv"), Ok(b"de".to_vec()));
        let file = LocalFile::open(&scene.inside, &format!("{}/a.csv", scene.inside));
        let file = file.expect("a file");
        let rest = file.read(2).expect("bytes");
        assert!(rest.is_last && rest.bytes[..] == *b"c");
        assert!(matches!(read(&scene, "none"), Err(Failure::Missing(_))));
    }

    #[test]
    fn nothing_leads_outside() {
        let scene = scene();
        let link = |to: &str, name: &str| {
            symlink(scene.root.join(to), scene.root.join("in").join(name)).expect("a link");
        };
        link("secret", "file-link");
        link("", "folder-link");
        link("in/a.csv", "inner-link");
        for path in [
            "file-link",
            "folder-link/secret",
            "inner-link",
            "../secret",
            "deep/../../secret",
            "deep",
        ] {
            let refused = read(&scene, path);
            assert!(
                matches!(refused, Err(Failure::Refused(_))),
                "{path}: {refused:?}"
            );
        }
        let secret = scene.root.join("secret").display().to_string();
        let refused = LocalFile::open(&scene.inside, &secret);
        assert!(matches!(refused, Err(Failure::Refused(_))), "{refused:?}");
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let scene = scene();
        let pipe = scene.root.join("in/pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("a pipe");
        assert!(matches!(read(&scene, "pipe"), Err(Failure::Refused(_))));
    }

    #[test]
    fn a_listing_has_files_only_in_the_order_of_their_names() {
        let scene = scene();
        std::fs::write(scene.root.join("in/Z.csv"), "z").expect("a file");
        symlink(scene.root.join("secret"), scene.root.join("in/link")).expect("a link");
        let names = |most| {
            let found = list(&scene.inside, &format!("{}/", scene.inside), most);
            found.map(|(all, _)| all.into_iter().map(|one| one.name).collect::<Vec<_>>())
        };
        assert_eq!(names(10).expect("files"), ["Z.csv", "a.csv"]);
        assert!(names(1).is_err());
    }

    #[test]
    fn a_file_that_is_written_anew_is_another_one() {
        let scene = scene();
        let path = scene.root.join("in/a.csv");
        let before = LocalFile::open(&scene.inside, &path.display().to_string());
        let before = before.expect("a file").read(0).expect("bytes");
        std::fs::write(scene.root.join("in/new"), "xyz").expect("a file");
        std::fs::rename(scene.root.join("in/new"), &path).expect("in its place");
        let after = LocalFile::open(&scene.inside, &path.display().to_string());
        let after = after.expect("a file").read(0).expect("bytes");
        assert!(!before.version.is_same(&after.version));
    }
}
