//! What a layer's archive says of the layers below: the entries `.wh.NAME` and
//! `.wh..wh..opq`.
//!
//! They are written when all files of the layer are there. So they never touch
//! a file of their own layer, whichever comes first in the archive.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::tree::{Attributes, Tree};
use super::whiteout::{self, WhiteoutForm, XattrNamespace};
use crate::error::{OnPath, Result};

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

/// All that one archive says of the layers below.
#[derive(Debug, Default)]
pub struct Deletions {
    /// The files that are deleted.
    pub files: Vec<PathBuf>,
    /// The directories whose old contents are deleted.
    pub directories: Vec<PathBuf>,
}

impl Deletions {
    /// Writes them into the layer, in the form of one file system.
    ///
    /// What the layers below do not have is not deleted: a whiteout that hides
    /// nothing could show in listings, because overlay leaves whiteouts out
    /// only where it merges directories. So a bottom layer never gets any.
    ///
    /// # Errors
    /// Names the call and the path.
    pub fn write(mut self, tree: &mut Tree, form: WhiteoutForm) -> Result<()> {
        // Overlay merges the roots of all layers, opaque or not; so all that
        // the layers below have there is deleted one by one.
        if self.directories.iter().any(|path| path == Path::new("")) {
            self.directories.retain(|path| path != Path::new(""));
            for layer in tree.lower() {
                for entry in std::fs::read_dir(layer).on("opendir", layer)? {
                    self.files.push(entry.on("readdir", layer)?.file_name().into());
                }
            }
        }

        // A directory of this layer in the place of a deleted file or
        // directory shows nothing of that.
        let mut files = Vec::new();
        for path in self.files {
            match tree.stat(&path)? {
                None => files.push(path),
                Some(there) if there.st_mode & libc::S_IFMT == libc::S_IFDIR => {
                    self.directories.push(path)
                }
                // A file hides what is below it.
                Some(_) => {}
            }
        }

        let mut opaque = BTreeSet::new();
        for path in self.directories {
            if tree.is_below(&path)? {
                let mark = path.join(whiteout::OPAQUE);
                opaque.insert(tree.real_parent(&mark)?);
                match form {
                    WhiteoutForm::Overlay => {
                        tree.set_opaque(&path, XattrNamespace::current()?.opaque())?
                    }
                    WhiteoutForm::Aufs => make_mark(tree, &mark)?,
                }
            }
        }

        for path in files {
            if !tree.is_below(&path)? {
                continue;
            }
            let parent = tree.real_parent(&path)?;
            if parent.ancestors().any(|above| opaque.contains(above)) {
                continue;
            }
            match form {
                WhiteoutForm::Overlay => tree.make_whiteout(&path)?,
                WhiteoutForm::Aufs => {
                    let mut name = OsStr::new(whiteout::PREFIX).to_owned();
                    name.push(path.file_name().unwrap_or_default());
                    make_mark(tree, &path.with_file_name(name))?;
                }
            }
        }
        Ok(())
    }
}

/// Makes an empty file by which AUFS knows that something is deleted.
fn make_mark(tree: &mut Tree, path: &Path) -> Result<()> {
    tree.make_file(path, &Attributes::new(0o444, tree.owner()), |_| Ok(()))
}
