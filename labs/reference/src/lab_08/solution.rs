//! Lab 08: unmount and delete a workspace. The task is in README.md.
//!
//! ```text
//! ROOT/images/IMAGE                    read-only layers: not yours to touch
//! ROOT/containers/ID                   the workspace of one container
//!                   /init-layer        container-init layer
//!                   /write-layer       what the container has written
//!                   /work              overlayfs's own scratch directory
//!                   /mnt               the mount point, with volumes below it
//! ```

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::mem::replace;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::mount::{MntFlags, umount2};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::{UnlinkatFlags, unlinkat};

// How long a mount may stay busy before that is an error. The processes of a
// container that was just killed need a moment to let go of it.
const BUSY_FOR: Duration = Duration::from_millis(300);

// How long to wait before a busy mount is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// Unmounts everything that is mounted at `workspace` or anywhere below it, and
/// deletes nothing.
///
/// [`mount_points`] says what is mounted. Mounts can be stacked on one directory,
/// lie below one another, and cover one another; a name need not be UTF-8. `workspace`
/// may be reached through a symbolic link, which may be its last part or any other. As
/// long as a mount is busy, try again: the whole call goes on for at least 0.2 and at
/// most 2 seconds. Never detach it lazily (MNT_DETACH): the process that keeps it busy
/// could go on writing to it. Never use force (MNT_FORCE) either: a network file system
/// would then lose what is not written yet. By now, the container may have replaced any
/// part of a path in the mount table with a symbolic link, not only the last part. Do not
/// follow any of them.
///
/// It is not an error if nothing is mounted at `workspace` or below it, or if there is no
/// such directory. Nor is it one if a mount is gone before you get to it: when you unmount
/// below a shared mount, the copies below its peers go along. See mount_namespaces(7).
///
/// # Errors
/// Those of umount2(2), those of [`mount_points`], and those that say why `workspace`
/// cannot be resolved, except ENOENT. EBUSY if a mount stays busy, whatever is wrong
/// with others. Every error is returned as long as anything is mounted.
pub fn delete_mount_point(workspace: &Path) -> io::Result<()> {
    let deadline = Instant::now() + BUSY_FOR;
    let mut mounted = mounted_below(workspace)?;
    while !mounted.is_empty() {
        // The table lists a mount after the one that it lies on or covers: from
        // its end, each can be unmounted in turn.
        let mut refusals: Vec<Errno> = Vec::new();
        for mount_point in mounted.iter().rev() {
            refusals.extend(unmount(mount_point).err());
        }
        // A mount that was moved can be older than what it lies on, and come before it in the
        // table. Another mount may have gone along with one, or by another process. As long
        // as the table changes, go on.
        let before = replace(&mut mounted, mounted_below(workspace)?);
        let Some(first) = refusals.first().filter(|_| mounted == before) else { continue };
        let is_busy = refusals.contains(&Errno::EBUSY);
        if !is_busy || Instant::now() > deadline {
            return Err(if is_busy { Errno::EBUSY } else { *first }.into());
        }
        sleep(PAUSE);
    }
    Ok(())
}

// Unmounts what lies on top at this path, if no part of the path is a link. The container may
// have put links into whatever covers the mount. UMOUNT_NOFOLLOW refuses a link in the last
// part. For the other parts there is openat2(2), and nobody can replace an open directory.
pub(crate) fn unmount(mount_point: &Path) -> nix::Result<()> {
    let parent = mount_point.parent().unwrap_or(mount_point);
    let name = mount_point.file_name().unwrap_or_default();
    let no_links = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    let directory = openat2(AT_FDCWD, parent, no_links)?;
    let opened = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    umount2(&opened.join(name), MntFlags::UMOUNT_NOFOLLOW)
}

// What is mounted at `workspace` or below it, in the order of the table.
pub(crate) fn mounted_below(workspace: &Path) -> io::Result<Vec<PathBuf>> {
    let workspace = match workspace.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        // The table has real paths.
        real_path => real_path?,
    };
    let mut mounted = mount_points()?;
    // Path::starts_with compares whole components: ws10 is not below ws1.
    mounted.retain(|mount_point| mount_point.starts_with(&workspace));
    Ok(mounted)
}

