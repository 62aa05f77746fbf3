//! Where a path of the container lies in the layers below: the same search
//! that overlayfs makes, done by hand and without mounting anything.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use crate::error::{OnPath, Result, if_there};
use crate::image::whiteout::{OPAQUE, PREFIX, WhiteoutForm, is_opaque, is_whiteout};

/// As many links as the kernel follows before it says ELOOP.
const MAX_LINKS: usize = 40;

/// Directories that lie one on another and are seen as one.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The directories, topmost first.
    pub directories: Vec<PathBuf>,
    /// The form in which they say what they hide of those below.
    pub form: WhiteoutForm,
}

/// What a name stands for in a stack.
pub enum Found {
    /// A directory, of one or several layers.
    Directory(Stack),
    /// The topmost file of that name that is no directory.
    File(PathBuf, Metadata),
    /// Nothing, or a whiteout above it.
    Nothing,
}

impl Stack {
    /// Looks a name up. Symbolic links are found, not followed.
    ///
    /// # Errors
    /// As stat(2), but what is not there is no error.
    pub fn lookup(&self, name: &OsStr) -> Result<Found> {
        let mut merged = Vec::new();
        for (index, directory) in self.directories.iter().enumerate() {
            let path = directory.join(name);
            match if_there(path.symlink_metadata()).on("lstat", &path)? {
                Some(metadata) if metadata.is_dir() => {
                    // In the lowest layer there is nothing for it to hide.
                    let is_lowest = index + 1 == self.directories.len();
                    let hides_those_below = !is_lowest && hides_all(self.form, &path);
                    merged.push(path);
                    if hides_those_below {
                        break;
                    }
                }
                Some(metadata) if merged.is_empty() && !is_whiteout(&metadata) => {
                    return Ok(Found::File(path, metadata));
                }
                Some(_) => break,
                None if self.form == WhiteoutForm::Aufs && hides_name(directory, name) => break,
                None => {}
            }
        }
        if merged.is_empty() {
            return Ok(Found::Nothing);
        }
        Ok(Found::Directory(Stack { directories: merged, form: self.form }))
    }

    /// Looks a whole path up, component by component, following no link.
    ///
    /// # Errors
    /// As [`Stack::lookup`].
    pub fn lookup_path(&self, path: &Path) -> Result<Found> {
        let mut found = Found::Directory(self.clone());
        for component in path.components() {
            if let Component::Normal(name) = component {
                let Found::Directory(stack) = found else { return Ok(Found::Nothing) };
                found = stack.lookup(name)?;
            }
        }
        Ok(found)
    }

    /// The real place of the directory `path`, symbolic links followed as a
    /// process would that has this stack for its root: no `..` and no absolute
    /// link leads out of it. What does not exist stays as it is.
    ///
    /// # Errors
    /// As [`Stack::lookup`] and readlink(2).
    pub fn resolve_directory(&self, path: &Path) -> Result<PathBuf> {
        let mut resolved = PathBuf::new();
        let mut pending: Vec<OsString> = reversed_components(path);
        let mut links = 0;
        while let Some(name) = pending.pop() {
            if name == ".." {
                resolved.pop();
                continue;
            }
            let here = resolved.join(&name);
            match self.lookup_path(&here)? {
                Found::File(file, metadata) if metadata.is_symlink() && links < MAX_LINKS => {
                    links += 1;
                    let target = std::fs::read_link(&file).on("readlink", &file)?;
                    if target.is_absolute() {
                        resolved = PathBuf::new();
                    }
                    pending.extend(reversed_components(&target));
                }
                _ => resolved = here,
            }
        }
        Ok(resolved)
    }
}

/// Whether `directory` hides all that the layers below have at its place.
pub fn hides_all(form: WhiteoutForm, directory: &Path) -> bool {
    match form {
        WhiteoutForm::Overlay => is_opaque(directory),
        WhiteoutForm::Aufs => directory.join(OPAQUE).symlink_metadata().is_ok(),
    }
}

/// Whether AUFS's whiteout of `name` lies in `directory`.
fn hides_name(directory: &Path, name: &OsStr) -> bool {
    let mut whiteout = OsString::from(PREFIX);
    whiteout.push(name);
    directory.join(whiteout).symlink_metadata().is_ok()
}

/// The names in a path and its `..`, the first one last.
fn reversed_components(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut names: Vec<OsString> = names.collect();
    names.reverse();
    names
}
