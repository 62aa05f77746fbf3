//! Lab 10: a container becomes an image. The task is in README.md.
//!
//! ```text
//! IMAGES/NAME/image.json               what a container of the image starts with
//! IMAGES/NAME/layers/00                the bottom layer: a directory
//! IMAGES/NAME/layers/01                the layer on top of it; then 02, 03, …
//! IMAGES/OTHER/layers/00 -> ../../NAME/layers/00      a layer that two images share
//! ```
//!
//! These types are given:
//!
//! ```text
//! Change { kind: Kind, path: PathBuf, hard_link: Option<PathBuf> }
//! Kind::{Added, Changed, Emptied, Deleted}
//! ```

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use lab_10_grader::change::Change;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use tar::Archive;

/// Says what a container has changed: compares the `write_layer` of an overlay with
/// the read-only `layers` below it, the topmost first.
///
/// There is one [`Change`] for each path that is changed. Paths are relative to the
/// top of the write layer, which itself is never listed.
///
/// - `Deleted`: the write layer has a whiteout, a character device 0:0, and the layers
///   below have that path. A whiteout of what they do not have is not a change.
/// - `Emptied`: an opaque directory that the layers below have as a directory, too. It
///   is opaque if the attribute `trusted.overlay.opaque` or `user.overlay.opaque` is
///   `y`. What is in it is new: the layers below do not show through it.
/// - `Changed`: whatever else the layers below have. A file in the write layer is
///   changed even if its content is the same. If a directory is also a directory
///   in the layers below, the write layer has it as soon as anything in it was changed.
///   The directory itself counts as changed only if its mode, owner, group or
///   modification time, down to the nanosecond, differs from that in the topmost of the
///   layers that show it.
/// - `Added`: what the layers below do not have.
///
/// The layers below have what an overlay of them would show: they have their own whiteouts
/// and opaque directories, and what one of them hides does not exist. Symbolic links are
/// files here. None is followed, in any layer.
///
/// If a file has several names in the write layer, each is a change, and
/// `hard_link` of all but the first is the path of the first.
///
/// The order is that of the names: a directory comes before what is in it, and the
/// names in a directory are sorted by their bytes. So `a/b` comes before `a-b`. Names
/// need not be UTF-8.
///
/// See inode(7), readdir(3) and Documentation/filesystems/overlayfs.rst.
///
/// # Errors
/// If a directory or an attribute cannot be read. Nothing is left open.
pub fn changed_files(write_layer: &Path, layers: &[PathBuf]) -> io::Result<Vec<Change>> {
    todo!("compare {write_layer:?} with {layers:?}")
}

/// Writes the layer that a new image gets: `write_layer`, the write layer of an overlay,
/// as an archive to `out`.
///
/// **What is in it.** One entry for each path below `write_layer`, including directories
/// in which only a file was changed: without their entries, the layer would give them a
/// different owner and mode. Their order is that of [`changed_files`], names are
/// relative, and the top may be included as `./`. A whiteout of NAME becomes an empty
/// regular file `.wh.NAME` in its place. An opaque directory is followed by an empty
/// regular file `.wh..wh..opq` in it. If a file has several names, the first has the
/// content, and the others are hard links to the first. Sockets are left out.
///
/// **As it is on disk.** Each entry has the file's mode with all 12 bits, the numbers of
/// its owner and group, and its modification time in seconds, even if that is before 1970.
/// Each extended attribute is a pax record `SCHILY.xattr.NAME`. Overlayfs's own attributes
/// are left out: they begin with `trusted.overlay.` or `user.overlay.`. A hard link to the
/// first name need not repeat any of this. Fifos and devices get entries of their types.
/// No symbolic link is followed. Names and the targets of links are kept byte by byte.
/// They may be long, and need not be UTF-8.
///
/// **The same bytes.** Two write layers with the same files become the same archive,
/// no matter when it is written, and in which order the files were made.
///
/// `out` may take a few bytes at a time, and the container may be running: an entry has
/// as many bytes as its header says, or it is an error. The write layer stays as it is.
/// See tar(5), and the chapter on layers in the OCI image specification.
///
/// # Errors
/// - [`io::ErrorKind::InvalidInput`] if a name in the write layer begins with `.wh.`: a
///   reader would take it for a deletion. The error's text contains the path.
/// - If a file cannot be read, or `out` cannot be written to.
///
/// Nothing is left open.
pub fn write_layer_tar(write_layer: &Path, out: &mut dyn Write) -> io::Result<()> {
    todo!("write {write_layer:?} to {out:p}")
}

/// Makes the image `name`: the layers of the image `base`, and on top of them the one in
/// `archive`, which [`unpack_layer`] unpacks. Both are directories in `images`.
///
/// **Shared.** The layers below are not copied. Each is a symbolic link
/// `../../OTHER/layers/NN`, where OTHER is the image in which the layer is a directory:
/// no link leads to a link, and the links are still right if `images` is moved. NN is
/// the layer's number. `image.json` is copied. `base` stays as it is. All this holds for
/// any path of `images`. It may be relative, or lead through a symbolic link.
///
/// **Whole or not at all.** The image appears under its name when it is complete, even
/// if this process is killed halfway, or another call makes `name` at the same time.
/// Until then it is a directory in `images` whose name begins with a dot, which is not an
/// image. A call that was killed does not keep the next one from making the image. See
/// rename(2).
///
/// **Never instead of another.** If there is anything called `name` in `images`, even an
/// empty directory or a dangling link, it stays as it is. This also holds for anything
/// that appears during the call.
///
/// An image's name has 1 to 128 of the characters `A-Z a-z 0-9 _ . -` and begins with a
/// letter or a digit.
///
/// # Errors
/// - [`io::ErrorKind::InvalidInput`] if `name` or `base` is not a valid image name.
/// - [`io::ErrorKind::AlreadyExists`] if there is anything called `name`.
/// - [`io::ErrorKind::NotFound`] if there is nothing called `base`, or one of its layers is
///   missing.
/// - If the archive cannot be unpacked, or anything else fails.
///
/// After an error, nothing is in `images` that was not there before. Nothing is left open.
pub fn new_image(images: &Path, base: &str, name: &str, archive: &mut dyn Read) -> io::Result<()> {
    todo!("make {name:?} of {base:?} and {archive:p} in {images:?}")
}

/// Given; there is nothing to write here. Unpacks the archive of a layer, as
/// [`write_layer_tar`] writes it, into the new directory `folder`, a layer of an overlay.
///
/// # Errors
/// If `folder` exists, the archive is damaged, or a file cannot be made. What was made
/// by then stays.
pub fn unpack_layer(archive: &mut dyn Read, folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    let mut archive = Archive::new(archive);
    archive.set_preserve_permissions(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = folder.join(entry.path()?);
        let name = path.file_name().unwrap_or_default().as_bytes();
        match name.strip_prefix(b".wh.") {
            Some(b".wh..opq") => {
                let marked = path.parent().expect("a mark is in a directory");
                xattr::set(marked, "trusted.overlay.opaque", b"y")
                    .or_else(|_| xattr::set(marked, "user.overlay.opaque", b"y"))?;
            }
            Some(hidden) => {
                let whiteout = path.with_file_name(OsStr::from_bytes(hidden));
                mknod(&whiteout, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?;
            }
            None if entry.unpack_in(folder)? => {}
            None => return Err(io::Error::other(format!("{}: leads outside", path.display()))),
        }
    }
    Ok(())
}
