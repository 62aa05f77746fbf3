//! A layer's files on disk, made from what an archive says of them.
//!
//! Whatever the archive says, nothing is made or changed outside of the
//! layer's folder: every directory is opened with that folder as the root, so
//! that neither `..` nor a symbolic link leads out of it, and the last name of
//! a path is never followed.

mod attributes;
mod places;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, makedev, mkdirat, mknodat};
use nix::unistd::{UnlinkatFlags, fchown, getegid, geteuid, linkat, symlinkat, unlinkat};

pub use attributes::{Attributes, LeftOut};
use places::Parent;

use crate::error::{Error, OnPath, Result};
use crate::explain;
use crate::privileges::Privileges;
use crate::workspace::delete::delete_tree;

/// The folder of a layer that is being filled. The umask must be 0.
pub struct Tree {
    folder: PathBuf,
    root: OwnedFd,
    /// The name of the archive, for errors.
    label: String,
    /// The folders of the layers below, topmost first.
    lower: Vec<PathBuf>,
    privileges: Privileges,
    /// User and group that new files get.
    owner: (u32, u32),
    /// The directory of the last entry: the next one is likely there too.
    parent: Option<Parent>,
    /// The directories that get attributes, by their real paths. They get them
    /// last: each file that is made in one changes its time, and needs it
    /// writable.
    directories: BTreeMap<PathBuf, Attributes>,
    left_out: LeftOut,
}

impl Tree {
    /// Makes the empty folder of a layer that lies on the layers `lower`,
    /// topmost first. Errors call the archive `label`.
    ///
    /// # Errors
    /// The folder exists, or cannot be made.
    pub fn create(folder: &Path, lower: &[PathBuf], label: &str) -> Result<Tree> {
        std::fs::create_dir(folder).on("mkdir", folder)?;
        let folder = folder.canonicalize().on("realpath", folder)?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(&folder, flags, Mode::empty()).on("open", &folder)?;

        // A folder may hand its group and its access list down to all that is
        // made in it; the layer's files have their own.
        fchown(&root, None, Some(getegid())).on("fchown", &folder)?;
        fchmod(&root, Mode::S_IRWXU).on("fchmod", &folder)?;
        for inherited in ["system.posix_acl_default", "system.posix_acl_access"] {
            // Few folders have one.
            let _ = rustix::fs::removexattr(&folder, inherited);
        }

        // For an archive that says nothing of the layer's root.
        let owner = (geteuid().as_raw(), getegid().as_raw());
        let root_attributes = Attributes::new(0o755, owner);
        Ok(Tree {
            folder,
            root,
            label: label.into(),
            lower: lower.into(),
            privileges: Privileges::known()?,
            owner,
            parent: None,
            directories: BTreeMap::from([(PathBuf::new(), root_attributes)]),
            left_out: LeftOut::default(),
        })
    }

