//! What a container sees of the kernel: /proc and /sys.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use mydocker_kernel::{Error, OnPath, Result, sys};
use nix::mount::MsFlags;
use nix::sys::stat::{fstat, major, minor};

use crate::detached::Detached;
use crate::new_root::NewRoot;

/// What tells of the host, or asks it for work. As docker masks them.
const MASKED: [&str; 14] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
    "/sys/kernel/security",
];

/// What changes the host when it is written to. As docker protects them.
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const HARMLESS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// What a folder is hidden behind: an empty folder.
const EMPTY: MsFlags = HARMLESS.union(MsFlags::MS_RDONLY);

/// Mounts the /proc of this PID namespace. It needs PID 1's own namespace: the
/// numbers in it are those of whoever mounts it. See proc(5).
///
/// # Errors
/// EPERM where the present /proc is partly covered and this is no real root.
pub fn mount_proc(root: &NewRoot) -> Result<()> {
    let proc = sys::new_mount("proc", &[], HARMLESS)?;
    sys::move_mount(proc.as_fd(), root.directory("proc")?.as_fd(), Path::new("/proc"))
}

/// Mounts the /sys of this network namespace, read-only unless `writable`.
///
/// # Errors
/// As mount(2).
pub fn mount_sys(root: &NewRoot, writable: bool) -> Result<()> {
    let sys = match writable {
        true => sys::new_mount("sysfs", &[], HARMLESS)?,
        false => sys::new_mount("sysfs", &[("ro", "")], HARMLESS | MsFlags::MS_RDONLY)?,
    };
    sys::move_mount(sys.as_fd(), root.directory("sys")?.as_fd(), Path::new("/sys"))
}

/// The host's /sys with all that is mounted on it, read-only unless `writable`.
/// The kernel mounts a sysfs only for an owner of the network that it shows: so
/// a user on the host's network gets the host's.
///
/// # Errors
/// As open_tree(2).
pub fn open_host_sys(writable: bool) -> Result<Detached> {
    let flags = if writable { MsFlags::empty() } else { MsFlags::MS_NODEV | MsFlags::MS_RDONLY };
    Detached::copy(Path::new("/sys"), flags)
}

/// Hides the masked parts behind `null`, an open /dev/null, and makes the
/// dangerous ones read-only.
///
/// # Errors
/// `null` is another device; as move_mount(2).
pub fn protect(root: &NewRoot, null: &OwnedFd) -> Result<()> {
    let name = Path::new("/dev/null");
    let device = fstat(null).on("fstat", name)?.st_rdev;
    if (major(device), minor(device)) != (1, 3) {
        return Err(Error::new(format!("{name:?} is not the device 1:3")));
    }
    // One empty folder does for all folders.
    let mut empty: Option<OwnedFd> = None;
    for path in MASKED.map(Path::new) {
        let Some(target) = root.find(path)? else { continue };
        let is_directory =
            fstat(&target).on("fstat", path)?.st_mode & libc::S_IFMT == libc::S_IFDIR;
        let mask = match &empty {
            _ if !is_directory => sys::open_tree_of(null.as_fd(), name)?,
            Some(empty) => sys::open_tree_of(empty.as_fd(), path)?,
            None => sys::new_mount("tmpfs", &[("size", "0"), ("ro", "")], EMPTY)?,
        };
        sys::move_mount(mask.as_fd(), target.as_fd(), path)?;
        if is_directory {
            empty = Some(mask);
        }
    }
    for path in READ_ONLY.map(Path::new) {
        if let Some(target) = root.find(path)? {
            Detached::copy_of(target.as_fd(), path, MsFlags::MS_RDONLY | HARMLESS)?
                .attach(target.as_fd(), path)?;
        }
    }
    Ok(())
}
