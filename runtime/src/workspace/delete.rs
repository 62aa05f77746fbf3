//! Clean-up: unmount what the kernel says is mounted, then delete.
//!
//! Every function here can be run again, after success as after a kill at any
//! point: what is gone already is no error.

use std::cell::Cell;
use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::NixPath;
use nix::dir::{Dir, Entry, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag, open, openat2, renameat2};
use nix::mount::MntFlags;
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::container::lock_folder;
use crate::error::{Error, OnPath, Result};
use crate::lock::FlockOperation;
use crate::mountinfo::MountTable;
use crate::{explain, sys};

/// How long a mount may stay busy before that is an error. The processes of a
/// container that was just killed need a moment to let go of it.
const BUSY_FOR: Duration = Duration::from_secs(1);

/// How many directories deep the deletion goes before it moves what lies
/// deeper up to the top: each level holds a descriptor open.
const MAX_DEPTH: usize = 128;

/// How many names of a directory are read before they are deleted.
const BATCH: usize = 1024;

/// Deletes the workspace in `folder`: first every mount at or below it, then
/// the write layer, then the rest; last the lock, which the caller holds.
///
/// # Errors
/// A mount stays busy (the error names who holds it), or a file cannot be
/// deleted. Nothing is deleted while anything is mounted there.
pub fn delete_workspace(folder: &Path) -> Result<()> {
    delete_mount_point(folder)?;
    delete_write_layer(folder)?;
    delete_tree(&folder.join("init-layer"))?;
    delete_tree(&folder.join("mnt"))?;
    // Without its lock the folder looks left over: nobody must see it so.
    let _no_look =
        match folder.parent().map(|parent| lock_folder(parent, FlockOperation::LockShared)) {
            Some(Err(error)) if error.errno() == Some(Errno::ENOENT) => return Ok(()),
            other => other.transpose()?,
        };
    delete_tree(folder)
}

