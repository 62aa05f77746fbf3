//! Clean-up: unmount what the kernel says is mounted, then delete.
//!
//! Every function here can be run again, after success as after a kill at any
//! point: what is gone already is no error.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag, open, openat2, renameat2};
use nix::mount::MntFlags;
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstatat};
use nix::unistd::{UnlinkatFlags, Whence, lseek, unlinkat};
use rustix::fs::{FileType, RawDir};

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

/// How many bytes of a directory are read by one call. See getdents(2).
const BUFFER: usize = 32 << 10;

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
    let buffer = RefCell::new(Vec::with_capacity(BUFFER));
    let deletion = Deletion { top: top.as_fd(), moved: Cell::new(0), buffer };
    deletion.empty(top.as_fd(), path, 0)?;
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
struct Deletion<'a> {
    /// The directory that the tree hangs on.
    top: BorrowedFd<'a>,
    /// How many directories were moved up to `top`.
    moved: Cell<u32>,
    /// Where the kernel writes the names of a directory.
    buffer: RefCell<Vec<u8>>,
}

impl Deletion<'_> {
    /// Deletes everything in `directory`, which lies `depth` levels below the top.
    fn empty(&self, directory: BorrowedFd, path: &Path, depth: usize) -> Result<()> {
        loop {
            // In batches, because a folder may be larger than the memory. Each
            // is read before it is deleted: what a folder lists while it
            // changes is up to the file system. Every batch starts afresh.
            let moved_before = self.moved.get();
            let batch = self.read_batch(directory).on("readdir", path)?;
            for (name, kind) in &batch {
                self.delete_entry(directory, name, *kind, path, depth)?;
            }
            let moved_up_to_here = depth == 0 && self.moved.get() > moved_before;
            if batch.len() < BATCH && !moved_up_to_here {
                return Ok(());
            }
            lseek(directory, 0, Whence::SeekSet).on("lseek", path)?;
        }
    }

    /// The next names in a directory, without `.` and `..`.
    fn read_batch(&self, directory: BorrowedFd) -> nix::Result<Vec<(CString, FileType)>> {
        let mut buffer = self.buffer.borrow_mut();
        let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
        let mut batch = Vec::new();
        while let Some(entry) = entries.next().filter(|_| batch.len() < BATCH) {
            let entry = entry.map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                batch.push((entry.file_name().to_owned(), entry.file_type()));
            }
        }
        Ok(batch)
    }

    fn delete_entry(
        &self,
        parent: BorrowedFd,
        name: &CStr,
        kind: FileType,
        parent_path: &Path,
        depth: usize,
    ) -> Result<()> {
        let path = parent_path.join(OsStr::from_bytes(name.to_bytes()));
        let is_directory = match kind {
            FileType::Unknown => {
                let stat = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).on("stat", &path)?;
                stat.st_mode & libc::S_IFMT == libc::S_IFDIR
            }
            known => known == FileType::Directory,
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
        self.empty(directory.as_fd(), &path, depth + 1)?;
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
            match renameat2(parent, name, self.top, new_name.as_str(), flags) {
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
