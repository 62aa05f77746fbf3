//! Flags of umount2(2) that seem to help.

use std::path::Path;

use lab_08_grader::Answers;
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};

use super::mount_point::unmount_all;
use super::mounted_below;
use crate::catalogue::Mistake;
use crate::lab_08::SOLUTION;

/// Unmounts with these flags, but not through a link.
fn umount_with(mount_point: &Path, flags: MntFlags) -> nix::Result<()> {
    let parent = mount_point.parent().unwrap_or(mount_point);
    match parent.canonicalize() {
        Ok(real) if real == parent => umount2(mount_point, flags | MntFlags::UMOUNT_NOFOLLOW),
        _ => Err(Errno::EINVAL),
    }
}

/// Unmounts all with these flags.
fn unmount_with(workspace: &Path, flags: MntFlags) -> std::io::Result<()> {
    unmount_all(|| mounted_below(workspace), |path| umount_with(path, flags))
}

/// `umount -f` is what helps in a shell.
pub const BY_FORCE: Mistake<Answers> = Mistake {
    name: "by_force",
    code: "delete-workspace/forced-umount",
    answers: Answers {
        delete_mount_point: |workspace| unmount_with(workspace, MntFlags::MNT_FORCE),
        ..SOLUTION
    },
};

/// Asks politely first.
pub const BY_FORCE_IF_BUSY: Mistake<Answers> = Mistake {
    name: "by_force_if_busy",
    code: "delete-workspace/forced-umount",
    answers: Answers {
        delete_mount_point: |workspace| {
            let umount = |path: &Path| match umount_with(path, MntFlags::empty()) {
                Err(Errno::EBUSY) => {
                    umount_with(path, MntFlags::MNT_FORCE).map_err(|_| Errno::EBUSY)
                }
                other => other,
            };
            unmount_all(|| mounted_below(workspace), umount)
        },
        ..SOLUTION
    },
};

/// Only what nobody uses should go, and this flag says so; but it only marks at first.
pub const EXPIRED: Mistake<Answers> = Mistake {
    name: "expired",
    code: "delete-workspace/umount-flags",
    answers: Answers {
        delete_mount_point: |workspace| {
            let mounted = mounted_below(workspace)?;
            mounted.iter().rev().try_for_each(|it| Ok(umount_with(it, MntFlags::MNT_EXPIRE)?))
        },
        ..SOLUTION
    },
};

/// All that are there, to be sure: together they are refused.
pub const EXPIRED_LAZILY: Mistake<Answers> = Mistake {
    name: "expired_lazily",
    code: "delete-workspace/umount-flags",
    answers: Answers {
        delete_mount_point: |workspace| {
            unmount_with(workspace, MntFlags::MNT_EXPIRE | MntFlags::MNT_DETACH)
        },
        ..SOLUTION
    },
};

/// A flag of mount(2), where it means a bind mount.
pub const OF_ANOTHER_CALL: Mistake<Answers> = Mistake {
    name: "flag_of_another_call",
    code: "delete-workspace/umount-flags",
    answers: Answers {
        delete_mount_point: |workspace| {
            unmount_with(workspace, MntFlags::from_bits_retain(nix::libc::MS_BIND as i32))
        },
        ..SOLUTION
    },
};
