//! Ways out of a root that is none.

use std::fs::{self, File};
use std::io;

use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns};
use nix::unistd::{chdir, chroot};

/// How many folders deep a root directory may lie.
const DEPTH: usize = 64;

/// Leaves the root directory if chroot is all that holds us: the working
/// directory stays where it is when the root becomes a folder below it, and
/// from there `..` leads up past the old root. See the notes in chroot(2).
pub fn break_out() -> io::Result<()> {
    match fs::create_dir("breakout") {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    chroot("breakout")?;
    for _ in 0..DEPTH {
        chdir("..")?;
    }
    Ok(chroot(".")?)
}

/// Takes the root away if it only covers the old one, and enters the own mount
/// namespace anew: that leads to whatever is its root then. The root of a mount
/// namespace cannot be unmounted. See setns(2).
pub fn uncover(mount_namespace: &File) -> io::Result<()> {
    umount2("/", MntFlags::MNT_DETACH)?;
    Ok(setns(mount_namespace, CloneFlags::CLONE_NEWNS)?)
}
