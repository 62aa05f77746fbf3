//! Lab 07: layers. The task is in README.md; predictions.toml is part of it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry, File, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, mknod};

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
    let mut options = OsString::from("lowerdir=");
    for (index, layer) in lower.iter().enumerate() {
        if index > 0 {
            options.push(":");
        }
        options.push(escape(layer));
    }
    options.push(",upperdir=");
    options.push(escape(upper));
    options.push(",workdir=");
    options.push(escape(work));
    if user_xattr {
        options.push(",userxattr");
    }
    options
}

// Takes their meaning from the separators in a path. Byte by byte: the name of
// a file need not be UTF-8.
fn escape(path: &Path) -> OsString {
    let mut escaped = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        if b"\\:,".contains(&byte) {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    OsString::from_vec(escaped)
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
    let mut options = OsString::from("br=");
    options.push(branch(write, "rw")?);
    for layer in read_only {
        options.push(":");
        options.push(branch(layer, "ro+wh")?);
    }
    Ok(options)
}

fn branch(path: &Path, attribute: &str) -> io::Result<OsString> {
    if path.as_os_str().as_bytes().iter().any(|byte| b":,".contains(byte)) {
        let words = format!("AUFS cannot take the path {path:?}: it has `:` or `,` in it");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
    }
    let mut branch = path.as_os_str().to_owned();
    branch.push("=");
    branch.push(attribute);
    Ok(branch)
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
    let hidden = name.as_bytes().strip_prefix(b".wh.")?;
    // Who deletes `..` for a hostile layer deletes outside of its folder.
    let is_no_file = matches!(hidden, b"" | b"." | b"..");
    let is_aufs_own = hidden.starts_with(b".wh.");
    (!is_no_file && !is_aufs_own).then(|| OsStr::from_bytes(hidden))
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
    folder_to_overlay(layer, user_xattr, false)
}

// One folder; `hides_all` if one above it is opaque.
fn folder_to_overlay(folder: &Path, user_xattr: bool, hides_all: bool) -> io::Result<()> {
    let is_opaque = folder.join(OPAQUE).symlink_metadata().is_ok();
    if is_opaque {
        xattr::set(folder, opaque_attribute(user_xattr), b"y")?;
    }
    let hides_all = hides_all || is_opaque;
    // All are read first: what a folder lists while it changes is not said.
    let entries: Vec<DirEntry> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        // That of the entry itself: a link to a folder is no folder.
        let is_folder = entry.file_type()?.is_dir();
        if let Some(hidden) = hidden_name(&name) {
            fs::remove_file(&path)?;
            if !hides_all {
                mknod(&folder.join(hidden), SFlag::S_IFCHR, Mode::empty(), 0)?;
            }
        } else if name.as_bytes().starts_with(b".wh..wh.") {
            // The opaque mark among them: the attribute says it now.
            if is_folder { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        } else if is_folder {
            folder_to_overlay(&path, user_xattr, hides_all)?;
        }
    }
    Ok(())
}

// The name of the file that makes its folder opaque for AUFS.
const OPAQUE: &str = ".wh..wh..opq";

// The attribute that makes a folder opaque for overlayfs.
fn opaque_attribute(user_xattr: bool) -> &'static str {
    if user_xattr { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
}

/// The way back, by which a write layer becomes a layer of an image: each
/// character device 0:0 becomes an empty file `.wh.NAME`, and each opaque folder
/// gets an empty file `.wh..wh..opq` instead of its attribute.
///
/// # Errors
/// As unlink(2), open(2), getxattr(2), removexattr(2).
pub fn whiteouts_to_aufs(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let opaque = opaque_attribute(user_xattr);
    if xattr::get(layer, opaque)?.as_deref() == Some(b"y") {
        File::create(layer.join(OPAQUE))?;
        xattr::remove(layer, opaque)?;
    }
    let entries: Vec<DirEntry> = fs::read_dir(layer)?.collect::<io::Result<_>>()?;
    for entry in entries {
        let data = entry.metadata()?;
        if data.file_type().is_char_device() && data.rdev() == 0 {
            fs::remove_file(entry.path())?;
            let mut name = OsString::from(".wh.");
            name.push(entry.file_name());
            File::create(layer.join(name))?;
        } else if data.is_dir() {
            whiteouts_to_aufs(&entry.path(), user_xattr)?;
        }
    }
    Ok(())
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
    let init_layer = workspace.join("init-layer");
    create_folder(&init_layer, 0o755)?;
    for name in ["etc", "dev", "proc", "sys"] {
        // Not `metadata`: that would be the mode of what a link leads to.
        let mode = match image.join(name).symlink_metadata() {
            Ok(data) if data.is_dir() => data.mode() & 0o7777,
            _ => 0o755,
        };
        create_folder(&init_layer.join(name), mode)?;
    }
    let etc = init_layer.join("etc");
    let hosts = format!("127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n");
    create_file(&etc.join("hostname"), format!("{hostname}\n").as_bytes())?;
    create_file(&etc.join("hosts"), hosts.as_bytes())?;
    // A host without a network may have none.
    let resolv_conf = fs::read("/etc/resolv.conf").unwrap_or_default();
    create_file(&etc.join("resolv.conf"), &resolv_conf)
}

// Makes a folder with exactly this mode: mkdir(2) takes the umask away from it.
fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

// Makes a file that everybody can read.
fn create_file(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::write(path, content)?;
    fs::set_permissions(path, Permissions::from_mode(0o644))
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
    create_folder(&workspace.join("write-layer"), 0o755)?;
    // In the same folder: so it is on the same file system.
    create_folder(&workspace.join("work"), 0o755)
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
    let mnt = workspace.join("mnt");
    create_folder(&mnt, 0o755)?;
    // The init layer covers the image.
    let init_layer = workspace.join("init-layer");
    let (upper, work) = (workspace.join("write-layer"), workspace.join("work"));
    let options = overlay_options(&[&init_layer, image], &upper, &work, user_xattr);
    let overlay = Some("overlay");
    Ok(mount(overlay, &mnt, overlay, MsFlags::empty(), Some(options.as_os_str()))?)
}

/// The same with AUFS, as the blog does it: `mount -t aufs -o br=… none mnt`.
///
/// AUFS needs no folder `work`.
///
/// # Errors
/// As [`aufs_options`], mkdir(2), mount(2). AUFS says EINVAL to nearly
/// everything; its reason is in the kernel's log.
pub fn create_aufs_mount_point(workspace: &Path, image: &Path) -> io::Result<()> {
    let mnt = workspace.join("mnt");
    create_folder(&mnt, 0o755)?;
    let init_layer = workspace.join("init-layer");
    let options = aufs_options(&workspace.join("write-layer"), &[&init_layer, image])?;
    Ok(mount(Some("none"), &mnt, Some("aufs"), MsFlags::empty(), Some(options.as_os_str()))?)
}
