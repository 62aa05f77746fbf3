//! What a container sees of the kernel: /proc and /sys.

use std::path::{Path, PathBuf};

use nix::mount::MsFlags;

use crate::error::{OnPath, Result, if_there};
use crate::sys;
use crate::volume::{OpenVolume, Volume};

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

/// Mounts the /proc of this PID namespace. It needs PID 1's own namespace: the
/// numbers in it are those of whoever mounts it. See proc(5).
///
/// # Errors
/// EPERM where the present /proc is partly covered and this is no real root.
pub fn mount_proc() -> Result<()> {
    sys::mount("proc", Path::new("/proc"), "proc", HARMLESS, "")
}

/// Mounts the /sys of this network namespace, read-only unless `writable`.
///
/// # Errors
/// As mount(2).
pub fn mount_sys(writable: bool) -> Result<()> {
    let read_only = if writable { MsFlags::empty() } else { MsFlags::MS_RDONLY };
    sys::mount("sysfs", Path::new("/sys"), "sysfs", HARMLESS | read_only, "")
}

/// The host's /sys with all that is mounted on it, read-only unless `writable`.
/// The kernel mounts a sysfs only for an owner of the network that it shows: so
/// a user on the host's network gets the host's.
///
/// # Errors
/// As open_tree(2).
pub fn open_host_sys(writable: bool) -> Result<OpenVolume> {
    let sys = PathBuf::from("/sys");
    Volume { host: sys.clone(), container: sys, read_only: !writable }.open(writable)
}

/// Hides the masked parts and makes the dangerous ones read-only. /dev/null
/// must be there.
///
/// # Errors
/// As mount(2).
pub fn protect() -> Result<()> {
    // An empty folder of our own to hide folders behind, made when needed.
    let mut empty: Option<&Path> = None;
    for path in MASKED.map(Path::new) {
        match (if_there(path.metadata()).on("stat", path)?, empty) {
            (None, _) => {}
            (Some(metadata), _) if !metadata.is_dir() => {
                sys::mount("/dev/null", path, "", MsFlags::MS_BIND, "")?;
            }
            (Some(_), Some(empty)) => sys::mount(empty, path, "", MsFlags::MS_BIND, "")?,
            (Some(_), None) => {
                sys::mount("tmpfs", path, "tmpfs", MsFlags::MS_RDONLY | HARMLESS, "size=0")?;
                empty = Some(path);
            }
        }
    }
    for path in READ_ONLY.map(Path::new) {
        if !path.try_exists().on("stat", path)? {
            continue;
        }
        sys::mount(path, path, "", MsFlags::MS_BIND | MsFlags::MS_REC, "")?;
        // In one call with the bind the flag would be ignored.
        let again = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        sys::mount("", path, "", again | HARMLESS, "")?;
    }
    Ok(())
}
