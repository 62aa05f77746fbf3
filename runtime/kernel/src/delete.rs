//! Deletion of a tree that somebody else may have made, as deep and as large as
//! they liked.
//!
//! It can be run again, after success and after a kill at any point: it is not an error
//! if something is already gone.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag, open, openat2, renameat2};
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstatat};
use nix::unistd::{UnlinkatFlags, Whence, lseek, unlinkat};
use rustix::fs::{FileType, RawDir};

use crate::error::{Error, Result};
use crate::on_path::OnPath;
use crate::without_openat2::open_on_same_mount;

/// How many directories deep the deletion goes before it moves deeper ones up to the top.
/// Each level holds a descriptor open.
const MAX_DEPTH: usize = 128;

/// How many names of a directory are read before they are deleted.
const BATCH: usize = 1024;

/// How many bytes of a directory are read by one call. See getdents(2).
const BUFFER: usize = 32 << 10;

/// Deletes the directory `path` and all in it, if it is there. Follows no
/// symbolic link and enters no mount.
///
/// # Errors
/// Something is mounted in it (the kernel says EXDEV, even of a bind of the
/// same disk), or a file cannot be deleted; the error names it.
pub fn delete_tree(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::new(format!("{path:?} is not a directory that can be deleted")));
    };
    let parent = match open(parent, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other.on("open", parent)?,
    };
    let name = name.with_nix_path(CStr::to_owned).on("open", path)?;
    let top = match open_directory(parent.as_fd(), &name) {
        Err((_, Errno::ENOENT)) => return Ok(()),
        other => other.map_err(|failed| refusal(failed, path))?,
    };
    let buffer = RefCell::new(Vec::with_capacity(BUFFER));
    let deletion = Deletion { top: top.as_fd(), moved: Cell::new(0), buffer };
    deletion.empty(top.as_fd(), path, 0)?;
    match unlinkat(&parent, name.as_c_str(), UnlinkatFlags::RemoveDir) {
        Err(Errno::ENOENT) => Ok(()),
        other => other.on("rmdir", path),
    }
}

/// A call, and how it failed.
type Failed = (&'static str, Errno);

/// Opens a directory that is not a mount point, whatever is at `name`.
fn open_directory(parent: BorrowedFd, name: &CStr) -> std::result::Result<OwnedFd, Failed> {
    let open = || {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let stay_here = ResolveFlag::RESOLVE_NO_XDEV | ResolveFlag::RESOLVE_BENEATH;
        match openat2(parent, name, OpenHow::new().flags(flags).resolve(stay_here)) {
            Err(Errno::ENOSYS) => open_on_same_mount(parent, name, flags),
            other => other,
        }
    };
    match open() {
        // overlayfs leaves work/work with mode 000, and a container may do the
        // like: the owner may change that.
        Err(Errno::EACCES) => {
            let change = || fchmodat(parent, name, Mode::S_IRWXU, FchmodatFlags::FollowSymlink);
            // Who may list a directory may not always reach what is in it.
            let changed = match change() {
                Err(Errno::EACCES) if fchmod(parent, Mode::S_IRWXU).is_ok() => change(),
                other => other,
            };
            changed.map_err(|errno| ("chmod", errno))?;
            open().map_err(|errno| ("open", errno))
        }
        other => other.map_err(|errno| ("open", errno)),
    }
}

fn refusal((call, errno): Failed, path: &Path) -> Error {
    let error = Err::<(), _>(errno).on(call, path).unwrap_err();
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
            Err((_, Errno::ENOENT)) => return Ok(()),
            // This process may have few files open; those above are then closed first.
            Err((_, Errno::EMFILE)) if depth > 0 => {
                return self.move_up(parent, name, None).on("rename", &path);
            }
            other => other.map_err(|failed| refusal(failed, &path))?,
        };
        if depth == MAX_DEPTH {
            return self.move_up(parent, name, Some(&directory)).on("rename", &path);
        }
        self.empty(directory.as_fd(), &path, depth + 1)?;
        unlink(parent, name, UnlinkatFlags::RemoveDir).on("rmdir", &path)
    }

    /// Moves a directory up to the top, where [`Deletion::empty`] finds it.
    fn move_up(
        &self,
        parent: BorrowedFd,
        name: &CStr,
        directory: Option<&OwnedFd>,
    ) -> nix::Result<()> {
        // Moving a directory changes its `..`, which asks for write permission.
        match directory {
            Some(directory) => fchmod(directory, Mode::S_IRWXU)?,
            None => fchmodat(parent, name, Mode::S_IRWXU, FchmodatFlags::FollowSymlink)?,
        }
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

/// Deletes one name. A directory that nobody may write to is opened to its owner.
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
