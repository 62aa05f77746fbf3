//! Lab 06: chroot and pivot_root. The task is in README.md.
//!
//! The standard library and the crate nix have everything you need.

use std::io;
use std::path::Path;

/// Makes `new_root` the root directory of this process. It may be a relative path, and
/// need not be UTF-8.
///
/// Afterwards `/` is `new_root`, and so is the working directory, wherever it was
/// before.
///
/// # Errors
/// Those of chroot(2) and chdir(2): ENOENT if there is no `new_root`, ENOTDIR if it is
/// not a directory.
pub fn enter_with_chroot(new_root: &Path) -> io::Result<()> {
    todo!("chroot into {new_root:?}")
}

/// Leaves the root directory that [`enter_with_chroot`] has set, with nothing but
/// chroot and chdir: afterwards `/` is the host's root again.
///
/// The process is root, and may make a directory in its root directory. The root
/// directory may lie up to 64 directories deep, and may be empty. The notes in chroot(2)
/// say how it is done. The directory that you make may have any name, and may stay. If
/// there is one of that name already, use it or return EEXIST. On the host, make and
/// remove nothing. Where the working directory is afterwards does not matter.
///
/// # Errors
/// Those of mkdir(2), chroot(2) and chdir(2).
pub fn break_out_of_chroot() -> io::Result<()> {
    todo!("break out")
}

/// Makes `new_root` the root of this process's mount namespace, and lets go of the
/// old root: afterwards nothing of the host's file systems can be reached.
///
/// The process has its own mount namespace, in which every mount is still shared
/// with the host. `new_root` is a plain directory. It is not the working directory, and it
/// may be empty. The path may be relative, and need not be UTF-8. It and what is
/// in it stay as they are, and what is mounted below it comes along. The host's mounts and
/// files must stay as they are. Afterwards the working directory is `/`, and no descriptor
/// that you opened leads to the old root.
///
/// # Errors
/// Those of mount(2), pivot_root(2), chdir(2) and umount(2). Ignore none of them. As
/// long as the root is the old one, a failure leaves no new file or directory in
/// `new_root`. Mounts may stay: they end with the process's mount namespace.
pub fn enter_with_pivot_root(new_root: &Path) -> io::Result<()> {
    todo!("pivot into {new_root:?}")
}

/// Mounts what programs expect below `new_root`, before that becomes the root. `new_root`
/// may be a relative path, and need not be UTF-8:
///
/// - on `proc`, a fresh proc that allows no set-user-ID programs, no devices and no
///   execution (MS_NOSUID, MS_NODEV, MS_NOEXEC), even if a proc is mounted there already;
/// - on `proc/sys`, itself once more, read-only and with the same flags: it holds the
///   kernel's settings;
/// - on `dev`, a fresh tmpfs (MS_NOSUID, `mode=755`). In it are six of the host's
///   devices, null, zero, full, random, urandom and tty, each bound onto an empty
///   file: only the machine's root may make device nodes.
///
/// More flags and options are allowed, and more files in `dev`, as long as the six
/// devices can be used. The process has its own mount and PID namespaces, and has made
/// its mounts private. `/dev` is still the host's.
///
/// # Errors
/// Those of mount(2) and open(2): ENOENT if `new_root` has no directory `proc` or `dev`.
/// Make neither of them: the image stays as it is. What was mounted before the error
/// may stay mounted.
pub fn mount_kernel_file_systems(new_root: &Path) -> io::Result<()> {
    todo!("mount /proc and /dev below {new_root:?}")
}
