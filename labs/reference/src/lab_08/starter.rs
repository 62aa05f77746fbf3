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

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

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
    todo!("unmount all at and below {workspace:?}")
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
    todo!("delete the write layer of {workspace:?}")
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
    todo!("delete {workspace:?}")
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
