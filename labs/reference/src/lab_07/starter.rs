//! Lab 07: layers. The task is in README.md; predictions.toml is part of it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

/// Returns the options with which mount(2) merges layers into one tree, an overlay:
/// `lowerdir=…,upperdir=…,workdir=…`, and `userxattr` if `user_xattr` is true.
///
/// `lower` has at least one read-only layer. The topmost comes first, which is the
/// order that overlayfs wants too. `upper` is the write layer, and `work` a scratch
/// directory for overlayfs itself.
///
/// A path may contain any byte except NUL, and need not be UTF-8. In the options, `:`
/// ends a layer and `,` ends an option. A backslash takes away the special meaning of
/// these two, and of another backslash. Before any other byte, the backslash is
/// dropped: overlayfs reads `\a` as `a`. In `upperdir` and `workdir` a `:` has no
/// special meaning, with or without a backslash.
///
/// overlayfs keeps its marks in extended attributes: in `trusted.overlay.*`, which
/// only the machine's root may write, or with `userxattr` in `user.overlay.*`.
///
/// See Documentation/filesystems/overlayfs.rst in the kernel's sources, and the
/// overlay options in mount(8).
pub fn overlay_options(lower: &[&Path], upper: &Path, work: &Path, user_xattr: bool) -> OsString {
    todo!("overlay of {upper:?} with {work:?} on {lower:?}, user_xattr: {user_xattr}")
}

/// Returns the options with which AUFS does the same: `br=WRITE=rw:TOP=ro+wh:…`. The
/// writable branch comes first, then those of `read_only`, the topmost first.
/// `read_only` may be empty.
///
/// `+wh` makes the whiteouts inside a read-only branch count. See aufs(5).
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if a path contains `:` or `,`, even that of the
/// writable branch: AUFS cannot escape them.
pub fn aufs_options(write: &Path, read_only: &[&Path]) -> io::Result<OsString> {
    todo!("AUFS of {write:?} on {read_only:?}")
}

/// Returns the name that the file `name` deletes in an AUFS layer: `.wh.NAME` hides
/// NAME in the layers below. The layers of an OCI image, which `docker pull`
/// fetches, use the same names.
///
/// Every other name gives `None`. That includes
///
/// - `.wh..wh..opq`, the mark of an opaque directory, which hides everything that
///   the layers below have in its directory;
/// - everything else that begins with `.wh..wh.`: AUFS's own bookkeeping;
/// - `.wh.` followed by what cannot be a file name: nothing at all, `.` or `..`.
///
/// See aufs(5), and the chapter on layers in the OCI image specification.
pub fn hidden_name(name: &OsStr) -> Option<&OsStr> {
    todo!("what {name:?} hides")
}

/// Rewrites the marks for what a layer hides, in `layer` and all directories below it,
/// from AUFS's form to overlayfs's:
///
/// - `.wh.NAME` becomes NAME, a character device 0:0;
/// - a directory that contains `.wh..wh..opq` gets the attribute
///   `user.overlay.opaque` if `user_xattr` is true, otherwise
///   `trusted.overlay.opaque`, with the value `y`. In it and below it, no
///   whiteout is needed or allowed: overlayfs would list it as a file that
///   nobody can open;
/// - whatever else begins with `.wh..wh.`, files and directories alike, is AUFS's
///   own, and is removed.
///
/// All other files stay as they are. A symbolic link may lead out of the layer:
/// follow none. Each of these marks is a file, and no layer has both `.wh.NAME` and NAME.
///
/// # Errors
/// Those of all calls: lstat(2), readdir(3), mknod(2), setxattr(2) and unlink(2). Ignore
/// none of them. Only the machine's root may set `trusted.*`; everybody else gets EPERM.
pub fn whiteouts_to_overlay(layer: &Path, user_xattr: bool) -> io::Result<()> {
    todo!("{layer:?} for overlayfs, user_xattr: {user_xattr}")
}

/// Does the reverse, which turns a write layer into a layer of an image. Each character
/// device 0:0 becomes an empty file `.wh.NAME`. Each opaque directory gets an empty
/// file `.wh..wh..opq` in place of its attribute. A directory is opaque if the
/// attribute's value is `y`; with another value it stays as it is. An opaque directory
/// can have whiteouts and other opaque directories in it.
///
/// All other files stay as they are, including other character devices, block devices,
/// fifos and sockets. So does the attribute that was not asked for: without
/// `user_xattr`, `user.overlay.opaque` means nothing.
///
/// The container has written this layer, and may have put a symbolic link where a mark
/// belongs. Do not follow it: what it leads to stays as it is, and nothing is made
/// there. Whether that is an error, or the mark replaces the link, is up to you.
///
/// # Errors
/// Those of all calls: lstat(2), readdir(3), unlink(2), open(2), getxattr(2) and
/// removexattr(2). Ignore none of them.
pub fn whiteouts_to_aufs(layer: &Path, user_xattr: bool) -> io::Result<()> {
    todo!("{layer:?} for AUFS, user_xattr: {user_xattr}")
}

