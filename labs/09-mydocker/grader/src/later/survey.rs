//! What files a container has, as the host finds them through its root.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labkit::describe;
use labkit::proc::Proc;
use mydocker_kernel::sys;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{chdir, chroot, fchdir};
use rustix::mount::OpenTreeFlags;
use serde::{Deserialize, Serialize};

use crate::image::{EXAM, VOLUME};

/// What a container has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// What is below /root/exam, by its path from there.
    pub files: BTreeMap<PathBuf, File>,
    /// Whether the volume's file is there, at the volume's place.
    pub has_volume: bool,
    /// The directories of the kernel's in which there are files of no mount below; none
    /// if it could not be looked.
    pub filled: Option<Vec<String>>,
}

/// A file of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// What it is, with its mode, and where a symbolic link leads.
    pub kind: String,
    /// `UID:GID`.
    pub owner: String,
    /// When it was changed, in seconds since 1970; of a directory it is not asked for.
    pub changed: Option<i64>,
    /// What tells its content from another.
    pub content: u64,
    /// Another name of the same file.
    pub twin: Option<PathBuf>,
}

/// The directories in which the kernel shows what is its own.
const OF_THE_KERNEL: [&str; 3] = ["proc", "sys", "dev"];

/// The exit code of a child that could not look.
const CANNOT_LOOK: i32 = 255;

impl Survey {
    /// Looks at the container of a process.
    ///
    /// # Errors
    /// The process has ended, or there is no /root/exam.
    pub fn of(proc: &Proc, pid: i32) -> io::Result<Survey> {
        let root = proc.open_file(&format!("{pid}/root"), OFlag::O_PATH)?;
        let open = |path: &str| {
            let path = Path::new(path.trim_start_matches('/'));
            sys::open_in_root(&root, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
        };
        let files = files_in(&open(EXAM)?)?;
        let volume = open(VOLUME)
            .and_then(|volume| sys::open_in_root(&volume, Path::new("keep"), OFlag::O_PATH));
        Ok(Survey { files, has_volume: volume.is_ok(), filled: filled(proc, pid) })
    }
}

/// What tells a content from another one.
pub fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    hasher.finish()
}

/// What is in a directory and below.
fn files_in(folder: &OwnedFd) -> io::Result<BTreeMap<PathBuf, File>> {
    let mut files = BTreeMap::new();
    let mut names: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
    fchdir(folder.as_fd())?;
    let walked = describe::walk(Path::new("."), &mut |path, metadata| {
        let path = path.strip_prefix(".").unwrap_or(path).to_owned();
        let content = if metadata.is_file() { fs::read(&path).unwrap_or_default() } else { vec![] };
        let target = fs::read_link(&path).map(|to| format!(" -> {}", to.display()));
        let twin = (!metadata.is_dir() && metadata.nlink() > 1).then(|| {
            names.entry((metadata.dev(), metadata.ino())).or_insert_with(|| path.clone()).clone()
        });
        let file = File {
            kind: format!("{:o}{}", metadata.mode(), target.unwrap_or_default()),
            owner: format!("{}:{}", metadata.uid(), metadata.gid()),
            changed: metadata.is_file().then(|| metadata.mtime()),
            content: digest(&content),
            twin,
        };
        files.insert(path, file);
    });
    chdir("/")?;
    walked.map(|()| files)
}

/// The directories of the kernel's that are not empty in the root file system itself,
/// under what is mounted there.
fn filled(proc: &Proc, pid: i32) -> Option<Vec<String>> {
    let look = || -> io::Result<i32> {
        let open = |name: &str, flags| proc.open_file(&format!("{pid}/{name}"), flags);
        let (mounts, root) = (open("ns/mnt", OFlag::O_RDONLY)?, open("root", OFlag::O_PATH)?);
        setns(&mounts, CloneFlags::CLONE_NEWNS)?;
        fchdir(&root)?;
        chroot(".")?;
        // Without the mounts below it.
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        fchdir(rustix::mount::open_tree(rustix::fs::CWD, "/", flags)?)?;
        let is_filled = |name: &&str| fs::read_dir(name).is_ok_and(|mut it| it.next().is_some());
        let bits = OF_THE_KERNEL.iter().enumerate().filter(|(_, name)| is_filled(name));
        Ok(bits.map(|(bit, _)| 1 << bit).sum())
    };
    let child = sys::clone(CloneFlags::empty(), || look().unwrap_or(CANNOT_LOOK));
    match waitpid(child.ok()?, None) {
        Ok(WaitStatus::Exited(_, bits)) if bits != CANNOT_LOOK => {
            let names = OF_THE_KERNEL.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
            Some(names.map(|(_, name)| format!("/{name}")).collect())
        }
        _ => None,
    }
}
