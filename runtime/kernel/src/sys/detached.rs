//! Mounts that are not attached yet: made or copied to a descriptor, and attached by one,
//! so that no path is resolved twice.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::MsFlags;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string,
};

use super::{finish, names};
use crate::error::Result;
use crate::{explain, on_path};

/// A new file system of type `kind`, mounted nowhere, with options for the file
/// system (`("size", "64k")`; an empty value: a word of its own) and flags for
/// the mount. See fsopen(2), fsconfig(2), fsmount(2).
///
/// # Errors
/// EPERM if this user may not mount it, ENODEV if the kernel lacks it, EINVAL for an
/// option that it does not know.
pub fn new_mount(kind: &str, options: &[(&str, &str)], flags: MsFlags) -> Result<OwnedFd> {
    let context = finish(
        nix(rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)),
        || format!("fsopen({kind:?})"),
        |errno| explain::new_mount(errno, kind),
    )?;
    // It can be set only once.
    let source = options.iter().all(|(name, _)| *name != "source").then_some(("source", kind));
    for (name, value) in options.iter().copied().chain(source) {
        let set = match value.is_empty() {
            true => fsconfig_set_flag(&context, name),
            false => fsconfig_set_string(&context, name, value),
        };
        finish(nix(set), || format!("fsconfig(<{kind}>, {name:?}, {value:?})"), |_| None)?;
    }
    finish(
        nix(fsconfig_create(&context)),
        || format!("fsconfig(<{kind}>, FSCONFIG_CMD_CREATE)"),
        |errno| explain::new_mount(errno, kind),
    )?;
    finish(
        nix(rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes(flags))),
        || format!("fsmount(<{kind}>, {})", names(flags.iter_names())),
        |errno| explain::new_mount(errno, kind),
    )
}

/// A detached copy of the mount at `path`, with all mounts below it, that
/// stays reachable after the root has changed. See open_tree(2).
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN over the mount namespace; as open(2).
pub fn open_tree(path: &Path) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    finish(
        nix(rustix::mount::open_tree(rustix::fs::CWD, path, flags)),
        || format!("open_tree({path:?}, OPEN_TREE_CLONE|AT_RECURSIVE)"),
        |errno| explain::open_tree(errno, path),
    )
}

/// The same for what a descriptor leads to; `name` is for the reader.
///
/// # Errors
/// As [`open_tree`].
pub fn open_tree_of(file: BorrowedFd, name: &Path) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    finish(
        nix(rustix::mount::open_tree(file, c"", flags)),
        || format!("open_tree(<{}>, OPEN_TREE_CLONE|AT_RECURSIVE)", name.display()),
        |errno| explain::open_tree(errno, name),
    )
}

/// Attaches a detached tree of mounts on what `target` leads to, whatever path
/// leads there by now; `name` is for the reader. See move_mount(2).
///
/// # Errors
/// ENOTDIR and EINVAL when one is a directory and the other is not; ENOENT
/// when the target was deleted.
pub fn move_mount(tree: BorrowedFd, target: BorrowedFd, name: &Path) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    finish(
        nix(rustix::mount::move_mount(tree, c"", target, c"", flags)),
        || format!("move_mount(<tree>, <{}>)", name.display()),
        |errno| on_path::cause(errno, name),
    )
}

/// Sets flags on a detached tree of mounts, on all of it: MS_RDONLY, MS_NOSUID,
/// MS_NODEV, MS_NOEXEC. See mount_setattr(2).
///
/// # Errors
/// ENOSYS before Linux 5.12.
pub fn mount_setattr(tree: BorrowedFd, flags: MsFlags) -> Result<()> {
    let attribute = |(flag, attribute)| if flags.contains(flag) { attribute } else { 0 };
    let attr_set = [
        (MsFlags::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (MsFlags::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (MsFlags::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (MsFlags::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
    ]
    .map(attribute)
    .iter()
    .sum();
    let attributes = libc::mount_attr { attr_set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the struct lives through the call and its size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    finish(
        Errno::result(result).map(drop),
        || format!("mount_setattr(<tree>, AT_RECURSIVE, {})", names(flags.iter_names())),
        |_| None,
    )
}

fn attributes(flags: MsFlags) -> MountAttrFlags {
    [
        (MsFlags::MS_RDONLY, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (MsFlags::MS_NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (MsFlags::MS_NODEV, MountAttrFlags::MOUNT_ATTR_NODEV),
        (MsFlags::MS_NOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC),
    ]
    .into_iter()
    .filter(|(flag, _)| flags.contains(*flag))
    .map(|(_, attribute)| attribute)
    .collect()
}

fn nix<T>(result: rustix::io::Result<T>) -> nix::Result<T> {
    result.map_err(|errno| Errno::from_raw(errno.raw_os_error()))
}
