//! Lab 07: layers. The task is in README.md; predictions.toml is part of it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

/// The options with which mount(2) merges layers into one tree, an overlay:
/// `lowerdir=…,upperdir=…,workdir=…`, and `userxattr` if `user_xattr`.
///
/// `lower` are the layers that are only read, the topmost first: overlayfs
/// wants them in this order too. `upper` is the write layer, `work` a scratch
/// folder of overlayfs's own.
///
/// A path may have any byte in it but 0, also such as are no UTF-8. In the
/// options `:` ends a layer and `,` an option; a backslash takes their meaning
/// away, and its own.
///
/// overlayfs keeps its marks in extended attributes: `trusted.overlay.*`, which
/// only root of the machine may write, or with `userxattr` `user.overlay.*`.
///
/// See Documentation/filesystems/overlayfs.rst in the kernel's sources, and the
/// overlay options in mount(8).
pub fn overlay_options(lower: &[&Path], upper: &Path, work: &Path, user_xattr: bool) -> OsString {
    todo!("overlay of {upper:?} with {work:?} on {lower:?}, user_xattr: {user_xattr}")
}

/// The options with which AUFS does the same: `br=WRITE=rw:TOP=ro+wh:…`, the
/// writable branch first, then those of `read_only`, the topmost first.
///
/// With `+wh` the whiteouts that lie in a read-only branch count. See aufs(5).
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if a path has `:` or `,` in it: AUFS has no
/// escape for them.
pub fn aufs_options(write: &Path, read_only: &[&Path]) -> io::Result<OsString> {
    todo!("AUFS of {write:?} on {read_only:?}")
}

/// The name of the file that is deleted by the file `name` in a layer of AUFS:
/// `.wh.NAME` hides NAME in the layers below. The layers of an OCI image, which
/// are what `docker pull` fetches, use the same names.
///
/// None for every other name. So for the mark of an opaque folder,
/// `.wh..wh..opq`, which hides all that the layers below have in its folder;
/// for all else that begins with `.wh..wh.`, AUFS's own book-keeping; and where
/// nothing follows `.wh.` that can be the name of a file: nothing at all, `.`
/// or `..`.
///
/// See aufs(5), and the chapter on layers in the OCI image specification.
pub fn hidden_name(name: &OsStr) -> Option<&OsStr> {
    todo!("what {name:?} hides")
}

/// Rewrites what a layer hides, in `layer` and in all folders below it, from
/// AUFS's form to that of overlayfs:
///
/// - `.wh.NAME` becomes NAME, a character device 0:0;
/// - a folder with `.wh..wh..opq` in it gets the attribute
///   `user.overlay.opaque` if `user_xattr`, else `trusted.overlay.opaque`, with
///   the value `y`. In it and below it no whiteout is needed, and none may be:
///   overlayfs would list it, a file that nobody can open;
/// - whatever else begins with `.wh..wh.`, files and folders, is AUFS's own and
///   goes.
///
/// All other files stay as they are. A symbolic link may lead out of the layer:
/// none is followed.
///
/// # Errors
/// As mknod(2), setxattr(2), unlink(2).
pub fn whiteouts_to_overlay(layer: &Path, user_xattr: bool) -> io::Result<()> {
    todo!("{layer:?} for overlayfs, user_xattr: {user_xattr}")
}

/// The way back, by which a write layer becomes a layer of an image: each
/// character device 0:0 becomes an empty file `.wh.NAME`, and each opaque folder
/// gets an empty file `.wh..wh..opq` instead of its attribute.
///
/// # Errors
/// As unlink(2), open(2), getxattr(2), removexattr(2).
pub fn whiteouts_to_aufs(layer: &Path, user_xattr: bool) -> io::Result<()> {
    todo!("{layer:?} for AUFS, user_xattr: {user_xattr}")
}

/// Makes the container-init layer, the folder `init-layer` of `workspace`: files
/// that every container needs for itself and that are not its own work.
///
/// - `etc/hostname`: `hostname` and a line feed;
/// - `etc/hosts`: `localhost` for 127.0.0.1, `hostname` for 127.0.1.1;
/// - `etc/resolv.conf`: what the host has in /etc/resolv.conf; empty if it has none;
/// - `dev`, `proc`, `sys`: empty folders, to mount on.
///
/// Files have the mode 0644 and folders 0755, whatever the umask is. But a
/// folder that `image` has too gets the mode that it has there: in the merged
/// tree the topmost folder's mode counts.
///
/// Nothing is written into `image`, nothing is mounted, and no symbolic link of
/// the image is followed, whether it has one for a file or for a folder: the
/// folder or file of the init layer covers it.
///
/// # Errors
/// As mkdir(2), open(2), chmod(2).
pub fn create_init_layer(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    todo!("the init layer of {hostname:?} in {workspace:?} for {image:?}")
}

/// Makes the write layer, the folder `write-layer` of `workspace`, and beside it
/// `work`, which overlayfs needs: both empty, on one file system, neither in the
/// other.
///
/// Both have the mode 0755, whatever the umask is: the write layer's is that of
/// the container's `/`.
///
/// # Errors
/// As mkdir(2), chmod(2).
pub fn create_write_layer(workspace: &Path) -> io::Result<()> {
    todo!("the write layer in {workspace:?}")
}

/// Makes the folder `mnt` of `workspace` and mounts an overlay there: the write
/// layer on the container-init layer on `image`.
///
/// The folders `init-layer`, `write-layer` and `work` are there already.
/// `user_xattr` is as in [`overlay_options`].
///
/// # Errors
/// As mkdir(2), mount(2); none is ignored.
pub fn create_mount_point(workspace: &Path, image: &Path, user_xattr: bool) -> io::Result<()> {
    todo!("mount {image:?} in {workspace:?}, user_xattr: {user_xattr}")
}

/// The same with AUFS, as the blog does it: `mount -t aufs -o br=… none mnt`.
///
/// AUFS needs no folder `work`.
///
/// # Errors
/// As [`aufs_options`], mkdir(2), mount(2). AUFS says EINVAL to nearly
/// everything; its reason is in the kernel's log.
pub fn create_aufs_mount_point(workspace: &Path, image: &Path) -> io::Result<()> {
    todo!("mount {image:?} in {workspace:?} with AUFS")
}
