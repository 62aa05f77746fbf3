//! Mount tables as kernels write them.

/// A shell before the root file system is mounted, Linux 4.19: no optional
/// fields, a root that is its own parent, an empty source.
pub static INITRAMFS: &[u8] = include_bytes!("../tables/initramfs-4.19.mountinfo");

/// A server with systemd, Linux 5.10: all is shared, and the root is not the
/// first line.
pub static SERVER: &[u8] = include_bytes!("../tables/server-5.10.mountinfo");

/// A desktop, Linux 6.8: subvolumes of btrfs, FUSE, snaps, the file of a
/// namespace, a USB stick with spaces in its name.
pub static DESKTOP: &[u8] = include_bytes!("../tables/desktop-6.8.mountinfo");

/// A container of Docker, Linux 6.1: the parent of its root is the host's.
pub static CONTAINER: &[u8] = include_bytes!("../tables/container-6.1.mountinfo");

/// All of them.
pub static ALL: [&[u8]; 4] = [INITRAMFS, SERVER, DESKTOP, CONTAINER];
