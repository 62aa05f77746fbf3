//! Lab 06: chroot and pivot_root. The task is in README.md.
//!
//! The standard library and the crate nix have all that it takes.

use std::io;
use std::path::Path;

/// Makes `new_root` the root directory of this process.
///
/// Afterwards `/` is `new_root`, and so is the working directory.
///
/// # Errors
/// As chroot(2) and chdir(2).
pub fn enter_with_chroot(new_root: &Path) -> io::Result<()> {
    todo!("chroot into {new_root:?}")
}

/// Leaves the root directory that [`enter_with_chroot`] has set, by nothing but
/// chroot and chdir: afterwards `/` is the root of the host again.
///
/// The process is root and may make a folder in its root directory. The notes
/// in chroot(2) tell how it is done.
///
/// # Errors
/// As mkdir(2), chroot(2) and chdir(2).
pub fn break_out_of_chroot() -> io::Result<()> {
    todo!("break out")
}

/// Makes `new_root` the root of this process's mount namespace, and lets go of
/// the old root: afterwards nothing of the host's file systems can be reached.
///
/// The process has a mount namespace of its own, in which every mount is still
/// shared with the host, and `new_root` is a plain folder. The host's mounts
/// must stay as they are. Afterwards the working directory is `/`.
///
/// # Errors
/// As mount(2), pivot_root(2), chdir(2) and umount(2); none is ignored.
pub fn enter_with_pivot_root(new_root: &Path) -> io::Result<()> {
    todo!("pivot into {new_root:?}")
}

/// Mounts what a program expects below `new_root`, before it becomes the root:
///
/// - on `proc` a fresh proc, without set-user-ID programs, devices and programs
///   (MS_NOSUID, MS_NODEV, MS_NOEXEC);
/// - on `proc/sys` itself once more, read-only, for there are the kernel's knobs;
/// - on `dev` a fresh tmpfs (MS_NOSUID, `mode=755`), and in it, of the host's, the
///   devices null, zero, full, random, urandom and tty, each bound onto an empty
///   file: only the root of the machine may make device nodes.
///
/// The process has mount and PID namespaces of its own, and has made its mounts
/// private. `/dev` is still the host's.
///
/// # Errors
/// As mount(2) and open(2).
pub fn mount_kernel_file_systems(new_root: &Path) -> io::Result<()> {
    todo!("mount /proc and /dev below {new_root:?}")
}