/// Unmounts everything at or below `folder`, deepest first, until the mount
/// table shows nothing there any more.
///
/// # Errors
/// As umount2(2); EBUSY only after a second of trying.
pub fn delete_mount_point(folder: &Path) -> Result<()> {
    // The mount table has real paths.
    let folder = match folder.canonicalize() {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
        other => other.on("realpath", folder)?,
    };
    // Nearly always there is this one mount or none: then the first look at the
    // table below is also the last. If it fails, the table tells what to do.
    let _ = sys::umount2(&folder.join("mnt"), MntFlags::UMOUNT_NOFOLLOW);

    let deadline = Instant::now() + BUSY_FOR;
    let mut pause = Duration::from_millis(1);
    loop {
        let table = MountTable::read()?;
        let below = table.below(&folder);
        // What another mount covers can be unmounted only after that one.
        let reachable = below.iter().find(|mount| !table.is_covered(mount));
        let Some(deepest) = reachable.or(below.first()) else { return Ok(()) };
        match sys::umount2(&deepest.mount_point, MntFlags::UMOUNT_NOFOLLOW) {
            Ok(()) => {}
            Err(error) if error.errno() == Some(Errno::EBUSY) && Instant::now() < deadline => {
                sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            // Somebody else has unmounted it since the table was read.
            Err(error) if error.errno() == Some(Errno::EINVAL) && is_gone(deepest.id) => {}
            Err(error) if error.errno() == Some(Errno::EBUSY) => {
                return Err(error.explained(explain::busy(&deepest.mount_point)));
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_gone(mount_id: u32) -> bool {
    MountTable::read().is_ok_and(|table| table.mounts.iter().all(|mount| mount.id != mount_id))
}

/// Deletes what the container wrote, and overlayfs's scratch folder with it.
///
/// # Errors
/// As [`delete_tree`].
pub fn delete_write_layer(folder: &Path) -> Result<()> {
    delete_tree(&folder.join("write-layer"))?;
    delete_tree(&folder.join("work"))
}

/// Deletes the directory `path` and all in it, if it is there. Follows no
/// symbolic link and enters no mount.
///
/// # Errors
/// Something is mounted in it (the kernel says EXDEV, even of a bind of the
/// same disk), or a file cannot be deleted; the error names it.
pub fn delete_tree(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::new(format!("{path:?} is no folder that can be deleted")));
    };
    let parent = match open(parent, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other.on("open", parent)?,
    };
    let name = name.with_nix_path(CStr::to_owned).on("open", path)?;
    let top = match open_directory(parent.as_fd(), &name) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other.map_err(|errno| refusal(errno, path))?,
    };
    let deletion = Deletion { top: top.try_clone().on("dup", path)?, moved: Cell::new(0) };
    deletion.empty(top, path, 0)?;
    match unlinkat(&parent, name.as_c_str(), UnlinkatFlags::RemoveDir) {
        Err(Errno::ENOENT) => Ok(()),
        other => other.on("rmdir", path),
    }
}

/// Opens a directory that is no mount point, whatever lies at `name`.
fn open_directory(parent: BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    let open = || {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let stay_here = ResolveFlag::RESOLVE_NO_XDEV | ResolveFlag::RESOLVE_BENEATH;
        openat2(parent, name, OpenHow::new().flags(flags).resolve(stay_here))
    };
    match open() {
        // overlayfs leaves work/work with mode 000, and a container may do the
        // like: the owner may change that.
        Err(Errno::EACCES) => {
            let mode = Mode::S_IRWXU;
            fchmodat(parent, name, mode, FchmodatFlags::FollowSymlink)?;
            open()
        }
        other => other,
    }
}

fn refusal(errno: Errno, path: &Path) -> Error {
    let error = Err::<(), _>(errno).on("open", path).unwrap_err();
    match errno {
        Errno::EXDEV => error
            .because(format!("something is mounted on {path:?}, and deleting would go through it"))
            .advise(format!("umount {path:?}, then: mydocker prune")),
        _ => error,
    }
}

/// One deletion of a tree.
struct Deletion {
    /// The directory that the tree hangs on.
    top: OwnedFd,
    /// How many directories were moved up to `top`.
    moved: Cell<u32>,
}

impl Deletion {
    /// Deletes everything in `directory`, which lies `depth` levels below the top.
    fn empty(&self, directory: OwnedFd, path: &Path, depth: usize) -> Result<()> {
        let mut directory = Dir::from_fd(directory).on("opendir", path)?;
        loop {
            // In batches, because a folder may be larger than the memory. Each
            // is read before it is deleted: what a folder lists while it
            // changes is up to the file system. Every batch starts afresh.
            let moved_before = self.moved.get();
            let is_name = |entry: &nix::Result<Entry>| match entry {
                Ok(entry) => !matches!(entry.file_name().to_bytes(), b"." | b".."),
                Err(_) => true,
            };
            let batch = directory.iter().filter(is_name).take(BATCH);
            let batch: Vec<Entry> = batch.collect::<nix::Result<_>>().on("readdir", path)?;
            for entry in &batch {
                self.delete_entry(directory.as_fd(), entry, path, depth)?;
            }
            let moved_up_to_here = depth == 0 && self.moved.get() > moved_before;
            if batch.len() < BATCH && !moved_up_to_here {
                return Ok(());
            }
        }
    }

    fn delete_entry(
        &self,
        parent: BorrowedFd,
        entry: &Entry,
        parent_path: &Path,
        depth: usize,
    ) -> Result<()> {
        let name = entry.file_name();
        let path = parent_path.join(OsStr::from_bytes(name.to_bytes()));
        let is_directory = match entry.file_type() {
            Some(kind) => kind == Type::Directory,
            None => {
                let stat = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).on("stat", &path)?;
                stat.st_mode & libc::S_IFMT == libc::S_IFDIR
            }
        };
        if !is_directory {
            return unlink(parent, name, UnlinkatFlags::NoRemoveDir).on("unlink", &path);
        }
        // Many are empty; what keeps another one from going, we shall see.
        if unlinkat(parent, name, UnlinkatFlags::RemoveDir).is_ok() {
            return Ok(());
        }
        let directory = match open_directory(parent, name) {
            Err(Errno::ENOENT) => return Ok(()),
            other => other.map_err(|errno| refusal(errno, &path))?,
        };
        if depth == MAX_DEPTH {
            return self.move_up(parent, name, &directory).on("rename", &path);
        }
        self.empty(directory, &path, depth + 1)?;
        unlink(parent, name, UnlinkatFlags::RemoveDir).on("rmdir", &path)
    }

    /// Moves a directory up to the top, where [`Deletion::empty`] finds it.
    fn move_up(&self, parent: BorrowedFd, name: &CStr, directory: &OwnedFd) -> nix::Result<()> {
        // Moving a directory changes its `..`, which asks for write permission.
        fchmod(directory, Mode::S_IRWXU)?;
        loop {
            self.moved.set(self.moved.get() + 1);
            let new_name = format!(".deeper-{}", self.moved.get());
            let flags = RenameFlags::RENAME_NOREPLACE;
            match renameat2(parent, name, &self.top, new_name.as_str(), flags) {
                Err(Errno::EEXIST) => continue,
                other => return other,
            }
        }
    }
}

/// Deletes one name; a folder that nobody may write to is opened to its owner.
fn unlink(parent: BorrowedFd, name: &CStr, flag: UnlinkatFlags) -> nix::Result<()> {
    match unlinkat(parent, name, flag) {
        Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EACCES) => {
            fchmod(parent, Mode::S_IRWXU)?;
            unlinkat(parent, name, flag)
        }
        other => other,
    }
}
