//! The machine's mount table, for tests that check whether a grade has changed it.

use std::path::Path;
use std::sync::OnceLock;

use mydocker_kernel::mountinfo::{Change, MountTable, difference};
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::sys;
use nix::mount::MsFlags;
use nix::sched::CloneFlags;

/// The table that the graders start from, if they could change one.
static BEFORE: OnceLock<Option<MountTable>> = OnceLock::new();

/// Gives this process, and the graders that it will start, a mount namespace of their
/// own: what others mount on the machine meanwhile does not show there. Call it while
/// there is only one thread.
///
/// An ordinary user does not need it: if you may not mount, you cannot change the table.
///
/// # Errors
/// As unshare(2) and mount(2).
pub fn stand_apart() -> mydocker_kernel::Result<()> {
    let before = if Privileges::current() == Privileges::Root {
        sys::unshare(CloneFlags::CLONE_NEWNS)?;
        sys::mount("", Path::new("/"), "", MsFlags::MS_PRIVATE | MsFlags::MS_REC, "")?;
        Some(MountTable::read()?)
    } else {
        None
    };
    BEFORE.get_or_init(|| before);
    Ok(())
}

/// What graders have changed since [`stand_apart`].
///
/// # Errors
/// /proc is not mounted.
pub fn changes() -> mydocker_kernel::Result<Vec<Change>> {
    let Some(Some(before)) = BEFORE.get() else { return Ok(Vec::new()) };
    let mut changes = difference(before, &MountTable::read()?);
    // Others on the machine may have deleted it.
    changes.retain(|change| !change.went_with_its_mount_point());
    Ok(changes)
}