/// Makes the container-init layer, the directory `init-layer` in `workspace`. It holds
/// the files that every container needs but does not write itself:
///
/// - `etc/hostname`: `hostname` and a line feed;
/// - `etc/hosts`: `localhost` for 127.0.0.1, `hostname` for 127.0.1.1, as in hosts(5);
///   more lines and more names are allowed;
/// - `etc/resolv.conf`: a copy of the host's /etc/resolv.conf, which may be a
///   symbolic link; empty if the host has none, or if the link leads nowhere;
/// - `dev`, `proc`, `sys`: empty directories to mount on.
///
/// Files have mode 0644 and directories 0755, whatever the umask is. `workspace` may have
/// the set-group-ID bit or a default ACL, see acl(5). What is made in it inherits them,
/// but must still get these modes. A directory that `image` has too gets all twelve bits
/// of the mode it has there, including the set-group-ID bit and the sticky bit: in the
/// merged tree, the mode of the topmost directory counts. If that is 0555, for example,
/// not even the owner can make files in `etc`. If it is 0311, the owner cannot read `etc`,
/// and if it is 0000, nothing in it can be reached. The function must succeed even then,
/// and even if the caller has none of root's capabilities, such as CAP_DAC_OVERRIDE.
///
/// Nothing is written into `image`, no time of its directories changes, not even that
/// of the last access, and nothing is mounted. Follow no symbolic link of the image,
/// whether it stands for a file or for a directory: the directory or file of the init
/// layer covers it.
///
/// The process keeps its umask, whatever is returned, and no file stays open. The umask
/// may change for a moment.
///
/// # Errors
/// Those of all calls: lstat(2), mkdir(2), open(2), read(2), write(2) and chmod(2).
/// Ignore none of them. If /etc/resolv.conf exists and cannot be read, that is an
/// error. EEXIST if `init-layer` exists already, even if it is empty. After an error,
/// what this call has made may stay or be gone. What existed before stays as it was.
pub fn create_init_layer(workspace: &Path, image: &Path, hostname: &str) -> io::Result<()> {
    todo!("the init layer of {hostname:?} in {workspace:?} for {image:?}")
}

/// Makes the write layer, the directory `write-layer` in `workspace`, and next to it
/// `work`, which overlayfs needs. Both are empty and on one file system; neither is
/// inside the other.
///
/// Both have mode 0755, whatever the umask is, even if `workspace` has the set-group-ID
/// bit or a default ACL. The write layer's mode becomes that of the container's `/`. The
/// process keeps its umask, whatever is returned.
///
/// # Errors
/// Those of mkdir(2) and chmod(2). Ignore none of them. EEXIST if one of the two exists
/// already, even if it is empty. After an error, what this call has made may stay or be gone.
/// What existed before stays as it was.
pub fn create_write_layer(workspace: &Path) -> io::Result<()> {
    todo!("the write layer in {workspace:?}")
}

/// Makes the directory `mnt` in `workspace` and mounts an overlay there: the write
/// layer on top, the container-init layer below it, and `image` at the bottom.
///
/// The directories `init-layer`, `write-layer` and `work` exist already.
/// `user_xattr` is as in [`overlay_options`]. The mode of `mnt` does not matter: the
/// mount covers it. No file stays open, whatever is returned.
///
/// # Errors
/// Those of mkdir(2) and mount(2). Ignore none of them. [`io::ErrorKind::InvalidInput`]
/// if the options have more than 4095 bytes: mount(2) takes one page of them, with
/// a NUL at its end, and silently cuts off the rest. EEXIST if `mnt` exists already, even
/// if it is empty. After an error, the `mnt` that this call has made may stay or be gone.
/// What existed before stays as it was.
pub fn create_mount_point(workspace: &Path, image: &Path, user_xattr: bool) -> io::Result<()> {
    todo!("mount {image:?} in {workspace:?}, user_xattr: {user_xattr}")
}

/// Does the same with AUFS, like the blog: `mount -t aufs -o br=… none mnt`.
///
/// AUFS needs no directory `work`.
///
/// # Errors
/// Those of [`aufs_options`], mkdir(2) and mount(2). AUFS answers EINVAL to nearly
/// every mistake; its reason is in the kernel log. What existed before stays as it was.
pub fn create_aufs_mount_point(workspace: &Path, image: &Path) -> io::Result<()> {
    todo!("mount {image:?} in {workspace:?} with AUFS")
}
