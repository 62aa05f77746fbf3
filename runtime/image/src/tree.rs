//! A layer's files on disk, made from what an archive says of them.
//!
//! Whatever the archive says, nothing is made or changed outside of the
//! layer's folder: every directory is opened with that folder as the root, so
//! that neither `..` nor a symbolic link leads out of it, and the last name of
//! a path is never followed.

mod attributes;
mod deletions;
mod lending;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, makedev, mkdirat, mknodat};
use nix::unistd::{UnlinkatFlags, fchown, getegid, geteuid, symlinkat, unlinkat};

use super::allowance::Allowance;
use super::closed::Closed;
use super::stack::Stack;
pub use attributes::{Attributes, LeftOut, xattrs_of};
use deletions::Deletions;
pub use lending::copy_data;
use places::Parent;

use mydocker_kernel::delete::delete_tree;
use mydocker_kernel::on_path;
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{Error, OnPath, Result};

/// The folder of a layer that is being filled. The umask must be 0.
pub struct Tree<'a> {
    folder: PathBuf,
    root: OwnedFd,
    /// The name of the archive, for errors.
    label: String,
    /// The layers below.
    lower: &'a Stack,
    /// Of which copies of what is in them take.
    allowance: &'a Allowance,
    closed: &'a mut Closed,
    privileges: Privileges,
    /// User and group that new files get.
    owner: (u32, u32),
    /// The directory of the last entry: the next one is likely there too.
    parent: Option<Parent>,
    /// Whether something was removed, perhaps a link that leads to `parent`.
    is_stale: bool,
    /// The directories that get attributes, by their real paths. They get them
    /// last: each file that is made in one changes its time, and needs it
    /// writable.
    directories: BTreeMap<PathBuf, Attributes>,
    /// Those of them of which the archive has said nothing so far.
    implied: BTreeSet<PathBuf>,
    /// Files of the layers below that are here only to be linked.
    lent: BTreeSet<PathBuf>,
    /// Devices that were left out.
    missing: BTreeSet<PathBuf>,
    deletions: Deletions,
    left_out: LeftOut,
}

impl<'a> Tree<'a> {
    /// Makes the empty folder of a layer that lies on the layers `lower`. Errors
    /// call the archive `label`.
    ///
    /// # Errors
    /// The folder exists, or cannot be made.
    pub fn create(
        folder: &Path,
        lower: &'a Stack,
        label: &str,
        allowance: &'a Allowance,
        closed: &'a mut Closed,
    ) -> Result<Tree<'a>> {
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

        let owner = (geteuid().as_raw(), getegid().as_raw());
        let mut tree = Tree {
            folder,
            root,
            label: label.into(),
            lower,
            allowance,
            closed,
            privileges: Privileges::known()?,
            owner,
            parent: None,
            is_stale: false,
            directories: BTreeMap::new(),
            implied: BTreeSet::new(),
            lent: BTreeSet::new(),
            missing: BTreeSet::new(),
            deletions: Deletions::default(),
            left_out: LeftOut::default(),
        };
        // For an archive that says nothing of the layer's root.
        let root_attributes = match lower.directories.first() {
            Some(top) => tree.attributes_below(top)?,
            None => Attributes::new(0o755, owner),
        };
        tree.directories.insert(PathBuf::new(), root_attributes);
        Ok(tree)
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
        self.begin();
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
        self.begin();
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
        self.begin();
        let mode = attributes.mode_to_create_with();
        let device = makedev(major.into(), minor.into());
        // What overlay takes for a whiteout is for anybody to make, so no
        // archive's to say.
        let is_device = kind != SFlag::S_IFIFO;
        if is_device && device == 0 {
            self.left_out.whiteouts += 1;
            return self.miss(path);
        }
        let made = self.make(path, "mknodat", |directory, name| {
            match mknodat(directory, name, kind, mode, device) {
                Err(Errno::EPERM) if is_device => Ok(false),
                other => other.map(|()| true),
            }
        })?;
        if !made {
            self.left_out.devices += 1;
            return self.miss(path);
        }
        self.set_attributes_of_node(path, attributes, kind)
    }

    /// Notes that a device is not there: it can have no other name either.
    fn miss(&mut self, path: &Path) -> Result<()> {
        let real = self.real_path(path)?;
        self.missing.insert(real);
        Ok(())
    }

    /// Makes overlay's whiteout: a character device 0:0, which anybody may make.
    ///
    /// # Errors
    /// Names the call and the entry.
    fn make_whiteout_device(&mut self, path: &Path) -> Result<()> {
        self.begin();
        self.make(path, "mknodat", |directory, name| {
            mknodat(directory, name, SFlag::S_IFCHR, Mode::empty(), 0)
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
        self.begin();
        let there = self.stat(path)?;
        let real = self.real_path(path)?;
        if there.is_none_or(|there| kind(&there) != SFlag::S_IFDIR) {
            if there.is_some() {
                // What this replaces had replaced what the layers below have here.
                self.replace(real.clone());
            }
            self.make(path, "mkdirat", |above, name| mkdirat(above, name, Mode::S_IRWXU))?;
        }
        self.implied.remove(&real);
        self.directories.insert(real, attributes);
        Ok(())
    }

    /// Makes a directory of this layer hide what the layers below have there,
    /// by an attribute.
    ///
    /// # Errors
    /// Names the call and the directory.
    fn set_opaque(&mut self, path: &Path, attribute: &str) -> Result<()> {
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
        let made = made.map_err(|errno| self.error(call, path, errno))?;
        if !self.lent.is_empty() || !self.missing.is_empty() {
            let real = self.real_path(path)?;
            self.lent.remove(&real);
            self.missing.remove(&real);
        }
        Ok(made)
    }

    /// Removes what an earlier entry has made.
    fn remove(&mut self, path: &Path) -> Result<()> {
        let parent = self.parent(path)?;
        let name = file_name(path);
        let real = parent.real.join(name);
        match unlinkat(&parent.directory, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => {
                delete_tree(&self.folder.join(&real))?;
                self.directories.retain(|path, _| !path.starts_with(&real));
                for noted in [&mut self.implied, &mut self.lent, &mut self.missing] {
                    noted.retain(|path| !path.starts_with(&real));
                }
            }
            other => other.map_err(|errno| self.error("unlinkat", path, errno))?,
        }
        self.is_stale = true;
        Ok(())
    }

    /// To be called for each new entry. The one before keeps its directory until
    /// it is done, even if it has replaced a link that its own path leads through.
    fn begin(&mut self) {
        if std::mem::take(&mut self.is_stale) {
            self.parent = None;
        }
    }

    fn refusal(&self, path: &Path) -> Error {
        Error::new(format!("{}: entry {path:?} cannot be unpacked", self.label))
    }

    fn error(&self, call: &str, path: &Path, errno: Errno) -> Error {
        let error = Error::call(format_args!("{}: {call}({path:?})", self.label), errno);
        match errno {
            Errno::ENOSPC | Errno::EROFS => error.explained(on_path::cause(errno, &self.folder)),
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
