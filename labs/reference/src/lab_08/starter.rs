//! Lab 08: unmount and delete a workspace. The task is in README.md.
//!
//! ```text
//! ROOT/images/IMAGE                    read-only layers: not yours to touch
//! ROOT/containers/ID                   the workspace of one container
//!                   /init-layer        container-init layer
//!                   /write-layer       what the container has written
//!                   /work              overlayfs's own scratch folder
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
/// [`mount_points`] tells what is mounted. Mounts can be stacked on one folder,
/// lie below one another, and cover one another; `workspace` may be reached
/// through a symbolic link. A mount that is busy is tried again for a while, at
/// least 0.2 and at most 2 seconds; it is never detached lazily (MNT_DETACH),
/// for whoever keeps it busy could go on writing to it.
///
/// Nothing mounted there, or no such folder, is no failure.
///
/// # Errors
/// As umount2(2): EBUSY if a mount stays busy.
pub fn delete_mount_point(workspace: &Path) -> io::Result<()> {
    todo!("unmount all at and below {workspace:?}")
}

/// Deletes `write-layer` and `work` of the workspace with all that is in them,
/// and nothing else.
///
/// Does so only if nothing is mounted at the workspace or below it: a deletion
/// goes through a mount into files that belong to others. It follows no symbolic
/// link. Some folders are closed even to their owner: overlayfs leaves
/// `work/work` with mode 000.
///
/// Folders that are gone already are no failure.
///
/// # Errors
/// Something is mounted there: then nothing has been deleted. Else as unlink(2),
/// rmdir(2), chmod(2).
pub fn delete_write_layer(workspace: &Path) -> io::Result<()> {
    todo!("delete the write layer of {workspace:?}")
}

/// Unmounts and deletes the whole workspace, the folder itself included.
///
/// Can be called again after a success, and after it was killed at any point:
/// then it does what is left to be done. As long as something is left, the
/// folder `workspace` is there, under that name, so that it can be found.
///
/// # Errors
/// As [`delete_mount_point`] and [`delete_write_layer`]. Nothing is deleted
/// while anything is still mounted there.
pub fn delete_workspace(workspace: &Path) -> io::Result<()> {
    todo!("delete {workspace:?}")
}

/// Given, there is nothing to write here: the mount point of every mount that
/// this thread sees, in the order of the mount table.
///
/// A folder that is mounted on twice is listed twice. The paths are real: they
/// have no symbolic links in them. See proc_pid_mountinfo(5).
///
/// # Errors
/// /proc is not mounted.
pub fn mount_points() -> io::Result<Vec<PathBuf>> {
    let table = fs::read("/proc/thread-self/mountinfo")?;
    let lines = table.split(|&byte| byte == b'\n');
    let mount_points = lines.filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    Ok(mount_points.map(unescape).collect())
}

/// The kernel writes a blank as `\040`, and tab, line feed and backslash alike.
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
