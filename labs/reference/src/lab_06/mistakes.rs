//! What people get wrong in lab 06.

mod chroot;
mod kernel_file_systems;
mod pivot;

use std::fs::File;
use std::io;
use std::path::Path;

use lab_06_grader::Answers;
use nix::mount::{MsFlags, mount};

use crate::catalogue::Mistake;

/// See each one's comment.
pub static MISTAKES: &[Mistake<Answers>] = &[
    chroot::CHROOT_WITHOUT_CHDIR,
    chroot::ONLY_CHDIR,
    chroot::CHROOT_DOES_NOTHING,
    chroot::BREAKOUT_FROM_INSIDE,
    chroot::BREAKOUT_NOT_FINISHED,
    chroot::BREAKOUT_ONE_STEP,
    chroot::CHROOT_ERROR_DROPPED,
    chroot::BREAKOUT_WITHOUT_CHROOT,
    pivot::MOVED_OVER_THE_OLD_ROOT,
    pivot::UMOUNT_ERROR_DROPPED,
    kernel_file_systems::MOUNT_ERRORS_DROPPED,
    pivot::UMOUNT_BY_THE_OLD_NAME,
    kernel_file_systems::DEVICES_BY_MKNOD,
    kernel_file_systems::DEVICES_BOUND_ONTO_NOTHING,
    pivot::CHROOT_INSTEAD_OF_PIVOT_ROOT,
    pivot::NEW_ROOT_IS_NO_MOUNT_POINT,
    pivot::NOTHING_MADE_PRIVATE,
    pivot::PRIVATE_WITHOUT_REC,
    pivot::PUT_OLD_OUTSIDE,
    pivot::ERRORS_ONLY_PRINTED,
    pivot::UMOUNT_WITHOUT_DETACH,
    pivot::OLD_ROOT_LEFT_MOUNTED,
    pivot::OLD_ROOT_DETACHED_WHILE_SHARED,
    pivot::PUT_OLD_NOT_REMOVED,
    pivot::PIVOT_WITHOUT_CHDIR,
    pivot::PIVOT_DOES_NOTHING,
    kernel_file_systems::NO_PROC,
    kernel_file_systems::PROC_BOUND_FROM_THE_HOST,
    kernel_file_systems::PROC_WITHOUT_FLAGS,
    kernel_file_systems::PROC_SYS_LEFT_WRITABLE,
    kernel_file_systems::READ_ONLY_BIND_IN_ONE_CALL,
    kernel_file_systems::NO_DEV,
    kernel_file_systems::DEV_LEFT_EMPTY,
    kernel_file_systems::DEVICES_AS_FILES,
    kernel_file_systems::DEVICES_ON_NODEV,
    kernel_file_systems::DEV_BOUND_FROM_THE_HOST,
    kernel_file_systems::DEVICES_BOUND_ONTO_THE_IMAGE,
];

const NOTHING: Option<&str> = None;
const PRIVATE: MsFlags = MsFlags::MS_PRIVATE.union(MsFlags::MS_REC);
const BIND: MsFlags = MsFlags::MS_BIND.union(MsFlags::MS_REC);
const SAFE: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// Makes everything private.
fn private() -> nix::Result<()> {
    mount(NOTHING, "/", NOTHING, PRIVATE, NOTHING)
}

/// Makes a folder a mount point.
fn bind(folder: &Path) -> nix::Result<()> {
    mount(Some(folder), folder, NOTHING, BIND, NOTHING)
}

/// All of the solution's /dev, after another /proc.
fn dev(new_root: &Path) -> io::Result<()> {
    let dev = new_root.join("dev");
    mount(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755"))?;
    devices(&dev)
}

fn devices(dev: &Path) -> io::Result<()> {
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        File::create(dev.join(name))?;
        let host = Path::new("/dev").join(name);
        mount(Some(&host), &dev.join(name), NOTHING, MsFlags::MS_BIND, NOTHING)?;
    }
    Ok(())
}

/// All of the solution's /proc, before another /dev.
fn proc(new_root: &Path) -> io::Result<()> {
    let proc = new_root.join("proc");
    mount(Some("proc"), &proc, Some("proc"), SAFE, NOTHING)?;
    let sys = proc.join("sys");
    mount(Some(&sys), &sys, NOTHING, MsFlags::MS_BIND, NOTHING)?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    Ok(mount(NOTHING, &sys, NOTHING, read_only | SAFE, NOTHING)?)
}
