//! What a container has in /dev: a tmpfs with the devices that harm nobody.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::mount::MsFlags;

use crate::error::{OnPath, Result};
use crate::privileges::Privileges;
use crate::sys;

/// The device files, each with its number: documented in the kernel's
/// admin-guide/devices.txt.
const DEVICES: [(&str, u64, u64); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("/proc/kcore", "/dev/core"),
    ("pts/ptmx", "/dev/ptmx"),
];

/// The host's device files, as detached mounts, where this process may not
/// make its own. To be called while the host's /dev can still be reached.
///
/// # Errors
/// As open_tree(2).
pub fn open_devices(privileges: Privileges) -> Result<Vec<OwnedFd>> {
    match privileges {
        Privileges::Root => Ok(Vec::new()),
        _ => DEVICES.iter().map(|(path, ..)| sys::open_tree(Path::new(path))).collect(),
    }
}

/// Mounts a fresh /dev: devices, `pts`, `shm` and the links. The umask must
/// be 0. `devices` are those of [`open_devices`].
///
/// # Errors
/// A mount or a device file cannot be made.
pub fn mount_dev(privileges: Privileges, devices: Vec<OwnedFd>) -> Result<()> {
    let no_suid = MsFlags::MS_NOSUID;
    let no_exec = MsFlags::MS_NOEXEC;
    let dev = Path::new("/dev");
    // Not MS_NODEV: a device file on such a mount answers EACCES.
    sys::mount("tmpfs", dev, "tmpfs", no_suid | no_exec, "mode=755,size=65536k")?;

    if devices.is_empty() {
        for (path, major, minor) in DEVICES {
            sys::mknod(Path::new(path), 0o666, major, minor)?;
        }
    }
    for ((path, ..), device) in DEVICES.iter().zip(&devices) {
        let path = Path::new(path);
        File::create(path).on("open", path)?;
        sys::move_mount(device.as_fd(), path)?;
    }
    for (target, link) in LINKS {
        symlink(target, link).on("symlink", Path::new(link))?;
    }

    // Group 5 is tty in every image; a user's namespace has no such group.
    let pts_options = match privileges {
        Privileges::Root => "newinstance,ptmxmode=0666,mode=620,gid=5",
        _ => "newinstance,ptmxmode=0666,mode=620",
    };
    let (pts, shm) = (Path::new("/dev/pts"), Path::new("/dev/shm"));
    fs::create_dir(pts).on("mkdir", pts)?;
    sys::mount("devpts", pts, "devpts", no_suid | no_exec, pts_options)?;
    fs::create_dir(shm).on("mkdir", shm)?;
    let shm_flags = no_suid | no_exec | MsFlags::MS_NODEV;
    sys::mount("shm", shm, "tmpfs", shm_flags, "mode=1777,size=65536k")
}

/// Makes /dev itself read-only; what is mounted in it stays as it is. Otherwise
/// the container's root, who may make device files, could make one of the
/// host's disk here, the only place where device files work.
///
/// # Errors
/// As mount(2).
pub fn protect() -> Result<()> {
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    let kept = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    sys::mount("", Path::new("/dev"), "", read_only | kept, "")
}

/// Puts the terminal `slave` where programs look for the console.
///
/// # Errors
/// As mount(2).
pub fn bind_console(slave: &Path) -> Result<()> {
    let console = Path::new("/dev/console");
    File::create(console).on("open", console)?;
    sys::mount(slave, console, "", MsFlags::MS_BIND, "")
}