    /// Makes a regular file, which `write` fills.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub fn make_file(
        &mut self,
        path: &Path,
        attributes: &Attributes,
        write: impl FnOnce(&mut File) -> Result<()>,
    ) -> Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
        let mode = attributes.mode_to_create_with();
        let mut file = self.make(path, "openat", |directory, name| {
            openat(directory, name, flags | OFlag::O_CLOEXEC, mode).map(File::from)
        })?;
        write(&mut file)?;
        self.set_attributes_of_file(path, &file, attributes)
    }

    /// Makes a symbolic link, to wherever it may lead.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub fn make_symlink(&mut self, path: &Path, attributes: &Attributes, to: &OsStr) -> Result<()> {
        self.make(path, "symlinkat", |directory, name| symlinkat(to, directory, name))?;
        self.set_attributes_of_node(path, attributes, SFlag::S_IFLNK)
    }

    /// Makes a device or a fifo. Without the power to make devices, these are
    /// left out.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub fn make_node(
        &mut self,
        path: &Path,
        attributes: &Attributes,
        kind: SFlag,
        (major, minor): (u32, u32),
    ) -> Result<()> {
        let mode = attributes.mode_to_create_with();
        let device = makedev(major.into(), minor.into());
        // What overlay takes for a whiteout is for anybody to make, so no
        // archive's to say.
        let is_device = kind != SFlag::S_IFIFO;
        let made = match is_device && device == 0 {
            true => false,
            false => self.make(path, "mknodat", |directory, name| {
                match mknodat(directory, name, kind, mode, device) {
                    Err(Errno::EPERM) if is_device => Ok(false),
                    other => other.map(|()| true),
                }
            })?,
        };
        if !made {
            self.left_out.devices += 1;
            return Ok(());
        }
        self.set_attributes_of_node(path, attributes, kind)
    }

    /// Makes overlay's whiteout: a character device 0:0, which anybody may make.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub fn make_whiteout(&mut self, path: &Path) -> Result<()> {
        self.make(path, "mknodat", |directory, name| {
            mknodat(directory, name, SFlag::S_IFCHR, Mode::empty(), 0)
        })
    }

    /// Makes `path` another name of the file `target` of this layer.
    ///
    /// # Errors
    /// There is no such file, or it is a directory; names the entry.
    pub fn make_hard_link(&mut self, path: &Path, target: &Path) -> Result<()> {
        let Some(there) = self.stat(target)? else {
            return Err(self.refusal(path).because(format!(
                "it is a hard link to {target:?}, and the archive has no such file before it"
            )));
        };
        if kind(&there) == SFlag::S_IFDIR {
            return Err(self
                .refusal(path)
                .because(format!("it is a hard link to {target:?}, which is a directory")));
        }
        // To replace a link of a file to itself would lose the file.
        if self.stat(path)?.is_some_and(|is| is.st_ino == there.st_ino) {
            return Ok(());
        }
        let source = Rc::clone(&self.parent(target)?.directory);
        self.make(path, "linkat", |directory, name| {
            linkat(&source, file_name(target), directory, name, AtFlags::empty())
        })
    }

    /// Makes a directory, or gives new attributes to the one that is there;
    /// the empty path is the root of the layer.
    ///
    /// # Errors
    /// Names the call and the entry.
    pub fn make_directory(&mut self, path: &Path, attributes: Attributes) -> Result<()> {
        if path == Path::new("") {
            self.directories.insert(PathBuf::new(), attributes);
            return Ok(());
        }
        let there = self.stat(path)?;
        if there.is_none_or(|there| kind(&there) != SFlag::S_IFDIR) {
            self.make(path, "mkdirat", |above, name| mkdirat(above, name, Mode::S_IRWXU))?;
        }
        let real = self.parent(path)?.real.join(file_name(path));
        self.directories.insert(real, attributes);
        Ok(())
    }

    /// User and group that new files get.
    pub fn owner(&self) -> (u32, u32) {
        self.owner
    }

    /// The folders of the layers below, topmost first.
    pub fn lower(&self) -> &[PathBuf] {
        &self.lower
    }

    /// Makes a directory of this layer hide what the layers below have there,
    /// by an attribute.
    ///
    /// # Errors
    /// Names the call and the directory.
    pub fn set_opaque(&mut self, path: &Path, attribute: &str) -> Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let directory =
            self.open(path, flags).map_err(|errno| self.error("openat2", path, errno))?;
        attributes::set_xattr(&File::from(directory), attribute.as_ref(), b"y").map_err(|errno| {
            let error = self.error("fsetxattr", path, errno);
            match errno {
                Errno::EOPNOTSUPP => error
                    .because(format!("the file system of {:?} has no {attribute}", self.folder))
                    .advise("choose another disk with --root"),
                _ => error,
            }
        })
    }

    /// Makes something at `path`, in the place of what lies there.
    fn make<T>(
        &mut self,
        path: &Path,
        call: &str,
        make: impl Fn(BorrowedFd, &OsStr) -> nix::Result<T>,
    ) -> Result<T> {
        let name = file_name(path);
        let mut made = make(self.parent(path)?.directory.as_fd(), name);
        if matches!(made, Err(Errno::EEXIST)) {
            self.remove(path)?;
            made = make(self.parent(path)?.directory.as_fd(), name);
        }
        made.map_err(|errno| self.error(call, path, errno))
    }

    /// Removes what an earlier entry has made.
    fn remove(&mut self, path: &Path) -> Result<()> {
        let parent = self.parent(path)?;
        let name = file_name(path);
        let real = parent.real.join(name);
        match unlinkat(&parent.directory, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => {
                delete_tree(&self.folder.join(&real))?;
                // They are neighbours in the order of the map.
                let below = self.directories.range(real.clone()..);
                let gone = below.map(|(path, _)| path).take_while(|path| path.starts_with(&real));
                for path in gone.cloned().collect::<Vec<_>>() {
                    self.directories.remove(&path);
                }
            }
            other => other.map_err(|errno| self.error("unlinkat", path, errno))?,
        }
        // It may have been a link that this path leads through.
        self.parent = None;
        Ok(())
    }

    fn refusal(&self, path: &Path) -> Error {
        Error::new(format!("{}: entry {path:?} cannot be unpacked", self.label))
    }

    fn error(&self, call: &str, path: &Path, errno: Errno) -> Error {
        let error = Error::call(format_args!("{}: {call}({path:?})", self.label), errno);
        match errno {
            Errno::ENOSPC | Errno::EROFS => error.explained(explain::path(errno, &self.folder)),
            Errno::ENOTDIR => error.because("an entry before it has made a file of its directory"),
            Errno::EEXIST => error.because("its directory is a symbolic link that leads nowhere"),
            Errno::ELOOP => error.because("its directory is a symbolic link that leads to itself"),
            _ => error,
        }
    }
}

fn file_name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}
