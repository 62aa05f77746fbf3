//! Where a path of the container lies in the layers below: the same search
//! that overlayfs makes, done by hand and without mounting anything.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;

use crate::whiteout::{WhiteoutForm, hides_all, hides_name, is_whiteout};
use mydocker_kernel::{OnPath, Result, if_there};

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
                    let hides_those_below = !is_lowest && hides_all(self.form, &path)?;
                    merged.push(path);
                    if hides_those_below {
                        break;
                    }
                }
                Some(metadata) if merged.is_empty() && !is_whiteout(&metadata) => {
                    return Ok(Found::File(path, metadata));
                }
                Some(_) => break,
                None if self.form == WhiteoutForm::Aufs && hides_name(directory, name)? => break,
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
    /// link leads out of it. What does not exist, or is in a directory that is
    /// closed to this process, stays as it is.
    ///
    /// # Errors
    /// As [`Stack::lookup`] and readlink(2).
    pub fn resolve_directory(&self, path: &Path) -> Result<PathBuf> {
        let mut route = Route::to(path);
        while let Some(place) = route.next_place() {
            let found = match self.lookup_path(&place) {
                Err(error) if error.errno() == Some(Errno::EACCES) => Found::Nothing,
                other => other?,
            };
            match found {
                Found::File(file, metadata) if metadata.is_symlink() => {
                    let target = std::fs::read_link(&file).on("readlink", &file)?;
                    if !route.follow(&target) {
                        route.enter(place);
                    }
                }
                _ => route.enter(place),
            }
        }
        Ok(route.end())
    }

    /// All names at its top, those that a layer hides included.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn all_names(&self) -> Result<BTreeSet<OsString>> {
        let mut names = BTreeSet::new();
        for directory in &self.directories {
            for entry in std::fs::read_dir(directory).on("opendir", directory)? {
                names.insert(entry.on("readdir", directory)?.file_name());
            }
        }
        Ok(names)
    }
}

/// A path on the way to where it leads, one name at a time: whoever goes it
/// looks at each place, and then enters it or follows the link that is there.
pub struct Route {
    /// Where it has come to; there are no links in it.
    reached: PathBuf,
    /// The names that are left, the next one last.
    pending: Vec<OsString>,
    /// How many of them are of the path itself, and not of a link.
    own: usize,
    links: usize,
}

impl Route {
    /// The way to `path`, from the root.
    pub fn to(path: &Path) -> Route {
        let pending = reversed_components(path);
        Route { reached: PathBuf::new(), own: pending.len(), pending, links: 0 }
    }

    /// The next place to look at; `None` at the end.
    pub fn next_place(&mut self) -> Option<PathBuf> {
        while let Some(name) = self.pending.pop() {
            if name != ".." {
                return Some(self.reached.join(name));
            }
            self.reached.pop();
        }
        None
    }

    /// Whether the present place is named by a link.
    pub fn is_in_a_link(&self) -> bool {
        self.pending.len() >= self.own
    }

    /// Goes on from a place that is no link.
    pub fn enter(&mut self, place: PathBuf) {
        self.own = self.own.min(self.pending.len());
        self.reached = place;
    }

    /// Goes on where the link at the present place leads; `false` if it is one
    /// too many.
    pub fn follow(&mut self, target: &Path) -> bool {
        if self.links == MAX_LINKS {
            return false;
        }
        self.links += 1;
        self.own = self.own.min(self.pending.len());
        if target.is_absolute() {
            self.reached = PathBuf::new();
        }
        self.pending.extend(reversed_components(target));
        true
    }

    /// The place that it has led to.
    pub fn end(self) -> PathBuf {
        self.reached
    }
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
