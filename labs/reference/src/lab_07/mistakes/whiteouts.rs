//! Whiteouts that are read or written wrongly.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::lab_07::solution::{self, OPAQUE, hidden_name, opaque_attribute};

/// Looks for `.wh.` anywhere in the name.
pub fn prefix_anywhere(name: &OsStr) -> Option<&OsStr> {
    let bytes = name.as_bytes();
    let at = bytes.windows(4).position(|part| part == b".wh.")?;
    hidden_name(OsStr::from_bytes(&bytes[at..]))
}

/// Knows no other name that begins with `.wh.`: AUFS's own files become
/// whiteouts of files that never were.
pub fn book_keeping_hides(name: &OsStr) -> Option<&OsStr> {
    match name.as_bytes().strip_prefix(b".wh.")? {
        own if own.starts_with(b".wh.") => Some(OsStr::from_bytes(own)),
        _ => hidden_name(name),
    }
}

/// Trusts the layer: a whiteout of `..` deletes the folder above.
pub fn parent_can_be_hidden(name: &OsStr) -> Option<&OsStr> {
    match name.as_bytes() {
        b".wh.." | b".wh..." => Some(OsStr::from_bytes(&name.as_bytes()[4..])),
        _ => hidden_name(name),
    }
}

/// Takes names for text: a name that is none hides nothing.
pub fn names_as_utf_8(name: &OsStr) -> Option<&OsStr> {
    hidden_name(OsStr::new(name.to_str()?))
}

/// All files below a folder that pass, links not followed.
pub fn find(folder: &Path, passes: fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(find(&entry.path(), passes)?);
        } else if passes(&entry.path()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn is_marker(path: &Path) -> bool {
    hidden(path).is_some()
}

/// What a marker hides: the file beside it.
fn hidden(marker: &Path) -> Option<PathBuf> {
    Some(marker.with_file_name(hidden_name(marker.file_name()?)?))
}

fn is_opaque_mark(path: &Path) -> bool {
    path.ends_with(OPAQUE)
}

pub fn is_whiteout(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.file_type().is_char_device() && data.rdev() == 0)
}

fn whiteout(path: &Path) -> io::Result<()> {
    Ok(mknod(path, SFlag::S_IFCHR, Mode::empty(), 0)?)
}

/// Makes the devices and lets the markers lie: they show in the merged tree.
pub fn markers_left(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let markers = find(layer, is_marker)?;
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    markers.iter().try_for_each(|marker| File::create(marker).map(drop))
}

/// Has tried it on a layer whose only whiteout is at the top.
pub fn only_the_top_folder(layer: &Path, _user_xattr: bool) -> io::Result<()> {
    for entry in fs::read_dir(layer)? {
        let marker = entry?.path();
        if let Some(hidden) = hidden(&marker) {
            fs::remove_file(&marker)?;
            whiteout(&hidden)?;
        }
    }
    Ok(())
}

/// Makes what AUFS has in this place, without the prefix: an empty file, which
/// is then an empty file for the container.
pub fn whiteouts_as_empty_files(layer: &Path, user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    for device in find(layer, is_whiteout)? {
        fs::remove_file(&device)?;
        File::create(&device)?;
    }
    Ok(())
}

/// Deletes in the layer what the marker names, and the marker: what lies in the
/// layers below is back.
pub fn markers_only_deleted(layer: &Path, user_xattr: bool) -> io::Result<()> {
    find(layer, is_marker)?.iter().try_for_each(fs::remove_file)?;
    solution::whiteouts_to_overlay(layer, user_xattr)
}

/// Sweeps out the opaque mark with AUFS's own files.
pub fn opaque_mark_deleted(layer: &Path, user_xattr: bool) -> io::Result<()> {
    find(layer, is_opaque_mark)?.iter().try_for_each(fs::remove_file)?;
    solution::whiteouts_to_overlay(layer, user_xattr)
}

/// The name of the attribute as the older tutorials have it: in a user namespace
/// it cannot be written, or is not read.
pub fn opaque_in_the_wrong_namespace(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let attribute = opaque_attribute(!user_xattr);
    for mark in find(layer, is_opaque_mark)? {
        xattr::set(mark.parent().expect("a folder"), attribute, b"y")?;
        fs::remove_file(mark)?;
    }
    solution::whiteouts_to_overlay(layer, user_xattr)
}

/// "Yes" in another alphabet: overlayfs knows `y` only.
pub fn opaque_is_one(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let opaque = find(layer, is_opaque_mark)?;
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    let attribute = opaque_attribute(user_xattr);
    opaque.iter().try_for_each(|mark| xattr::set(mark.parent().expect("a folder"), attribute, b"1"))
}

/// Converts each marker for itself. overlayfs does not look for whiteouts in an
/// opaque folder, and lists them.
pub fn whiteouts_in_opaque_folders(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let hidden: Vec<PathBuf> = find(layer, is_marker)?.iter().filter_map(|it| hidden(it)).collect();
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    hidden.iter().filter(|path| !is_whiteout(path)).try_for_each(|path| whiteout(path))
}

/// Does not know AUFS's folders: the container sees them.
pub fn book_keeping_left(layer: &Path, user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    fs::create_dir(layer.join(".wh..wh.plnk"))
}

/// Asks `is_dir` of the path, which is true of a link to a folder: files of the
/// host are deleted.
pub fn links_followed(layer: &Path, user_xattr: bool) -> io::Result<()> {
    for entry in fs::read_dir(layer)? {
        let path = entry?.path();
        if path.is_symlink() && path.is_dir() {
            solution::whiteouts_to_overlay(&path, user_xattr)?;
        }
    }
    solution::whiteouts_to_overlay(layer, user_xattr)
}

