//! What a layer deletes of the layers below.
//!
//! It is written when all files of the layer are there, so it never touches a
//! file of its own layer, whichever comes first in the archive; and it is looked
//! for in the layers below alone, so no link of its own layer leads to it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::places::There;
use super::{Attributes, Tree, file_name};
use crate::stack::{Found, Route};
use crate::whiteout::{self, WhiteoutForm, XattrNamespace};
use mydocker_kernel::Result;

/// The paths that an archive has deleted so far.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    /// With all that is in them.
    files: BTreeSet<PathBuf>,
    /// Only what is in them.
    contents: BTreeSet<PathBuf>,
    /// Where those files are that links lead to.
    elsewhere: BTreeSet<PathBuf>,
}

impl Deletions {
    /// Whether what the layers below have at `path` is among them.
    pub(super) fn cover(&self, path: &Path) -> bool {
        let is_deleted = |path: &Path| self.files.contains(path) || self.elsewhere.contains(path);
        path.ancestors().any(is_deleted) || is_in(path, &self.contents)
    }
}

impl Tree<'_> {
    /// Deletes what the layers below have at `path`.
    ///
    /// # Errors
    /// Names the call and the path.
    pub fn delete(&mut self, path: PathBuf) -> Result<()> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if let Some(place) = self.find_below(parent)?
            && place != parent
        {
            self.deletions.elsewhere.insert(place.join(file_name(&path)));
        }
        self.deletions.files.insert(path);
        Ok(())
    }

    /// Deletes what the layers below have at `real`, where no link leads.
    pub(super) fn replace(&mut self, real: PathBuf) {
        self.deletions.files.insert(real);
    }

    /// Deletes all that the layers below have in the directory `path`.
    pub fn delete_contents(&mut self, path: PathBuf) {
        self.deletions.contents.insert(path);
    }

    /// Writes the deletions into the layer, in the form of one file system.
    ///
    /// What the layers below do not have is not deleted: a whiteout that hides
    /// nothing could show in listings, because overlay leaves whiteouts out
    /// only where it merges directories. So a bottom layer never gets any.
    ///
    /// # Errors
    /// Names the call and the path.
    pub fn write_deletions(&mut self, form: WhiteoutForm) -> Result<()> {
        let mut deletions = self.find_deletions()?;
        // Overlay merges the roots of all layers, opaque or not; so all that
        // the layers below have there is deleted one by one.
        if deletions.contents.remove(Path::new("")) {
            deletions.files.extend(self.lower.all_names()?.into_iter().map(PathBuf::from));
        }
        self.take_back(&deletions)?;

        // A directory of this layer in the place of what is deleted shows nothing
        // of it if it is opaque; a file in its place hides it anyway.
        let Deletions { files, mut contents, .. } = deletions;
        let mut whiteouts = BTreeSet::new();
        for path in files {
            match self.there(&path)? {
                There::OwnDirectory => drop(contents.insert(path)),
                There::OwnLink(_) | There::OwnFile => {}
                There::DirectoryBelow(_) | There::LinkBelow(_) => drop(whiteouts.insert(path)),
                There::Nothing => {
                    if !matches!(self.lower.lookup_path(&path)?, Found::Nothing) {
                        whiteouts.insert(path);
                    }
                }
            }
        }

        let mut hidden = BTreeSet::new();
        for path in whiteouts {
            if !is_in(&path, &hidden) && !is_in(&path, &contents) {
                self.make_whiteout(&path, form)?;
                hidden.insert(path);
            }
        }
        for path in contents {
            let is_merged = matches!(self.lower.lookup_path(&path)?, Found::Directory(_));
            if is_merged && !is_in(&path, &hidden) {
                self.make_opaque(&path, form)?;
                hidden.insert(path);
            }
        }
        Ok(())
    }

    /// Where the deletions really are in the layers below.
    fn find_deletions(&mut self) -> Result<Deletions> {
        let asked = std::mem::take(&mut self.deletions);
        let mut found = Deletions::default();
        // Neighbours have the same parent.
        let mut last: Option<(PathBuf, Option<PathBuf>)> = None;
        for path in asked.files {
            let parent = path.parent().unwrap_or(Path::new(""));
            let place = match last.take() {
                Some((asked, place)) if asked == parent => place,
                _ => self.find_below(parent)?,
            };
            if let Some(place) = &place {
                found.files.insert(place.join(file_name(&path)));
            }
            last = Some((parent.into(), place));
        }
        for path in asked.contents {
            found.contents.extend(self.find_below(&path)?);
        }
        Ok(found)
    }

    /// Where the directory `path` of the layers below is; `None` if they have none,
    /// or this layer has something else in its place.
    fn find_below(&self, path: &Path) -> Result<Option<PathBuf>> {
        let mut route = Route::to(path);
        while let Some(place) = route.next_place() {
            match self.there(&place)? {
                There::OwnDirectory | There::DirectoryBelow(_) => route.enter(place),
                There::LinkBelow(target) if route.follow(&target) => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(route.end()))
    }

    /// Takes back what this layer has of the layers below, where it is deleted:
    /// the targets of hard links, and the directories that only hold such.
    fn take_back(&mut self, deletions: &Deletions) -> Result<()> {
        for path in std::mem::take(&mut self.lent) {
            if deletions.cover(&path) {
                self.unlink(&path, UnlinkatFlags::NoRemoveDir)?;
            }
        }
        for path in std::mem::take(&mut self.implied).iter().rev() {
            if !deletions.cover(path) {
                continue;
            }
            match self.unlink(path, UnlinkatFlags::RemoveDir) {
                Ok(()) => drop(self.directories.remove(path)),
                Err(error) if error.errno() == Some(Errno::ENOTEMPTY) => {
                    let attributes = Attributes::new(0o755, self.owner);
                    self.directories.insert(path.clone(), attributes);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn unlink(&mut self, path: &Path, flag: UnlinkatFlags) -> Result<()> {
        let parent = self.parent(path)?;
        let unlinked = unlinkat(&parent.directory, file_name(path), flag);
        unlinked.map_err(|errno| self.error("unlinkat", path, errno))?;
        // It may have been this directory, or one above.
        self.parent = None;
        Ok(())
    }

    fn make_opaque(&mut self, path: &Path, form: WhiteoutForm) -> Result<()> {
        let mark = path.join(whiteout::OPAQUE);
        // Makes the directory too.
        self.parent(&mark)?;
        match form {
            WhiteoutForm::Overlay => self.set_opaque(path, XattrNamespace::current()?.opaque()),
            WhiteoutForm::Aufs => self.make_mark(&mark),
        }
    }

    fn make_whiteout(&mut self, path: &Path, form: WhiteoutForm) -> Result<()> {
        match form {
            WhiteoutForm::Overlay => self.make_whiteout_device(path),
            WhiteoutForm::Aufs => {
                let mut name = OsStr::new(whiteout::PREFIX).to_owned();
                name.push(file_name(path));
                self.make_mark(&path.with_file_name(name))
            }
        }
    }

    /// Makes an empty file by which AUFS knows that something is deleted.
    fn make_mark(&mut self, path: &Path) -> Result<()> {
        self.make_file(path, &Attributes::new(0o444, self.owner), |_| Ok(()))
    }
}

/// Whether `path` is below one of `directories`.
fn is_in(path: &Path, directories: &BTreeSet<PathBuf>) -> bool {
    path.ancestors().skip(1).any(|above| directories.contains(above))
}