/// Deletes `write-layer` and `work` of the workspace with everything in them, and
/// nothing else.
///
/// Does so only if nothing is mounted at the workspace or below it: a deletion goes
/// through a mount into files that belong to others. Follows no symbolic link, not even
/// if `write-layer` or `work` is one: then the link is deleted. A file may have another
/// name elsewhere, a hard link: its mode and contents stay. Some directories are closed
/// even to their owner: overlayfs leaves `work/work` with mode 000. The tests take away
/// your capability to enter it anyway (CAP_DAC_OVERRIDE). A container can make
/// directories so deep that a path has more than the 4095 bytes that one call takes, or
/// that a process cannot have all of them open at once. Neither is graded.
///
/// It is not an error if a directory is already gone.
///
/// # Errors
/// An error of any kind if something is mounted at the workspace or below it, if
/// [`mount_points`] cannot find that out, or if `workspace` cannot be resolved for a
/// reason other than ENOENT. In these cases, nothing has been deleted. Otherwise those of
/// unlink(2), rmdir(2) and chmod(2).
pub fn delete_write_layer(workspace: &Path) -> io::Result<()> {
    if let Some(mount_point) = mounted_below(workspace)?.first() {
        return Err(io::Error::other(format!("{mount_point:?} is still mounted")));
    }
    delete(AT_FDCWD, &workspace.join("write-layer"))?;
    delete(AT_FDCWD, &workspace.join("work"))
}

// Deletes what has this name in a directory that is open, with all that is in it, if it
// is there. Nothing may be mounted in it. From one open directory to the next no path
// gets long, and no link is on the way.
pub(crate) fn delete(parent: BorrowedFd, name: &Path) -> io::Result<()> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR) => {}
        Err(Errno::ENOENT) => return Ok(()),
        deleted => return Ok(deleted?),
    }
    // Nobody can delete from a directory that is closed, but its owner can change that.
    fchmodat(parent, name, Mode::S_IRWXU, FchmodatFlags::FollowSymlink)?;
    let directory = openat(parent, name, DIRECTORY, Mode::empty())?;
    for entry in names(directory.try_clone()?)? {
        delete(directory.as_fd(), &entry)?;
    }
    Ok(unlinkat(parent, name, UnlinkatFlags::RemoveDir)?)
}

const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

// The names in a directory, but for itself and the one above.
fn names(directory: OwnedFd) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in Dir::from_fd(directory)?.iter() {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if name != "." && name != ".." {
            names.push(name.into());
        }
    }
    Ok(names)
}

/// Unmounts and deletes the whole workspace, including its own directory.
///
/// It can be called again after it succeeded, and after it was killed at any point:
/// then it does what is left to do. As long as anything is left, the directory
/// `workspace` exists under that name, so that it can be found. If `workspace` is itself
/// a symbolic link, the directory that it leads to is deleted. The link itself may stay,
/// or be deleted after the directory. It may lead to another link. In the workspace no
/// symbolic link is followed. Any directory in it may be closed to its owner, not only those
/// of the write layer.
///
/// # Errors
/// Those of [`delete_mount_point`] and [`delete_write_layer`]. Nothing is deleted
/// while anything is still mounted at the workspace or below it.
pub fn delete_workspace(workspace: &Path) -> io::Result<()> {
    // What a link leads to is the workspace, and what is left of it is found there.
    let workspace = match workspace.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        real_path => real_path?,
    };
    delete_mount_point(&workspace)?;
    delete_write_layer(&workspace)?;
    // The directory goes last: until then a second call finds what is left.
    delete(AT_FDCWD, &workspace)
}

/// Given; there is nothing to write here. Returns the mount point of every mount
/// that this thread sees, in the order of the mount table.
///
/// A directory with two mounts on it is listed twice. The paths are real: they
/// contain no symbolic links. See proc_pid_mountinfo(5).
///
/// # Errors
/// If /proc is not mounted.
pub fn mount_points() -> io::Result<Vec<PathBuf>> {
    let table = fs::read("/proc/thread-self/mountinfo")?;
    let lines = table.split(|&byte| byte == b'\n');
    let mount_points = lines.filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    Ok(mount_points.map(unescape).collect())
}

/// The kernel writes a space as `\040`, and tabs, line feeds and backslashes in the same way.
fn unescape(field: &[u8]) -> PathBuf {
    let mut plain = Vec::new();
    let mut rest = field;
    loop {
        rest = match rest {
            [] => return OsString::from_vec(plain).into(),
            [b'\\', a, b, c, after @ ..] => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                after
            }
            [byte, after @ ..] => {
                plain.push(*byte);
                after
            }
        };
    }
}
