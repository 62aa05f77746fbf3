//! What a file has beside its contents: mode, owner, time, extended attributes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, futimens, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat};
use rustix::fs::{XattrFlags, fsetxattr, lsetxattr};

use super::{Tree, file_name};
use crate::error::Result;
use crate::privileges::Privileges;

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

/// What could not be kept, because this process may not do it.
#[derive(Debug, Default)]
pub struct LeftOut {
    pub devices: u64,
    pub owners: u64,
    pub xattrs: u64,
}

impl Attributes {
    /// Those of a file that no archive says anything of.
    pub fn new(mode: u32, (uid, gid): (u32, u32)) -> Attributes {
        Attributes { mode, uid, gid, mtime: TimeSpec::UTIME_OMIT, xattrs: Vec::new() }
    }

    /// Those of a file of a lower layer, to have the like in this one.
    pub fn of(file: &FileStat) -> Attributes {
        let mtime = TimeSpec::new(file.st_mtime, file.st_mtime_nsec);
        Attributes { mtime, ..Attributes::new(file.st_mode & 0o7777, (file.st_uid, file.st_gid)) }
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

impl Tree {
    /// Gives all directories their attributes; the tree is complete then.
    ///
    /// # Errors
    /// Names the call and the directory.
    pub fn finish(mut self) -> Result<LeftOut> {
        // What lies deeper comes first, as its parent may become unreadable.
        for (path, attributes) in std::mem::take(&mut self.directories).iter().rev() {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
            let directory =
                self.open(path, flags).map_err(|errno| self.error("openat2", path, errno))?;
            let directory = File::from(directory);
            self.set_attributes_of_file(path, &directory, attributes)?;
            fchmod(&directory, attributes.mode())
                .map_err(|errno| self.error("fchmod", path, errno))?;
        }
        Ok(self.left_out)
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
            // Overlay's own would redirect or hide files of other layers.
            let text = name.to_string_lossy();
            let is_overlays =
                text.starts_with("trusted.overlay.") || text.starts_with("user.overlay.");
            let result = if is_overlays { Err(Errno::EPERM) } else { set(name, value) };
            match result {
                // Not for this user, not for this kind of file, or not known
                // to this file system.
                Err(Errno::EPERM | Errno::EACCES | Errno::EOPNOTSUPP) => self.left_out.xattrs += 1,
                other => other?,
            }
        }
        Ok(())
    }
}

/// Sets an extended attribute of an open file.
pub(super) fn set_xattr(file: &File, name: &OsStr, value: &[u8]) -> nix::Result<()> {
    fsetxattr(file, name, value, XattrFlags::empty()).map_err(errno)
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}
