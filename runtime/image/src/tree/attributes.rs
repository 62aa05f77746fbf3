//! What a file has beside its contents: mode, owner, time, extended attributes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, futimens, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat};
use rustix::fs::{XattrFlags, fsetxattr, getxattr, lgetxattr, listxattr, llistxattr, lsetxattr};

use super::{Tree, file_name};
use mydocker_kernel::privileges::Privileges;
use mydocker_kernel::{OnPath, Result};

/// The set-user-ID and the set-group-ID bit.
const SET_ID: u32 = 0o6000;

/// What a file has beside its contents.
#[derive(Debug)]
pub struct Attributes {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: TimeSpec,
    pub xattrs: Vec<(OsString, Vec<u8>)>,
}

/// How much of what is not kept, and why.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// Devices, for want of the power to make any.
    pub devices: u64,
    /// Devices 0:0, which overlay takes for deletions.
    pub whiteouts: u64,
    pub owners: u64,
    /// Extended attributes that this process may not set.
    pub xattrs: u64,
    /// Those that the file system does not have.
    pub unknown_xattrs: u64,
    /// Those by which overlay would be led.
    pub overlay_xattrs: u64,
}

impl Attributes {
    /// Those of a file that no archive says anything of.
    pub fn new(mode: u32, (uid, gid): (u32, u32)) -> Attributes {
        Attributes { mode, uid, gid, mtime: TimeSpec::UTIME_OMIT, xattrs: Vec::new() }
    }

    /// The mode itself, so that most files need no second call for it; but an
    /// ordinary user can set attributes only of a file that he may write.
    pub fn mode_to_create_with(&self) -> Mode {
        Mode::from_bits_truncate(if self.xattrs.is_empty() { self.mode } else { 0o600 })
    }

    /// Whether the mode must be set once more: a write and a new owner take
    /// the set-ID bits away.
    fn mode_is_still_to_set(&self) -> bool {
        !self.xattrs.is_empty() || self.mode & SET_ID != 0
    }

    fn mode(&self) -> Mode {
        Mode::from_bits_truncate(self.mode)
    }
}

impl Tree<'_> {
    /// Gives all directories their attributes; the tree is complete then.
    ///
    /// # Errors
    /// Names the call and the directory.
    pub fn finish(mut self) -> Result<LeftOut> {
        for (path, mut attributes) in std::mem::take(&mut self.directories) {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
            let directory =
                self.open(&path, flags).map_err(|errno| self.error("openat2", &path, errno))?;
            let directory = File::from(directory);
            attributes.mode = self.closed.mode_until_then(self.folder.join(&path), attributes.mode);
            self.set_attributes_of_file(&path, &directory, &attributes)?;
            fchmod(&directory, attributes.mode())
                .map_err(|errno| self.error("fchmod", &path, errno))?;
        }
        Ok(self.left_out)
    }

    /// Those of a file of a layer below, to have the like in this one.
    ///
    /// # Errors
    /// As lstat(2), listxattr(2) and getxattr(2).
    pub(super) fn attributes_below(&self, file: &Path) -> Result<Attributes> {
        let metadata = file.symlink_metadata().on("lstat", file)?;
        let mtime = TimeSpec::new(metadata.mtime() as _, metadata.mtime_nsec() as _);
        let mode = self.closed.mode(file, metadata.mode() & 0o7777);
        let owner = (metadata.uid(), metadata.gid());
        let xattrs = xattrs(file)?;
        Ok(Attributes { mtime, xattrs, ..Attributes::new(mode, owner) })
    }

    /// For what can be opened. The order matters: a new owner takes the
    /// capabilities and the set-ID bits away.
    pub(super) fn set_attributes_of_file(
        &mut self,
        path: &Path,
        file: &File,
        attributes: &Attributes,
    ) -> Result<()> {
        self.set_owner(attributes, |uid, gid| fchown(file, uid, gid))
            .map_err(|errno| self.error("fchown", path, errno))?;
        self.set_xattrs(attributes, |name, value| set_xattr(file, name, value))
            .map_err(|errno| self.error("fsetxattr", path, errno))?;
        if attributes.mode_is_still_to_set() {
            fchmod(file, attributes.mode()).map_err(|errno| self.error("fchmod", path, errno))?;
        }
        futimens(file, &TimeSpec::UTIME_OMIT, &attributes.mtime)
            .map_err(|errno| self.error("futimens", path, errno))
    }

    /// For what cannot be opened, or better is not: links, devices, fifos.
    pub(super) fn set_attributes_of_node(
        &mut self,
        path: &Path,
        attributes: &Attributes,
        kind: SFlag,
    ) -> Result<()> {
        let name = file_name(path);
        let directory = Rc::clone(&self.parent(path)?.directory);
        let no_follow = AtFlags::AT_SYMLINK_NOFOLLOW;
        self.set_owner(attributes, |uid, gid| fchownat(&directory, name, uid, gid, no_follow))
            .map_err(|errno| self.error("fchownat", path, errno))?;
        let through_proc =
            Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        self.set_xattrs(attributes, |attribute, value| {
            lsetxattr(&through_proc, attribute, value, XattrFlags::empty()).map_err(errno)
        })
        .map_err(|errno| self.error("lsetxattr", path, errno))?;
        // A symbolic link has no mode of its own.
        if kind != SFlag::S_IFLNK && attributes.mode_is_still_to_set() {
            fchmodat(&directory, name, attributes.mode(), FchmodatFlags::FollowSymlink)
                .map_err(|errno| self.error("fchmodat", path, errno))?;
        }
        let times = (&TimeSpec::UTIME_OMIT, &attributes.mtime);
        utimensat(&directory, name, times.0, times.1, UtimensatFlags::NoFollowSymlink)
            .map_err(|errno| self.error("utimensat", path, errno))
    }

    fn set_owner(
        &mut self,
        attributes: &Attributes,
        chown: impl FnOnce(Option<Uid>, Option<Gid>) -> nix::Result<()>,
    ) -> nix::Result<()> {
        let (uid, gid) = (attributes.uid, attributes.gid);
        if (uid, gid) == self.owner {
            return Ok(());
        }
        let result = match self.privileges {
            Privileges::User => Err(Errno::EPERM),
            _ => chown(Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))),
        };
        match (result, self.privileges) {
            // Its container sees an ordinary user's files as root's.
            (Err(_), Privileges::User) if (uid, gid) == (0, 0) => Ok(()),
            // An ordinary user owns all he makes; the root of a user namespace
            // can give away only to the users that it has.
            (Err(Errno::EPERM | Errno::EINVAL), Privileges::User | Privileges::MappedRoot) => {
                self.left_out.owners += 1;
                Ok(())
            }
            (result, _) => result,
        }
    }

    fn set_xattrs(
        &mut self,
        attributes: &Attributes,
        set: impl Fn(&OsStr, &[u8]) -> nix::Result<()>,
    ) -> nix::Result<()> {
        for (name, value) in &attributes.xattrs {
            // These would redirect or hide files of other layers.
            if is_overlays(name) {
                self.left_out.overlay_xattrs += 1;
                continue;
            }
            match set(name, value) {
                Err(Errno::EPERM | Errno::EACCES) => self.left_out.xattrs += 1,
                Err(Errno::EOPNOTSUPP) => self.left_out.unknown_xattrs += 1,
                other => other?,
            }
        }
        Ok(())
    }
}

