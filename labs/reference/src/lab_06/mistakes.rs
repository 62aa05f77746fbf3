//! What people get wrong in lab 06.

mod beside;
mod certain;
mod chroot;
mod kernel_file_systems;
mod overlooked;
mod pivot;
mod surroundings;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use lab_06_grader::Answers;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, pivot_root};

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
    chroot::ROOT_MADE_FOR_CHROOT,
    chroot::CHDIR_ERROR_DROPPED,
    chroot::BREAKOUT_ERROR_DROPPED,
    pivot::PUT_OLD_LEFT_BY_A_FAILURE,
    pivot::OLD_ROOT_HELD_OPEN,
    pivot::HOME_HELD_OPEN,
    pivot::STAYS_ON_THE_OLD_ROOT,
    pivot::OLD_ROOT_STACKED,
    pivot::PARENT_BECOMES_THE_ROOT,
    pivot::PIVOT_FORGOTTEN,
    pivot::BIND_AFTER_CHDIR,
    pivot::PRIVATE_AFTER_THE_BIND,
    pivot::ROOT_MADE_FOR_PIVOT,
    pivot::PRIVATE_ERROR_DROPPED,
    kernel_file_systems::PROC_ALL_READ_ONLY,
    kernel_file_systems::PROC_REMOUNTED_AS_A_WHOLE,
    kernel_file_systems::PROC_SYS_COVERED,
    kernel_file_systems::PROC_SYS_WITHOUT_FLAGS,
    kernel_file_systems::DEV_AS_IT_COMES,
    kernel_file_systems::DEV_WITHOUT_NOSUID,
    kernel_file_systems::NO_TTY,
    kernel_file_systems::ZERO_IS_FULL,
    kernel_file_systems::DEVICE_ERRORS_DROPPED,
    chroot::RELATIVE_PATH_TWICE,
    chroot::BREAKOUT_OF_A_FEW_STEPS,
    pivot::CHROOT_WHERE_PIVOT_ROOT_FAILS,
    kernel_file_systems::MISSING_DEVICE_PASSED_OVER,
    kernel_file_systems::DEVICE_ASKED_FOR_FIRST,
    chroot::EVERY_CHROOT_ERROR_IS_ENOENT,
    chroot::FILE_IS_NOT_FOUND,
    chroot::PLACE_IN_THE_NEW_ROOT_KEPT,
    chroot::BREAKOUT_BY_THE_IMAGES_OWN,
    chroot::BREAKOUT_COUNTED_WRONGLY,
    surroundings::MNT_CLEANED_UP,
    surroundings::NEW_ROOT_HELD_OPEN,
    surroundings::ENTERED_BELOW_THE_BIND,
    surroundings::BOUND_WITHOUT_REC,
    surroundings::PIVOT_BY_A_RELATIVE_PATH,
    surroundings::MOUNTED_BY_A_RELATIVE_PATH,
    surroundings::DEV_MADE_IN_THE_IMAGE,
    surroundings::DEVICES_REMOUNTED,
    overlooked::BREAKOUT_CLEARS_ITS_WAY,
    overlooked::MOVED_WHERE_PIVOT_ROOT_FAILS,
    overlooked::PROC_SYS_FROM_THE_HOST,
    overlooked::SECOND_UMOUNT_NOT_CHECKED,
    overlooked::SECOND_BIND_NOT_CHECKED,
    overlooked::PUT_OLD_OF_THE_IMAGE,
    overlooked::PROC_THAT_IS_THERE,
    beside::ROOT_AS_TEXT,
    beside::ROOT_UNWRAPPED,
    beside::MOUNTED_BY_TEXT,
    beside::BREAKOUT_CLEANS_UP_OUTSIDE,
    beside::BREAKOUT_LEAVES_A_PROOF,
    beside::CLEANS_UP_BY_THE_NEW_NAME,
    beside::NEW_ROOT_MADE_PUBLIC,
    beside::SECOND_CHDIR_NOT_CHECKED,
    beside::SECOND_CHROOT_NOT_CHECKED,
    certain::EINVAL_IS_NO_MOUNT_POINT,
    certain::ENOENT_OF_CHDIR_IGNORED,
    certain::BUSY_MEANS_BOUND,
    certain::PUT_OLD_IN_MNT,
    certain::EVERY_PIVOT_ERROR_IS_EINVAL,
    certain::EVERY_MOUNT_ERROR_IS_EPERM,
    certain::ERRORS_COLLECTED,
    certain::MADE_UNBINDABLE,
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

/// A breakout but for its last step: the working directory is the real root.
fn walk_up() -> io::Result<()> {
    fs::create_dir_all("/out")?;
    chroot("/out")?;
    for _ in 0..100 {
        chdir("..")?;
    }
    Ok(())
}

/// The rest of the solution, once new_root is a mount point.
fn pivot(new_root: &Path) -> io::Result<()> {
    chdir(new_root)?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(chdir("/")?)
}

/// All of the solution's /dev, after another /proc.
fn dev(new_root: &Path) -> io::Result<()> {
    devices(&empty_dev(new_root)?)
}

/// The solution's /dev without a device, and where it is.
fn empty_dev(new_root: &Path) -> io::Result<PathBuf> {
    let dev = new_root.join("dev");
    mount(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755"))?;
    Ok(dev)
}

/// The devices, by their names.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

fn devices(dev: &Path) -> io::Result<()> {
    devices_ignoring(dev, None)
}

/// The same, where one error of mount(2) is taken for none.
fn devices_ignoring(dev: &Path, ignored: Option<Errno>) -> io::Result<()> {
    for name in DEVICES {
        File::create(dev.join(name))?;
        let host = Path::new("/dev").join(name);
        match mount(Some(&host), &dev.join(name), NOTHING, MsFlags::MS_BIND, NOTHING) {
            Err(errno) if Some(errno) == ignored => {}
            bound => bound?,
        }
    }
    Ok(())
}

/// All of the solution's /proc, before another /dev.
fn proc(new_root: &Path) -> io::Result<()> {
    let sys = writable_proc(new_root)?.join("sys");
    mount(Some(&sys), &sys, NOTHING, MsFlags::MS_BIND, NOTHING)?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    Ok(mount(NOTHING, &sys, NOTHING, read_only | SAFE, NOTHING)?)
}

/// The solution's /proc with a /proc/sys that can be written to, and where it is.
fn writable_proc(new_root: &Path) -> io::Result<PathBuf> {
    let proc = new_root.join("proc");
    mount(Some("proc"), &proc, Some("proc"), SAFE, NOTHING)?;
    Ok(proc)
}
