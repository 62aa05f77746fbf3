//! The overlay driver: layers as overlayfs's mount options.
//!
//! See Documentation/filesystems/overlayfs.rst in the kernel's sources.

use std::ffi::OsString;
use std::path::Path;
use std::thread;

use nix::errno::Errno;
use nix::sched::CloneFlags;

use super::{Durability, Layers, NO_DEVICES};
use mydocker_kernel::overlay_options::escape;
use mydocker_kernel::sys;
use mydocker_kernel::{Error, Result};

/// mount(2) copies one page of options; a longer text is refused or cut.
const PAGE: usize = 4096;

/// The options for mount(2): `lowerdir=TOP:…:BOTTOM,upperdir=…,workdir=…` and
/// what makes all kernels behave alike.
pub fn options(layers: &Layers, durability: Durability) -> OsString {
    let mut options = OsString::from("lowerdir=");
    for (index, layer) in layers.lower().enumerate() {
        if index > 0 {
            options.push(":");
        }
        options.push(escape(layer.as_os_str()));
    }
    options.push(",upperdir=");
    options.push(escape(layers.write_layer.as_os_str()));
    options.push(",workdir=");
    options.push(escape(layers.work.as_os_str()));
    // Kernels are built with different defaults: without these, a renamed
    // folder would be a redirect on one machine and EXDEV on another.
    options.push(",index=off");
    options.push(match layers.user_xattrs {
        // Only root of the machine may write trusted.overlay.*.
        true => ",userxattr",
        false => ",redirect_dir=off,metacopy=off",
    });
    if durability == Durability::UntilDeleted {
        // Otherwise the umount would first write everything to the disk.
        options.push(",volatile");
    }
    options
}

/// Mounts the layers together on `mnt`.
///
/// # Errors
/// As mount(2), with the layer that is to blame.
pub fn mount(layers: &Layers, mnt: &Path, durability: Durability) -> Result<()> {
    match mount_once(layers, mnt, durability) {
        // `volatile` is there since Linux 5.10. Without it the end takes longer.
        Err(error)
            if error.errno() == Some(Errno::EINVAL) && durability == Durability::UntilDeleted =>
        {
            mount_once(layers, mnt, Durability::Kept)
        }
        other => other,
    }
}

fn mount_once(layers: &Layers, mnt: &Path, durability: Durability) -> Result<()> {
    let whole = options(layers, durability);
    if whole.len() < PAGE {
        return sys::mount("overlay", mnt, "overlay", NO_DEVICES, whole);
    }
    // Too many layers for a page of absolute names. All lie in one folder, and
    // `99:98:…` is short: so a thread with a working directory of its own goes
    // there. The mount lands in the mount namespace that all threads share.
    let folder = layers.image.last().and_then(|layer| layer.parent()).unwrap_or(Path::new("/"));
    let short = options(&layers.relative_to(folder), durability);
    if short.len() >= PAGE {
        let length = short.len();
        return Err(Error::new(format!("{} layers are too many", layers.image.len()))
            .because(format!("their names take {length} bytes, mount(2) takes {}", PAGE - 1))
            .advise("choose a shorter --root, or flatten the image"));
    }
    let mount_there = || {
        sys::unshare(CloneFlags::CLONE_FS)?;
        sys::chdir(folder)?;
        sys::mount("overlay", mnt, "overlay", NO_DEVICES, short)
    };
    thread::scope(|scope| scope.spawn(mount_there).join())
        .unwrap_or_else(|_| Err(Error::new("the thread that mounts the layers has panicked")))
}
