//! Paths inside the container's root, each resolved once, to a descriptor.
//!
//! Whoever made the image, or has a volume in common with this container, can put
//! a link anywhere, also between two of our calls. So a path is resolved by one
//! call that cannot leave the root, and from there on only the descriptor counts.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use mydocker_kernel::{Error, OnPath, Result, sys};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};

/// The root directory of this process, which is the container's.
#[derive(Debug)]
pub struct NewRoot(OwnedFd);

impl NewRoot {
    /// Opens it; to be called when the root has changed.
    ///
    /// # Errors
    /// As open(2).
    pub fn open() -> Result<NewRoot> {
        let root = Path::new("/");
        open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .on("open", root)
            .map(NewRoot)
    }

    /// The directory `name` of the root itself, not through a link.
    ///
    /// # Errors
    /// As openat(2): it is missing, or no directory.
    pub fn directory(&self, name: &str) -> Result<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.0, name, flags, Mode::empty()).on("openat", &Path::new("/").join(name))
    }

    /// A device of /dev, open for reading. To be called before there are volumes.
    ///
    /// # Errors
    /// As openat2(2).
    pub fn open_device(&self, path: &str) -> Result<OwnedFd> {
        let path = Path::new(path);
        sys::open_in_root(&self.0, path, OFlag::O_RDONLY).on("openat2", path)
    }

    /// What the path leads to, links followed; `None` if nothing is there, or
    /// a link on the way leads nowhere.
    ///
    /// # Errors
    /// As openat2(2).
    pub fn find(&self, path: &Path) -> Result<Option<OwnedFd>> {
        match sys::open_in_root(&self.0, path, OFlag::O_PATH) {
            Err(Errno::ENOENT) => Ok(None),
            other => other.on("openat2", path).map(Some),
        }
    }

    /// The directory `path`; it and those above it are made if they are missing.
    ///
    /// # Errors
    /// Something in the way is no directory; as openat2(2) and mkdirat(2).
    pub fn make_directory(&self, path: &Path) -> Result<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut here = sys::open_in_root(&self.0, Path::new("/"), flags).on("openat2", path)?;
        let mut so_far = PathBuf::from("/");
        for name in names(path) {
            so_far.push(name);
            here = match sys::open_in_root(&self.0, &so_far, flags) {
                Err(Errno::ENOENT) => {
                    let mode = Mode::from_bits_truncate(0o777);
                    mkdirat(&here, name, mode).map_err(|errno| in_the_way(errno, &so_far))?;
                    openat(&here, name, flags | OFlag::O_NOFOLLOW, Mode::empty())
                        .on("openat", &so_far)?
                }
                other => other.map_err(|errno| in_the_way(errno, &so_far))?,
            };
        }
        Ok(here)
    }

    /// What the path leads to; if nothing is there, an empty file is made.
    ///
    /// # Errors
    /// As [`NewRoot::make_directory`] and openat(2).
    pub fn make_file(&self, path: &Path) -> Result<OwnedFd> {
        if let Some(there) = self.find(path)? {
            return Ok(there);
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::new(format!("{path:?} is no path of a file")));
        };
        let folder = self.make_directory(folder)?;
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&folder, name, flags, Mode::from_bits_truncate(0o666))
            .map_err(|errno| in_the_way(errno, path))
    }
}

impl AsFd for NewRoot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Where a descriptor lies, as the mount table writes it. /proc must be mounted.
///
/// What is told of /, /dev, /proc and /sys stays so: each is a mount of our own, and
/// no rename leads from one mount into another.
///
/// # Errors
/// As readlink(2).
pub fn place(file: BorrowedFd) -> Result<PathBuf> {
    let link = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    std::fs::read_link(&link).on("readlink", &link)
}

fn names(path: &Path) -> impl Iterator<Item = &std::ffi::OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some("..".as_ref()),
        _ => None,
    })
}

fn in_the_way(errno: Errno, path: &Path) -> Error {
    let error = Err::<(), _>(errno).on("mkdir", path).unwrap_err();
    let why = match errno {
        Errno::EEXIST => "a link that leads nowhere is there",
        Errno::ENOTDIR => "a file is there, and no directory",
        _ => return error,
    };
    error.because(why).advise("choose another place in the container")
}