fn is_overlays(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.")
}

/// The extended attributes of a file, but overlay's own; a link is not followed.
fn xattrs(file: &Path) -> Result<Vec<(OsString, Vec<u8>)>> {
    read_xattrs(file, |names| llistxattr(file, names), |name, value| lgetxattr(file, name, value))
}

/// The same of what the name of a descriptor in /proc leads to.
///
/// # Errors
/// As listxattr(2) and getxattr(2).
pub fn xattrs_of(file: &Path) -> Result<Vec<(OsString, Vec<u8>)>> {
    read_xattrs(file, |names| listxattr(file, names), |name, value| getxattr(file, name, value))
}

fn read_xattrs(
    file: &Path,
    list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
    get: impl Fn(&OsStr, &mut [u8]) -> rustix::io::Result<usize>,
) -> Result<Vec<(OsString, Vec<u8>)>> {
    // The kernel allows no more than this, see xattr(7); most files have none.
    const MOST: usize = 64 << 10;
    let mut names = vec![0; 1 << 10];
    let mut listed = list(&mut names);
    if listed == Err(rustix::io::Errno::RANGE) {
        names = vec![0; MOST];
        listed = list(&mut names);
    }
    let length = match listed.map_err(errno) {
        // This file system has none.
        Err(Errno::EOPNOTSUPP) => 0,
        other => other.on("listxattr", file)?,
    };
    let mut xattrs = Vec::new();
    if length == 0 {
        return Ok(xattrs);
    }
    let mut value = vec![0; MOST];
    for name in names[..length].split(|&byte| byte == 0).map(OsStr::from_bytes) {
        // SELinux gives every file one by itself.
        if name.is_empty() || name == "security.selinux" || is_overlays(name) {
            continue;
        }
        match get(name, &mut value).map_err(errno) {
            // It was taken away meanwhile.
            Err(Errno::ENODATA) => {}
            other => {
                let length = other.on("getxattr", file)?;
                xattrs.push((name.to_owned(), value[..length].to_vec()));
            }
        }
    }
    // The order is the file system's.
    xattrs.sort();
    Ok(xattrs)
}

/// Sets an extended attribute of an open file.
pub(super) fn set_xattr(file: &File, name: &OsStr, value: &[u8]) -> nix::Result<()> {
    fsetxattr(file, name, value, XattrFlags::empty()).map_err(errno)
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}
