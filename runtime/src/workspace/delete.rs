//! Clean-up: unmount what the kernel says is mounted, then delete.
//!
//! Every function here can be run again, after success as after a kill at any
//! point: what is gone already is no error.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mydocker_kernel::delete::delete_tree;
use mydocker_kernel::lock::{FlockOperation, lock_folder};
use mydocker_kernel::mountinfo::MountTable;
use mydocker_kernel::{OnPath, Result, explain, sys};
use nix::errno::Errno;
use nix::mount::MntFlags;

/// How long a mount may stay busy before that is an error. The processes of a
/// container that was just killed need a moment to let go of it.
const BUSY_FOR: Duration = Duration::from_secs(1);

/// Deletes the workspace in `folder`: first every mount at or below it, then
/// the write layer, then the rest; last the lock, which the caller holds.
///
/// # Errors
/// A mount stays busy (the error names who holds it), or a file cannot be
/// deleted. Nothing is deleted while anything is mounted there.
pub fn delete_workspace(folder: &Path) -> Result<()> {
    // Who reads the write layer, as commit does, is waited for.
    let _no_reader = match lock_folder(folder, FlockOperation::LockExclusive) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(()),
        other => other?,
    };
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
