//! Devices that are taken for whiteouts, and AUFS's own names by a list.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, major, minor, mknod};

use super::whiteouts::find;
use crate::lab_07::solution;

/// Takes all that pass for whiteouts.
fn take(layer: &Path, user_xattr: bool, is_whiteout: fn(&Path) -> bool) -> io::Result<()> {
    for device in find(layer, is_whiteout)? {
        fs::remove_file(&device)?;
        let mut name = OsString::from(".wh.");
        name.push(device.file_name().unwrap_or_default());
        File::create_new(device.with_file_name(name))?;
    }
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// Asks for the number, and for a device of whatever kind.
pub fn block_devices_too(layer: &Path, user_xattr: bool) -> io::Result<()> {
    take(layer, user_xattr, |path| {
        let data = path.symlink_metadata();
        data.is_ok_and(|data| {
            let kind = data.file_type();
            (kind.is_char_device() || kind.is_block_device()) && data.rdev() == 0
        })
    })
}

/// 0 is the number of no driver: what the minor number is does not matter.
pub fn major_number_alone(layer: &Path, user_xattr: bool) -> io::Result<()> {
    take(layer, user_xattr, |path| {
        let data = path.symlink_metadata();
        data.is_ok_and(|data| data.file_type().is_char_device() && major(data.rdev()) == 0)
    })
}

/// Takes the last byte of the number for the number.
pub fn minor_number_alone(layer: &Path, user_xattr: bool) -> io::Result<()> {
    take(layer, user_xattr, |path| {
        let data = path.symlink_metadata();
        data.is_ok_and(|data| data.file_type().is_char_device() && minor(data.rdev()) == 0)
    })
}

/// What AUFS keeps in a write layer, as aufs(5) has it.
const LISTED: [&[u8]; 4] = [b".wh..wh..opq", b".wh..wh.aufs", b".wh..wh.orph", b".wh..wh.plnk"];

/// Knows the names that are always there.
pub fn book_keeping_by_a_list(name: &OsStr) -> Option<&OsStr> {
    match name.as_bytes().strip_prefix(b".wh.")? {
        _ if LISTED.contains(&name.as_bytes()) => None,
        b"" | b"." | b".." => None,
        hidden => Some(OsStr::from_bytes(hidden)),
    }
}

/// All below a directory whose names are AUFS's own, and not in the list.
fn unlisted(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_bytes().starts_with(b".wh..wh.") {
            if !LISTED.contains(&name.as_bytes()) {
                found.push(entry.path());
            }
        } else if entry.file_type()?.is_dir() {
            found.extend(unlisted(&entry.path())?);
        }
    }
    Ok(found)
}

/// Removes the names that are always there, and leaves a file that AUFS was just about to
/// delete.
pub fn only_listed_book_keeping_removed(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let left = unlisted(layer)?;
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    left.iter().try_for_each(|path| File::create(path).map(drop))
}

/// Takes whatever is not in the list for a whiteout.
pub fn unlisted_book_keeping_hides(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let mut taken = unlisted(layer)?;
    taken.retain(|path| path.is_file() && path.as_os_str().as_bytes().len() > 8);
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    for path in taken {
        let hidden = OsStr::from_bytes(&path.file_name().unwrap_or_default().as_bytes()[4..]);
        mknod(&path.with_file_name(hidden), SFlag::S_IFCHR, Mode::empty(), 0)?;
    }
    Ok(())
}
