//! Finds the places of files: in the layer itself, and in those below it.
//!
//! A layer is a change of those below, so a path leads where it leads in all of
//! them together, through links of any of them.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};

use super::{Attributes, Tree, file_name, kind};
use crate::stack::{Found, Route};
use mydocker_kernel::sys::open_in_root;
use mydocker_kernel::{OnPath, Result};

/// A directory of the layer that is held open.
pub(super) struct Parent {
    /// Its path as an entry has it, perhaps with symbolic links in it.
    asked: PathBuf,
    /// Its path from the layer's root, without symbolic links.
    pub(super) real: PathBuf,
    pub(super) directory: Rc<OwnedFd>,
}

/// What there is at a place that no link leads to.
pub(super) enum There {
    /// A directory of this layer, perhaps of those below too.
    OwnDirectory,
    /// A directory of the layers below, with its attributes.
    DirectoryBelow(Attributes),
    OwnLink(PathBuf),
    LinkBelow(PathBuf),
    /// Something of this layer that is neither.
    OwnFile,
    /// Nothing, or a file of the layers below.
    Nothing,
}

impl Tree<'_> {
    /// What this layer has at `path`; a symbolic link there is not followed. Makes
    /// the directory that holds `path` if there is none.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub(super) fn stat(&mut self, path: &Path) -> Result<Option<FileStat>> {
        let parent = self.parent(path)?;
        match fstatat(&parent.directory, file_name(path), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => Ok(None),
            other => other.map(Some).map_err(|errno| self.error("fstatat", path, errno)),
        }
    }

    /// The path of `path` from the layer's root, without symbolic links but
    /// itself. Makes the directory that holds it if there is none.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub(super) fn real_path(&mut self, path: &Path) -> Result<PathBuf> {
        Ok(self.parent(path)?.real.join(file_name(path)))
    }

    /// The directory in which `path` lies; made if there is none.
    pub(super) fn parent(&mut self, path: &Path) -> Result<&Parent> {
        let asked = path.parent().unwrap_or(Path::new(""));
        let parent = match self.parent.take() {
            Some(parent) if parent.asked == asked => parent,
            _ => {
                let (real, directory) = match self.open_directory(asked) {
                    Ok(directory) => (self.place_of(&directory).on("readlink", asked)?, directory),
                    Err(errno) if is_of_the_path(errno) => self.make_parents(path, asked)?,
                    Err(errno) => return Err(self.error("openat2", path, errno)),
                };
                Parent { asked: asked.into(), real, directory: Rc::new(directory) }
            }
        };
        Ok(self.parent.insert(parent))
    }

    /// Makes the directories above `path` that this layer lacks. They are as the
    /// layers below have them, since this archive says nothing of them.
    fn make_parents(&mut self, path: &Path, asked: &Path) -> Result<(PathBuf, OwnedFd)> {
        let refusal = |tree: &Tree, why: String| Err(tree.refusal(path).because(why));
        let mut route = Route::to(asked);
        while let Some(place) = route.next_place() {
            match self.there(&place).map_err(|error| error.after(self.in_entry(path)))? {
                There::OwnDirectory => {}
                There::DirectoryBelow(attributes) => {
                    self.make_parent(path, &place)?;
                    self.directories.insert(place.clone(), attributes);
                    self.implied.insert(place.clone());
                }
                There::OwnLink(target) | There::LinkBelow(target) => match route.follow(&target) {
                    true => continue,
                    false => {
                        return refusal(self, format!("{asked:?} leads through too many links"));
                    }
                },
                There::OwnFile => return refusal(self, format!("{place:?} is no directory")),
                There::Nothing if route.is_in_a_link() => {
                    return refusal(
                        self,
                        "its directory is a symbolic link that leads nowhere".into(),
                    );
                }
                There::Nothing => {
                    self.make_parent(path, &place)?;
                    self.implied.insert(place.clone());
                }
            }
            route.enter(place);
        }
        let real = route.end();
        let directory =
            self.open_directory(&real).map_err(|errno| self.error("openat2", path, errno))?;
        Ok((real, directory))
    }

    fn make_parent(&self, path: &Path, place: &Path) -> Result<()> {
        let above = place.parent().unwrap_or(Path::new(""));
        let above =
            self.open_directory(above).map_err(|errno| self.error("openat2", path, errno))?;
        let mode = Mode::from_bits_truncate(0o755);
        mkdirat(&above, file_name(place), mode).map_err(|errno| self.error("mkdirat", path, errno))
    }

    /// What there is at `place`, a path that no link leads through.
    ///
    /// # Errors
    /// Names the call and the place.
    pub(super) fn there(&self, place: &Path) -> Result<There> {
        match self.open(place, OFlag::O_PATH | OFlag::O_NOFOLLOW) {
            Ok(own) => match kind(&fstat(&own).on("fstat", place)?) {
                SFlag::S_IFDIR => Ok(There::OwnDirectory),
                SFlag::S_IFLNK => {
                    let target = PathBuf::from(readlinkat(&own, "").on("readlinkat", place)?);
                    // What is only lent is the layers' below.
                    Ok(match self.lent.contains(place) {
                        true => There::LinkBelow(target),
                        false => There::OwnLink(target),
                    })
                }
                _ => Ok(There::OwnFile),
            },
            Err(Errno::ENOENT) if self.deletions.cover(place) => Ok(There::Nothing),
            Err(Errno::ENOENT) => match self.lower.lookup_path(place)? {
                Found::Directory(merged) => {
                    let top = &merged.directories[0];
                    Ok(There::DirectoryBelow(self.attributes_below(top)?))
                }
                Found::File(link, metadata) if metadata.is_symlink() => {
                    std::fs::read_link(&link).on("readlink", &link).map(There::LinkBelow)
                }
                Found::File(..) | Found::Nothing => Ok(There::Nothing),
            },
            Err(errno) => Err(self.error("openat2", place, errno)),
        }
    }

    pub(super) fn open_directory(&self, path: &Path) -> nix::Result<OwnedFd> {
        self.open(path, OFlag::O_PATH | OFlag::O_DIRECTORY)
    }

    /// Opens `path` below the layer's root; the empty path is the root itself.
    pub(super) fn open(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let path = if path == Path::new("") { Path::new(".") } else { path };
        loop {
            match open_in_root(&self.root, path, flags) {
                // Something was renamed or mounted meanwhile, perhaps far away,
                // and the kernel asks to try again.
                Err(Errno::EAGAIN) => continue,
                other => return other,
            }
        }
    }

    /// Where a directory of this layer really is, from the layer's root.
    fn place_of(&self, directory: &OwnedFd) -> nix::Result<PathBuf> {
        let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let real = PathBuf::from(readlinkat(AT_FDCWD, link.as_str())?);
        Ok(real.strip_prefix(&self.folder).map_err(|_| Errno::EXDEV)?.into())
    }

    fn in_entry(&self, path: &Path) -> String {
        format!("{}: entry {path:?}: ", self.label)
    }
}

/// Whether an error tells something of the path, and not of the kernel's means.
fn is_of_the_path(errno: Errno) -> bool {
    matches!(errno, Errno::ELOOP | Errno::ENOENT | Errno::ENOTDIR)
}