/// Writes the names and lets the devices lie: tar packs them into the image.
pub fn devices_left(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let devices = find(layer, is_whiteout)?;
    solution::whiteouts_to_aufs(layer, user_xattr)?;
    devices.iter().try_for_each(|device| whiteout(device))
}

/// Takes the devices away, for nobody needs them: the deleted files are back in
/// the next container.
pub fn devices_only_deleted(layer: &Path, user_xattr: bool) -> io::Result<()> {
    find(layer, is_whiteout)?.iter().try_for_each(fs::remove_file)?;
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// Overlooks the attribute: `ls` does not show it.
pub fn opaque_overlooked(layer: &Path, user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_aufs(layer, user_xattr)?;
    find(layer, is_opaque_mark)?.iter().try_for_each(fs::remove_file)
}

/// Leaves the attribute where it is: a tar with extended attributes carries it.
pub fn attribute_left(layer: &Path, user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_aufs(layer, user_xattr)?;
    let attribute = opaque_attribute(user_xattr);
    let opaque = find(layer, is_opaque_mark)?;
    opaque.iter().try_for_each(|mark| xattr::set(mark.parent().expect("a folder"), attribute, b"y"))
}

/// Unpacks a layer of an image for overlayfs as it is: the deleted files are
/// back, and the markers show.
pub fn nothing_rewritten(_layer: &Path, _user_xattr: bool) -> io::Result<()> {
    Ok(())
}

/// Takes `.bashrc` for a mistake, as `..` is one.
pub fn hidden_files_overlooked(name: &OsStr) -> Option<&OsStr> {
    hidden_name(name).filter(|hidden| !hidden.as_bytes().starts_with(b"."))
}

/// The device that swallows everything.
pub fn whiteout_is_null(layer: &Path, user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    for device in find(layer, is_whiteout)? {
        fs::remove_file(&device)?;
        mknod(&device, SFlag::S_IFCHR, Mode::empty(), makedev(1, 3))?;
    }
    Ok(())
}

/// Looks for the mark in each directory that it comes to, and begins in the layer.
pub fn only_below_the_top(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let is_opaque = layer.join(OPAQUE).exists();
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    let attribute = opaque_attribute(user_xattr);
    if is_opaque { xattr::remove(layer, attribute) } else { Ok(()) }
}

/// Has only ever run in a user namespace.
pub fn user_attribute_always(layer: &Path, _user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_overlay(layer, true)
}

/// `let _ = xattr::set(…)`: not every file system has attributes.
pub fn attribute_not_set_is_no_error(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let attribute = opaque_attribute(user_xattr);
    for mark in find(layer, is_opaque_mark)? {
        let directory = mark.parent().expect("a directory");
        // What lies in an opaque directory needs no whiteout.
        for marker in find(directory, is_marker)? {
            fs::remove_file(marker)?;
        }
        if xattr::set(directory, attribute, b"y").is_err() {
            fs::remove_file(mark)?;
        }
    }
    solution::whiteouts_to_overlay(layer, user_xattr)
}

/// A glob with a dot too few: `.wh*`.
pub fn all_that_begins_with_wh(layer: &Path, user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    let begins = |path: &Path| {
        let name = path.file_name().unwrap_or_default().as_bytes();
        name.starts_with(b".wh") && !is_whiteout(path)
    };
    find(layer, begins)?.iter().try_for_each(fs::remove_file)
}

/// Does not look at the numbers.
pub fn any_device_is_a_whiteout(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let is_device =
        |path: &Path| path.symlink_metadata().is_ok_and(|data| data.file_type().is_char_device());
    for device in find(layer, is_device)? {
        fs::remove_file(&device)?;
        let mut name = OsString::from(".wh.");
        name.push(device.file_name().unwrap_or_default());
        File::create_new(device.with_file_name(name))?;
    }
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// Looks at the attribute of each directory that it finds in another one.
pub fn top_attribute_overlooked(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let attribute = opaque_attribute(user_xattr);
    let value = xattr::get(layer, attribute)?;
    solution::whiteouts_to_aufs(layer, user_xattr)?;
    if value.as_deref() != Some(b"y") {
        return Ok(());
    }
    fs::remove_file(layer.join(OPAQUE))?;
    xattr::set(layer, attribute, b"y")
}

/// Asks whether there is the attribute, and not for its value.
pub fn any_value_is_the_mark(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let attribute = opaque_attribute(user_xattr);
    if xattr::get(layer, attribute)?.is_some() {
        xattr::set(layer, attribute, b"y")?;
    }
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// Takes either attribute for the mark.
pub fn user_attribute_taken_always(layer: &Path, user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_aufs(layer, true)?;
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// Remembers that a directory is opaque for what lies in it, and not for what lies
/// further down.
pub fn opaque_for_one_level(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let opaque = find(layer, is_opaque_mark)?;
    let mut kept = Vec::new();
    for mark in opaque {
        let top = mark.parent().unwrap_or(layer);
        let is_hidden = |path: &Path| path.file_name().and_then(hidden_name).is_some();
        let deep = find(top, is_hidden)?.into_iter();
        let far = |path: &PathBuf| {
            path.strip_prefix(top).is_ok_and(|below| below.components().count() > 3)
        };
        kept.extend(deep.filter(far));
    }
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    for path in kept {
        let hidden = path.file_name().and_then(hidden_name).unwrap_or_default();
        let _ = mknod(&path.with_file_name(hidden), SFlag::S_IFCHR, Mode::empty(), 0);
    }
    Ok(())
}
