//! The new root.

use std::path::Path;

use nix::mount::{MntFlags, MsFlags};

use crate::error::Result;
use crate::sys;

/// Makes the mount at `new_root` the root of this mount namespace. Until
/// [`detach_old_root`] the old root is still mounted, on top of the new one:
/// `.` is the old root, and an absolute path leads into the new one.
///
/// Everything must be private already. See pivot_root(2), which also describes
/// this way, without a folder for the old root that would have to be removed.
///
/// # Errors
/// As pivot_root(2). Then the caller must stop: it is still on the old root.
pub fn pivot_root(new_root: &Path) -> Result<()> {
    sys::chdir(new_root)?;
    sys::pivot_root(Path::new("."), Path::new("."))
}

/// Lets go of the old root with all that is mounted below it.
///
/// # Errors
/// As umount2(2).
pub fn detach_old_root() -> Result<()> {
    let old_root = Path::new(".");
    // Already private here. But were it shared, detaching it would unmount the
    // host's own file systems, and that must not hang on another line of code.
    sys::mount("", old_root, "", MsFlags::MS_SLAVE | MsFlags::MS_REC, "")?;
    // Without MNT_DETACH: EBUSY, its own sub-mounts keep it busy.
    sys::umount2(old_root, MntFlags::MNT_DETACH)?;
    sys::chdir(Path::new("/"))
}
