//! The /dev of the sandbox's host: what every program expects, and nothing of the
//! machine's disks, terminals and other hardware.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use mydocker_kernel::OnPath;
use mydocker_kernel::sys;
use nix::mount::MsFlags;

/// The devices. See null(4), full(4), random(4), tty(4).
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// The links, and where they lead.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Makes it in the directory `dev`, of the machine's devices.
///
/// # Errors
/// As mount(2) and open(2).
pub fn show(dev: &Path) -> mydocker_kernel::Result<()> {
    sys::mount("dev", dev, "tmpfs", MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, "size=64k,mode=755")?;
    for name in DEVICES {
        let (device, place) = (Path::new("/dev").join(name), dev.join(name));
        if device.exists() {
            File::create(&place).on("open", &place)?;
            sys::mount(&device, &place, "", MsFlags::MS_BIND, "")?;
        }
    }
    for (name, target) in LINKS {
        let place = dev.join(name);
        symlink(target, &place).on("symlink", &place)?;
    }
    for name in ["pts", "shm"] {
        let place = dev.join(name);
        fs::create_dir(&place).on("mkdir", &place)?;
    }
    Ok(())
}

/// Mounts the host's own terminals. There are none yet. See pts(4).
///
/// # Errors
/// As mount(2).
pub fn show_terminals() -> mydocker_kernel::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    sys::mount(
        "devpts",
        Path::new("/dev/pts"),
        "devpts",
        flags,
        "newinstance,ptmxmode=666,mode=620",
    )
}
