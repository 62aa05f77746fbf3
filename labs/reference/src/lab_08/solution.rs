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
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};

// How long a mount may stay busy before that is an error. The processes of a
// container that was just killed need a moment to let go of it.
const BUSY_FOR: Duration = Duration::from_millis(300);

// How long to wait before a busy mount is tried again.
const PAUSE: Duration = Duration::from_millis(10);

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
    let deadline = Instant::now() + BUSY_FOR;
    loop {
        let mounted = mounted_below(workspace)?;
        if mounted.is_empty() {
            return Ok(());
        }
        // The table lists a mount after the one that it lies on or covers: from
        // its end, each can be unmounted in turn. Where one stays, the same name
        // may be a link of the container's on it: that is not followed.
        let mut refusals: Vec<Errno> = Vec::new();
        for mount_point in mounted.iter().rev() {
            refusals.extend(umount2(mount_point, MntFlags::UMOUNT_NOFOLLOW).err());
        }
        // A mount that was moved can be older than what it lies on, and come
        // before it in the table: as long as any one goes, look again.
        if refusals.len() < mounted.len() {
            continue;
        }
        if !refusals.contains(&Errno::EBUSY) || Instant::now() > deadline {
            return Err(refusals[0].into());
        }
        sleep(PAUSE);
    }
}

// What is mounted at `workspace` or below it, in the order of the table.
fn mounted_below(workspace: &Path) -> io::Result<Vec<PathBuf>> {
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
    if let Some(mount_point) = mounted_below(workspace)?.first() {
        return Err(io::Error::other(format!("{mount_point:?} is still mounted")));
    }
    delete_tree(&workspace.join("write-layer"))?;
    delete_tree(&workspace.join("work"))
}

// Deletes a folder with all that is in it, if it is there. Nothing may be
// mounted in it.
fn delete_tree(folder: &Path) -> io::Result<()> {
    let deleted = open_folders(folder).and_then(|()| fs::remove_dir_all(folder));
    match deleted {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

// Opens a folder and those below it to their owner: nobody can delete from a
// folder that is closed, but its owner can change that.
fn open_folders(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // The type of the entry itself: a link to a folder is none.
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
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
    delete_mount_point(workspace)?;
    delete_write_layer(workspace)?;
    // The folder goes last: until then a second call finds what is left.
    delete_tree(workspace)
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
