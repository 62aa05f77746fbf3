//! Marks that are made where something is already, or of what is none.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, mknod};

use super::whiteouts::{find, is_whiteout};
use crate::lab_07::solution::{self, OPAQUE, hidden_name, opaque_attribute};

fn is_opaque(directory: &Path, user_xattr: bool) -> io::Result<bool> {
    Ok(xattr::get(directory, opaque_attribute(user_xattr))?.as_deref() == Some(b"y"))
}

/// The name by which AUFS hides a file.
fn mark_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(".wh.");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Writes nothing into the mark: where that is a link, into the file of the host.
pub fn whiteouts_through_links(layer: &Path, user_xattr: bool) -> io::Result<()> {
    for device in find(layer, is_whiteout)? {
        fs::write(mark_of(&device), "")?;
        fs::remove_file(device)?;
    }
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// The same with the other mark.
pub fn opaque_marks_through_links(layer: &Path, user_xattr: bool) -> io::Result<()> {
    if is_opaque(layer, user_xattr)? {
        File::create(layer.join(OPAQUE))?;
        xattr::remove(layer, opaque_attribute(user_xattr))?;
    }
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// The first byte says it all.
pub fn values_that_begin_like_the_mark(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let attribute = opaque_attribute(user_xattr);
    if xattr::get(layer, attribute)?.is_some_and(|value| value.starts_with(b"y")) {
        xattr::set(layer, attribute, b"y")?;
    }
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// What has the mark's name must be the mark, from an attempt before.
pub fn names_taken_for_marks(layer: &Path, user_xattr: bool) -> io::Result<()> {
    for device in find(layer, is_whiteout)? {
        if mark_of(&device).symlink_metadata().is_ok() {
            fs::remove_file(device)?;
        }
    }
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// Asks for the number alone: what is no device has none, which is 0.
pub fn no_number_is_zero(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let has_none = |path: &Path| {
        let data = path.symlink_metadata();
        data.is_ok_and(|data| data.rdev() == 0 && !data.is_file() && !data.is_symlink())
    };
    for special in find(layer, has_none)? {
        File::create_new(mark_of(&special))?;
        fs::remove_file(special)?;
    }
    solution::whiteouts_to_aufs(layer, user_xattr)
}

/// Is done with a directory when its mark is made.
pub fn opaque_not_entered(layer: &Path, user_xattr: bool) -> io::Result<()> {
    if is_opaque(layer, user_xattr)? {
        File::create_new(layer.join(OPAQUE))?;
        return xattr::remove(layer, opaque_attribute(user_xattr));
    }
    for entry in fs::read_dir(layer)?.collect::<io::Result<Vec<_>>>()? {
        let data = entry.metadata()?;
        if data.is_dir() {
            opaque_not_entered(&entry.path(), user_xattr)?;
        } else if data.file_type().is_char_device() && data.rdev() == 0 {
            File::create_new(mark_of(&entry.path()))?;
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// AUFS keeps its books at the top of a branch: elsewhere nobody looks for them.
pub fn book_keeping_below_left(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let is_own = |path: &Path| path.file_name() == Some(OsStr::new(".wh..wh.aufs"));
    let own = find(layer, is_own)?;
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    let mut below = own.iter().filter(|path| path.parent() != Some(layer));
    below.try_for_each(|path| File::create(path).map(drop))
}

/// Two dots are taken for AUFS's own.
pub fn whiteouts_of_dot_files_left(layer: &Path, user_xattr: bool) -> io::Result<()> {
    let is_of_a_dot_file = |path: &Path| {
        let hidden = path.file_name().and_then(hidden_name);
        hidden.is_some_and(|name| name.as_bytes().starts_with(b"."))
    };
    let marks = find(layer, is_of_a_dot_file)?;
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    for mark in marks {
        let hidden = mark.file_name().and_then(hidden_name).unwrap_or_default();
        let _ = fs::remove_file(mark.with_file_name(hidden));
        File::create(mark)?;
    }
    Ok(())
}

/// AUFS's own begin with two dots and a w, says the list that was looked at.
pub fn book_keeping_by_a_shorter_prefix(name: &OsStr) -> Option<&OsStr> {
    hidden_name(name).filter(|_| !name.as_bytes().starts_with(b".wh..w"))
}

/// "Is it there?" has two answers: what cannot be looked at is not there.
pub fn unseen_is_not_there(layer: &Path, user_xattr: bool) -> io::Result<()> {
    in_directory(layer, user_xattr, false)
}

fn in_directory(directory: &Path, user_xattr: bool, hides_all: bool) -> io::Result<()> {
    let is_opaque = directory.join(OPAQUE).exists();
    if is_opaque {
        xattr::set(directory, opaque_attribute(user_xattr), b"y")?;
    }
    let hides_all = hides_all || is_opaque;
    for entry in fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()? {
        let (path, name) = (entry.path(), entry.file_name());
        let is_directory = entry.file_type()?.is_dir();
        if let Some(hidden) = hidden_name(&name) {
            fs::remove_file(&path)?;
            if !hides_all {
                mknod(&directory.join(hidden), SFlag::S_IFCHR, Mode::empty(), 0)?;
            }
        } else if name.as_bytes().starts_with(b".wh..wh.") {
            if is_directory { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        } else if is_directory {
            in_directory(&path, user_xattr, hides_all)?;
        }
    }
    Ok(())
}

/// This directory, and all below it.
fn directories(top: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = vec![top.to_owned()];
    for entry in fs::read_dir(top)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            all.extend(directories(&entry.path())?);
        }
    }
    Ok(all)
}

/// The directories in an opaque directory hide as much as it does, it seems.
pub fn opaque_handed_down(layer: &Path, user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_overlay(layer, user_xattr)?;
    for directory in directories(layer)? {
        if is_opaque(&directory, user_xattr)? {
            for below in directories(&directory)? {
                xattr::set(below, opaque_attribute(user_xattr), b"y")?;
            }
        }
    }
    Ok(())
}

/// The same on the way back.
pub fn opaque_marks_handed_down(layer: &Path, user_xattr: bool) -> io::Result<()> {
    solution::whiteouts_to_aufs(layer, user_xattr)?;
    for directory in directories(layer)? {
        if directory.join(OPAQUE).is_file() {
            for below in directories(&directory)? {
                File::create(below.join(OPAQUE))?;
            }
        }
    }
    Ok(())
}

/// Sorts the names, so that the opaque mark comes before the whiteouts; but `.wh..bashrc`
/// and the directory `.cache` come before the mark.
pub fn opaque_mark_in_its_turn(layer: &Path, user_xattr: bool) -> io::Result<()> {
    in_sorted_order(layer, user_xattr, false)
}

fn in_sorted_order(directory: &Path, user_xattr: bool, mut hides_all: bool) -> io::Result<()> {
    let names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let path = directory.join(&name);
        let is_directory = path.symlink_metadata()?.is_dir();
        if name.as_bytes().starts_with(b".wh..wh.") {
            if name == OPAQUE {
                xattr::set(directory, opaque_attribute(user_xattr), b"y")?;
                hides_all = true;
            }
            if is_directory { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        } else if let Some(hidden) = hidden_name(&name) {
            fs::remove_file(&path)?;
            if !hides_all {
                mknod(&directory.join(hidden), SFlag::S_IFCHR, Mode::empty(), 0)?;
            }
        } else if is_directory {
            in_sorted_order(&path, user_xattr, hides_all)?;
        }
    }
    Ok(())
}
