//! What the name of an entry says: `.wh.NAME` and `.wh..wh..opq` are no files,
//! but what the layer deletes of those below.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::whiteout;

/// What an entry's name says.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is a file of this layer.
    File,
    /// This file of the layers below is deleted.
    Deleted(PathBuf),
    /// All that the layers below have in this directory is deleted.
    Emptied(PathBuf),
    /// AUFS made it for itself.
    Ignored,
}

/// What the name `path` of an entry says.
///
/// # Errors
/// It has the form of a whiteout, but is none.
pub fn meaning(path: &Path) -> std::result::Result<Meaning, &'static str> {
    let starts_with = |name: &OsStr, prefix: &str| name.as_bytes().starts_with(prefix.as_bytes());
    let Some(name) = path.file_name() else { return Ok(Meaning::File) };
    let parent = path.parent().unwrap_or(Path::new(""));
    if name == whiteout::OPAQUE && !parent.iter().any(|name| starts_with(name, whiteout::PREFIX)) {
        return Ok(Meaning::Emptied(parent.into()));
    }
    if path.iter().any(|name| starts_with(name, whiteout::AUFS_OWN)) {
        return Ok(Meaning::Ignored);
    }
    if parent.iter().any(|name| starts_with(name, whiteout::PREFIX)) {
        return Err("it is in a directory whose name is that of a whiteout");
    }
    match name.as_bytes().strip_prefix(whiteout::PREFIX.as_bytes()) {
        None => Ok(Meaning::File),
        Some(b"" | b"." | b"..") => Err("it is a whiteout of no file"),
        Some(deleted) => Ok(Meaning::Deleted(parent.join(OsStr::from_bytes(deleted)))),
    }
}
