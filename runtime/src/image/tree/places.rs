//! Finds the places of files: in the layer itself, and in those below it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat};

use super::{Attributes, Tree, kind};
use crate::error::{OnPath, Result};
use crate::sys::open_in_root;

/// A directory of the layer that is held open.
pub(super) struct Parent {
    /// Its path as an entry has it, perhaps with symbolic links in it.
    asked: PathBuf,
    /// Its path from the layer's root, without symbolic links.
    pub(super) real: PathBuf,
    pub(super) directory: Rc<OwnedFd>,
}

impl Tree {
    /// What this layer has at `path`; a symbolic link there is not followed.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub fn stat(&self, path: &Path) -> Result<Option<FileStat>> {
        match self.open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW).and_then(fstat) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            other => other.map(Some).map_err(|errno| self.error("openat2", path, errno)),
        }
    }

    /// What the layers below have at `path`, the topmost of them first.
    ///
    /// # Errors
    /// ENOENT if there is nothing; another errno if that cannot be seen.
    pub(super) fn stat_below(&self, path: &Path) -> nix::Result<FileStat> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        for layer in &self.lower {
            let layer = open(layer, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
            match open_at_root(&layer, path, flags).and_then(fstat) {
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                other => return other,
            }
        }
        Err(Errno::ENOENT)
    }

    /// Whether the layers below have anything at `path`. What cannot be looked
    /// at because of them is taken to be there.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub fn is_below(&self, path: &Path) -> Result<bool> {
        match self.stat_below(path) {
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) if !is_of_the_path(errno) => Err(self.error("openat2", path, errno)),
            _ => Ok(true),
        }
    }

    /// The path of the directory that holds `path`, without symbolic links.
    /// Makes that directory if there is none.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub fn real_parent(&mut self, path: &Path) -> Result<PathBuf> {
        Ok(self.parent(path)?.real.clone())
    }

    /// The directory in which `path` lies; made if there is none.
    pub(super) fn parent(&mut self, path: &Path) -> Result<&Parent> {
        let asked = path.parent().unwrap_or(Path::new(""));
        let parent = match self.parent.take() {
            Some(parent) if parent.asked == asked => parent,
            _ => {
                let directory = match self.open_directory(asked) {
                    Err(Errno::ENOENT) => self.make_parents(path, asked)?,
                    other => other.map_err(|errno| self.error("openat2", path, errno))?,
                };
                let real = self.real_path(&directory).on("readlink", asked)?;
                Parent { asked: asked.into(), real, directory: Rc::new(directory) }
            }
        };
        Ok(self.parent.insert(parent))
    }

    /// Makes the directories above `path` that are missing. They are as the
    /// layers below have them, since this archive says nothing of them.
    fn make_parents(&mut self, path: &Path, asked: &Path) -> Result<OwnedFd> {
        let mut above = self
            .open_directory(Path::new(""))
            .map_err(|errno| self.error("openat2", path, errno))?;
        let mut so_far = PathBuf::new();
        for name in asked {
            so_far.push(name);
            above = match self.open_directory(&so_far) {
                Err(Errno::ENOENT) => {
                    let real = self.real_path(&above).on("readlink", &so_far)?.join(name);
                    let mode = Mode::from_bits_truncate(0o755);
                    mkdirat(&above, name, mode)
                        .map_err(|errno| self.error("mkdirat", path, errno))?;
                    match self.stat_below(&real) {
                        Ok(below) if kind(&below) == SFlag::S_IFDIR => {
                            self.directories.insert(real, Attributes::of(&below));
                        }
                        Err(errno) if !is_of_the_path(errno) => {
                            return Err(self.error("openat2", path, errno));
                        }
                        _ => {}
                    }
                    self.open_directory(&so_far)
                }
                other => other,
            }
            .map_err(|errno| self.error("openat2", path, errno))?;
        }
        Ok(above)
    }

    fn open_directory(&self, path: &Path) -> nix::Result<OwnedFd> {
        self.open(path, OFlag::O_PATH | OFlag::O_DIRECTORY)
    }

    pub(super) fn open(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        open_at_root(&self.root, path, flags)
    }

    /// Where a directory of this layer really is, from the layer's root.
    fn real_path(&self, directory: &OwnedFd) -> nix::Result<PathBuf> {
        let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let real = PathBuf::from(readlinkat(AT_FDCWD, link.as_str())?);
        Ok(real.strip_prefix(&self.folder).map_err(|_| Errno::EXDEV)?.into())
    }
}

/// Whether an error tells something of the path, and not of the kernel's means.
fn is_of_the_path(errno: Errno) -> bool {
    use Errno::{EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR};
    matches!(errno, EACCES | ELOOP | ENAMETOOLONG | ENOENT | ENOTDIR)
}

/// Opens `path` below `root`; the empty path is `root` itself.
fn open_at_root(root: &OwnedFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let path = if path == Path::new("") { Path::new(".") } else { path };
    loop {
        match open_in_root(root, path, flags) {
            // Something was renamed or mounted meanwhile, perhaps far away,
            // and the kernel asks to try again.
            Err(Errno::EAGAIN) => continue,
            other => return other,
        }
    }
}
