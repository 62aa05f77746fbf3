//! What a container has in /dev: a tmpfs with the devices that harm nobody.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, openat};
use nix::mount::MsFlags;
use nix::sys::stat::{self, Mode, fstat, mkdirat};
use nix::unistd::symlinkat;

use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::sys;
use mydocker_kernel::{Error, OnPath, Result};

use crate::new_root::NewRoot;

/// The device files, each with its number: documented in the kernel's
/// admin-guide/devices.txt.
const DEVICES: [(&str, u64, u64); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("/proc/kcore", "core"),
    ("pts/ptmx", "ptmx"),
];

/// The host's device files, as detached mounts, where this process may not
/// make its own. To be called while the host's /dev can still be reached.
///
/// # Errors
/// As open_tree(2); a file there is another device.
pub fn open_devices(privileges: Privileges) -> Result<Vec<OwnedFd>> {
    let open_device = |(name, major, minor): &(&str, u64, u64)| {
        let path = Path::new("/dev").join(name);
        let device = sys::open_tree(&path)?;
        let number = fstat(&device).on("fstat", &path)?.st_rdev;
        match stat::makedev(*major, *minor) == number {
            true => Ok(device),
            false => Err(Error::new(format!("{path:?} is not the device {major}:{minor}"))),
        }
    };
    match privileges {
        Privileges::Root => Ok(Vec::new()),
        _ => DEVICES.iter().map(open_device).collect(),
    }
}

/// Mounts a fresh /dev: devices, `pts`, `shm` and the links. The umask must
/// be 0. `devices` are those of [`open_devices`].
///
/// # Errors
/// A mount or a device file cannot be made.
pub fn mount_dev(root: &NewRoot, privileges: Privileges, devices: Vec<OwnedFd>) -> Result<()> {
    let no_suid = MsFlags::MS_NOSUID;
    let no_exec = MsFlags::MS_NOEXEC;
    let path = Path::new("/dev");
    // Not MS_NODEV: a device file on such a mount answers EACCES.
    let options = [("mode", "755"), ("size", "65536k")];
    let dev = sys::new_mount("tmpfs", &options, no_suid | no_exec)?;
    sys::move_mount(dev.as_fd(), root.directory("dev")?.as_fd(), path)?;

    if devices.is_empty() {
        for (name, major, minor) in DEVICES {
            sys::mknodat(dev.as_fd(), name, 0o666, (major, minor))?;
        }
    }
    for ((name, ..), device) in DEVICES.iter().zip(&devices) {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let path = path.join(name);
        let file = openat(&dev, *name, flags, Mode::from_bits_truncate(0o666)).on("open", &path)?;
        sys::move_mount(device.as_fd(), file.as_fd(), &path)?;
    }
    for (target, name) in LINKS {
        symlinkat(target, &dev, name).on("symlink", &path.join(name))?;
    }

    // Group 5 is tty in every image; a user's namespace has no such group.
    let mut pts_options = vec![("newinstance", ""), ("ptmxmode", "0666"), ("mode", "620")];
    if privileges == Privileges::Root {
        pts_options.push(("gid", "5"));
    }
    let pts = sys::new_mount("devpts", &pts_options, no_suid | no_exec)?;
    attach_in(&dev, &pts, "pts")?;
    let shm_options = [("source", "shm"), ("mode", "1777"), ("size", "65536k")];
    let shm = sys::new_mount("tmpfs", &shm_options, no_suid | no_exec | MsFlags::MS_NODEV)?;
    attach_in(&dev, &shm, "shm")
}

/// Attaches a mount on a new folder of /dev.
fn attach_in(dev: &OwnedFd, mount: &OwnedFd, name: &str) -> Result<()> {
    let path = Path::new("/dev").join(name);
    mkdirat(dev, name, Mode::from_bits_truncate(0o755)).on("mkdir", &path)?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let target = openat(dev, name, flags, Mode::empty()).on("open", &path)?;
    sys::move_mount(mount.as_fd(), target.as_fd(), &path)
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
    File::create_new(console).on("open", console)?;
    sys::mount(slave, console, "", MsFlags::MS_BIND, "")
}
